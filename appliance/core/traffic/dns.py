"""Names from DNS answers: which name a client looked up, and the addresses that it received.

Only an answer counts, never a question: a name that does not exist was not visited. The parser reads the question,
which every answer repeats, and the addresses, as far as captured. It skips other records unread, because nothing here
depends on them and a parser that is not run cannot be attacked. No bytes raise; the work is bounded.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

import dns.exception
import dns.wire

from appliance.core.traffic.packet import TCP, UDP, Packet

DNS_PORT = 53
MOST_RECORDS = 64  # read of an answer; the largest sets of addresses with their aliases are far smaller

_HEADER = Struct("!HHHH4x")  # identity, flags, questions, answers
_LENGTH_BYTES = 2  # before each message over TCP, RFC 1035 section 4.2.2
_RESPONSE = 0x8000
# Response bit, opcode and response code: a successful answer to an ordinary query has only the first.
_MUST_MATCH = 0xF80F
_INTERNET = 1
_A, _AAAA, _HTTPS = 1, 28, 65  # IANA, DNS resource record types
_VISITS = frozenset({_A, _AAAA, _HTTPS})  # the types that a program asks for before it connects


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """A name that a client asked for and that exists. `name`: lower case, without the last dot, IDN as `xn--`.

    `addresses`: of the answer, as far as captured; empty where it only confirms that the name exists.
    `ttl_s`: seconds for which all of them may be kept.
    """

    client: str
    name: str
    addresses: tuple[str, ...]
    ttl_s: int = 0


def answer_in(packet: Packet) -> DnsAnswer | None:
    """The successful DNS answer that this packet carries to its destination, or `None`; never raises.

    Over TCP, an answer is found only if it begins with the segment, which is how servers send it.
    """
    if packet.source_port != DNS_PORT:
        return None
    if packet.protocol == UDP:
        return parse_answer(packet.payload, packet.destination)
    if packet.protocol == TCP and len(packet.payload) > _LENGTH_BYTES:
        message_bytes = int.from_bytes(packet.payload[:_LENGTH_BYTES], "big")
        return parse_answer(packet.payload[_LENGTH_BYTES:][:message_bytes], packet.destination)
    return None


def parse_answer(message: bytes, client: str) -> DnsAnswer | None:
    """The answer in this DNS message; `None` for a question, a failure, another type of look-up, or garbage."""
    if len(message) < _HEADER.size:
        return None
    _, flags, questions, answers = _HEADER.unpack_from(message)
    if flags & _MUST_MATCH != _RESPONSE or questions != 1:
        return None
    parser = dns.wire.Parser(message, _HEADER.size)
    try:
        asked = parser.get_name()
        kind, class_ = parser.get_struct("!HH")
    except dns.exception.DNSException:
        return None
    if kind not in _VISITS or class_ != _INTERNET:
        return None
    name = asked.to_text(omit_final_dot=True).lower()
    found = _addresses(parser, min(answers, MOST_RECORDS))
    return DnsAnswer(client, name, tuple(found), min(found.values(), default=0))


def _addresses(parser: dns.wire.Parser, count: int) -> dict[str, int]:
    """The addresses of the answer, each with its TTL in seconds."""
    found: dict[str, int] = {}
    try:
        for _ in range(count):
            parser.get_name(decompress=True)
            kind, class_, ttl_s, length = parser.get_struct("!HHIH")
            data = parser.get_bytes(length)
            if class_ == _INTERNET and kind == _A and length == 4:
                found[str(IPv4Address(data))] = ttl_s
            elif class_ == _INTERNET and kind == _AAAA and length == 16:
                found[str(IPv6Address(data))] = ttl_s
    except dns.exception.DNSException:
        pass  # cut by the capture, or broken: the addresses before it are valid
    return found
