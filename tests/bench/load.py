"""The load: many raw WebSockets in one loop over epoll, alike for every server that speaks Socket.IO.

It does as little as it can for each frame, so that it is never what is measured: a frame that carries the bench's event
is counted and its time of emission, which stands in the event by the clock that all processes share, compared with now.
"""

import json
import re
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from time import monotonic, monotonic_ns

EMITTED = re.compile(rb'"(\d{12,19}) ')
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CONTENT_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
PATIENCE_S = 60
READ_BYTES = 65536
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError)
SLOW_BYTES, SLOW_PERIOD_S = 512, 0.5  # a slow client reads so much so often: one event in four


def masked(text: bytes) -> bytes:
    size = len(text)
    length = bytes([128 | size]) if size < 126 else bytes([128 | 126]) + size.to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _get(query: str) -> bytes:
    return f"GET /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


class Client:
    """One WebSocket. `events`: how many it has received, those of its snapshot first."""

    HANDSHAKE = HANDSHAKE

    def __init__(self, port: int, login: bytes) -> None:
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.connect_ex(("127.0.0.1", port))
        self.login = login
        self.events = 0
        self._buffer = b""
        self._is_open = False

    def secure(self, context: ssl.SSLContext) -> None:
        """Do the handshake, while all others wait."""
        self.sock.setblocking(True)
        self.sock = context.wrap_socket(self.sock)
        self.sock.setblocking(False)

    def log_in(self, _opening: bytes) -> None:
        """Send the token."""
        self.sock.sendall(masked(self.login))

    def texts(self) -> Iterator[bytes]:
        """The texts that have arrived; raises `OSError` at the end."""
        data = self.sock.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the server has closed the connection")
        buffer = self._buffer + data
        if not self._is_open:
            head, found, rest = buffer.partition(b"\r\n\r\n")
            if found:
                assert b" 101 " in head, head
                self._is_open, buffer = True, rest
        start = 0
        while self._is_open and len(buffer) - start >= 2:
            size, header = buffer[start + 1], 2
            if size == 126:
                size, header = int.from_bytes(buffer[start + 2 : start + 4], "big"), 4
            if len(buffer) - start < header + size:
                break
            yield buffer[start + header : start + header + size]
            start += header + size
        self._buffer = buffer[start:]


class PollingClient(Client):
    """One client by long polling: a connection that is kept, and on it a request as soon as the last was answered."""

    HANDSHAKE = _get("")

    def __init__(self, port: int, login: bytes) -> None:
        super().__init__(port, login)
        self._query = ""

    def texts(self) -> Iterator[bytes]:
        """The texts of an answer that has arrived whole."""
        data = self.sock.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        assert head.startswith(b"HTTP/1.1 200 "), head
        self._buffer = b""
        yield from body.split(b"\x1e")
        if not body.startswith(b"0"):
            self.sock.sendall(_get(self._query))

    def log_in(self, opening: bytes) -> None:
        """Send the token, by the session that was opened."""
        self._query = f"&sid={json.loads(opening[1:])['sid']}"
        self.sock.sendall(
            b"POST /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s"
            % (self._query.encode(), len(self.login), self.login)
        )


class Load:
    """Clients of one server. `tls`: it speaks TLS, with a certificate that nobody knows."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        self._port = port
        self._tls = _unchecked() if tls else None
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._starting: set[int] = set()
        self._slow: list[int] = []
        self._slow_due_s = 0.0
        self.latencies_ns: list[int] = []
        self.event_bytes = 0  # of the latest of the bench's events, with its frame
        self.lost = 0
        self._flood_bytes: int | None = None

    @property
    def deliveries(self) -> int:
        """How many of the bench's events have arrived."""
        return len(self.latencies_ns) if self._flood_bytes is None else self._flood_bytes // self.event_bytes

    def flood(self) -> None:
        """From now on only count bytes, for the rest of this load's life: all that comes are events of one size."""
        self._flood_bytes = 0

    def connect(self, count: int, token: str, snapshot: int, kind: type[Client] = Client) -> float:
        """Connect so many at once; returns after how many seconds all have their snapshot."""
        login = b"40" + json.dumps({"token": token}).encode()
        began_s = monotonic()
        new = [kind(self._port, login) for _ in range(count)]
        for client in new:
            number = client.sock.fileno()
            self._clients[number] = client
            self._starting.add(number)
            self._poll.register(number, select.EPOLLOUT)
        self.run(lambda: all(client.events >= snapshot for client in new))
        return monotonic() - began_s

    def hinder(self, stuck: int, slow: int) -> None:
        """Let so many of the clients read no more, and so many read little."""
        numbers = list(self._clients)
        self._slow = numbers[stuck : stuck + slow]
        for number in numbers[: stuck + slow]:
            self._poll.modify(number, 0)

    def run(self, is_done: Callable[[], bool], until_s: float | None = None) -> None:
        """Serve the clients until it is done, or until a moment."""
        patience_s = monotonic() + PATIENCE_S
        while not is_done():
            now_s = monotonic()
            if until_s is not None and now_s >= until_s:
                return
            assert now_s < patience_s, "it takes too long"
            for number, _ in self._poll.poll(0.05 if until_s is None else min(0.05, until_s - now_s)):
                self._serve(number)
            if self._slow and now_s >= self._slow_due_s:
                self._slow_due_s = now_s + SLOW_PERIOD_S
                for number in self._slow:
                    self._serve_slowly(number)

    def close(self) -> None:
        for client in self._clients.values():
            client.sock.close()
        self._poll.close()

    def _serve_slowly(self, number: int) -> None:
        # What it is told is not counted: it is the others that are looked at.
        try:
            self._clients[number].sock.recv(SLOW_BYTES)
        except NOT_NOW:
            return

    def _serve(self, number: int) -> None:
        client = self._clients.get(number)
        if client is None:
            return
        try:
            if number in self._starting:
                self._starting.discard(number)
                if self._tls is not None:
                    client.secure(self._tls)
                client.sock.sendall(client.HANDSHAKE)
                self._poll.modify(number, select.EPOLLIN)
                return
            self._receive(client)
        except NOT_NOW:
            return
        except OSError:
            del self._clients[number]
            client.sock.close()
            self.lost += 1

    def _receive(self, client: Client) -> None:
        if self._flood_bytes is not None:
            self._flood_bytes += len(client.sock.recv(READ_BYTES))
            return
        now_ns = monotonic_ns()
        for text in client.texts():
            if text[:2] == b"42":
                client.events += 1
                found = EMITTED.search(text)
                if found:
                    self.latencies_ns.append(now_ns - int(found[1]))
                    self.event_bytes = len(text) + 4
            elif text[:1] == b"0":
                client.log_in(text)
            elif text == b"2":
                client.sock.sendall(masked(b"3"))
