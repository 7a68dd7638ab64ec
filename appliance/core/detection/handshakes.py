"""Handshakes: which connections were opened, answered and completed, with the right numbers.

Anyone may send a SYN from an address that is not theirs. What proves an address is the other half: the initiator
acknowledges the number that only the SYN-ACK told, which goes to the true holder of the address. A reset without ACK
proves nothing: it is what a host sends that gets the answer to somebody else's SYN (RFC 9293, section 3.10.7.1), and
its number is the forger's own. For the same reason an answer counts only if it acknowledges the SYN's number.

Captured are the segments that begin and end a connection. So the number may have grown by what the server has said in
between: at most `MOST_SAID`, and the first end of a connection is its only try, so that nobody can guess on.
"""

from collections import OrderedDict
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from appliance.core.traffic.packet import ACK, Packet

FOLLOWED_S = 60.0  # a scanner's connections are short
MOST_CONNECTIONS = 4096  # followed at once, 70 a second; 1 MB
MOST_SAID = 1024  # bytes, for a greeting; a forger's blind guess is right once in 4 million connections
_NUMBERS = 2**32


class Progress(Enum):
    """The meaning of a segment for its connection."""

    NONE = "nothing new, or a forged answer"
    OPENED = "the client asks"
    ACCEPTED = "the server has accepted it"
    REFUSED = "the server has refused it"
    PROVEN = "the client has proved that it holds its address"


class _Ends(NamedTuple):
    """A connection, by the ends of its SYN."""

    client: str
    client_port: int
    server: str
    server_port: int


class _Opening(Struct):
    """An attempt to connect. `answered`: the number that the client acknowledges next; `None`: there is no answer."""

    mac: str
    sequence: int
    began_s: float
    answered: int | None = None


class Handshakes:
    """The latest connections, from their SYN to their proof."""

    def __init__(self) -> None:
        self._openings: OrderedDict[_Ends, _Opening] = OrderedDict()

    def open(self, packet: Packet, now_s: float) -> bool:
        """Follow the connection that this SYN requests; false: it repeats another. `now_s`: monotonic."""
        while self._openings and next(iter(self._openings.values())).began_s < now_s - FOLLOWED_S:
            self._openings.popitem(last=False)
        ends = _Ends(packet.source, packet.source_port, packet.destination, packet.destination_port)
        known = self._openings.get(ends)
        is_new = known is None or known.sequence != packet.sequence  # a repeated SYN is no other connection
        if is_new:
            self._openings.pop(ends, None)
            self._openings[ends] = _Opening(packet.source_mac, packet.sequence, now_s)
        if len(self._openings) > MOST_CONNECTIONS:
            self._openings.popitem(last=False)
        return is_new

    def follow(self, packet: Packet) -> Progress:
        """Follow a segment that is no SYN."""
        ends = _Ends(packet.destination, packet.destination_port, packet.source, packet.source_port)
        opening = self._openings.get(ends)
        if packet.accepts:
            return self._accepted(opening, packet)
        if opening is not None and opening.answered is None and packet.refuses:
            return Progress.REFUSED if _acknowledges(packet, opening.sequence + 1) else Progress.NONE
        return self._of_client(packet)

    def _accepted(self, opening: _Opening | None, packet: Packet) -> Progress:
        if opening is None:
            # Forged; but where more are open than can be followed, it is believed: else a flood would turn the
            # connections of others into failures.
            return Progress.ACCEPTED if len(self._openings) >= MOST_CONNECTIONS else Progress.NONE
        if not _acknowledges(packet, opening.sequence + 1):
            return Progress.NONE
        if opening.answered is None:
            opening.answered = (packet.sequence + 1) % _NUMBERS
        return Progress.ACCEPTED

    def _of_client(self, packet: Packet) -> Progress:
        ends = _Ends(packet.source, packet.source_port, packet.destination, packet.destination_port)
        opening = self._openings.get(ends)
        if opening is None or opening.answered is None or packet.source_mac != opening.mac:
            return Progress.NONE
        del self._openings[ends]
        return Progress.PROVEN if _acknowledges(packet, opening.answered, MOST_SAID) else Progress.NONE


def _acknowledges(packet: Packet, number: int, at_most_more: int = 0) -> bool:
    return bool(packet.flags & ACK) and (packet.acknowledgement - number) % _NUMBERS <= at_most_more
