"""DNS messages on the wire: the look-ups that hosts make, and the answers that they receive.

Only an answer counts as a visit, never a question: a name that does not exist was not visited. An answer is believed
only where its question was seen (`core.traffic.questions`), so a message is read in two steps: what tells the look-up
first, the addresses and aliases only when that is known.

No bytes raise, and the work is bounded by bytes, whatever the message says it has: other names than the question's are
skipped without following their pointers, and all names that are read share one number of steps.
"""

import re
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address
from itertools import islice
from typing import NamedTuple

from msgspec import Struct

from appliance.core.traffic.packet import TCP, UDP, Packet

DNS_PORT = 53
PTR = 12  # IANA, DNS resource record types: the name of an address
MOST_BYTES = 1500  # read of a message: as many as the capture takes of a frame
MOST_STEPS = 300  # labels and pointers of all names that are read; a chain of ten aliases has about a hundred
MOST_ADDRESSES = 64  # of one answer: services have up to 16, and each that a blocked name holds costs the kernel room
MOST_MESSAGES = 16  # of one segment: a server may answer several questions in one
MOST_ALIASES = 16  # of one answer; resolvers follow no more (BIND's `max-restarts` is 11, Unbound's own bound too)

_HEADER = struct.Struct("!HHHHHH")  # identity, flags, questions, answers, authorities, additional records
_KIND = struct.Struct("!HH")  # type, class
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, length
_LENGTH_BYTES = 2  # before each message over TCP, RFC 1035 section 4.2.2
_RESPONSE = 0x8000
_OPERATION = 0x7800
_CODE = 0x000F
_INTERNET = 1
_A, _CNAME, _AAAA, _SVCB, _HTTPS, _ANY = 1, 5, 28, 64, 65, 255  # IANA, DNS resource record types
_VISITS = frozenset({_A, _AAAA, _HTTPS})  # the types that a program asks for before it connects
_GIVES_ADDRESSES = _VISITS | {_SVCB, _ANY}
_SERVICES = frozenset({_SVCB, _HTTPS})
_POINTER = 0xC0
_LONGEST_LABEL, _LONGEST_NAME = 63, 254  # RFC 1035 section 2.3.4; the name's end is not counted here
_PLAIN = re.compile(rb"[A-Za-z0-9_-]*")
# As in zone files (RFC 1035 section 5.1), so that a dot within a label is no border of labels.
_ESCAPED = {one: f"\\{one:03}" for one in (*range(33), *range(127, 256))} | {
    ord(one): f"\\{one}" for one in '"().;\\@$'
}
UNREADABLE = (ValueError, IndexError, struct.error)


def _ipv4(packed: bytes) -> str:
    return "%d.%d.%d.%d" % tuple(packed)  # noqa: UP031  a third of the time of `IPv4Address`


def _ipv6(packed: bytes) -> str:
    return str(IPv6Address(packed))


# By the type of a record, and by the key of a parameter in an HTTPS record (RFC 9460 section 14.3.2): bytes, and text.
_ADDRESSES = {_A: (4, _ipv4), _AAAA: (16, _ipv6)}
_HINTS = {4: (4, _ipv4), 6: (16, _ipv6)}


class LookUp(NamedTuple):
    """A question to a name server, by all that the answer must repeat (RFC 5452 section 9.1).

    `name`: lower case, without the last dot, IDN as `xn--`.
    """

    client: str
    server: str
    client_port: int
    protocol: int
    identity: int
    name: str
    kind: int


class DnsAnswer(Struct, frozen=True):
    """A name that a client asked for and that exists. `name`: lower case, without the last dot, IDN as `xn--`.

    `addresses`: of the answer, with the hints of HTTPS records, as far as captured; empty where it only confirms that
    the name exists. `ttl_s`: seconds for which all of them may be kept. `aliases`: the names that it leads to (CNAME,
    and the targets of HTTPS records). `server`: that gave it; empty where it is not known any more.
    """

    client: str
    name: str
    addresses: tuple[str, ...]
    ttl_s: int = 0
    aliases: tuple[str, ...] = ()
    server: str = ""


