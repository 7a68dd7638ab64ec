"""Hostile bytes and requests, over sockets of our own: an honest client must not notice them."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

from appliance.core.access.login_backoff import BackoffRules
from appliance.server.access import Role
from appliance.server.delivery.packets import LONGEST_MESSAGE_BYTES
from appliance.server.strict_json import DEEPEST_NESTING
from tests.client import NodeClient
from tests.server import wire
from tests.server.wire import WEBSOCKET

POLLING = "/socket.io/?EIO=4&transport=polling"


def WebSocket(server, **options):  # noqa: N802  a class by another name
    return wire.WebSocket(socket.create_connection(("127.0.0.1", server.port), timeout=20), **options)


@pytest.fixture
def honest(connect):
    """Connected before the abuse, and served after it."""
    client = connect()
    yield client
    assert client.call("analytics:subscribe", "dept123") == {"success": True}
    assert client.named("disconnect") == []


@pytest.fixture(scope="module")
def witness(shared):
    """An honest client of the shared server."""
    with NodeClient(shared.url, shared.token()) as client:
        client.wait_for("connect")
        yield client


@pytest.fixture
def log_of(shared, witness):
    """What the shared server has logged since the test began."""
    before = len(shared.log())
    yield lambda: shared.log()[before:]
    assert witness.call("ip:list")["success"]
    assert witness.named("disconnect") == []


def _request(server, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def _raw(server, request):
    """All that the server answers until it hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def _polling_session(server):
    return json.loads(_request(server, "GET", POLLING)[1][1:])["sid"]


def test_the_page_describes_the_service_and_runs_no_injected_script(server) -> None:
    response, content = _request(server, "GET", "/", headers={"Host": "'$&"})
    assert response.status == 200
    assert b"$&amp;" in content
    assert b"'" not in content.partition(b"const socket = io(")[2].partition(b"{")[0]
    assert b"auth: { token: 'your_jwt_token' }" in content
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert b"SIMULATED" not in content


def test_the_page_shows_the_address_of_the_request(server) -> None:
    assert f"http://127.0.0.1:{server.port}".encode() in _request(server, "GET", "/")[1]


def test_health_answers_and_counts_clients(server, connect) -> None:
    connect()
    response, content = _request(server, "GET", "/healthz")
    assert (response.status, json.loads(content)) == (200, {"status": "ok", "clients": 1})
    assert _request(server, "HEAD", "/healthz")[1] == b""


def test_health_lists_troubles_and_recovers(server) -> None:
    server.order({"troubles": ["the books cannot be saved"]})
    response, content = _request(server, "GET", "/healthz")
    assert response.status == 200
    assert json.loads(content) == {"status": "troubled", "clients": 0, "reasons": ["the books cannot be saved"]}
    server.order({"troubles": []})
    assert _request(server, "GET", "/healthz")[0].status == 200


@pytest.mark.parametrize("path", ["/x", "/healthz/", "/../etc/passwd", "/socket.io", "/%00", "/socket.iox/"])
def test_other_paths_are_not_found(shared, path) -> None:
    assert _request(shared, "GET", path)[0].status == 404


