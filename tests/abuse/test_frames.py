"""Frames and messages: those that RFC 6455 forbids, endless ones, and floods."""

import contextlib
import json
import os
import struct
import time
import zlib

import pytest

from tests.abuse.service import HOME, Service
from tests.server.wire import WebSocket, frame

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
UNFINISHED = 0  # the head of a frame that is not the last of its message
FLOOD_S = 1.0


def is_over(client: WebSocket) -> bool:
    """Whether the server ends the connection; reads until it does."""
    with contextlib.suppress(ConnectionError, UnicodeDecodeError):
        while client.read() is not None:
            pass
    return True


BAD_FRAMES = {
    "unmasked": frame("2", masked=False),
    "reserved bit 1": frame("2", head=128 | 64),
    "reserved bit 2": frame("2", head=128 | 32),
    "reserved bit 3": frame("2", head=128 | 16),
    **{f"reserved opcode {opcode}": frame("2", opcode) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "oversized": frame("4" * 20_000),
    "said to have 2^63 bytes": frame("4", size=2**63),
    "said to have 1 GB": frame("4", size=1 << 30),
    "a continuation of nothing": frame("4", CONTINUATION),
    "a message within a message": frame("4", TEXT, head=UNFINISHED) + frame("4", TEXT),
    "a fragmented ping": frame("x", PING, head=UNFINISHED),
    "a long ping": frame("x" * 126, PING),
    "a close of one byte": frame(b"\x03", CLOSE),
    "a close with a reserved status": frame(struct.pack("!H", 1005), CLOSE),
    "no UTF-8": frame(b"\xff\xfe\xfd"),
}


@pytest.mark.parametrize("logged_in", [False, True], ids=["stranger", "client"])
def test_a_frame_that_the_protocol_forbids_ends_the_connection(service: Service, logged_in: bool) -> None:
    with service.unharmed():
        for name, content in BAD_FRAMES.items():
            with service.client() if logged_in else service.websocket() as client:
                client.socket.settimeout(5)
                client.socket.sendall(content)
                assert is_over(client), name


def test_a_message_of_endless_fragments_ends_the_connection(service: Service) -> None:
    with service.unharmed():
        for opcode, fragment in ((TEXT, b"4" * 1000), (BINARY, b"4" * 1000), (TEXT, b"4"), (TEXT, b"")):
            with service.client() as client, contextlib.suppress(ConnectionError, TimeoutError):
                client.send(fragment, opcode) if not fragment else None
                client.socket.sendall(frame(fragment, opcode, head=UNFINISHED))
                ends = time.monotonic() + FLOOD_S
                while time.monotonic() < ends:
                    client.socket.sendall(frame(fragment, CONTINUATION, head=UNFINISHED) * 100)
                service.serves_an_honest_client()


@pytest.mark.parametrize(
    ("opcode", "content"), [(PING, b""), (PING, b"x" * 125), (PONG, b""), (TEXT, b"2"), (TEXT, b"3")]
)
def test_a_client_that_sends_without_pause_does_not_delay_others(service: Service, opcode: int, content: bytes) -> None:
    flood = frame(content, opcode) * 200
    with service.unharmed(), service.client() as client, service.client(HOME) as honest:
        client.socket.settimeout(0.2)
        ends = time.monotonic() + FLOOD_S
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < ends:
                with contextlib.suppress(TimeoutError):
                    client.socket.sendall(flood)
        honest.send('421["ip:list",{}]')
        assert any(text.startswith("431") for text in iter(honest.read, None))


def test_a_compressed_bomb_is_not_decompressed(service: Service) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = squeeze.compress(b"4" * (8 << 20)) + squeeze.flush(zlib.Z_SYNC_FLUSH)[:-4]
    assert len(bomb) < 16_000
    with service.unharmed():
        for _ in range(20):
            with service.websocket(headers="Sec-WebSocket-Extensions: permessage-deflate\r\n") as client:
                assert not any("permessage-deflate" in line for line in client.answer)
                client.socket.sendall(frame(bomb, head=128 | 64))
                assert is_over(client)


@pytest.mark.parametrize(
    "packet",
    [
        "42" + "[" * 8000 + "]" * 8000,
        '42["ip:list",' + '{"a":' * 2000 + "1" + "}" * 2000 + "]",
        '42["ip:list",' + "9" * 16000 + "]",
        '42["ip:list",NaN]',
        '42["ip:list","' + "\\ud800" * 2500 + '"]',
        '451000-["ip:list",{"_placeholder":true,"num":0}]',
        "x" * 16000,
    ],
    ids=["lists", "objects", "integer", "nan", "half surrogates", "attachments", "garbage"],
)
def test_a_flood_of_hostile_packets_costs_bounded_memory_descriptors_and_log(service: Service, packet: str) -> None:
    with service.unharmed():
        for number in range(60):
            with contextlib.suppress(ConnectionError), service.client(f"127.0.3.{1 + number % 20}") as client:
                for _ in range(5):
                    client.send(packet)
                is_over(client) if number % 3 else None


def test_a_client_that_stops_reading_keeps_nothing_for_long(service: Service) -> None:
    """Subscribed, asking for long answers, and never taking one."""
    with service.unharmed(), contextlib.ExitStack() as stack:
        for number in range(20):
            client = stack.enter_context(service.client(f"127.0.4.{1 + number}"))
            with contextlib.suppress(ConnectionError, TimeoutError):
                client.socket.settimeout(0.2)
                for _ in range(300):
                    client.send('421["nonsense ' + "x" * 150 + '"]')
        service.serves_an_honest_client()


def test_endless_login_packets_cost_little(service: Service) -> None:
    with service.unharmed(), service.websocket() as client, contextlib.suppress(ConnectionError, TimeoutError):
        client.socket.settimeout(0.5)
        ends = time.monotonic() + FLOOD_S
        while time.monotonic() < ends:
            client.send("40" + json.dumps({"token": os.urandom(2000).hex()}))
