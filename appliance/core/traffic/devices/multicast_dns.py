"""Multicast DNS (RFC 6762): the names under which devices announce their own addresses.

Only a name whose address is the sender's own counts: a device may answer for another, as a sleep proxy does. No bytes
raise; of names, only the one that counts is read.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from struct import Struct, error

from appliance.core.traffic.devices.clue import name_in
from appliance.core.traffic.packet import UDP, Packet

MDNS_PORT = 5353

_HEADER = Struct("!HHHHHH")
_RECORD = Struct("!HHIH")  # type, class, TTL, length
_QUESTION_BYTES = 4  # type and class
_RESPONSE = 0x8000
_MOST_RECORDS = 64  # an announcement has about ten; what claims more is not read
_KINDS = {4: 1, 6: 28}  # A and AAAA, by the version of the address
_POINTER = 0xC0
_LOCAL = b"\x05local\0"


def announced_in(packet: Packet) -> str:
    """The name that the sender announces for its own address; empty: none; never raises."""
    if packet.protocol != UDP or packet.source_port != MDNS_PORT:
        return ""
    own = ip_address(packet.source)
    try:
        for at, kind, value in _records(packet.payload):
            if kind == _KINDS[own.version] and value == own.packed:
                return _first_label(packet.payload, at)
    except (IndexError, error):
        pass  # cut by the capture, or broken
    return ""


def _records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Where the name of each record is, its type and its data."""
    _, flags, questions, *counts = _HEADER.unpack_from(data)
    if not flags & _RESPONSE or questions + sum(counts) > _MOST_RECORDS:
        return
    at = _HEADER.size
    for _ in range(questions):
        at = _end_of_name(data, at) + _QUESTION_BYTES
    for _ in range(sum(counts)):
        begin, at = at, _end_of_name(data, at)
        kind, _, _, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size + length
        yield begin, kind, data[at - length : at]


def _end_of_name(data: bytes, at: int) -> int:
    while size := data[at]:
        if size >= _POINTER:
            return at + 2
        at += size + 1
    return at + 1


def _first_label(data: bytes, at: int) -> str:
    """The first label of a name of two, of which the second is `local`; else empty."""
    at = _behind_pointer(data, at)
    size = data[at]
    rest = at + 1 + size
    if not 0 < size < _POINTER:
        return ""
    rest_at = _behind_pointer(data, rest)
    return name_in(data[at + 1 : rest]) if data[rest_at : rest_at + len(_LOCAL)].lower() == _LOCAL else ""


def _behind_pointer(data: bytes, at: int) -> int:
    """Where the labels are: here, or where the pointer here leads; it is followed once."""
    return (data[at] & ~_POINTER) << 8 | data[at + 1] if data[at] >= _POINTER else at
