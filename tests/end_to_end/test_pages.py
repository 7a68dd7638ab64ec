"""The answers of the running service over plain HTTP."""

import gzip
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.server.access import Role
from appliance.server.services import BUILT_PAGE
from tests.abuse.service import HOME, Service
from tests.end_to_end.simulated import without_dashboard

MOST_PAGE_BYTES = 1_500_000  # the service keeps the built page in memory, also while nobody looks; 2 MB are its budget
SHORT_BYTES = 1000
LOADED = re.compile(r'(?:src|href)="(/[^"]+)"')
SAFE = {"X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy", "Referrer-Policy", "Cache-Control"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("pages"))
    with service.client(HOME) as client:  # the figures of an event can now be scraped
        while "usage:update" not in (client.read() or ""):
            pass
    yield service
    service.stop()


def get(service: Service, path: str, token: str | None = None) -> tuple[int, Any, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(service.url + path, headers=headers)) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def samples(text: str) -> dict[tuple[str, str], float]:
    """By name and department, the sum of the values."""
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, sample.labels.get("department", "")
            found[key] = found.get(key, 0) + sample.value
    return found


@pytest.mark.parametrize("path", ["/", "/healthz", "/asyncapi.json", "/metrics", "/nothing", "/login"])
def test_every_answer_has_the_headers_that_keep_browsers_safe(service: Service, path: str) -> None:
    _, headers, _ = get(service, path)
    assert set(headers) >= SAFE


def test_the_page_loads_only_what_the_service_has_and_a_cache_may_keep(service: Service) -> None:
    status, headers, body = get(service, "/departments/dept123")
    assert (status, headers["Content-Type"], headers.get_all("Cache-Control")) == (
        200,
        "text/html; charset=utf-8",
        ["no-store"],
    )
    loaded = LOADED.findall(body)
    assert any(one.endswith(".js") for one in loaded)
    assert any(one.endswith(".css") for one in loaded)
    assert "://" not in body  # nothing from elsewhere
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son\w+=", body)  # which its policy forbids
    for path in loaded:
        status, headers, _ = get(service, path)
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable"), path


def test_what_the_build_has_compressed_is_what_it_was(service: Service) -> None:
    for path in LOADED.findall(get(service, "/")[2]):
        plain = urllib.request.urlopen(service.url + path).read()
        asked = urllib.request.Request(service.url + path, headers={"Accept-Encoding": "gzip, deflate"})
        with urllib.request.urlopen(asked) as answer:
            content = answer.read()
        if answer.headers["Content-Encoding"] == "gzip":
            content = gzip.decompress(content)
        else:
            assert len(plain) < SHORT_BYTES, path  # what is longer is worth it
        assert content == plain, path


def test_the_page_takes_little_of_the_memory() -> None:
    assert sum(one.stat().st_size for one in BUILT_PAGE.rglob("*") if one.is_file()) < MOST_PAGE_BYTES


def test_without_a_built_page_the_service_works_and_says_so_at_each_view(tmp_path: Path) -> None:
    service = Service(tmp_path, environment=without_dashboard(tmp_path / "programs"))
    try:
        for path in ("/", "/people", "/login"):
            status, headers, body = get(service, path)
            assert (status, "The dashboard was not built" in body, "SIMULATED" in body) == (200, True, True)
            assert "script-src" not in headers["Content-Security-Policy"]
        assert get(service, "/metrics", service.token())[0] == 200
    finally:
        service.stop()


def test_health_is_ok_and_says_nothing_of_departments(service: Service) -> None:
    status, _, body = get(service, "/healthz")
    health = json.loads(body)
    assert health.pop("work").keys() == {"metering", "publishing", "enforcement", "store"}
    assert (status, health) == (200, {"status": "ok", "clients": 0, "simulated": True})


def test_the_contract_is_served(service: Service) -> None:
    status, headers, body = get(service, "/asyncapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body)["asyncapi"].startswith("3.")


def test_metrics_take_a_token_and_show_what_events_tell(service: Service) -> None:
    status, _, body = get(service, "/metrics", service.token())
    assert status == 200
    found = samples(body)
    assert found["appliance_department_bytes_total", "dept123"] > 0
    assert found["appliance_ledger_bytes", "dept456"] > 0
    assert found["appliance_ledger_limit_bytes", "dept123"] == 400_000_000 + 5_000_000_000 + 20_000_000_000
    assert found["appliance_department_link_up", "dept123"] == 1
    assert ("appliance_blocks_wanted", "dept123") in found
    assert ("appliance_packets_stopped_total", "") in found
    assert found["appliance_simulated", ""] == 1
    assert found["appliance_connections", ""] >= 1
    assert found["appliance_events_published_total", ""] > 0


def test_of_hosts_only_the_busiest_are_named(service: Service) -> None:
    _, _, body = get(service, "/metrics", service.token())
    [family] = [one for one in text_string_to_metric_families(body) if one.name == "appliance_host_bytes"]
    for department in ("dept123", "dept456"):
        hosts = {one.labels["host"] for one in family.samples if one.labels["department"] == department}
        assert 0 < len(hosts) <= 10


def test_metrics_show_only_what_the_token_may_see(service: Service) -> None:
    _, _, body = get(service, "/metrics", service.token(departments=["dept456"]))
    assert "dept456" in body
    assert "dept123" not in body


@pytest.mark.parametrize("token", [None, "nonsense", "x" * 7000])
def test_metrics_are_for_nobody_without_a_good_token(service: Service, token: str | None) -> None:
    status, headers, body = get(service, "/metrics", token)
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Bearer")
    assert "dept123" not in body


def test_who_guesses_at_metrics_has_to_wait(tmp_path: Path) -> None:
    service = Service(tmp_path)
    try:
        answers = [get(service, "/metrics", f"guess{number}")[0] for number in range(10)]
        assert answers[0] == 401
        assert answers[-1] == 429
        assert get(service, "/metrics", service.token(Role.VIEWER))[0] == 200
    finally:
        service.stop()
