"""Pages of other origins: those that are listed may log in and connect; and the page lets nobody into itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard.window import PATIENCE_MS
from tests.end_to_end.simulated import Simulated

NAME, PASSWORD = "ada", "a long enough sentence"
LOG_IN = """async ([url, name, password]) => {
    const headers = { 'Content-Type': 'application/json' };
    const asked = { method: 'POST', headers, body: JSON.stringify({ name, password }) };
    try { return (await (await fetch(url + '/login', asked)).json()).token } catch (error) { return String(error) }
}"""
CONNECT = """([url, token]) => new Promise((done) => {
    const socket = new WebSocket(url.replace('http', 'ws') + '/socket.io/?EIO=4&transport=websocket');
    socket.onerror = () => done('refused');
    socket.onmessage = ({ data }) => {
        if (data.startsWith('0')) socket.send('40' + JSON.stringify({ token }));
        else if (data.startsWith('4')) done(data.slice(0, 2));
    };
})"""
# A frame that is refused loads too, as an empty page, and the violation may come only then: within `patience`.
LOAD = """([kind, source, patience]) => new Promise((done) => {
    document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
    const onload = () => setTimeout(done, patience, 'loaded');
    document.body.append(Object.assign(document.createElement(kind), { src: source, onload }));
})"""
CONNECTED = "40"  # Socket.IO: CONNECT, with the server's own session


class Blank(BaseHTTPRequestHandler):
    """Answers everything with an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another page</title>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def other_origin() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def other() -> Iterator[str]:
    with other_origin() as one:
        yield one


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_a_page_of_a_listed_origin_logs_in_and_connects_and_another_does_not(
    other: str, page: Page, tmp_path: Path
) -> None:
    with other_origin() as unlisted:
        service = Simulated(tmp_path, server=f'origins = ["{other}"]')
        service.start()
        try:
            url = f"http://127.0.0.1:{service.port}"
            added = service.ask(
                "user:add", {"name": NAME, "password": PASSWORD, "role": "viewer", "departments": ["dept123"]}
            )
            assert added["success"], added
            page.goto(other)
            token = page.evaluate(LOG_IN, [url, NAME, PASSWORD])
            assert token.count(".") == 2
            assert page.evaluate(CONNECT, [url, token]) == CONNECTED
            page.goto(unlisted)
            assert "Failed to fetch" in page.evaluate(LOG_IN, [url, NAME, PASSWORD])
            assert page.evaluate(CONNECT, [url, token]) == "refused"
            page.goto(f"{url}/login")
            assert page.evaluate(CONNECT, [url, token]) == CONNECTED  # its own page always may
        finally:
            service.close()


def test_the_page_loads_no_foreign_script_and_no_frame_and_is_in_nobodys_frame(desk, other: str, page: Page) -> None:
    page.goto(f"{desk.url}/login")
    assert page.evaluate(LOAD, ["script", f"{other}/foreign.js", PATIENCE_MS]) == "script-src-elem"
    page.goto(f"{desk.url}/login")
    assert page.evaluate(LOAD, ["iframe", f"{other}/", PATIENCE_MS]) == "frame-src"
    page.goto(other)
    page.evaluate(LOAD, ["iframe", f"{desk.url}/login", 0])
    assert page.frames[1].url == "chrome-error://chromewebdata/"
