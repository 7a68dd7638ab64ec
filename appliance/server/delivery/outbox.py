"""Outbox: what waits for one client, in the order in which it will leave.

While the kernel takes what is sent, a packet waits here until the hub's turn ends, and all of that turn leaves in one
write. For a client that is behind it is a queue in which a newer state replaces the older one of its kind and
department, in the older one's place; what is no state waits until it is sent, or until the client is given up. A client
that polls is behind between two polls.

python-engineio knows it as a session's queue: `put`, `get`, `task_done` and `join` are what it calls. So its own
packets (handshake, pings, acknowledgements) and ours are in one order.
"""

from collections.abc import Callable
from time import monotonic

import eventlet
from engineio.packet import MESSAGE, Packet
from eventlet.event import Event as GreenEvent
from eventlet.queue import Empty

from appliance.server.delivery.websocket_frames import text_frame

# A snapshot of 64 departments is 50 kB, and alerts of a day are less than this. What one step publishes may be more, if
# ten thousand blocks begin: a client that reads has it in a moment.
MOST_WAITING_BYTES = 256 * 1024
LARGEST_BURST_BYTES = 4 * 1024 * 1024
LONGEST_BURST_S = 2.0
LONGEST_STALL_S = 20.0  # as long as python-engineio waits for a pong


class EventPacket(Packet):  # type: ignore[misc]  # the library ships no types
    """An event, serialised and framed once for all who receive it.

    `key`: the kind and department of a state, of which only the latest counts; `None`: every one counts.
    """

    def __init__(self, content: bytes, key: object = None) -> None:
        """`content`: the Socket.IO packet."""
        super().__init__(MESSAGE)
        self.frame = text_frame(b"4" + content)
        self.key = key
        self.content = content

    def encode(self, b64: bool = False) -> str:  # noqa: ARG002  the base class's signature
        """The packet as long polling takes it."""
        return "4" + self.content.decode()


class Outbox:
    """The packets of one client that have not left yet."""

    __slots__ = (
        "_entries",
        "_late_since_s",
        "_longest_stall_s",
        "_moved_s",
        "_poller",
        "_waiting_bytes",
        "_wake",
        "is_behind",
        "is_ended",
    )

    def __init__(self, longest_stall_s: float = LONGEST_STALL_S) -> None:
        self._longest_stall_s = longest_stall_s
        self._entries: dict[object, Packet] = {}
        self._waiting_bytes = 0  # of the entries, while the client is behind
        self._moved_s = self._late_since_s = 0.0
        self._poller: GreenEvent | None = None
        self._wake: Callable[[], object] | None = None
        self.is_behind = True  # until a WebSocket fetches
        self.is_ended = False

    def __len__(self) -> int:
        return len(self._entries)

    def __str__(self) -> str:
        return f"{self._waiting_bytes} bytes wait, nothing was taken for {monotonic() - self._moved_s:.0f} s"

    def put(self, packet: Packet | None) -> bool:
        """Add a packet; `None`: nothing will follow. False: this client has stayed behind and is to be given up."""
        if self.is_behind or packet is None:
            return self._put_late(packet)
        if not self._entries and self._wake is not None:
            self._wake()
        self._entries[packet] = packet
        return True

    def get(self, block: bool = True, timeout: float | None = None) -> Packet | None:
        """The oldest packet, for a poll; `None`: there is nothing more. Raises `Empty` when none comes in time."""
        if block and not self._entries and not self.is_ended:
            self._await(timeout)
        if self._entries:
            return self._pop()
        if self.is_ended:
            return None
        raise Empty

    def task_done(self) -> None:
        """Nothing: nobody waits for what was fetched."""

    def join(self) -> None:
        """Return at once: to wait for a client to fetch what waits for it would be to wait for ever."""

    def attach(self, wake: Callable[[], object]) -> None:
        """From now on `take_frames` fetches; `wake`: is called when there is something to fetch."""
        self._wake = wake
        self.catch_up()
        if self._entries or self.is_ended:
            wake()

    def detach(self) -> None:
        """Nobody fetches any more."""
        self._wake = None
        self._entries.clear()

    def take_frames(self, most_bytes: int) -> bytes:
        """Frames for the WebSocket, as many as fill `most_bytes`, the last of them whole; empty: nothing waits."""
        entries = self._entries
        if not entries:
            return b""
        if len(entries) == 1 and not self.is_behind:
            return _frame(entries.popitem()[1])
        frames, size = [], 0
        while entries and size < most_bytes:
            frame = _frame(self._pop())
            frames.append(frame)
            size += len(frame)
        return b"".join(frames)

    def fall_behind(self, *, moved: bool) -> None:
        """The kernel takes no more for now. `moved`: it has taken something since the last time."""
        if moved or not self.is_behind:
            self._moved_s = monotonic()
        if not self.is_behind:
            self.is_behind = True
            self._late_since_s = self._moved_s
            self._waiting_bytes = sum(map(_size, self._entries.values()))

    def catch_up(self) -> None:
        """The kernel takes again what it is given."""
        self.is_behind = False

    def _put_late(self, packet: Packet | None) -> bool:
        if packet is None:
            self.is_ended = True
        else:
            if not self._entries and self._wake is None:
                self._moved_s = self._late_since_s = monotonic()  # until now nothing waited for a poll
            key = getattr(packet, "key", None) or packet
            self._waiting_bytes += _size(packet) - (_size(self._entries[key]) if key in self._entries else 0)
            self._entries[key] = packet
        if self._poller is not None:
            self._poller.send()
            self._poller = None
        elif packet is None and self._wake is not None:
            self._wake()
        return self._is_bearable(monotonic())

    def _is_bearable(self, now_s: float) -> bool:
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
            raise Empty  # two polls at once, which no client of ours does
        poller = self._poller = GreenEvent()
        with eventlet.Timeout(timeout_s, False):
            poller.wait()
        if self._poller is poller:
            self._poller = None


def _frame(packet: Packet) -> bytes:
    if isinstance(packet, EventPacket):
        return packet.frame
    encoded = packet.encode()
    return text_frame(encoded.encode())


def _size(packet: Packet) -> int:
    return len(packet.frame) if isinstance(packet, EventPacket) else len(packet.encode())
