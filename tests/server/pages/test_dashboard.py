"""The dashboard over HTTP: at which paths it is, what its files tell browsers and caches, and what is not there."""

import gzip
import http.client
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from appliance.server.pages import dashboard
from tests.documents import PROJECT
from tests.server.conftest import Running

INDEX = "<!doctype html><title>Appliance</title><script type=module src=/assets/index-Ab12_-x.js></script>"
SCRIPT = "console.log('a script')\n" * 50
FILES = {
    "index.html": INDEX.encode(),
    "index.html.gz": gzip.compress(INDEX.encode()),
    "icon.svg": b"<svg/>",
    "assets/index-Ab12_-x.js": SCRIPT.encode(),
    "assets/index-Ab12_-x.js.gz": gzip.compress(SCRIPT.encode()),
    "assets/index-Ab12_-x.js.br": b"as good as brotli",
    "assets/page-0123abcd.css": b"p { color: red }",
}
ASSET = "/assets/index-Ab12_-x.js"
VIEWS = [
    "/",
    "/departments?sort=state",
    "/departments/dept123?range=24h",
    "/devices?q=a",
    "/websites",
    "/incidents",
    "/incidents/scan-1:7",
    "/blocks",
    "/blocks/new?address=192.0.2.1",
    "/quotas",
    "/quotas/dept123/grant",
    "/quotas/dept123/limit",
    "/reports/dept123/2026-W48",
    "/reports",
    "/settings",
    "/more",
    "/maintenance",
    "/appliance",
    "/people",
    "/audit",
    "/settings/configuration",
    "/settings/browser",
    "/kiosk?theme=dark",
    "/login?next=/people",
    "/first",
]
NOT_THERE = [
    "/departments/",
    "/departments/a/b",
    "/departments//b",
    "/reports/a",
    "/reports/a/b/c",
    "/quotas/a",
    "/reports//b",
    "/quotas/a/take",
    "/settings/other",
    "/index.html",
    "/index.html.gz",
    "/.made-from",
    "/assets",
    "/assets/",
    "/assets/other.js",
    "/assets/index-Ab12_-x.js.gz",
    "/assets/index-Ab12_-x.js.br",
    "/assets/index-Ab12_-x.js/",
    "/ASSETS/index-Ab12_-x.js",
    "/assets/../index.html",
    "/assets/..%2findex.html",
    "/../state/token.secret",
    "/assets/../../token.secret",
    "/assets/%2e%2e/%2e%2e/token.secret",
    "/assets//etc/passwd",
    "/page/index.html",
    "/assets/index-Ab12_-x.js%00.css",
    "/assets/*",
    "/*",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a page that was built."""
    state = tmp_path_factory.mktemp("state")
    write_page(state / "page")
    running = Running(state)
    yield running
    running.stop()


def write_page(folder: Path) -> None:
    for name, content in {**FILES, ".made-from": b"digest"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def ask(
    server: Running, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


@pytest.mark.parametrize("path", VIEWS)
def test_the_page_is_at_the_path_of_each_view(built: Running, path: str) -> None:
    status, headers, content = ask(built, path)
    assert (status, content) == (200, INDEX.encode())
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers.get_all("Cache-Control") == ["no-store"]
    assert headers["Content-Length"] == str(len(content))


def test_a_reload_finds_the_page_at_each_of_its_routes() -> None:
    routes = re.findall(r'<Route path="([^":]+)', (PROJECT / "appliance/dashboard/src/app.tsx").read_text())
    assert len(routes) > 10
    assert {route.rstrip("/") or "/" for route in routes} <= set(dashboard.VIEWS)


def test_the_page_may_load_its_own_files_and_nothing_else(built: Running) -> None:
    _, headers, _ = ask(built, "/")
    [policy] = headers.get_all("Content-Security-Policy")
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")
    assert "script-src" not in ask(built, "/healthz")[1]["Content-Security-Policy"]  # which needs no script


@pytest.mark.parametrize(
    ("path", "kind"),
    [(ASSET, "text/javascript; charset=utf-8"), ("/assets/page-0123abcd.css", "text/css; charset=utf-8")],
)
def test_a_cache_keeps_a_hashed_file_for_ever(built: Running, path: str, kind: str) -> None:
    status, headers, content = ask(built, path)
    assert (status, content) == (200, FILES[path[1:]])
    assert headers["Content-Type"] == kind
    assert headers.get_all("Cache-Control") == ["public, max-age=31536000, immutable"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_without_a_digest_in_its_name_is_not_kept(built: Running) -> None:
    status, headers, content = ask(built, "/icon.svg")
    assert (status, headers["Content-Type"], content) == (200, "image/svg+xml", b"<svg/>")
    assert headers.get_all("Cache-Control") == ["no-store"]


@pytest.mark.parametrize(
    ("path", "accepted", "coding"),
    [
        (ASSET, "gzip, deflate, br", "br"),
        (ASSET, "gzip, deflate", "gzip"),
        (ASSET, "br;q=0, gzip;q=0.1", "gzip"),
        (ASSET, "gzip;q=0, br;q=0", None),
        (ASSET, "identity", None),
        ("/", "gzip, deflate, br", "gzip"),  # no other was made
        ("/people", "gzip", "gzip"),
        ("/assets/page-0123abcd.css", "gzip, br", None),  # too short to become shorter
    ],
)
def test_a_file_comes_in_the_coding_that_was_made_ahead(
    built: Running, path: str, accepted: str, coding: str | None
) -> None:
    _, headers, content = ask(built, path, {"Accept-Encoding": accepted})
    assert headers["Content-Encoding"] == coding
    name = path[1:] if path.startswith("/assets/") else "index.html"
    assert content == FILES[name + {"br": ".br", "gzip": ".gz", None: ""}[coding]]
    assert headers["Content-Length"] == str(len(content))
    assert {"Accept-Encoding", "Origin"} <= set(headers.get_all("Vary"))


@pytest.mark.parametrize("path", ["/", "/departments/dept123", "/login", ASSET])
def test_head_has_the_headers_of_get_and_no_body(built: Running, path: str) -> None:
    asked = {"Accept-Encoding": "gzip"}
    head, get = ask(built, path, asked, "HEAD"), ask(built, path, asked)
    assert head[2] == b""
    assert dict(head[1], Date="") == dict(get[1], Date="")


@pytest.mark.parametrize("path", NOT_THERE)
def test_what_the_build_did_not_make_is_not_found(built: Running, path: str) -> None:
    status, _, content = ask(built, path)
    assert (status, content.strip()) == (404, b"404 Not Found: there is nothing here; see /")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/login", "GET, HEAD, POST, OPTIONS"),
        ("/pair", "POST, OPTIONS"),
        ("/first", "GET, HEAD, OPTIONS"),
        ("/quotas/dept123/grant", "GET, HEAD, OPTIONS"),
        (ASSET, "GET, HEAD, OPTIONS"),
    ],
)
def test_each_path_names_its_methods_and_takes_no_others(built: Running, path: str, allowed: str) -> None:
    assert ask(built, path, method="OPTIONS")[1]["Allow"] == allowed
    status, headers, _ = ask(built, path, method="DELETE")
    assert (status, headers["Allow"]) == (405, allowed)


def test_logging_in_is_at_the_path_of_the_page_that_asks_for_the_password(built: Running) -> None:
    status, headers, _ = ask(built, "/login", {"Content-Type": "application/json", "Content-Length": "0"}, "POST")
    assert (status, headers["Content-Type"]) == (400, "application/json")


def test_an_update_of_the_folder_does_not_mix_with_what_is_served(built: Running) -> None:
    for name in FILES:
        (built.state_dir / "page" / name).write_bytes(b"of a later build")
    assert ask(built, "/")[2] == INDEX.encode()
    assert ask(built, ASSET)[2] == SCRIPT.encode()
    write_page(built.state_dir / "page")


def test_a_page_that_was_not_built_to_its_end_is_told_at_each_path(tmp_path: Path) -> None:
    write_page(tmp_path / "page")
    (tmp_path / "page/.made-from").unlink()
    running = Running(tmp_path)
    try:
        for path in ("/", "/login", "/reports/dept123/2026-10"):
            status, headers, content = ask(running, path)
            assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert b"The dashboard was not built" in content
            assert b"deploy/package" in content
            assert "script-src" not in headers["Content-Security-Policy"]
        assert ask(running, ASSET)[0] == 404
    finally:
        running.stop()
