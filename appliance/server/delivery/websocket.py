"""One WebSocket on the hub: no greenlet waits for it, neither to read nor to write.

Theory. A connection has a sending side and a receiving side, and the first governs the second.

Sending goes straight to the kernel. When the kernel takes no more, the client is *behind*: the hub watches the socket
for writing (`_write_listener`), and the rest of a frame that the kernel took in part stays in `_rest`, because the next
byte of a connection must be the one that follows. When all is sent, the client has caught up.

Receiving is in one `State`:

    READING   the hub reads a few kilobytes whenever they arrive; control frames are answered on the spot, and any
              other message goes into the inbox, which ends this state
    PAUSED    a timer runs, because the client sent more frames at once than an honest one does
    WORKING   a greenlet handles the inbox, one message after another, and ends when the inbox is empty
    WAITING   the client is behind, so that its messages wait until it has taken its answers
    CLOSED    the socket is closed

Only READING reads. So what one client sends costs memory for one read at most, and a client that sends without pause,
or reads no answers, keeps only itself waiting. A client that is behind but sends no messages stays READING: its pongs
keep it alive, and its end is noticed. `TRANSITIONS` has every legal step, `NEXT` the choice when a state has done its
part; a step that is not in the table is a bug and raises `RuntimeError`.
"""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum, auto
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
FEW_FRAMES = 8  # an honest client sends no more at once
FRAMES_PER_S = 1000  # of one client; one that sends more is read more slowly
WRITES_PER_TURN = 100  # then the others have their turn: 100 writes take 1 ms
FOR_THE_INBOX = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE})  # in the order in which they came
NOT_NOW = (BlockingIOError, SSLWantReadError, SSLWantWriteError)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: throw away what was not sent


class State(IntEnum):
    """The receiving side; the module's docstring describes each. Integers, whose look-up in a table costs least."""

    READING = auto()
    PAUSED = auto()
    WORKING = auto()
    WAITING = auto()
    CLOSED = auto()


READING, PAUSED, WORKING, WAITING, CLOSED = State

TRANSITIONS = {
    READING: {PAUSED, WORKING, WAITING, CLOSED},
    PAUSED: {READING, WORKING, WAITING, CLOSED},
    WORKING: {READING, WAITING, CLOSED},
    WAITING: {READING, WORKING, CLOSED},
    CLOSED: set[State](),
}
# (is the client behind, has the inbox messages) -> the state after a pause, the work or the wait, or after a message.
NEXT = {
    (False, False): READING,
    (False, True): WORKING,
    (True, False): WAITING,
    (True, True): WAITING,
}


class Peer(Protocol):
    """Understands the client's messages."""

    def handle_at_once(self, text: bytes) -> bool:
        """Handle this text if that neither waits nor takes long; false: it is for `handle`."""

    def handle(self, content: str | bytes) -> None:
        """Handle this message; called in a greenlet, for one message at a time."""

    def ended(self, reason: str) -> None:
        """The connection is closed."""


