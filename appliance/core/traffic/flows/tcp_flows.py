"""TCP connections from their SYN to their end: who answered, the hello in them, the bytes that they carried.

Captured are what begins and ends a contact, and the begin of what both sides say (`core.kernel.bpf.capture_filter`).
A connection counts as a contact when the server has gone on with the handshake, or, where no hello comes, `HOLD_S`
after it was answered or when it ends. Half-open connections have a room of their own, so that a flood of SYNs pushes
no answered one out.
"""

from collections import OrderedDict
from collections.abc import Iterator

from appliance.core.traffic.flows.client_hello import ALERT, HANDSHAKE, MOST_BYTES, HelloStream, begins_hello
from appliance.core.traffic.flows.contact import Contact, Ends, Happening, What
from appliance.core.traffic.flows.pieces import Pieces
from appliance.core.traffic.packet import ACK, FIN, RST, Packet

MOST_OPENINGS = 4096  # without an answer, of all departments; 3 MB
MOST_CONNECTIONS = 8192  # answered and not ended; 5 MB. Two thousand people have four each
MOST_HELD_BYTES = 2 << 20  # of all hellos that are not whole yet: 64 of the largest, hundreds of real ones
HOLD_S = 1.0  # a client says hello within a round trip of the server's answer
LINE_BYTES_S = 125_000_000  # 1 Gbit/s, which the appliance's ports have: no connection carries more
_NUMBERS = 1 << 32


