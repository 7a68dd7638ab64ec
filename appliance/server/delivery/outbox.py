"""Outbox: the packets that wait for one client, in the order in which they will leave.

While the kernel takes all that is sent, a packet waits until the hub's turn ends, and the packets of a turn leave in
one write. When the client is behind, a newer state replaces the older one of its kind and department, in the older
one's place; other packets wait until they are sent or the client is given up. A client that polls is behind between
two polls.

python-engineio uses it as a session's queue and calls `put`, `get`, `task_done` and `join`. So its own packets
(handshake, pings, acknowledgements) and ours are in one order.
"""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

import eventlet
from engineio.packet import MESSAGE, PING, Packet
from eventlet.event import Event as GreenEvent
from eventlet.queue import Empty
from msgspec import Struct

from appliance.server.delivery.websocket_frames import text_frame

# A snapshot of 64 departments is 50 kB, and the alerts of a day are less than this. One step may publish more, if ten
# thousand blocks begin: a client that reads gets that in a moment.
MOST_WAITING_BYTES = 256 * 1024
LARGEST_BURST_BYTES = 4 * 1024 * 1024
LONGEST_BURST_S = 2.0
LONGEST_STALL_S = 20.0  # as long as python-engineio waits for a pong


class EventPacket(Packet):  # type: ignore[misc]  # the library ships no types
    """An event, serialised and framed once for all its receivers.

    `key`: the kind and department of a state, of which a client needs only the latest; `None`: it needs every one.
    """

    def __init__(self, content: bytes, key: object = None) -> None:
        """`content`: the Socket.IO packet."""
        super().__init__(MESSAGE)
        self.text = b"%d%s" % (MESSAGE, content)
        self.frame = text_frame(self.text)
        self.key = key

    def encode(self, b64: bool = False) -> str:  # noqa: ARG002  the base class's signature
        """The packet as the library puts it into an answer to a poll."""
        return self.text.decode()


class Receipt(Struct, frozen=True):
    """Tells whether a client has what was put into its outbox right after this was made.

    A ping goes before it, so that what the client sends before it has the packet comes before its pong, over either
    transport: a client sends in order.
    """

    outbox: "Outbox"
    pong: int

    @property
    def has_arrived(self) -> bool:
        """Whether the client has answered the ping."""
        return self.outbox.pongs >= self.pong