class WriteBatch:
    """Collects the WebSockets that have something to send, and flushes them together when the hub's turn ends."""

    def __init__(self) -> None:
        self._due: list[WebSocket] = []
        self._is_scheduled = False

    def schedule(self, websocket: "WebSocket") -> None:
        """Flush this WebSocket before the hub waits again; more than once does no harm."""
        self._due.append(websocket)
        if not self._is_scheduled:
            self._schedule_flush()

    def _schedule_flush(self) -> None:
        self._is_scheduled = True
        get_hub().schedule_call_global(0, self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        now, self._due = self._due[:WRITES_PER_TURN], self._due[WRITES_PER_TURN:]
        try:
            while now:
                now.pop().flush()
        finally:
            self._due += now  # a bug in one flush must not silence the others
            if self._due and not self._is_scheduled:
                self._schedule_flush()


class WebSocket:
    """A connection whose handshake is still to be answered; `reply` with that first."""

    __slots__ = (
        "_batch", "_hub", "_inbox", "_outbox", "_peer", "_read_listener", "_reader", "_rest", "_sock",
        "_write_listener", "state",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, peer: Peer, batch: WriteBatch, longest_bytes: int) -> None:
        """`sock`: does not block; `longest_bytes`: of one message from the client."""
        with suppress(OSError):  # the client is gone already, and the first read will find that
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._peer = peer
        self._batch = batch
        self._reader = websocket_frames.FrameReader(longest_bytes)
        self._hub = get_hub()
        self._outbox: Outbox | None = None
        self._rest = b""  # of a write that the kernel took in part
        self._inbox: list[Message] = []
        self._write_listener: Any = None  # the hub's, while the client is behind
        self._read_listener: Any = None  # the hub's, while READING
        self.state = READING  # of the receiving side
        self._start_reading()

    def attach(self, outbox: Outbox) -> None:
        """Send the packets of this outbox from now on."""
        self._outbox = outbox
        outbox.attach(self._batch.schedule, self)

    def reply(self, data: bytes) -> None:
        """Send these whole frames before the packets that wait in the outbox."""
        self._rest += data
        self._batch.schedule(self)

    def flush(self) -> None:
        """Give the kernel all that is to be sent, as far as it takes it."""
        if self.state is CLOSED:
            return
        outbox = self._outbox
        while data := self._rest or (outbox.take_frames(WRITE_BYTES) if outbox is not None else b""):
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
        if self._write_listener is not None or (outbox is not None and outbox.is_ended):
            self._catch_up()

    def end(self, reason: str, status: Status | None = None, *, reset: bool = False) -> None:
        """Close the connection. `status`: sent to the client; `reset`: discard what the kernel has still to send."""
        if self.state is CLOSED:
            return
        self._enter(CLOSED)
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

    # --- the sending side ---------------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        if self._write_listener is not None:
            self._stop_writing()
            if self._outbox is not None:
                self._outbox.catch_up()
            if self.state is WAITING:
                self._enter_next()
        if self._outbox is not None and self._outbox.is_ended:
            self.end("the server has closed it", Status.NORMAL)

    def _fall_behind(self, *, moved: bool) -> None:
        if self._outbox is not None:
            self._outbox.fall_behind(moved=moved)
            if self._outbox.is_ended:
                self.end("the server has closed it", reset=True)
                return
        if self._write_listener is None:
            self._write_listener = self._watch(self._hub.WRITE, lambda _: self.flush())

    def _stop_writing(self) -> None:
        if self._write_listener is not None:
            self._hub.remove(self._write_listener)
            self._write_listener = None

    # --- the receiving side -------------------------------------------------------------------------------------------

    def _enter(self, state: State) -> None:
        """Take one step of `TRANSITIONS`."""
        before = self.state
        if state not in TRANSITIONS[before]:
            raise RuntimeError(f"a WebSocket cannot go from {before.name} to {state.name}")
        self.state = state
        if before is READING:
            self._hub.remove(self._read_listener)
            self._read_listener = None
        if state is READING:
            self._start_reading()
        elif state is WORKING:
            eventlet.spawn_n(self._work)

    def _enter_next(self) -> None:
        """Take the step that `NEXT` says, unless the connection was closed meanwhile."""
        if self.state is not CLOSED:
            self._enter(NEXT[self._write_listener is not None, bool(self._inbox)])

    def _start_reading(self) -> None:
        self._read_listener = self._watch(self._hub.READ, self._read)
        self._read_buffered()

    def _read(self, _: object = None) -> None:
        if self.state is not READING:
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
            if message.opcode in FOR_THE_INBOX and not (is_next_text and self._peer.handle_at_once(message.content)):
                self._inbox.append(message)
        if self.state is not READING:
            return  # a message that was handled at once has ended the connection
        if len(messages) > FEW_FRAMES:
            self._enter(PAUSED)
            self._hub.schedule_call_global(len(messages) / FRAMES_PER_S, self._enter_next)
        elif self._inbox:
            self._enter_next()
        else:
            self._read_buffered()

    def _work(self) -> None:
        is_done = False
        try:
            while self._inbox and self._write_listener is None and self.state is WORKING:
                message = self._inbox.pop(0)
                if message.opcode is Opcode.CLOSE:
                    self.end("the client has left", Status.NORMAL)
                else:
                    self._peer.handle(message.content.decode() if message.opcode is Opcode.TEXT else message.content)
                eventlet.sleep(0)
            is_done = True
        finally:
            if not is_done:
                self.end("the server failed at what the client sent")
            self._enter_next()

    def _read_buffered(self) -> None:
        """Read on where TLS has decrypted more than was read; the hub does not know of that."""
        pending = getattr(self._sock, "pending", None)
        if pending is not None and pending():
            self._hub.schedule_call_global(0, self._read)

    def _watch(self, direction: str, act: Callable[[object], None]) -> Any:
        return self._hub.add(direction, self._sock.fileno(), act, _nothing, _nothing)


def _nothing(*_: object) -> None:
    """The hub calls this when a watched descriptor is opened again, which never happens here."""