@pytest.mark.parametrize(("path", "status"), [("/", 405), ("/healthz", 405), ("/x", 404)])
def test_pages_take_no_long_bodies_and_no_other_methods(shared, path, status) -> None:
    assert _request(shared, "POST", path, b"x")[0].status == status
    assert _request(shared, "DELETE", path)[0].status == status
    assert _request(shared, "GET", path, b"x")[0].status == (200 if status == 405 else 404)
    refused = b"413 " if status == 405 else b"404 "
    assert refused in _raw(shared, f"GET {path} HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (f"Content-Length: {LONGEST_MESSAGE_BYTES + 1}", b"413 "),
        ("Content-Length: 99999999999999999999", b"413 "),
        ("Content-Length: -1", b"400 "),
        ("Content-Length: x", b"400 "),
        ("Transfer-Encoding: gzip, chunked", b"411 "),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", b"400 "),
        (f"Transfer-Encoding: chunked\r\n\r\n{LONGEST_MESSAGE_BYTES + 1:x}", b"413 "),
        ("Transfer-Encoding: chunked\r\n\r\n+1", b"400 "),
        ("X-Nothing: 1", b"411 "),
    ],
)
def test_a_post_of_a_wrong_length_is_answered_and_closed_at_once(server, honest, headers, status) -> None:
    path = f"{POLLING}&sid={_polling_session(server)}"
    answer = _raw(server, f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
    assert status in answer.splitlines()[0]
    assert b"connection: close" in answer.lower()


def closes_all_but(server, most: int) -> bool:
    """Whether the server comes down to so many descriptors; it may still be closing one, or writing a file."""
    return any(server.count()["descriptors"] <= most for _ in range(1000))


@pytest.mark.parametrize("body", [b"9", b"0", b"2", b"5", b"x", b"bAAAA", b"d=4", b"\xff", b"4\x1e" * 20 + b"4"])
def test_a_post_of_invalid_packets_is_answered_and_leaks_no_descriptor(server, honest, body) -> None:
    path = f"{POLLING}&sid={_polling_session(server)}"
    before = server.count()["descriptors"]
    for _ in range(5):
        answer = _raw(server, f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        assert b"400 " in answer.splitlines()[0]
    assert closes_all_but(server, before)


def test_many_oversized_posts_leave_no_connection_behind(server, honest) -> None:
    path = f"{POLLING}&sid={_polling_session(server)}"
    before = server.count()["descriptors"]
    for _ in range(100):
        _raw(server, f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())
    assert closes_all_but(server, before)


@pytest.mark.parametrize(
    "packet",
    [
        "4",
        "4x",
        "49",
        "42",
        "42{}",
        "42[]",
        "42[5]",
        "42[null]",
        '42["connect",{"REMOTE_ADDR":"forged"},{"token":"x"}]',
        '42["disconnect"]',
        '42["*","ip:list"]',
        '420["connect_error"]',
        '451-["ip:list",{"_placeholder":true,"num":0}]',
        '451000000-["ip:list"]',
        "461-0[]",
        "430[]",
        '44{"message":"no"}',
        '41["x"]',
        '42["ip:list",NaN]',
        '42["ip:list",-Infinity]',
        '42["ip:list",1e999]',
        f'42["ip:list",{"9" * 5000}]',
        f'42["ip:list",{"[" * 7000}{"]" * 7000}]',
        f"42{'[' * 16000}",
        f"4{'[' * 16000}",
        '42["ip:list","\\ud800"]',
        '42["ip:list"',
        f'42{"9" * 200}["ip:list"]',
    ],
)
def test_a_malformed_packet_disconnects_its_sender_and_logs_one_line(shared, log_of, packet) -> None:
    with WebSocket(shared) as client:
        client.log_in(shared.token())
        client.send(packet)
        assert client.is_dropped()
    lines = log_of().splitlines()
    assert len(lines) == 1
    assert "127.0.0.1" in lines[0]
    assert len(lines[0]) < 300


@pytest.mark.parametrize("packet", ["", "x", "9", "²", "4x", "b4AA", "2", "6", "1"])
def test_a_stranger_cannot_make_the_log_long(shared, log_of, packet) -> None:
    with WebSocket(shared) as client:
        client.read()
        client.send(packet)
        shared.advance(0)
        shared.advance(shared.login_deadline_s)
        assert client.is_dropped()
    assert len(log_of().splitlines()) <= 1
    assert len(log_of()) < 300


def test_binary_payloads_are_refused(server, honest, connect) -> None:
    client = connect(options={"reconnection": False})
    client.send("ip:list", code="[{departmentId: Buffer.alloc(3)}]")
    client.wait_for("disconnect")
    with WebSocket(server) as raw:
        raw.log_in(server.token())
        raw.send(b"\x04abc", opcode=2)
        assert raw.is_dropped()


def test_a_message_beyond_the_limit_disconnects_its_sender(server, honest, connect) -> None:
    client = connect(options={"reconnection": False, "transports": ["websocket"]})
    client.send("ip:list", code=f"['x'.repeat({LONGEST_MESSAGE_BYTES})]")
    client.wait_for("disconnect")


def test_a_client_cannot_forge_its_login(server, honest) -> None:
    with WebSocket(server) as client:
        client.log_in(server.token(Role.VIEWER, ["dept123"]))
        client.send("40" + json.dumps({"token": server.token()}))
        assert client.read().startswith("42")  # of its snapshot
        assert client.read() == '44"Unable to connect"'
        client.send('421["maintenance:start"]')
        assert "E_FORBIDDEN" in client.read()


def test_a_call_before_login_is_not_carried_out(server, honest) -> None:
    with WebSocket(server) as client:
        client.read()
        client.send('421["ip:list"]')
        client.send("40" + json.dumps({"token": server.token()}))
        assert client.read().startswith("40")


def test_only_clients_that_do_not_log_in_in_time_are_dropped(server, honest) -> None:
    with WebSocket(server) as idle, WebSocket(server) as wrong, WebSocket(server) as right:
        wrong.read()
        wrong.send('40{"token":"wrong"}')
        assert "E_UNAUTHORIZED" in wrong.read()
        right.log_in(server.token())
        polling = _polling_session(server)
        server.advance(0)
        server.advance(server.login_deadline_s - 1)
        assert server.count()["sockets"] == 5
        server.advance(1)
        assert idle.read().startswith("0")
        assert idle.is_dropped()
        assert wrong.is_dropped()
        assert server.count()["sockets"] == 2
        assert _request(server, "GET", f"{POLLING}&sid={polling}")[0].status == 400


def test_compression_is_not_negotiated(server) -> None:
    with WebSocket(server, headers="Sec-WebSocket-Extensions: permessage-deflate\r\n") as client:
        assert client.answer[0].startswith("HTTP/1.1 101")
        assert not [line for line in client.answer if line.lower().startswith("sec-websocket-extensions")]


@pytest.mark.parametrize("headers", ["", "Sec-WebSocket-Version: 8\r\n", "Sec-WebSocket-Key1: 1\r\n"])
def test_old_drafts_of_websocket_are_refused(shared, headers) -> None:
    request = f"GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{headers}\r\n"
    assert b"400 " in _raw(shared, request.encode()).splitlines()[0]


def test_a_client_that_calls_without_pause_does_not_delay_others(server, connect, honest) -> None:
    with WebSocket(server) as client:
        client.log_in(server.token())
        for _ in range(2000):
            client.send('42["nonsense"]')
        assert honest.call("ip:list")["success"]


def test_guessed_session_ids_reach_no_session(server, honest) -> None:
    for sid in ("", "x", "A" * 7000, "%ff"):
        assert _request(server, "GET", f"{POLLING}&sid={sid}x")[0].status == 400
        assert _request(server, "POST", f"{POLLING}&sid={sid}x", "41")[0].status == 400


def test_no_part_of_a_token_is_logged(server, connect) -> None:
    token = server.token()
    with WebSocket(server) as client:
        client.log_in(token)
        client.send('42["ip:list"')
        assert client.is_dropped()
    log = server.log()
    assert urlsplit(server.url).hostname in log
    assert not any(part in log for part in token.split("."))


def test_dropped_clients_leave_nothing_behind(server, honest) -> None:
    before = server.count()
    for packet in ("", "4", "42[]", '42["*"]') * 5:
        with WebSocket(server) as client:
            client.log_in(server.token())
            client.send(packet)
            assert client.is_dropped()
    after = server.count()
    assert (after["sockets"], after["members"]) == (before["sockets"], before["members"])
    assert after["descriptors"] <= before["descriptors"] + 1  # the last one may be on its way out


def test_packets_after_a_malformed_one_do_not_reconnect_its_sender(server, honest) -> None:
    path = f"{POLLING}&sid={_polling_session(server)}"
    login = "40" + json.dumps({"token": server.token()})
    _request(server, "POST", path, "\x1e".join(["4x", login, '420["ip:list"]', login]))
    assert (server.count()["members"], server.count()["sockets"]) == (1, 1)
    assert len(server.log().splitlines()) == 1


def test_calls_before_login_and_odd_methods_are_not_logged(server, honest) -> None:
    with WebSocket(server) as client:
        client.read()
        for _ in range(20):
            client.send('42["ip:list"]')
        client.send("40" + json.dumps({"token": server.token()}))
        assert client.read().startswith("40")
    assert _request(server, "DELETE", POLLING)[0].status == 405
    assert server.log() == ""


def _nested(levels):
    """A call whose JSON has so many levels."""
    return f'421["ip:list",{"[" * (levels - 1)}{"]" * (levels - 1)}]'


def test_a_packet_may_be_nested_as_deep_as_the_limit_and_no_deeper(server, honest) -> None:
    with WebSocket(server) as client:
        client.log_in(server.token())
        client.send(_nested(DEEPEST_NESTING))
        assert any(text.startswith("431") for text in iter(client.read, None))
        client.send(_nested(DEEPEST_NESTING + 1))
        assert client.is_dropped()
    [line] = server.log().splitlines()
    assert "nested too deeply" in line


def test_a_message_may_be_as_long_as_the_limit(server, honest) -> None:
    with WebSocket(server) as client:
        client.log_in(server.token())
        client.send('421["ip:list","' + "x" * (LONGEST_MESSAGE_BYTES - 17) + '"]')
        assert any(text.startswith("431") for text in iter(client.read, None))
    assert server.log() == ""


def test_an_address_whose_free_logins_are_used_up_has_to_wait(server) -> None:
    free = BackoffRules().free
    for code in [*["E_UNAUTHORIZED"] * (free + 1), "E_RATE_LIMITED"]:
        with WebSocket(server) as guesser:
            guesser.read()
            guesser.send('40{"token":"guess"}')
            assert code in guesser.read()


def test_brackets_in_strings_are_no_nesting(server, connect) -> None:
    answer = connect().call("ip:list", {"departmentId": "[{" * 30})
    assert answer["code"] == "E_UNKNOWN_DEPARTMENT"
