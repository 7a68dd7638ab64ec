"""Asks the kernel which address of this computer others see, by its choice of a route; no packet is sent."""

import socket

# Addresses for documentation (RFC 5737, RFC 3849): the route to them is the one to everywhere.
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_DISCARD_PORT = 9


def own_address(family: socket.AddressFamily) -> str | None:
    """The source address of packets to elsewhere; `None`: there is no route."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((_ELSEWHERE[family], _DISCARD_PORT))
            return str(asking.getsockname()[0])
    except OSError:
        return None
