"""One WebSocket on the hub: no greenlet waits for it, neither to read nor to write.

What is sent goes straight to the kernel. Only when that takes no more, the hub is asked to say when it does again, and
meanwhile the rest of a frame that it took in part stays here: the next byte of a connection is always the one that
follows. What arrives is read by the hub, a little at a time, and what is to be done about it is done by a greenlet that
lives as long as there is something to do; while it works, or while the client does not read its answers, nothing more
is read. So a client can keep nobody waiting but itself.
"""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLWantReadError, SSLWantWriteError
from typing import Any, Protocol

import eventlet
from eventlet.hubs import get_hub

from appliance.server.delivery import websocket_frames
from appliance.server.delivery.outbox import Outbox
from appliance.server.delivery.websocket_frames import FrameFault, Message, Opcode, Status

READ_BYTES = 4096  # of one client at a time: 1 ms of work at most, if all of it are empty frames
WRITE_BYTES = 16_384  # at a time; what is in a write can no longer be replaced by something newer
SEND_BUFFER_BYTES = 16_384  # a client that does not read gets data that is seconds old, not minutes
FEW_FRAMES = 8  # at once are what an honest client sends
FRAMES_PER_S = 1000  # of one client; who sends more is read more slowly
WRITES_PER_TURN = 100  # then the others have their turn: 100 writes take 1 ms
FOR_THE_INBOX = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE})  # in the order in which they came
NOT_NOW = (BlockingIOError, SSLWantReadError, SSLWantWriteError)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: throw away what was not sent


class Peer(Protocol):
    """Who understands what the client says."""

    def takes_at_once(self, text: bytes) -> bool:
        """Deal with this text if that neither waits nor takes long; false: it is for `carry_out`."""

    def carry_out(self, content: str | bytes) -> None:
        """Deal with this message; in a greenlet, and one at a time."""

    def ended(self, reason: str) -> None:
        """The connection is no more."""


