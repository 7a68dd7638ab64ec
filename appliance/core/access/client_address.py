"""Maps a remote address to the network that limits count as one client.

An IPv6 host has 2^64 addresses to choose from, so its whole /64 counts as one (RFC 6177: a site gets at least that). An
IPv4 client of an IPv6 listener counts as the same client as over IPv4.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

HOST_PREFIX_V6 = 64
MOST_REMEMBERED = 256  # addresses, some 50 kB: a request asks for that of its client five times


@lru_cache(maxsize=MOST_REMEMBERED)
def plain_address(text: str) -> str | None:
    """The address without its zone, IPv4 never in its IPv6 form. `None`: not an IP address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def client_network(text: str) -> str:
    """The IPv4 address, or the /64 of an IPv6 one. Other text (a Unix socket's name) stays as it is."""
    plain = plain_address(text)
    if plain is None or ":" not in plain:
        return plain or text
    return str(ip_network((plain, HOST_PREFIX_V6), strict=False))