class TcpFlows:
    """The latest connections of all departments."""

    def __init__(self) -> None:
        self._openings: OrderedDict[Ends, Contact] = OrderedDict()
        self._answered: OrderedDict[Ends, Contact] = OrderedDict()
        self._waiting: OrderedDict[Ends, float] = OrderedDict()  # for a hello, since when
        self._held: OrderedDict[Ends, Contact] = OrderedDict()  # whose hello is not whole yet
        self._held_bytes = 0

    def read(self, scope: str, packet: Packet, now_s: float) -> Iterator[Happening]:
        """What this segment makes happen. `scope`: the interface; `now_s`: monotonic."""
        sent = Ends.of(scope, packet)
        if packet.opens:
            self._open(sent, packet, now_s)
        if packet.accepts:
            self._accept(Ends.answered_by(scope, packet), packet, now_s)
            return
        contact = self._find(sent)
        if contact is not None:
            yield from self._say(contact, packet)
            yield from self._end(contact, packet, now_s, is_client=True)
            return
        answered = Ends.answered_by(scope, packet)
        contact = self._find(answered)
        if contact is not None:
            yield from self._answer(contact, packet)
            yield from self._end(contact, packet, now_s, is_client=False)
        elif begins_hello(packet.payload):  # its begin was not captured
            contact = self._follow(Contact(sent, packet.source_mac, now_s, begin=packet.sequence))
            yield from self._say(contact, packet)

    def due(self, now_s: float) -> Iterator[Happening]:
        """The contacts whose hello does not come."""
        while self._waiting and next(iter(self._waiting.values())) <= now_s - HOLD_S:
            ends, _ = self._waiting.popitem(last=False)
            contact = self._answered.get(ends)
            if contact is not None and not contact.is_met and contact.hello is None:
                yield self._meet(contact)

    def _find(self, ends: Ends) -> Contact | None:
        return self._answered.get(ends) or self._openings.get(ends)

    def _open(self, ends: Ends, packet: Packet, now_s: float) -> None:
        begin = (packet.sequence + 1) % _NUMBERS
        known = self._find(ends)
        if known is not None and known.begin == begin:  # a repeated SYN is no other connection
            return
        if known is not None:
            self._forget(known)
        self._follow(Contact(ends, packet.source_mac, now_s, begin=begin))

    def _follow(self, contact: Contact) -> Contact:
        self._openings[contact.ends] = contact
        if len(self._openings) > MOST_OPENINGS:
            self._forget(next(iter(self._openings.values())))
        return contact

    def _accept(self, ends: Ends, packet: Packet, now_s: float) -> None:
        contact = self._openings.get(ends)
        if contact is None or packet.acknowledgement != contact.begin:  # forged, or of another connection
            return
        contact.server_begin = (packet.sequence + 1) % _NUMBERS
        self._keep(contact)
        self._waiting[ends] = now_s

    def _keep(self, contact: Contact) -> None:
        self._openings.pop(contact.ends, None)
        self._answered[contact.ends] = contact
        if len(self._answered) > MOST_CONNECTIONS:
            self._forget(next(iter(self._answered.values())))

    def _forget(self, contact: Contact) -> None:
        self._openings.pop(contact.ends, None)
        self._answered.pop(contact.ends, None)
        self._waiting.pop(contact.ends, None)
        self._release(contact)

    def _say(self, contact: Contact, packet: Packet) -> Iterator[Happening]:
        """The client's bytes."""
        at = self._place(contact, packet)
        if at is None:
            return
        if contact.pieces is None or contact.stream is None:
            contact.pieces, contact.stream = Pieces(MOST_BYTES), HelloStream()
        if self._hold(contact, contact.pieces, at, packet.payload):
            contact.stream.read(contact.pieces.data)
        if contact.stream.is_done:
            contact.hello = contact.stream.hello
            self._release(contact)
        if contact.hello is not None:
            yield Happening(What.HELLO, contact)
            if contact.goes_on:
                yield self._meet(contact)

    def _place(self, contact: Contact, packet: Packet) -> int | None:
        """The place of the payload in what is searched for a hello; `None`: it is not."""
        if not packet.payload or contact.hello is not None:
            return None
        at = (packet.sequence + packet.opens - contact.stream_begin) % _NUMBERS
        if not contact.is_read and at < MOST_BYTES:
            return at
        if not begins_hello(packet.payload):
            return None
        self._release(contact)
        contact.stream, contact.stream_begin = None, packet.sequence  # TLS begins only here
        return 0

    def _hold(self, contact: Contact, pieces: Pieces, at: int, piece: bytes) -> bool:
        before = pieces.held_bytes
        has_grown = pieces.add(at, piece)
        self._held_bytes += pieces.held_bytes - before
        self._held[contact.ends] = contact
        while self._held_bytes > MOST_HELD_BYTES:
            self._release(next(iter(self._held.values())))
        return has_grown

    def _release(self, contact: Contact) -> None:
        """Give the room of its hello back; what comes of it later is not read."""
        if self._held.pop(contact.ends, None) is not None and contact.pieces is not None:
            self._held_bytes -= contact.pieces.held_bytes
        contact.pieces = None

    def _answer(self, contact: Contact, packet: Packet) -> Iterator[Happening]:
        """The server's bytes: whether it goes on with the handshake."""
        payload = packet.payload
        if not payload or contact.goes_on:
            return
        is_first = packet.sequence == contact.server_begin
        if payload[0] not in {HANDSHAKE, ALERT} or not (is_first or payload[1:2] == b"\3"):
            return
        contact.goes_on = payload[0] == HANDSHAKE
        if contact.goes_on and contact.hello is not None:
            self._keep(contact)
            yield self._meet(contact)

    def _end(self, contact: Contact, packet: Packet, now_s: float, *, is_client: bool) -> Iterator[Happening]:
        if not packet.flags & (FIN | RST) or contact.server_begin is None:
            return
        if not contact.is_met and contact.hello is None:
            yield self._meet(contact)
        told = self._bytes(contact, packet, now_s, is_client=is_client)
        if told > contact.bytes_told:
            yield Happening(What.END, contact, told - contact.bytes_told)
            contact.bytes_told = told
        side = "client" if is_client else "server"
        if packet.refuses or contact.ended_by not in {"", side}:
            self._forget(contact)
        contact.ended_by = side

    def _bytes(self, contact: Contact, packet: Packet, now_s: float, *, is_client: bool) -> int:
        """The bytes of both sides that the numbers of this segment tell, as far as the line could carry them."""
        said, heard = contact.begin, contact.server_begin or 0
        if not is_client:
            said, heard = heard, said
        own = (packet.sequence + len(packet.payload) - said) % _NUMBERS
        other = (packet.acknowledgement - heard) % _NUMBERS if packet.flags & ACK else 0
        most = int((now_s - contact.began_s + 1) * LINE_BYTES_S)
        return sum(one for one in (own, other) if one <= most)

    def _meet(self, contact: Contact) -> Happening:
        contact.is_met = True
        self._waiting.pop(contact.ends, None)
        return Happening(What.MET, contact)