class WriteBatch:
    """What the hub's turn has given to send leaves together, when it ends."""

    def __init__(self) -> None:
        self._due: list[WebSocket] = []
        self._is_scheduled = False

    def add(self, one: "WebSocket") -> None:
        """Let this one send before the hub waits again."""
        self._due.append(one)
        if not self._is_scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._is_scheduled = True
        get_hub().schedule_call_global(0, self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        now, self._due = self._due[:WRITES_PER_TURN], self._due[WRITES_PER_TURN:]
        try:
            while now:
                now.pop().flush()
        finally:
            self._due += now  # one's bug is not to silence the others
            if self._due and not self._is_scheduled:
                self._schedule()


class WebSocket:
    """A connection whose handshake is still to be answered; `reply` with that first."""

    __slots__ = (
        "_frames_at_once",
        "_hub",
        "_inbox",
        "_is_busy",
        "_is_due",
        "_outbox",
        "_peer",
        "_reader",
        "_reading",
        "_rest",
        "_sock",
        "_turn",
        "_writing",
        "is_closed",
    )

    def __init__(self, sock: socket.socket, peer: Peer, turn: WriteBatch, longest_bytes: int) -> None:
        """`sock`: does not block; `longest_bytes`: of one message from the client."""
        with suppress(OSError):  # the client has gone already, as the first read will tell
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._peer = peer
        self._turn = turn
        self._reader = websocket_frames.FrameReader(longest_bytes)
        self._hub = get_hub()
        self._outbox: Outbox | None = None
        self._rest = b""  # of a write that the kernel took in part
        self._inbox: list[Message] = []
        self._frames_at_once = 0
        self._is_busy = False  # a greenlet works through the inbox, or a pause is on
        self._is_due = False
        self._reading: Any = None  # the hub's listeners
        self._writing: Any = None
        self.is_closed = False
        self._resume()

    def attach(self, outbox: Outbox) -> None:
        """From now on send what is put there."""
        self._outbox = outbox
        outbox.attach(self._send_soon)

    def reply(self, data: bytes) -> None:
        """Send these bytes, which are whole frames, before what waits in the outbox."""
        self._rest += data
        self._send_soon()

    def flush(self) -> None:
        """Give the kernel what there is to send, as far as it takes it."""
        self._is_due = False
        while not self.is_closed:
            data = self._rest or (self._outbox.take(WRITE_BYTES) if self._outbox is not None else b"")
            if not data:
                self._settle()
                return
            try:
                sent = self._sock.send(data)
            except NOT_NOW:
                sent = 0
            except OSError as error:
                self.end(str(error))
                return
            self._rest = data[sent:]
            if self._rest:
                self._fall_behind(moved=sent > 0)
                return

    def end(self, reason: str, status: Status | None = None, *, reset: bool = False) -> None:
        """Close the connection. `status`: told to the client; `reset`: and forget what the kernel has still to send."""
        if self.is_closed:
            return
        self.is_closed = True
        self._stop_reading()
        self._stop_writing()
        if self._outbox is not None:
            self._outbox.detach()
        with suppress(OSError):  # the client was faster
            if status is not None and not self._rest:
                self._sock.send(websocket_frames.close_frame(status))
            if reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._sock.close()
        self._peer.ended(reason)

    def _send_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._turn.add(self)

    def _settle(self) -> None:
        """All is sent."""
        if self._writing is not None:
            self._stop_writing()
            if self._outbox is not None:
                self._outbox.catch_up()
            self._resume()
        if self._outbox is not None and self._outbox.is_ended:
            self.end("the server has closed it", Status.NORMAL)

    def _fall_behind(self, *, moved: bool) -> None:
        if self._outbox is not None:
            self._outbox.fall_behind(moved=moved)
            if self._outbox.is_ended:
                self.end("the server has closed it", reset=True)
                return
        if self._writing is None:
            self._writing = self._watch(self._hub.WRITE, lambda _: self.flush())

    def _read(self, _: object = None) -> None:
        if self._reading is None:
            return
        try:
            data = self._sock.recv(READ_BYTES)
            if not data:
                self.end("the client has gone")
                return
            self._receive(self._reader.feed(data))
        except NOT_NOW:
            return
        except OSError as error:
            self.end(str(error))
        except FrameFault as fault:
            self.end(f"the client sent {fault}", fault.status)

    def _receive(self, messages: list[Message]) -> None:
        pings = [message for message in messages if message.opcode is Opcode.PING]
        if pings and not self._rest:
            self.reply(websocket_frames.pong_frame(pings[-1].content))  # the latest is enough (RFC 6455, section 5.5.3)
        for message in messages:
            is_next_text = message.opcode is Opcode.TEXT and not self._inbox
            if message.opcode in FOR_THE_INBOX and not (is_next_text and self._peer.takes_at_once(message.content)):
                self._inbox.append(message)
        self._frames_at_once = len(messages)
        if self._inbox or self._frames_at_once > FEW_FRAMES:
            self._resume()
        else:
            self._read_buffered()

    def _resume(self) -> None:
        """Do what is next: the rest of the inbox, a pause, or reading on."""
        if self.is_closed or self._is_busy:
            return
        if self._frames_at_once > FEW_FRAMES:
            self._pause(self._frames_at_once / FRAMES_PER_S)
        elif self._inbox or self._writing is not None:
            self._stop_reading()
            if self._writing is None:
                self._is_busy = True
                eventlet.spawn_n(self._work)
        elif self._reading is None:
            self._reading = self._watch(self._hub.READ, self._read)
            self._read_buffered()

    def _pause(self, seconds: float) -> None:
        self._stop_reading()
        self._frames_at_once = 0
        self._is_busy = True
        self._hub.schedule_call_global(seconds, self._end_busy)

    def _work(self) -> None:
        is_done = False
        try:
            while self._inbox and self._writing is None and not self.is_closed:
                message = self._inbox.pop(0)
                if message.opcode is Opcode.CLOSE:
                    self.end("the client has left", Status.NORMAL)
                else:
                    self._peer.carry_out(message.content.decode() if message.opcode is Opcode.TEXT else message.content)
                eventlet.sleep(0)
            is_done = True
        finally:
            if not is_done:
                self.end("the server failed at what the client sent")
            self._end_busy()

    def _end_busy(self) -> None:
        self._is_busy = False
        self._resume()

    def _read_buffered(self) -> None:
        """Read on where TLS has decrypted more than was read; the hub does not know of that."""
        pending = getattr(self._sock, "pending", None)
        if pending is not None and not self.is_closed and pending():
            self._hub.schedule_call_global(0, self._read)

    def _watch(self, direction: str, act: Callable[[object], None]) -> Any:
        return self._hub.add(direction, self._sock.fileno(), act, _nothing, _nothing)

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._hub.remove(self._reading)
            self._reading = None

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._hub.remove(self._writing)
            self._writing = None


def _nothing(*_: object) -> None:
    """The hub's news about a file descriptor that was opened anew, which a watched one never is."""
