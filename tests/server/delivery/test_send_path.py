"""Clients that read late or never, over sockets of our own: what they get, and what it costs the others."""

import json
import socket

import pytest

from appliance.server.access import Role
from appliance.server.delivery.outbox import LARGEST_BURST_BYTES
from tests.client import NodeClient
from tests.contract.schema import examples

HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
DEPARTMENT = "dept123"


class Reader:
    """A client of one department that reads only when the test does; its buffer is small."""

    def __init__(self, server):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(20)
        self.sock.connect(("127.0.0.1", server.port))
        self.sock.sendall(HANDSHAKE)
        self.file = self.sock.makefile("rb")
        for _ in iter(self.file.readline, b"\r\n"):
            pass
        self.send("40" + json.dumps({"token": server.token(Role.ADMIN, [DEPARTMENT])}))
        self.read_until(lambda text: text.startswith("40"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def send(self, text, opcode=1):
        content = text.encode()
        size = len(content)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.sock.sendall(bytes([0x80 | opcode]) + length + bytes(4) + content)

    def frame(self):
        """Opcode and content of the next frame; nothing at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return 8, b""
        size = head[1]
        if size > 125:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        return head[0] & 15, self.file.read(size)

    def read_until(self, is_last):
        """The texts up to this one."""
        texts = []
        while True:
            opcode, content = self.frame()
            assert opcode != 8, "the server has closed the connection"
            if opcode == 1:
                texts.append(content.decode())
                if is_last(texts[-1]):
                    return texts

    def is_cut_off(self):
        try:
            while self.frame()[0] != 8:
                pass
        except ConnectionResetError:
            pass
        return True


def _usage(number):
    example = examples()["usage:update"]
    return "usage:update", {**example, "metrics": {**example["metrics"], "bytesTransferred": number}}


def _alert(number, size=0):
    example = examples()["security:incident"]
    incident = {**example["incident"], "details": f"{number} {'x' * size}"}
    return "security:incident", {**example, "incident": incident}


def _payloads(texts, name):
    events = [json.loads(text[2:]) for text in texts if text.startswith("42")]
    return [payload for event, payload in events if event == name]


def _numbers(texts):
    usage = [payload["metrics"]["bytesTransferred"] for payload in _payloads(texts, "usage:update")]
    alerts = [int(payload["incident"]["details"].split()[0]) for payload in _payloads(texts, "security:incident")]
    return usage, alerts


def _publish_more_than_may_wait(server, reader):
    """Alerts, at the pace of a client that reads them: on a busy machine it may be late by more than may wait."""
    for first in range(0, LARGEST_BURST_BYTES // 4000 + 200, 50):
        server.publish_all(_alert(number, 4000) for number in range(first, first + 50))
        reader.wait_for("security:incident", count=first + 50)


def test_the_events_of_one_step_leave_in_one_write(server) -> None:
    with Reader(server) as client:
        client.read_until(lambda text: "usage:update" in text)
        server.publish_all([_usage(1), _alert(2), _usage(3)])
        client.sock.recv(1, socket.MSG_PEEK)  # something is there; and with it is all of it
        there = client.sock.recv(65536, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        assert there.count(b"42[") == 3
        usage, alerts = _numbers(client.read_until(lambda text: '"bytesTransferred":3' in text))
        assert (usage[-2:], alerts) == ([1, 3], [2])


def test_a_late_reader_gets_the_newest_state_every_alert_and_whole_frames(server) -> None:
    with Reader(server) as client:
        published = 4000
        for number in range(1, published + 1):
            server.publish(*(_alert(number) if number % 100 == 0 else _usage(number)))
            if number % 1000 == 0:
                client.send("ping", opcode=9)
        client.send('421["ip:list"]')  # answered when the client has read what waits for it
        usage, alerts = _numbers(client.read_until(lambda text: text.startswith("431")))
        assert alerts == [number for number in range(1, published + 1) if number % 100 == 0]
        assert usage == sorted(usage)
        assert usage[-1] == published - 1
        assert len(usage) < published / 4


def test_a_client_that_reads_nothing_is_the_only_one_cut_off_and_logged_once(server, connect) -> None:
    honest = connect()
    with Reader(server) as stuck:
        _publish_more_than_may_wait(server, honest)
        assert server.count()["sockets"] == 1
        assert stuck.is_cut_off()
    lines = [line for line in server.log().splitlines() if "does not keep up" in line]
    assert len(lines) == 1
    assert "127.0.0.1" in lines[0]
    assert honest.named("disconnect") == []


def test_a_client_that_stops_polling_is_given_up(server, connect) -> None:
    honest = connect()
    with NodeClient(server.url, server.token(), options={"transports": ["polling"], "reconnection": False}) as client:
        client.wait_for("connect")
        client.pause()
        _publish_more_than_may_wait(server, honest)
        assert server.count()["sockets"] == 1
        client.resume()
        client.wait_for("disconnect")
    assert honest.call("ip:list")["success"]


def test_calls_are_answered_in_order_to_a_client_that_reads_later(server, connect) -> None:
    honest = connect()
    with Reader(server) as client:
        for number in range(150):
            client.send(f'42{number}["history:get",{{}}]')
        assert honest.call("ip:list")["success"]
        answers = client.read_until(lambda text: text.startswith("43149"))
        assert [text[2 : text.index("[")] for text in answers if text.startswith("43")] == [str(n) for n in range(150)]


@pytest.mark.parametrize("opcode", [9, 10])
def test_a_flood_of_control_frames_does_not_delay_other_clients(server, connect, opcode) -> None:
    honest = connect()
    with Reader(server) as client:
        client.sock.sendall(bytes([0x80 | opcode, 0x80, 0, 0, 0, 0]) * 20_000)
        assert honest.call("ip:list")["success"]
        client.send('421["ip:list"]')
    assert honest.call("ip:list")["success"]
