"""A source of a list, as it may be found: a real file, a real HTTP server on loopback, and everything else."""

import gzip
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance.core.blocking.lists.list_contents import LARGEST_BYTES, Fetched
from appliance.core.blocking.lists.parser import parse_list
from appliance.system.web.list_source import ListSource
from appliance.system.web.web_source import refusal_of
from tests.ports import reserve_port

LIST = b"10.0.0.5\n10.1.0.0/16\n"
ANYWHERE = Path("/nowhere")


def fetch(source: str, version: str, whole_s: float = 60.0) -> Fetched:
    """Fetch from a server on loopback, which is refused elsewhere."""
    return ListSource(ANYWHERE, lambda *_: None).fetch(source, version, whole_s)


class Lists(BaseHTTPRequestHandler):
    """Answers by path; what it was asked with is in `conditions`."""

    conditions: list[str | None]

    def do_GET(self) -> None:
        self.conditions.append(self.headers["If-None-Match"] or self.headers["If-Modified-Since"])
        answer: Callable[[], None] = getattr(self, self.path.strip("/").partition("?")[0])
        answer()

    def tagged(self) -> None:
        same = self.headers["If-None-Match"] == '"one"'
        self._send(304 if same else 200, b"" if same else LIST, {"ETag": '"one"'})

    def dated(self) -> None:
        date = "Sun, 15 Dec 2024 04:49:29 GMT"
        same = self.headers["If-Modified-Since"] == date
        self._send(304 if same else 200, b"" if same else LIST, {"Last-Modified": date})

    def fresh(self) -> None:
        # In the second of its `Date`, or in the next one where a second begins between the two.
        self._send(200, LIST, {"Last-Modified": self.date_time_string(time.time() + 1)})

    def misdated(self) -> None:
        self._send(200, LIST, {"Last-Modified": "Sun, 15 Dec 99999999999 04:49:29 -0000"})

    def plain(self) -> None:
        self._send(200, LIST, {})

    def moved(self) -> None:
        self._send(301, b"", {"Location": "/plain"})

    def around(self) -> None:
        self._send(302, b"", {"Location": "/around"})

    def away(self) -> None:
        self._send(302, b"", {"Location": "file:///etc/passwd"})

    def nowhere(self) -> None:
        self._send(302, b"", {})

    def packed(self) -> None:
        self._send(200, gzip.compress(LIST), {"Content-Encoding": "gzip"})

    def squeezed(self) -> None:
        self._send(200, b"\x0b\x02", {"Content-Encoding": "br"})

    def partial(self) -> None:
        self._send(206, LIST, {})

    def chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\n10.0.\r\n")

    def missing(self) -> None:
        self._send(404, b"10.0.0.9\n", {})

    def endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(LARGEST_BYTES // 65536 + 10):
            self.wfile.write(b"10.0.0.1 " * 7282)

    def trickling(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b"10.0.0.1\n")
            time.sleep(0.01)

    def cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(LIST)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # the endless one is hung up on
            super().handle()


@pytest.fixture
def url() -> Iterator[str]:
    Lists.conditions = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Lists) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("path", ["tagged", "dated"])
def test_a_list_that_has_not_changed_is_not_sent_again(url: str, path: str) -> None:
    first = fetch(f"{url}/{path}", "")
    assert first.content == LIST
    assert fetch(f"{url}/{path}", first.version) == Fetched(None, first.version)
    assert Lists.conditions == [None, first.version.partition(" ")[2]]


@pytest.mark.parametrize("path", ["plain", "plain?a=b", "fresh", "misdated"])
def test_what_a_server_gives_no_sure_version_of_is_read_each_time(url: str, path: str) -> None:
    first = fetch(f"{url}/{path}", "")
    assert fetch(f"{url}/{path}", first.version) == first == Fetched(LIST, "")


@pytest.mark.parametrize(
    ("path", "trouble"),
    [
        ("missing", "404"),
        ("partial", "206"),
        ("endless", "larger than"),
        ("cut", "IncompleteRead"),
        ("chunked", "IncompleteRead"),
        ("squeezed", "packs"),
        ("around", "more than 5 times"),
        ("away", "http or https"),
        ("nowhere", "nowhere"),
    ],
)
def test_what_a_server_does_wrong_is_told_and_gives_no_list(url: str, path: str, trouble: str) -> None:
    fetched = fetch(f"{url}/{path}", "")
    assert fetched.content is None
    assert trouble in (fetched.trouble or "")


