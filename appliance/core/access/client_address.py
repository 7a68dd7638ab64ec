"""Origin: whom a remote address stands for, where something is counted for each stranger.

One host of IPv6 has 2^64 addresses to choose from, so that its whole /64 counts as one (RFC 6177: what a site gets at
least). An IPv4 client of an IPv6 listener is the same stranger as over IPv4.
"""

from ipaddress import IPv6Address, ip_address, ip_network

HOST_PREFIX_V6 = 64


def plain_address(text: str) -> str | None:
    """The address without its zone, an IPv4 one never in its IPv6 form. `None`: this is no IP address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def client_network(text: str) -> str:
    """The address, or its /64. What is no address (a Unix socket's name) is an origin of its own."""
    plain = plain_address(text)
    if plain is None or ":" not in plain:
        return plain or text
    return str(ip_network((plain, HOST_PREFIX_V6), strict=False))
