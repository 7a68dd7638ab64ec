"""QUIC connections from their first packet to the server's answer.

The answer is believed only where it was made with the keys of the client's first packet: whoever did not see that one
cannot forge it, wherever they are.
"""

from collections import OrderedDict
from collections.abc import Iterator

from appliance.core.traffic.flows.client_hello import MOST_BYTES, ClientHello, message_bytes, parse_hello
from appliance.core.traffic.flows.contact import Contact, Ends, Happening, What
from appliance.core.traffic.flows.pieces import Pieces
from appliance.core.traffic.flows.quic import (
    Initial,
    Keys,
    Side,
    crypto_frames,
    decrypt,
    google_hello,
    initials_in,
    keys_of,
)
from appliance.core.traffic.packet import Packet

MOST_FLOWS = 1024  # whose hello is read: those of the last seconds; 34 kB each at most, where somebody is hostile
MOST_DECRYPTIONS_S = 400  # 2 % of this core, 10 % of a Raspberry Pi 4's; a hundred people open some 50 a second


class _Flow:
    """One contact. `first_id`: where the client's first packet went."""

    __slots__ = ("contact", "first_id", "is_answered", "keys", "pieces", "source_id", "version")

    def __init__(self, contact: Contact, initial: Initial, keys: Keys) -> None:
        self.contact = contact
        self.source_id = initial.source_id
        self.pieces: Pieces | None = Pieces(MOST_BYTES)
        self.is_answered = False
        self.rekey(initial, keys)

    def rekey(self, initial: Initial, keys: Keys) -> None:
        """Begin again: with the first packet, or after a Retry."""
        self.version, self.first_id, self.keys = initial.version, initial.destination_id, keys

    def take(self, frames: bytes) -> ClientHello | None:
        """The hello, when it is whole with these frames."""
        if self.pieces is None:
            return None
        has_grown = [self.pieces.add(*one) for one in crypto_frames(frames)]
        if not any(has_grown):
            return None
        data = self.pieces.data
        wanted = message_bytes(data)
        if wanted is None or len(data) < min(wanted, MOST_BYTES):
            return None
        self.pieces = None
        return parse_hello(data)


class QuicFlows:
    """The latest connections. `unread`: packets that were too many in a second to be decrypted."""

    def __init__(self) -> None:
        self._flows: OrderedDict[Ends, _Flow] = OrderedDict()
        self._allowance = float(MOST_DECRYPTIONS_S)
        self._allowed_s = 0.0
        self.unread = 0

    def read(self, scope: str, packet: Packet, now_s: float) -> Iterator[Happening]:
        """What this datagram makes happen. `scope`: the interface; `now_s`: monotonic."""
        sent, answered = Ends.of(scope, packet), Ends.answered_by(scope, packet)
        hello = google_hello(packet.payload)
        if hello is not None:
            yield Happening(What.HELLO, Contact(sent, packet.source_mac, now_s, hello=hello))
            return
        for initial in initials_in(packet.payload):
            flow = self._flows.get(answered)
            if flow is not None:
                yield from self._answer(flow, initial, now_s)
            else:
                yield from self._say(sent, packet, initial, now_s)

    def _say(self, ends: Ends, packet: Packet, initial: Initial, now_s: float) -> Iterator[Happening]:
        flow = self._flows.get(ends)
        is_of_first = flow is not None and initial.destination_id == flow.first_id
        if flow is not None and (flow.is_answered or is_of_first) and flow.pieces is None:
            return
        frames = self._decrypted(initial, flow.keys, now_s) if flow is not None else None
        if frames is None and not is_of_first:
            keys = keys_of(initial.version, initial.destination_id)
            frames = self._decrypted(initial, keys, now_s)
            if frames is None:
                return
            if flow is None:
                flow = self._follow(ends, packet, initial, keys, now_s)
            else:
                flow.rekey(initial, keys)
        if flow is None or frames is None:
            return
        hello = flow.take(frames)
        if hello is not None:
            flow.contact.hello = hello
            yield Happening(What.HELLO, flow.contact)
            if flow.is_answered:
                yield Happening(What.MET, flow.contact)

    def _follow(self, ends: Ends, packet: Packet, initial: Initial, keys: Keys, now_s: float) -> _Flow:
        flow = self._flows[ends] = _Flow(Contact(ends, packet.source_mac, now_s, is_quic=True), initial, keys)
        if len(self._flows) > MOST_FLOWS:
            self._flows.popitem(last=False)
        return flow

    def _answer(self, flow: _Flow, initial: Initial, now_s: float) -> Iterator[Happening]:
        if flow.is_answered or initial.destination_id != flow.source_id:
            return
        keys = keys_of(initial.version, flow.first_id, Side.SERVER)
        if self._decrypted(initial, keys, now_s) is None:
            return
        flow.is_answered = True
        if flow.contact.hello is not None:
            yield Happening(What.MET, flow.contact)

    def _decrypted(self, initial: Initial, keys: Keys, now_s: float) -> bytes | None:
        earned = max(0.0, now_s - self._allowed_s) * MOST_DECRYPTIONS_S
        self._allowance = min(float(MOST_DECRYPTIONS_S), self._allowance + earned)
        self._allowed_s = now_s
        if self._allowance < 1:
            self.unread += 1
            return None
        self._allowance -= 1
        return decrypt(initial, keys)
