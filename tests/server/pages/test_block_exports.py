"""The wanted blocks as another firewall fetches them: with real requests over a real socket."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from appliance.server.access import Role
from appliance.server.pages.block_exports import FRESH_S


def fetch(url: str, **headers: str) -> tuple[int, str, str]:
    """Status, body and ETag."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode(), answer.headers.get("ETag", "")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers.get("ETag", "")


@pytest.fixture
def mirror(start: Callable[..., Any]) -> Any:
    return start(position="mirror")


@pytest.fixture
def blocked(mirror: Any) -> Any:
    from tests.client import NodeClient

    with NodeClient(mirror.url, mirror.token()) as client:
        client.wait_for("connect")
        client.call("ip:block", {"addresses": ["10.0.0.5", "10.0.0.0/24", "2001:db8::1"], "duration": 3600})
        client.call("ip:block", {"address": "192.0.2.9", "departmentId": "dept123"})
        mirror.call = client.call
        yield mirror


def bearer(server: Any, **claims: Any) -> str:
    return f"Bearer {server.token(**claims)}"


def test_each_export_has_all_wanted_blocks(blocked: Any) -> None:
    token = bearer(blocked, role=Role.VIEWER)
    for form in ("txt", "nft", "rsc"):
        status, body, tag = fetch(f"{blocked.url}/blocks.{form}", Authorization=token)
        assert status == 200
        assert all(target in body for target in ("10.0.0.0/24", "192.0.2.9", "2001:db8::1"))
        assert "10.0.0.5" not in body
        assert tag.startswith('"')
        assert not tag.startswith("W/")


def test_an_unchanged_export_is_answered_with_304(blocked: Any) -> None:
    url, token = f"{blocked.url}/blocks.txt", bearer(blocked)
    _, _, tag = fetch(url, Authorization=token)
    assert fetch(url, Authorization=token, If_None_Match=tag) == (304, "", tag)
    assert fetch(url, Authorization=token, If_None_Match='"other", ' + tag)[0] == 304
    blocked.call("ip:block", {"address": "192.0.2.10"})
    blocked.advance(FRESH_S)
    status, body, other = fetch(url, Authorization=token, If_None_Match=tag)
    assert (status, "192.0.2.10" in body, other != tag) == (200, True, True)
    blocked.call("ip:unblock", {"address": "192.0.2.10"})
    blocked.advance(FRESH_S)
    assert fetch(url, Authorization=token, If_None_Match=tag)[0] == 304


def test_an_export_is_made_at_most_once_in_its_period(blocked: Any) -> None:
    url, token = f"{blocked.url}/blocks.txt", bearer(blocked)
    before = fetch(url, Authorization=token)
    blocked.call("ip:block", {"address": "192.0.2.10"})
    blocked.advance(FRESH_S - 1)
    assert fetch(url, Authorization=token) == before


@pytest.mark.parametrize("path", ["/blocks.txt", "/blocks.nft", "/blocks.rsc", "/v1/decisions/stream"])
def test_an_export_is_refused_without_a_good_token(blocked: Any, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic !"}, {"X_Api_Key": "x"}):
        status, body, _ = fetch(blocked.url + path, **headers)
        assert status == 401
        assert "192.0.2.9" not in body
    blocked.advance(4000)
    assert fetch(blocked.url + path, Authorization=bearer(blocked))[0] == 401


def test_a_token_of_one_department_exports_only_its_blocks(blocked: Any) -> None:
    own, url = bearer(blocked, departments=["dept123"]), f"{blocked.url}/blocks.txt"
    assert fetch(url, Authorization=own)[0] == 403
    assert "192.0.2.9" in fetch(f"{url}?department=dept123", Authorization=own)[1]
    assert fetch(f"{url}?department=dept456", Authorization=own)[0] == 403
    assert "192.0.2.9" not in fetch(f"{url}?department=dept456", Authorization=bearer(blocked))[1]
    assert fetch(f"{url}?department=none", Authorization=bearer(blocked))[0] == 404


def test_a_firewall_that_knows_only_urls_sends_the_token_as_password(blocked: Any) -> None:
    words = base64.b64encode(f"any:{blocked.token()}".encode()).decode()
    assert fetch(f"{blocked.url}/blocks.txt", Authorization=f"Basic {words}")[0] == 200


def test_a_crowdsec_bouncer_gets_all_decisions_and_then_the_changes(blocked: Any) -> None:
    url, key = f"{blocked.url}/v1/decisions/stream", blocked.token()

    def ask(query: str = "") -> tuple[set[str], set[str]]:
        found = json.loads(fetch(url + query, X_Api_Key=key)[1])
        return {one["value"] for one in found["new"]}, {one["value"] for one in found["deleted"]}

    everything = {"10.0.0.5", "10.0.0.0/24", "2001:db8::1", "192.0.2.9"}
    assert ask("?startup=true") == (everything, set())
    assert ask() == (set(), set())
    blocked.call("ip:block", {"address": "192.0.2.10"})
    blocked.call("ip:unblock", {"address": "10.0.0.5"})
    assert ask("?startup=false") == ({"192.0.2.10"}, {"10.0.0.5"})
    assert ask("?startup=true")[0] == everything - {"10.0.0.5"} | {"192.0.2.10"}
