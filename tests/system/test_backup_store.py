"""Backups on a real web server, as WebDAV servers keep files, and on servers that fail."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from appliance.system.web.backup_store import BackupStore
from appliance.system.web.web_source import NotFetched

LOGIN = "Basic " + b64encode(b"pi:geheim").decode()


class Keeper(BaseHTTPRequestHandler):
    """Keeps what is put, for those who log in."""

    kept: dict[str, bytes]

    def answer(self, status: int) -> None:
        self.send_response(status if self.headers["Authorization"] == LOGIN else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.answer(200 if self.path in self.kept else 404)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if "full" in self.path:
            self.answer(507)
            return
        self.kept[self.path] = content
        self.answer(201)

    def do_DELETE(self) -> None:
        self.answer(204 if self.kept.pop(self.path, None) is not None else 404)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing is told."""


@pytest.fixture
def served() -> Iterator[tuple[str, dict[str, bytes]]]:
    kept: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Keeper,), {"kept": kept}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/nas/", kept
    server.shutdown()
    thread.join()
    server.server_close()


def store(url: str, password: str = "geheim") -> BackupStore:
    return BackupStore(url, user="pi", password=password, ca=None, judge=lambda address, own: None)


def test_a_backup_is_kept_found_and_removed(served: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    url, kept = served
    made = tmp_path / "made"
    made.write_bytes(bytes(range(256)) * 4096)
    one = store(url)
    assert not one.has("a-2026-11-29.backup")
    one.put("a-2026-11-29.backup", made)
    assert kept == {"/nas/a-2026-11-29.backup": made.read_bytes()}
    assert one.has("a-2026-11-29.backup")
    one.remove("a-2026-11-29.backup")
    one.remove("a-2026-11-29.backup")  # one that is gone is no fault
    assert kept == {}


def test_why_a_server_keeps_nothing_is_told(served: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    url, kept = served
    made = tmp_path / "made"
    made.write_bytes(b"x")
    with pytest.raises(NotFetched, match="the server answers 401"):
        store(url, "falsch").has("a.backup")
    with pytest.raises(NotFetched, match="does not take it: 507"):
        store(url).put("full.backup", made)
    with pytest.raises(NotFetched, match="Connection refused"):
        store("http://127.0.0.1:1/").has("a.backup")
    with pytest.raises(NotFetched, match="it is this computer"):
        BackupStore(url, user=None, password="", ca=None).has("a.backup")
    assert kept == {}
