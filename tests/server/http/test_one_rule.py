"""One rule of HTTP for every path: methods, forms of a request, bodies, offers, and what two programs could misread."""

import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from appliance.core.access.person import Role
from tests.server.conftest import Running
from tests.server.wire import WEBSOCKET

PAGES = ("/", "/healthz", "/asyncapi.json", "/metrics", "/blocks.txt")
EVERY_PATH = (*PAGES, "/login", "/pair", "/socket.io/?EIO=4&transport=polling")
POLLING = "/socket.io/?EIO=4&transport=polling"
LOGIN = b'{"name": "nobody", "password": "nothing at all"}'


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection of our own, so that nothing mends what is sent."""

    def __init__(self, server: Running) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def ask(self, head: str, body: bytes = b"") -> Answered:
        self.socket.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
        return self.read(is_head=head.startswith("HEAD "))

    def read(self, *, is_head: bool = False) -> Answered:
        status = int(self.file.readline().split()[1])
        headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        bodiless = is_head or status in {100, 204, 304}
        body = b"" if bodiless else self.file.read(int(headers.get("content-length", "0")))
        return Answered(status, headers, body)

    def is_closed(self) -> bool:
        return self.file.read(1) == b""


def ask(server: Running, head: str, body: bytes = b"") -> Answered:
    with Wire(server) as wire:
        return wire.ask(head, body)


@pytest.mark.parametrize("path", EVERY_PATH)
def test_every_path_says_which_methods_it_takes(shared: Running, path: str) -> None:
    told = ask(shared, f"OPTIONS {path} HTTP/1.1\nHost: x")
    assert (told.status, told.body) == (204, b"")
    assert "content-length" not in told.headers
    for method in ("PUT", "DELETE", "TRACE", "BREW"):
        refused = ask(shared, f"{method} {path} HTTP/1.1\nHost: x")
        assert (refused.status, refused.headers["allow"]) == (405, told.headers["allow"])


def test_the_server_as_a_whole_has_options_and_no_path_that_is_not_there(shared: Running) -> None:
    assert ask(shared, "OPTIONS * HTTP/1.1\nHost: x").status == 204
    assert ask(shared, "OPTIONS /nothing HTTP/1.1\nHost: x").status == 404
    assert ask(shared, "CONNECT other.example:443 HTTP/1.1\nHost: x").status == 405


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/login"])
def test_head_has_the_headers_of_get_and_no_body(shared: Running, path: str) -> None:
    with Wire(shared) as wire:
        head = wire.ask(f"HEAD {path} HTTP/1.1\nHost: x\nConnection: close")
        assert wire.is_closed()  # without a byte of a body
    get = ask(shared, f"GET {path} HTTP/1.1\nHost: x\nConnection: close")
    assert head.status == get.status
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}
    assert len(get.body) == int(head.headers["content-length"])


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.0", "websocket", "HTTP/3.0, h2c", ""])
@pytest.mark.parametrize("path", ["/healthz", POLLING])
def test_an_offer_of_another_protocol_is_ignored(server: Running, path: str, offer: str) -> None:
    head = (
        f"GET {path} HTTP/1.1\nHost: x\nConnection: Upgrade, HTTP2-Settings\nUpgrade: {offer}\nHTTP2-Settings: AAMAAABk"
    )
    if offer == "websocket":
        head += "\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    assert ask(server, head).status == 200


def test_a_websocket_is_opened_among_other_offers(server: Running) -> None:
    key = "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    for upgrade in ("websocket", "WebSocket", "h2c, websocket"):
        head = f"GET {WEBSOCKET} HTTP/1.1\nHost: x\nConnection: keep-alive, Upgrade\nUpgrade: {upgrade}\n{key}"
        assert ask(server, head).status == 101
    old = ask(
        server, f"GET {WEBSOCKET} HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 8"
    )
    assert (old.status, old.headers["sec-websocket-version"]) == (400, "13")


@pytest.mark.parametrize(
    "target", ["http://{host}/healthz", "HTTP://other.example:80/healthz?x=1", "https://u/healthz"]
)
def test_a_target_may_be_a_whole_url(shared: Running, target: str) -> None:
    answer = ask(shared, f"GET {target.format(host='x')} HTTP/1.1\nHost: x")
    assert json.loads(answer.body)["status"] == "ok"


def test_the_host_of_a_whole_url_comes_before_the_header(shared: Running) -> None:
    body = ask(shared, "GET http://first.example:5001 HTTP/1.1\nHost: second.example").body
    assert b"http://first.example:5001" in body
    assert b"second" not in body


CHUNKED = b"5\r\n" + LOGIN[:5] + b"\r\n" + b"%X;name=value\r\n" % len(LOGIN[5:]) + LOGIN[5:] + b"\r\n0\r\nX: y\r\n\r\n"


@pytest.mark.parametrize(
    "framing", [f"Content-Length: {len(LOGIN)}", "Transfer-Encoding: chunked", "transfer-encoding: Chunked"]
)
def test_a_body_may_come_in_chunks_and_the_connection_goes_on(server: Running, framing: str) -> None:
    body = CHUNKED if "hunked" in framing else LOGIN
    with Wire(server) as wire:
        answer = wire.ask(f"POST /login HTTP/1.1\nHost: x\nContent-Type: application/json\n{framing}", body)
        assert (answer.status, json.loads(answer.body)["code"]) == (401, "E_UNAUTHORIZED")
        assert wire.ask("GET /healthz HTTP/1.1\nHost: x").status == 200


def test_a_session_takes_packets_in_chunks(server: Running) -> None:
    sid = json.loads(ask(server, f"GET {POLLING} HTTP/1.1\nHost: x").body[1:])["sid"]
    packet = f"40{json.dumps({'token': server.token(Role.VIEWER)})}".encode()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packet), packet)
    with Wire(server) as wire:
        head = f"POST {POLLING}&sid={sid} HTTP/1.1\nHost: x\nTransfer-Encoding: chunked"
        assert wire.ask(head, body).body == b"OK"
        assert wire.ask(f"GET {POLLING}&sid={sid} HTTP/1.1\nHost: x").body.startswith(b"40")


@pytest.mark.parametrize("path", ["/healthz", "/asyncapi.json", POLLING])
def test_a_body_that_means_nothing_is_read_and_forgotten(server: Running, path: str) -> None:
    with Wire(server) as wire:
        assert wire.ask(f"GET {path} HTTP/1.1\nHost: x\nContent-Length: 2", b"{}").status == 200
        assert (
            wire.ask("GET /healthz HTTP/1.1\nHost: x\nTransfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n").status == 200
        )
        assert wire.ask(f"GET {path} HTTP/1.1\nHost: x\nContent-Length: 0").status == 200


@pytest.mark.parametrize(
    "chunks",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"-1\r\n",
        b"5\r\nhello0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\n",
        b"\r\n",
        b"x" * 300,
        b"1;" + b"x" * 300,
        b"1\r\nx\r\n0\r\n" + b"A: b\r\n" * 40,
        b"1\r\nx\r\n" * 5000,
    ],
)
def test_chunks_that_could_be_misread_end_the_connection(server: Running, chunks: bytes) -> None:
    with Wire(server) as wire:
        answer = wire.ask(
            "POST /login HTTP/1.1\nHost: x\nContent-Type: application/json\nTransfer-Encoding: chunked", chunks
        )
        assert answer.status in {400, 413}
        assert wire.is_closed()


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 5\nContent-Length: 6",
        "Content-Length: 5\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 5_0",
        "Content-Length: 0x5",
        "Content-Length:",
        "Content-Length: 5\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nContent-Length: 5",
        "Content-Length : 5",
        "Content-Length\t: 5",
        " Content-Length: 5",
        "X: a\n Content-Length: 5",
        "X: a\rContent-Length: 5",
        "X: a\0",
        "X: a\x0bb",
        "no colon\nContent-Length: 5",
        ": empty",
        "X y: z",
        "Host: other",
        "Host: x\x20y",
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/login", "/nothing", POLLING])
def test_a_head_that_two_programs_could_read_in_two_ways_is_refused(shared: Running, path: str, headers: str) -> None:
    method = "POST" if path == "/login" else "GET"
    with Wire(shared) as wire:
        assert wire.ask(f"{method} {path} HTTP/1.1\nHost: x\n{headers}", b"hello").status == 400
        assert wire.is_closed()


@pytest.mark.parametrize("host", ['"><script>', "a b", "a/b", "user@host", "[::1", "x:port", "a,b", "x" * 300])
def test_a_malformed_host_is_refused(shared: Running, host: str) -> None:
    assert ask(shared, f"GET / HTTP/1.1\nHost: {host}").status == 400


@pytest.mark.parametrize("authority", ["user@host", "[::1", "x:port", "a,b"])
def test_a_malformed_host_in_a_whole_url_is_refused(shared: Running, authority: str) -> None:
    assert ask(shared, f"GET http://{authority}/ HTTP/1.1\nHost: x").status == 400


@pytest.mark.parametrize(
    "host", ["localhost:5001", "[::1]:5001", "::1:5001", "appliance.local", "192.168.1.2", "dash_board", ""]
)
def test_every_name_of_the_appliance_is_a_good_host(shared: Running, host: str) -> None:
    assert ask(shared, f"GET / HTTP/1.1\nHost: {host}").status == 200


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET / HTTP/1.1 x", 400),
        ("GET healthz HTTP/1.1", 400),
        ("G\x01T / HTTP/1.1", 400),
        ("GET / HTTP/2.0", 505),
        ("PRI * HTTP/2.0", 505),
        ("GET / HTTP/0.9", 505),
        ("GET / HTTP/11", 400),
    ],
)
def test_a_malformed_first_line_is_answered(shared: Running, line: str, status: int) -> None:
    answer = ask(shared, line)
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_requests_follow_one_another_on_a_connection_and_may_come_at_once(shared: Running) -> None:
    with Wire(shared) as wire:
        wire.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20 + b"\r\nGET /nothing HTTP/1.1\r\n\r\n")
        assert [wire.read().status for _ in range(20)] == [200] * 20
        assert wire.read().status == 404


@pytest.mark.parametrize(
    ("version", "connection", "keeps"),
    [
        ("1.1", "", True),
        ("1.1", "close", False),
        ("1.1", "TE, Close", False),
        ("1.0", "", False),
        ("1.0", "Keep-Alive", True),
        ("1.0", "TE, keep-alive", True),
    ],
)
def test_a_connection_goes_on_where_the_client_wants_it(
    shared: Running, version: str, connection: str, keeps: bool
) -> None:
    with Wire(shared) as wire:
        head = f"GET /healthz HTTP/{version}\nHost: x" + (f"\nConnection: {connection}" if connection else "")
        assert wire.ask(head).status == 200
        if keeps:
            assert wire.ask(head).status == 200
        else:
            assert wire.is_closed()


def test_a_body_that_is_expected_is_asked_for_and_one_that_is_not_is_not(server: Running) -> None:
    body_head = f"Content-Type: application/json\nContent-Length: {len(LOGIN)}"
    head = f"POST /login HTTP/1.1\nHost: x\nExpect: 100-continue\n{body_head}"
    with Wire(server) as wire:
        assert wire.ask(head).status == 100
        wire.socket.sendall(LOGIN)
        assert wire.read().status == 401
    with Wire(server) as wire:
        too_long = "POST /login HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 1000000"
        assert wire.ask(too_long).status == 413
        assert wire.is_closed()
    with Wire(server) as wire:  # HTTP/1.0 knows no 100
        assert wire.ask(head.replace("HTTP/1.1", "HTTP/1.0"), LOGIN).status == 401


def test_who_still_sends_reads_the_answer(server: Running) -> None:
    with Wire(server) as wire:
        answer = wire.ask("POST /login HTTP/1.1\nHost: x\nContent-Length: 300000", b"x" * 300_000)
        assert answer.status == 413


@pytest.mark.parametrize("kind", ["application/json", "APPLICATION/JSON", 'Application/Json ; charset="UTF-8"'])
def test_the_type_of_a_body_is_read_in_any_case_and_with_parameters(server: Running, kind: str) -> None:
    head = f"POST /login HTTP/1.1\nHost: x\nContent-Type: {kind}\nContent-Length: {len(LOGIN)}"
    assert ask(server, head, LOGIN).status == 401


def test_a_long_header_has_a_status_of_its_own(shared: Running) -> None:
    assert ask(shared, f"GET / HTTP/1.1\nX: {'x' * 60_000}").status == 431
    assert ask(shared, "GET / HTTP/1.1\n" + "\n".join(f"X-{n}: {'x' * 100}" for n in range(900))).status == 431
    assert ask(shared, f"GET /healthz HTTP/1.1\nX: {' ' * 40_000}").status == 200


def test_strangers_with_half_a_body_keep_nobody_waiting(server: Running) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            wire = stack.enter_context(Wire(server))
            wire.socket.sendall(b"POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nx")
        assert ask(server, "GET /healthz HTTP/1.1\nHost: x").status == 200
