"""The bytes of simulated packets: Ethernet frames with IPv4 or IPv6, TCP without data, and DNS messages over UDP.

They are complete and valid, checksums included, so that no reader needs to know that they are simulated.
"""

from ipaddress import IPv4Address, IPv6Address
from struct import pack, unpack

from msgspec import Struct

from appliance.core.traffic.packet import TCP, UDP

Address = IPv4Address | IPv6Address

HOPS = 64  # time to live, the default of most systems
WINDOW = 64_240  # what Linux offers in a SYN
DNS_PORT = 53
ICMPV6 = 58
QUERY_FLAGS = 0x0100  # a query, recursion desired
SUCCESS_FLAGS = 0x8180  # a response, recursion desired and available, no error
NAME_POINTER = 0xC00C  # a pointer to the question's name, right after the header (RFC 1035 section 4.1.4)
INTERNET = 1
KINDS = {4: 1, 6: 28}  # A and AAAA, by the IP version of the addresses
LIFETIME_S = 300
ETHER_TYPES = {4: 0x0800, 6: 0x86DD}


class Endpoints(Struct, frozen=True):
    """Source and destination of a frame; both addresses of one family."""

    source_mac: str
    destination_mac: str
    source: Address
    destination: Address
    source_port: int
    destination_port: int

    def reversed(self) -> "Endpoints":
        """The endpoints of the reply."""
        return Endpoints(
            self.destination_mac,
            self.source_mac,
            self.destination,
            self.source,
            self.destination_port,
            self.source_port,
        )


def tcp(ends: Endpoints, flags: int, sequence: int, acknowledged: int = 0) -> bytes:
    """A TCP segment without data."""
    ports, rest = (ends.source_port, ends.destination_port), (5 << 4, flags, WINDOW, 0, 0)
    header = pack("!HHIIBBHHH", *ports, sequence, acknowledged % 2**32, *rest)
    return _frame(ends, TCP, _with_checksum(ends, TCP, header, at=16))


def dns_question(ends: Endpoints, identity: int, name: str, version: int) -> bytes:
    """The question for this name's addresses of this IP version, from the client to the name server."""
    return _datagram(ends, pack("!6H", identity, QUERY_FLAGS, 1, 0, 0, 0) + _question(name, version))


def dns_answer(ends: Endpoints, identity: int, name: str, address: Address) -> bytes:
    """The answer that this name has this address, from the name server to the client."""
    kind = KINDS[address.version]
    record = pack("!HHHIH", NAME_POINTER, kind, INTERNET, LIFETIME_S, len(address.packed)) + address.packed
    header = pack("!6H", identity, SUCCESS_FLAGS, 1, 1, 0, 0)
    return _datagram(ends, header + _question(name, address.version) + record)


def dhcp_request(mac: str, name: str) -> bytes:
    """A device's request for an address, in which it says its name (RFC 2131, option 12 of RFC 2132)."""
    ends = Endpoints(mac, "ff:ff:ff:ff:ff:ff", IPv4Address(0), IPv4Address(0xFFFFFFFF), 68, 67)
    hardware = bytes.fromhex(mac.replace(":", ""))
    head = pack("!4BIHH16x16s192x4s", 1, 1, 6, 0, int.from_bytes(hardware[2:]), 0, 0, hardware, b"\x63\x82\x53\x63")
    options = bytes([53, 1, 3, 12, len(name)]) + name.encode() + b"\xff"
    return _datagram(ends, head + options)


def address_claim(mac: str, address: Address) -> bytes:
    """A device's announcement of its own address, by ARP (RFC 5227) or neighbour discovery (RFC 4861)."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    if isinstance(address, IPv6Address):
        ends = Endpoints(mac, "33:33:00:00:00:01", address, IPv6Address("ff02::1"), 0, 0)
        notice = pack("!BBHI", 136, 0, 0, 0x2000_0000) + address.packed + b"\x02\x01" + hardware
        return _frame(ends, ICMPV6, _with_checksum(ends, ICMPV6, notice, at=2))
    body = pack("!HHBBH", 1, 0x0800, 6, 4, 1) + hardware + address.packed + bytes(6) + address.packed
    return b"\xff" * 6 + hardware + pack("!H", 0x0806) + body


def _question(name: str, version: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return labels + b"\0" + pack("!HH", KINDS[version], INTERNET)


def _datagram(ends: Endpoints, content: bytes) -> bytes:
    datagram = pack("!4H", ends.source_port, ends.destination_port, 8 + len(content), 0) + content
    return _frame(ends, UDP, _with_checksum(ends, UDP, datagram, at=6))


def _frame(ends: Endpoints, protocol: int, body: bytes) -> bytes:
    macs = bytes.fromhex((ends.destination_mac + ends.source_mac).replace(":", ""))
    version = ends.source.version
    header = _ipv4_header(ends, protocol, len(body)) if version == 4 else _ipv6_header(ends, protocol, len(body))
    return macs + pack("!H", ETHER_TYPES[version]) + header + body


def _ipv4_header(ends: Endpoints, protocol: int, body_bytes: int) -> bytes:
    dont_fragment = 0x4000
    fields = pack("!BBHHHBBH", 0x45, 0, 20 + body_bytes, 0, dont_fragment, HOPS, protocol, 0)
    header = fields + ends.source.packed + ends.destination.packed
    return header[:10] + pack("!H", _checksum(header)) + header[12:]


def _ipv6_header(ends: Endpoints, protocol: int, body_bytes: int) -> bytes:
    return pack("!IHBB", 6 << 28, body_bytes, protocol, HOPS) + ends.source.packed + ends.destination.packed


def _with_checksum(ends: Endpoints, protocol: int, body: bytes, at: int) -> bytes:
    """The body with its checksum, which also covers the addresses (RFC 9293, RFC 768, RFC 8200)."""
    pseudo_header = ends.source.packed + ends.destination.packed + pack("!II", protocol, len(body))
    checksum = _checksum(pseudo_header + body) or 0xFFFF
    return body[:at] + pack("!H", checksum) + body[at + 2 :]


def _checksum(data: bytes) -> int:
    """The ones' complement of the ones' complement sum of 16-bit words (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
