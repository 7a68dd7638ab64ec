"""Neighbour discovery of IPv6 (RFC 4861): which hardware address has which address, and who says that it is a router.

No bytes raise, and the options are walked once.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address

from msgspec import Struct

from appliance.core.traffic.devices.clue import is_station
from appliance.core.traffic.packet import payload_in

ICMPV6 = 58
ROUTER_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 134, 135, 136
KINDS = (ROUTER_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT)

_SOURCE_LINK, _TARGET_LINK, _PREFIX = 1, 2, 3
_MOST_OPTIONS = 32  # an advertisement has about five
# Bytes before the options, by type: RFC 4861 sections 4.2, 4.3 and 4.4.
_HEADER_BYTES = {ROUTER_ADVERTISEMENT: 16, NEIGHBOUR_SOLICITATION: 24, NEIGHBOUR_ADVERTISEMENT: 24}


class NeighbourNotice(Struct, frozen=True):
    """`address`: that the sender says is its own, empty for a probe; `mac`: its hardware address.

    `is_router`: it advertises itself as a router. `lifetime_s`: for which it wants to be a default one; 0: not.
    `prefixes`: in which hosts are to give themselves addresses.
    """

    mac: str
    address: str
    is_router: bool = False
    lifetime_s: int = 0
    prefixes: tuple[str, ...] = ()


def notice_in(frame: bytes) -> NeighbourNotice | None:
    """The notice in a frame; `None` for all else; never raises."""
    found = payload_in(frame)
    if found is None or found[2] != ICMPV6:
        return None
    source, _, _, body = found
    kind = body[0] if body and ":" in source else 0
    if kind not in KINDS or len(body) < _HEADER_BYTES[kind] or body[1]:
        return None
    options = [*_options(body[_HEADER_BYTES[kind] :])]
    wanted = _TARGET_LINK if kind == NEIGHBOUR_ADVERTISEMENT else _SOURCE_LINK
    hardware = next((value[:6] for option, value in options if option == wanted), frame[6:12])
    if not is_station(hardware):
        return None
    if kind == ROUTER_ADVERTISEMENT:
        prefixes = tuple(_prefix(value) for option, value in options if option == _PREFIX and len(value) >= 30)
        return NeighbourNotice(hardware.hex(":"), source, True, int.from_bytes(body[6:8]), prefixes)
    claimed = IPv6Address(body[8:24]) if kind == NEIGHBOUR_ADVERTISEMENT else IPv6Address(source)
    is_address = not (claimed.is_unspecified or claimed.is_multicast)
    return NeighbourNotice(hardware.hex(":"), str(claimed) if is_address else "")


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each option; its length counts units of 8 bytes."""
    at = 0
    for _ in range(_MOST_OPTIONS):
        if at + 8 > len(data) or not data[at + 1]:
            return
        end = at + 8 * data[at + 1]
        yield data[at], data[at + 2 : end]
        at = end


def _prefix(value: bytes) -> str:
    return f"{IPv6Address(value[14:30])}/{min(value[0], 128)}"