class DnsMessage:
    """A DNS message with one question, which is read at once; the records are read when they are asked for."""

    __slots__ = ("_answers", "_data", "_end", "_others", "_steps", "flags", "identity", "kind", "name")

    def __init__(self, data: bytes) -> None:
        """Raises one of `UNREADABLE` where it has another number of questions, or the one cannot be read."""
        self._data, self._steps = data[:MOST_BYTES], MOST_STEPS
        self.identity, self.flags, questions, self._answers, *others = _HEADER.unpack_from(data)
        self._others = sum(others)
        self.name, at = self._read_name(_HEADER.size)
        self.kind, class_ = _KIND.unpack_from(self._data, at)
        if questions != 1 or class_ != _INTERNET or self.flags & _OPERATION:
            raise ValueError
        self._end = at + _KIND.size

    @property
    def is_answer(self) -> bool:
        """Whether it answers the question."""
        return bool(self.flags & _RESPONSE)

    @property
    def is_visit(self) -> bool:
        """Whether a program asks so before it connects."""
        return self.kind in _VISITS

    def answer(self, client: str, server: str = "") -> DnsAnswer | None:
        """The answer in it; `None` for a question, a failure, or a look-up that gives nobody an address."""
        if not self.is_answer or self.flags & _CODE or self.kind not in _GIVES_ADDRESSES:
            return None
        found, aliases = self._read_records()
        if not found and not self.is_visit:
            return None
        return DnsAnswer(
            client, self.name, tuple(found), min(found.values(), default=0), tuple(dict.fromkeys(aliases)), server
        )

    def pointer(self) -> str:
        """The name to which the first such record points; empty: there is none, or it is a failure."""
        if not self.is_answer or self.flags & _CODE:
            return ""
        try:
            at = next((at for kind, at, _, _ in self._records() if kind == PTR), None)
            return "" if at is None else self._read_name(at)[0]
        except UNREADABLE:
            return ""

    def _read_records(self) -> tuple[dict[str, int], list[str]]:
        """The addresses, each with its TTL in seconds, and the aliases."""
        found: dict[str, int] = {}
        aliases: list[str] = []
        try:
            for kind, at, end, ttl_s in self._records():
                room = MOST_ADDRESSES - len(found)
                if kind == _CNAME:
                    aliases += self._alias(at, len(aliases))
                elif kind in _SERVICES:
                    aliases += self._alias(at + 2, len(aliases))  # after the priority
                for address in islice(self._addresses(kind, at, end), room):
                    found[address] = ttl_s
        except UNREADABLE:
            pass  # cut by the capture, or broken: what came before is valid
        return found, aliases

    def _records(self) -> Iterator[tuple[int, int, int, int]]:
        """The type of each record, where its data begins and ends, and its TTL in seconds."""
        # The addresses of an HTTPS record's target may come as additional records (RFC 9460 section 4).
        count = self._answers + (self._others if self.kind in _SERVICES else 0)
        end = self._end
        for _ in range(count):
            at = self._skip_name(end)
            kind, class_, ttl_s, length = _RECORD.unpack_from(self._data, at)
            end = at + _RECORD.size + length
            if class_ == _INTERNET and end <= len(self._data):
                yield kind, end - length, end, ttl_s

    def _addresses(self, kind: int, at: int, end: int) -> Iterator[str]:
        """The addresses in a record's data."""
        size, text = _ADDRESSES.get(kind, (-1, _ipv4))
        if kind in _SERVICES:
            yield from self._hints(at + 2, end)
        elif end - at == size:
            yield text(self._data[at:end])

    def _alias(self, at: int, known: int) -> list[str]:
        """The name at this place; empty for the root, and where it is unreadable or one too many."""
        if known >= MOST_ALIASES:
            return []
        try:
            name, _ = self._read_name(at)
        except UNREADABLE:
            return []
        return [name] if name else []

    def _hints(self, at: int, end: int) -> Iterator[str]:
        """The addresses in the parameters of an HTTPS record, whose target is at this place (RFC 9460 section 2.2)."""
        at = self._skip_name(at)
        while at < end:
            key, length = _KIND.unpack_from(self._data, at)
            at += _KIND.size
            value = self._data[at : min(at + length, end)]
            at += length
            size, text = _HINTS.get(key, (0, _ipv4))
            if size:
                yield from (text(value[one : one + size]) for one in range(0, len(value) - size + 1, size))

    def _read_name(self, at: int) -> tuple[str, int]:
        """The name at this place, and where it ends. A pointer leads back, and each farther than the one before."""
        data, labels, length, end, limit = self._data, [], 0, 0, at
        while size := data[at]:
            self._steps -= 1
            if size >= _POINTER:
                end = end or at + 2
                at = (size & ~_POINTER) << 8 | data[at + 1]
                if at >= limit:
                    raise ValueError
                limit = at
                continue
            length += size + 1
            label = data[at + 1 : at + 1 + size]
            if size > _LONGEST_LABEL or len(label) < size or length > _LONGEST_NAME or self._steps < 0:
                raise ValueError
            labels.append(label)
            at += size + 1
        return _text(labels), end or at + 1

    def _skip_name(self, at: int) -> int:
        """Where the name at this place ends."""
        data = self._data
        while size := data[at]:
            if size >= _POINTER:
                return at + 2
            at += size + 1
        return at + 1


def look_ups_in(packet: Packet) -> Iterator[tuple[LookUp, DnsMessage]]:
    """The look-ups to and from port 53 in this packet, each with its message; never raises.

    Over TCP, messages are found only if the first begins with the segment, which is how hosts and servers send them.
    """
    if DNS_PORT not in {packet.source_port, packet.destination_port}:
        return
    for data in _messages(packet):
        try:
            message = DnsMessage(data)
        except UNREADABLE:
            continue
        if message.is_answer and packet.source_port == DNS_PORT:
            ends = packet.destination, packet.source, packet.destination_port
        elif not message.is_answer and packet.destination_port == DNS_PORT:
            ends = packet.source, packet.destination, packet.source_port
        else:
            continue
        yield LookUp(*ends, packet.protocol, message.identity, message.name, message.kind), message


def _messages(packet: Packet) -> Iterator[bytes]:
    if packet.protocol == UDP:
        yield packet.payload
    elif packet.protocol == TCP:
        rest = packet.payload
        for _ in range(MOST_MESSAGES):
            end = _LENGTH_BYTES + int.from_bytes(rest[:_LENGTH_BYTES], "big")
            yield rest[_LENGTH_BYTES:end]
            rest = rest[end:]
            if not rest:
                return


def _text(labels: list[bytes]) -> str:
    if _PLAIN.fullmatch(b"".join(labels)):
        return b".".join(labels).decode().lower()
    return ".".join(label.decode("latin-1").translate(_ESCAPED) for label in labels).lower()