class Outbox:
    """The packets of one client that have not left yet. `pongs`: answers to pings, in the order of these."""

    __slots__ = (  # with those of a connection's other parts, a third of a kilobyte of each client
        "_entries", "_late_since_s", "_longest_stall_s", "_moved_s", "_pings", "_poller", "_sender", "_waiting_bytes",
        "_wake", "is_behind", "is_ended", "pongs",
    )  # fmt: skip

    def __init__(self, longest_stall_s: float = LONGEST_STALL_S) -> None:
        self._longest_stall_s = longest_stall_s
        self._entries: dict[object, Packet] = {}
        self._waiting_bytes = 0  # of the entries, while the client is behind
        self._moved_s = self._late_since_s = 0.0
        self._poller: GreenEvent | None = None
        self._wake: Callable[[Any], object] | None = None
        self._sender: object = None  # that it is called with
        self.is_behind = True  # until a WebSocket takes the packets
        self.is_ended = False
        self.pongs = self._pings = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __str__(self) -> str:
        return f"{self._waiting_bytes} bytes wait, nothing was taken for {monotonic() - self._moved_s:.0f} s"

    def receipt(self) -> Receipt:
        """A receipt for the packet that is put next."""
        self.ping()
        return Receipt(self, self._pings)

    def ping(self) -> None:
        """Ask the client whether it is there (Engine.IO 4, "Heartbeat")."""
        self._pings += 1
        self.put(Packet(PING))

    def note_pong(self) -> None:
        """Count an answer; what nobody asked for is none."""
        self.pongs = min(self.pongs + 1, self._pings)

    def put(self, packet: Packet | None) -> bool:
        """Add a packet; `None`: it is the last. Returns false when this client stayed behind and must be given up."""
        if self.is_behind or packet is None:
            return self._put_late(packet)
        if not self._entries and self._wake is not None:
            self._wake(self._sender)
        self._entries[packet] = packet
        return True

    def get(self, block: bool = True, timeout: float | None = None) -> Packet | None:
        """The oldest packet, for a poll; `None`: the outbox has ended. Raises `Empty` when none comes in time."""
        if block and not self._entries and not self.is_ended:
            self._await(timeout)
        if self._entries:
            return self._pop()
        if self.is_ended:
            return None
        raise Empty

    def task_done(self) -> None:
        """Do nothing: `join` does not wait either."""

    def join(self) -> None:
        """Return at once: a client that no longer polls would make this wait for ever."""

    def attach(self, wake: Callable[[Any], object], sender: object) -> None:
        """Leave the packets to `take_frames`; `wake`: is called with `sender` when the first one waits.

        Two arguments, because a `partial` of them takes a quarter of a kilobyte of each client.
        """
        self._wake, self._sender = wake, sender
        self.catch_up()
        if self._entries or self.is_ended:
            wake(sender)

    def detach(self) -> None:
        """Discard the packets: the WebSocket is closed."""
        self._wake = self._sender = None
        self._entries.clear()

    def take_frames(self, most_bytes: int) -> bytes:
        """Remove packets and return their frames, until `most_bytes` are reached or passed; empty: none waits."""
        entries = self._entries
        if not entries:
            return b""
        if len(entries) == 1 and not self.is_behind:
            packet = entries.popitem()[1]
            return packet.frame if type(packet) is EventPacket else _frame(packet)
        frames, size = [], 0
        while entries and size < most_bytes:
            frame = _frame(self._pop())
            frames.append(frame)
            size += len(frame)
        return b"".join(frames)

    def fall_behind(self, *, moved: bool) -> None:
        """Note that the kernel takes no more for now. `moved`: it has taken something since the last call."""
        if moved or not self.is_behind:
            self._moved_s = monotonic()
        if not self.is_behind:
            self.is_behind = True
            self._late_since_s = self._moved_s
            self._waiting_bytes = sum(map(_size, self._entries.values()))

    def catch_up(self) -> None:
        """Note that the kernel has taken everything."""
        self.is_behind = False

    def _put_late(self, packet: Packet | None) -> bool:
        if packet is None:
            self.is_ended = True
        else:
            if not self._entries and self._wake is None:
                self._moved_s = self._late_since_s = monotonic()  # it was empty until now
            key = getattr(packet, "key", None) or packet
            self._waiting_bytes += _size(packet) - (_size(self._entries[key]) if key in self._entries else 0)
            self._entries[key] = packet
        if self._poller is not None:
            self._poller.send()
            self._poller = None
        elif packet is None and self._wake is not None:
            self._wake(self._sender)
        now_s = monotonic()
        is_burst = now_s - self._late_since_s <= LONGEST_BURST_S
        most_bytes = LARGEST_BURST_BYTES if is_burst else MOST_WAITING_BYTES
        return self._waiting_bytes <= most_bytes and now_s - self._moved_s <= self._longest_stall_s

    def _pop(self) -> Packet:
        packet = self._entries.pop(next(iter(self._entries)))
        if self.is_behind:
            self._waiting_bytes -= _size(packet)
        return packet

    def _await(self, timeout_s: float | None) -> None:
        if self._poller is not None:
            raise Empty  # a second poll at a time, which no client of ours sends
        poller = self._poller = GreenEvent()
        with eventlet.Timeout(timeout_s, False):
            poller.wait()
        if self._poller is poller:
            self._poller = None


def payload(packets: Iterable[Packet]) -> bytes:
    """The packets as the body of an answer to a poll (Engine.IO 4, "HTTP long-polling")."""
    return b"\x1e".join(one.text if isinstance(one, EventPacket) else one.encode(b64=True).encode() for one in packets)


def _frame(packet: Packet) -> bytes:
    return packet.frame if isinstance(packet, EventPacket) else text_frame(packet.encode().encode())


def _size(packet: Packet) -> int:
    return len(packet.frame) if isinstance(packet, EventPacket) else len(packet.encode())
