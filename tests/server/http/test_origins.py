"""Which web pages may use the appliance: its own and those that are listed, on every path and both transports."""

import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from appliance.server.access import Role
from tests.client import NodeClient
from tests.client.browser import BrowserClient
from tests.ports import reserve_port
from tests.server.conftest import Running

Start = Callable[..., Running]

LISTED, OTHER = "https://dash.example:8443", "https://evil.example"
PATHS = ("/", "/healthz", "/asyncapi.json", "/metrics", "/blocks.txt", "/login", "/pair")
POLLING = "/socket.io/?EIO=4&transport=polling"
ANNA = {"name": "anna", "password": "correct horse battery"}
PATIENCE_S = 60  # for a browser's start on a busy machine


def ask(
    server: Running, method: str, path: str, origin: str | None, headers: Mapping[str, str] | None = None
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    named = {} if origin is None else {"Origin": origin}
    connection.request(method, path, "{}" if method == "POST" else None, {**named, **(headers or {})})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def method_of(path: str) -> str:
    return "POST" if path in {"/login", "/pair"} else "GET"


@pytest.fixture
def listing(start: Start) -> Running:
    return start(server={"origins": [LISTED]})


@pytest.mark.parametrize("path", [*PATHS, POLLING])
def test_a_page_of_a_listed_origin_gets_answers_that_it_may_read(listing: Running, path: str) -> None:
    answer = ask(listing, method_of(path), path, LISTED)
    assert answer.status != 403
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers.get_all("Vary") == ["Origin"]


@pytest.mark.parametrize("path", [*PATHS, POLLING])
def test_the_preflight_of_a_listed_origin_allows_what_it_asks_for(listing: Running, path: str) -> None:
    asked = {
        "Access-Control-Request-Method": method_of(path),
        "Access-Control-Request-Headers": "authorization,content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = ask(listing, "OPTIONS", path, LISTED, asked)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert method_of(path) in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    refused = ask(listing, "OPTIONS", path, OTHER, asked)
    assert refused.status == 403
    assert not [name for name in refused.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "origin",
    [
        OTHER,
        "null",
        "",
        "https://dash.example",
        "http://dash.example:8443",
        "https://dash.example:84430",
        "https://dash.example:8443.evil.example",
        "https://evil-dash.example:8443",
        f"{LISTED},{LISTED}",
        f"{LISTED} ",
        "http://localhost:1",
    ],
)
def test_any_other_origin_is_refused_on_every_path(listing: Running, origin: str) -> None:
    for path in (*PATHS, POLLING):
        answer = ask(listing, method_of(path), path, origin)
        allowed = origin.strip() == LISTED  # the space is none of the header's value
        assert (answer.status == 403) is not allowed, path
        assert answer.headers["Vary"] == "Origin"
    assert ("[server] origins does not list it" in listing.log()) is not allowed


def test_origins_are_compared_as_browsers_write_them(start: Start) -> None:
    server = start(server={"origins": ["HTTPS://Dash.Example:443", "http://[fd00::1]:80", "capacitor://localhost"]})
    for origin in ("https://dash.example", "http://[fd00::1]", "capacitor://localhost"):
        assert ask(server, "GET", "/healthz", origin).headers["Access-Control-Allow-Origin"] == origin
    assert ask(server, "GET", "/healthz", "http://dash.example").status == 403


@pytest.mark.parametrize("section", [{}, {"origins": []}, {"origins": [LISTED]}])
def test_its_own_pages_and_programs_need_no_list(start: Start, section: dict[str, Any]) -> None:
    server = start(server=section)
    for path in (*PATHS, POLLING):
        assert ask(server, method_of(path), path, None).status != 403
        assert ask(server, method_of(path), path, server.url).status != 403
        proxied = {"Host": "pi.example"}
        assert ask(server, method_of(path), path, "https://pi.example", proxied).status != 403
        assert ask(server, method_of(path), path, "http://pi.example:81", proxied).status == (
            200 if path == POLLING and not section else 403
        )


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_a_client_of_a_listed_page_connects_by_either_transport(listing: Running, transports: list[str]) -> None:
    options = {"transports": transports, "extraHeaders": {"Origin": LISTED}}
    with NodeClient(listing.url, listing.token(), options=options) as client:
        client.wait_for("connect")
        assert client.call("ip:list")["success"]


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]])
def test_a_client_of_another_page_connects_by_neither(listing: Running, transports: list[str]) -> None:
    options = {"transports": transports, "extraHeaders": {"Origin": OTHER}, "reconnection": False}
    with NodeClient(listing.url, listing.token(), options=options) as client:
        client.wait_for("connect_error")
        assert client.named("connect") == []


def test_without_a_list_any_page_connects_with_a_token_and_reads_no_page(server: Running) -> None:
    with NodeClient(server.url, server.token(), options={"extraHeaders": {"Origin": OTHER}}) as client:
        client.wait_for("connect")
    assert [path for path in PATHS if ask(server, method_of(path), path, OTHER).status != 403] == []


def test_a_page_in_a_browser_logs_in_where_it_is_listed_and_nowhere_else(start: Start) -> None:
    with reserve_port() as reserved:
        port = reserved.getsockname()[1]
        server = start(server={"origins": [f"http://127.0.0.1:{port}"]})
        with NodeClient(server.url, server.token(Role.ADMIN)) as admin:
            admin.wait_for("connect")
            assert admin.call("user:add", {**ANNA, "role": "viewer"})["success"]
        with BrowserClient(server.url, None, login=ANNA, port=port, options={"withCredentials": True}) as listed:
            assert listed.wait_for("login", within_s=PATIENCE_S)["success"]
            listed.wait_for("connect", within_s=PATIENCE_S)
            listed.wait_for("upgrade")
        with BrowserClient(server.url, None, login=ANNA, options={"reconnection": False}) as other:
            assert "Failed to fetch" in json.dumps(other.wait_for("login", within_s=PATIENCE_S))
            other.wait_for("connect_error")
            assert other.named("connect") == []