def test_a_redirection_is_followed(url: str) -> None:
    assert fetch(f"{url}/moved", "") == Fetched(LIST)


def test_a_list_that_the_server_packs_is_left_to_the_parser(url: str) -> None:
    assert parse_list(fetch(f"{url}/packed", "").content or b"").targets == ("10.0.0.5", "10.1.0.0/16")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "224.0.0.1", "ff02::1"),
        "255.255.255.255",
    ],
)
def test_no_list_is_fetched_from_this_computer_or_a_link(address: str) -> None:
    assert refusal_of(ip_address(address), None) is not None


def test_a_list_is_fetched_from_other_computers_also_in_the_lan() -> None:
    for address in ("192.168.1.2", "10.0.0.1", "203.0.113.9", "2001:db8::1", "fd00::1", "64:ff9b::c000:201"):
        assert refusal_of(ip_address(address), ip_address("192.168.1.3")) is None
    assert refusal_of(ip_address("192.168.1.2"), ip_address("192.168.1.2")) == "it is this computer"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0", "[::1]"])
def test_loopback_is_refused_however_it_is_written(url: str, host: str) -> None:
    port = url.rpartition(":")[2]
    fetched = ListSource(ANYWHERE).fetch(f"http://{host}:{port}/plain", "")
    assert "this computer" in (fetched.trouble or "")
    assert Lists.conditions == []


def test_each_redirection_is_judged(url: str) -> None:
    judged = iter([None, None, "it is elsewhere"])  # before and after the first connection, and before the second
    fetched = ListSource(ANYWHERE, lambda *_: next(judged)).fetch(f"{url}/moved", "")
    assert "it is elsewhere" in (fetched.trouble or "")


def test_a_server_that_trickles_is_not_waited_for(url: str) -> None:
    assert fetch(f"{url}/trickling", "", whole_s=0.2).content is None


def test_a_server_that_is_not_there_is_told() -> None:
    with reserve_port() as reserved:  # and nobody listens
        port = reserved.getsockname()[1]
        assert "refused" in (fetch(f"http://127.0.0.1:{port}/", "").trouble or "")


def test_a_server_that_speaks_something_else_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        fetched = fetch(f"http://127.0.0.1:{listening.getsockname()[1]}/", "")
        thread.join()
    assert "HTTP" in (fetched.trouble or "")


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    path, lists = tmp_path / "list", ListSource(tmp_path)
    path.write_bytes(LIST)
    first = lists.fetch(str(path), "")
    assert first.content == LIST
    assert lists.fetch(str(path), first.version) == Fetched(None, first.version)
    path.write_bytes(LIST + b"10.0.0.6\n")
    assert lists.fetch(str(path), first.version).content == LIST + b"10.0.0.6\n"


def test_a_file_is_read_only_in_the_folder_of_lists_and_no_link_leads_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(LIST)
    folder = tmp_path / "lists"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "list").write_bytes(LIST)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "out").symlink_to(tmp_path)
    lists = ListSource(folder)
    assert lists.fetch(f"{folder}/deep/list", "").content == LIST
    for path in ("/etc/passwd", f"{tmp_path}/secret", f"{folder}/../secret", f"{folder}/link", f"{folder}/out/secret"):
        fetched = lists.fetch(path, "")
        assert fetched.content is None
        assert fetched.trouble
    for path in (f"{folder}", f"{folder}/", f"{folder}s/x"):
        assert lists.fetch(path, "").content is None
    assert "move it there" in (lists.fetch("/etc/passwd", "").trouble or "")


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    assert "No such file" in (ListSource(tmp_path).fetch(str(tmp_path / "list"), "").trouble or "")


def test_a_folder_and_a_pipe_are_no_lists(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "pipe"):
        assert ListSource(tmp_path).fetch(str(path), "").trouble in {"not a file", "Is a directory"}


def test_a_file_that_is_too_large_is_told(tmp_path: Path) -> None:
    path = tmp_path / "list"
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    assert "larger than" in (ListSource(tmp_path).fetch(str(path), "").trouble or "")
