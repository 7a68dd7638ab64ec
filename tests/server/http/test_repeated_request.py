"""Polls that repeat each other on one connection: what takes the short way is answered as on the long one."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from appliance.server.access import Role
from appliance.server.http.repeated_request import RepeatedRequest
from tests.contract.schema import examples
from tests.server.conftest import Running

STATUS = examples()["department:status"]
HEADERS = "Host: x\r\nAccept-Encoding: gzip, deflate\r\nUser-Agent: a browser\r\n"


class Poller:
    """A client that polls by one connection."""

    def __init__(self, running: Running, headers: str = HEADERS, **claims: Any) -> None:
        self.socket = socket.create_connection(("127.0.0.1", running.port), 20)
        self.file = self.socket.makefile("rb")
        self._headers, self._stamp, self._sid = headers, 0, ""
        self._sid = json.loads(self.poll()[1][1:])["sid"]
        self.post("40" + json.dumps({"token": running.token(**claims)}))
        self.seen = ""
        while "system:health" not in self.seen:
            self.seen += self.poll()[1]

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def poll(self, more: str = "", sid: str | None = None) -> tuple[str, str]:
        """Head and body of the answer."""
        self._stamp += 1
        named = f"&sid={sid or self._sid}" if self._sid else ""
        self.send(
            f"GET /socket.io/?EIO=4&transport=polling&t=p{self._stamp}{named} HTTP/1.1\r\n{self._headers}{more}\r\n"
        )
        return self.read()

    def post(self, content: str) -> None:
        path = f"/socket.io/?EIO=4&transport=polling&sid={self._sid}"
        self.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n{content}")
        assert self.read()[1] == "OK"

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def read(self) -> tuple[str, str]:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            assert line, "the server has hung up"
            head += line
        [length] = [int(one.split(b":")[1]) for one in head.split(b"\r\n") if one.lower().startswith(b"content-length")]
        return head.decode(), self.file.read(length).decode()


@pytest.fixture
def client(server: Running) -> Iterator[Poller]:
    server.publish("system:health", examples()["system:health"])
    one = Poller(server)
    yield one
    one.close()


def _told(number: int) -> dict[str, Any]:
    return {**STATUS, "status": {**STATUS["status"], "connectedUsers": number}}


def _without_date(head: str) -> list[str]:
    return [line for line in head.split("\r\n") if not line.startswith(("Date: ", "Content-Length: "))]


def test_each_poll_of_a_connection_has_what_came_since_and_the_same_headers(server: Running, client: Poller) -> None:
    heads = []
    for number in range(5):
        server.publish("department:status", _told(number))
        head, body = client.poll()
        heads.append(head)
        assert f'"connectedUsers":{number}' in body
    assert {tuple(_without_date(one)) for one in heads} == {tuple(_without_date(heads[0]))}
    assert all("\r\nDate: " in one and "X-Content-Type-Options: nosniff" in one for one in heads)
    assert "Content-Encoding" not in heads[0]


def test_a_poll_that_waits_is_answered_by_the_next_event_and_others_are_served_meanwhile(
    server: Running, client: Poller
) -> None:
    server.publish("department:status", _told(1))
    client.poll()
    client.send(f"GET /socket.io/?EIO=4&transport=polling&t=x&sid={client._sid} HTTP/1.1\r\n{HEADERS}\r\n")
    other = Poller(server)
    other.close()
    server.publish("department:status", _told(7))
    assert '"connectedUsers":7' in client.read()[1]


def test_a_call_between_two_polls_is_answered_by_the_next(server: Running, client: Poller) -> None:
    for number in range(3):
        client.post(f'42{number}["quota:get","dept123"]')
        assert f"43{number}[" in client.poll()[1]


@pytest.mark.parametrize("more", ["X-More: 1\r\n", "Content-Length: 0\r\n", "Connection: keep-alive\r\n"])
def test_a_poll_with_another_header_is_another_request_and_answered_too(
    server: Running, client: Poller, more: str
) -> None:
    for number, added in enumerate(["", more, "", more, more]):
        server.publish("department:status", _told(number))
        assert f'"connectedUsers":{number}' in client.poll(added)[1]


@pytest.mark.parametrize(
    ("more", "status"),
    [("Host: y\r\n", "400"), ("Origin: null\r\nno header\r\n", "400"), ("Transfer-Encoding: gzip\r\n", "411")],
)
def test_what_is_refused_on_the_long_way_is_refused_after_a_poll_too(
    server: Running, client: Poller, more: str, status: str
) -> None:
    server.publish("department:status", _told(1))
    client.poll()
    assert client.poll(more)[0].startswith(f"HTTP/1.1 {status}")


def test_a_poll_of_another_session_is_not_answered_with_this_ones_events(server: Running, client: Poller) -> None:
    other = Poller(server, role=Role.VIEWER, departments=["dept456"])
    server.publish("department:status", _told(1))
    assert "connectedUsers" in client.poll()[1]
    assert client.poll(sid="nobody")[0].startswith("HTTP/1.1 400")
    server.publish("department:status", {**_told(2), "departmentId": "dept456"})
    borrowed = client.poll(sid=other._sid)[1]
    assert "dept456" in borrowed
    assert "dept123" not in borrowed
    other.close()


def test_a_session_that_ended_is_refused_as_on_the_long_way(server: Running, client: Poller) -> None:
    server.publish("department:status", _told(1))
    client.poll()
    server.advance(4000)
    seen = ""
    for _ in range(4):
        head, body = client.poll()
        seen += body
        if head.startswith("HTTP/1.1 400"):
            break
    assert "E_TOKEN_EXPIRED" in seen
    assert head.startswith("HTTP/1.1 400")


def test_a_head_that_comes_in_pieces_is_taken(server: Running, client: Poller) -> None:
    server.publish("department:status", _told(1))
    client.poll()
    for number in (2, 3):
        server.publish("department:status", _told(number))
        text = f"GET /socket.io/?EIO=4&transport=polling&t=y{number}&sid={client._sid} HTTP/1.1\r\n{HEADERS}\r\n"
        for at in range(0, len(text), 7):
            client.send(text[at : at + 7])
        assert f'"connectedUsers":{number}' in client.read()[1]


def test_only_the_time_stamp_may_differ() -> None:
    line = b"GET /socket.io/?EIO=4&transport=polling&t=PkX1&sid=abc HTTP/1.1\r\n"
    one = RepeatedRequest(line, [b"\r\n"], {}, [], lambda: b"")
    assert one.begins_with(line.replace(b"PkX1", b"PkX2-._~"))
    for other in (
        line.replace(b"abc", b"abd"),
        line.replace(b"GET", b"HEAD"),
        line.replace(b"t=PkX1", b"t=PkX1&j=0"),
        line.replace(b"t=PkX1", b"t=%31"),
        line.replace(b"1.1", b"1.0"),
        line.replace(b"&t=PkX1", b""),
        b"",
    ):
        assert not one.begins_with(other)
