"""DHCP for IPv4 (RFC 2131): what a device calls itself when it asks for an address, and which server answers.

No bytes raise, and the options are walked once. Options that another field overflows into (option 52) are not read:
names and server identifiers are never there in practice.
"""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address

from msgspec import Struct

from appliance.core.traffic.devices.clue import is_station, name_in
from appliance.core.traffic.packet import UDP, Packet

SERVER_PORT, CLIENT_PORT = 67, 68

_REQUEST, _REPLY = 1, 2
_ETHERNET = (1, 6)  # hardware type, and the length of its addresses
# Operation, hardware type and length; client's, given, server's and relay's address; the client's hardware address.
_HEADER = struct.Struct("!BBBx4x4x4s4s4s4s6s10x64x128x4s")
_COOKIE = b"\x63\x82\x53\x63"
_PAD, _HOST_NAME, _WANTED, _KIND, _SERVER, _FQDN, _END = 0, 12, 50, 53, 54, 81, 255
_FQDN_BYTES = 3  # flags and two codes before the name (RFC 4702)
_FQDN_IS_WIRE = 0x04
_OFFER, _REQUESTED, _ACK = 2, 3, 5
_MOST_OPTIONS = 128  # of a message of 1,500 bytes; clients send about ten


class DhcpMessage(Struct, frozen=True):
    """`mac`: the client's. `server`: that gives the address, empty in a client's message.

    `name`: what the client calls itself. `given`: the address that a server gives, or that a client asks for. `chosen`:
    the server whose offer a client takes, which it says to all; the offer itself may pass from device to device.
    """

    mac: str
    server: str = ""
    name: str = ""
    given: str = ""
    chosen: str = ""


def dhcp_in(packet: Packet) -> DhcpMessage | None:
    """The message of a client, or a server's offer or confirmation; `None` for all else; never raises."""
    ports = packet.source_port, packet.destination_port
    if packet.protocol != UDP or SERVER_PORT not in ports or len(packet.payload) < _HEADER.size:
        return None
    operation, kind, length, _, given, _, _, hardware, cookie = _HEADER.unpack_from(packet.payload)
    if (kind, length) != _ETHERNET or cookie != _COOKIE or not is_station(hardware):
        return None
    options = dict(_options(packet.payload[_HEADER.size :]))
    mac, message = hardware.hex(":"), options.get(_KIND, b"")[:1]
    if operation == _REQUEST:
        chosen = _address(options, _SERVER) if message == bytes([_REQUESTED]) else ""
        return DhcpMessage(mac, name=_name(options), given=_address(options, _WANTED), chosen=chosen)
    if operation != _REPLY or message not in {bytes([_OFFER]), bytes([_ACK])}:
        return None
    return DhcpMessage(mac, _address(options, _SERVER) or packet.source, given=str(IPv4Address(given)))


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(_MOST_OPTIONS):
        while at < len(data) and data[at] == _PAD:
            at += 1
        if at + 1 >= len(data) or data[at] == _END:
            return
        end = at + 2 + data[at + 1]
        if end > len(data):
            return
        yield data[at], data[at + 2 : end]
        at = end


def _address(options: dict[int, bytes], kind: int) -> str:
    """The address in an option; empty where it has none."""
    value = options.get(kind, b"")
    return str(IPv4Address(value)) if len(value) == 4 and any(value) else ""


def _name(options: dict[int, bytes]) -> str:
    """The host name, else the first label of the full one."""
    plain = name_in(options.get(_HOST_NAME, b""))
    full = options.get(_FQDN, b"")
    if plain or len(full) <= _FQDN_BYTES:
        return plain
    rest = full[_FQDN_BYTES:]
    return name_in(rest[1 : 1 + rest[0]] if full[0] & _FQDN_IS_WIRE else rest)
