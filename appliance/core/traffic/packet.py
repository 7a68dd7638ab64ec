"""Decodes a captured frame: source, destination, ports and payload of a UDP datagram or TCP segment.

A frame is either understood up to its whole transport header or is `None`; no bytes raise, and the work on one frame is
bounded. The capture may cut a frame short: the payload is then the captured part. Only the first fragment of a datagram
has ports; the others are `None`. One that ends within TCP's header, which no system sends (RFC 1858), reads as a
segment without flags. Checksums are not verified: network cards fill them in after the capture has seen an outgoing
frame.
"""

import struct
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

TCP = 6
UDP = 17

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_ETHERNET_BYTES = 14
_VLAN_BYTES = 4
_VLAN_TYPES = frozenset({0x8100, 0x88A8, 0x9100})  # IEEE 802.1Q, 802.1ad, and the stacked tags before it
_MOST_VLAN_TAGS = 2  # 802.1ad defines an outer and an inner tag; switches add no third
_IPV4, _IPV6 = 0x0800, 0x86DD

_IPV4_HEADER = struct.Struct(
    "!BxHxxHxBxx4s4s"
)  # version and length, total length, fragment, protocol, source, destination
_IPV6_HEADER = struct.Struct("!IHBx16s16s")  # version and flow, payload length, next header, source, destination
_EXTENSION = struct.Struct("!BBH")  # next header, length, and the offset if it is a fragment
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = frozenset({0, 43, _FRAGMENT, _AUTHENTICATION, 60, 135, 139, 140})  # IANA, IPv6 extension header types
_MOST_EXTENSIONS = 8  # RFC 8200 lists seven, each at most once, destination options twice
_MORE_FRAGMENTS = 0x2000
_PORTS_BYTES = 8  # with the number behind the ports: the least that a fragment carries
_NO_FLAGS = bytes(4) + b"\x50" + bytes(7)  # the rest of a header of 20 bytes
_UDP_HEADER = struct.Struct("!HHHxx")  # ports, length
_TCP_HEADER = struct.Struct("!HHIIBB6x")  # ports, sequence, acknowledgement, data offset, flags


class Packet(Struct, frozen=True):
    """A UDP datagram or TCP segment. `flags`: TCP's, 0 for UDP, as both numbers. `payload`: the captured part of it."""

    source_mac: str
    destination_mac: str
    source: str
    destination: str
    protocol: int
    source_port: int
    destination_port: int
    flags: int
    payload: bytes
    sequence: int = 0
    acknowledgement: int = 0

    @property
    def opens(self) -> bool:
        """Whether it requests a connection: SYN without ACK or RST, whatever flags ECN adds (RFC 3168)."""
        return self.flags & (SYN | ACK | RST) == SYN

    @property
    def accepts(self) -> bool:
        """Whether it accepts a connection: SYN and ACK."""
        return self.flags & (SYN | ACK | RST) == SYN | ACK

    @property
    def refuses(self) -> bool:
        """Whether it ends or refuses a connection: RST."""
        return bool(self.flags & RST)


# Source, destination, protocol, and the body: from the transport header to the packet's end, without frame padding.
Datagram = tuple[str, str, int, bytes]


def decode(data: bytes) -> Packet | None:
    """The UDP datagram or TCP segment in this Ethernet frame, or `None` for all else; never raises."""
    datagram = payload_in(data)
    if datagram is None:
        return None
    source, destination, protocol, body = datagram
    transport = _transport(protocol, body)
    if transport is None:
        return None
    source_port, destination_port, flags, payload, sequence, acknowledgement = transport
    return Packet(
        source_mac=data[6:12].hex(":"),
        destination_mac=data[0:6].hex(":"),
        source=source,
        destination=destination,
        protocol=protocol,
        source_port=source_port,
        destination_port=destination_port,
        flags=flags,
        payload=payload,
        sequence=sequence,
        acknowledgement=acknowledgement,
    )


def payload_in(data: bytes) -> Datagram | None:
    """Source, destination, protocol and what IP carries in this Ethernet frame; `None` for all else; never raises."""
    start = _ETHERNET_BYTES
    tags = 0
    while (ether_type := int.from_bytes(data[start - 2 : start], "big")) in _VLAN_TYPES and tags < _MOST_VLAN_TAGS:
        start += _VLAN_BYTES
        tags += 1
    read = {_IPV4: _ipv4, _IPV6: _ipv6}.get(ether_type)
    return read(data[start:]) if read else None


def _ipv4(data: bytes) -> Datagram | None:
    if len(data) < _IPV4_HEADER.size:
        return None
    first, total_bytes, fragment, protocol, source, destination = _IPV4_HEADER.unpack_from(data)
    header_bytes = (first & 0x0F) * 4
    if first >> 4 != 4 or header_bytes < _IPV4_HEADER.size or fragment & 0x1FFF:
        return None
    # A total length of 0 marks a segment that the network card splits after the capture has seen it.
    end = total_bytes or len(data)
    body = data[header_bytes:end]
    if fragment & _MORE_FRAGMENTS and protocol == TCP and _PORTS_BYTES <= len(body) < _TCP_HEADER.size:
        body = body[:_PORTS_BYTES] + _NO_FLAGS
    return str(IPv4Address(source)), str(IPv4Address(destination)), protocol, body


def _ipv6(data: bytes) -> Datagram | None:
    if len(data) < _IPV6_HEADER.size:
        return None
    first, payload_bytes, header, source, destination = _IPV6_HEADER.unpack_from(data)
    if first >> 28 != 6:
        return None
    found = _skip_extensions(header, data[_IPV6_HEADER.size :][: payload_bytes or None])  # 0: as for IPv4
    if found is None:
        return None
    protocol, body = found
    return str(IPv6Address(source)), str(IPv6Address(destination)), protocol, body


def _skip_extensions(header: int, body: bytes) -> tuple[int, bytes] | None:
    """The transport protocol and the bytes from its header on; `None`: chain cut, too long, or a later fragment."""
    start = 0
    for _ in range(_MOST_EXTENSIONS + 1):  # the last finds the transport
        if header not in _EXTENSIONS:
            return header, body[start:]
        if len(body) < start + _EXTENSION.size:
            return None
        following, length, offset = _EXTENSION.unpack_from(body, start)
        if header == _FRAGMENT:
            if offset >> 3:
                return None
            start += 8  # of fixed size
        elif header == _AUTHENTICATION:
            start += (length + 2) * 4  # RFC 4302 counts in 4 octets
        else:
            start += (length + 1) * 8
        header = following
    return None


def _transport(protocol: int, body: bytes) -> tuple[int, int, int, bytes, int, int] | None:
    """Ports, TCP flags, payload, and TCP's numbers."""
    if protocol == UDP and len(body) >= _UDP_HEADER.size:
        source_port, destination_port, length = _UDP_HEADER.unpack_from(body)
        return source_port, destination_port, 0, body[_UDP_HEADER.size : length or None], 0, 0
    if protocol == TCP and len(body) >= _TCP_HEADER.size:
        source_port, destination_port, sequence, acknowledgement, offset, flags = _TCP_HEADER.unpack_from(body)
        header_bytes = (offset >> 4) * 4
        if header_bytes >= _TCP_HEADER.size:
            return source_port, destination_port, flags, body[header_bytes:], sequence, acknowledgement
    return None
