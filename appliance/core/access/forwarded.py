"""Finds the client of a request that came through reverse proxies, of which only the configured ones are believed.

Each proxy adds the address that it got the request from at the right end of `X-Forwarded-For` or `Forwarded` (RFC
7239). So the list is read from the right, as long as the hop that wrote an entry is trusted; the first hop that is not
is the client, and what stands left of it may be anybody's invention. What cannot be read raises `ValueError`: to take
the proxy for the client would give a stranger its rights.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from appliance.core.access.client_address import plain_address
from appliance.core.machine import Network

LONGEST_HEADER = 2000  # characters; eight proxies with IPv6 addresses write 400

_PORT = r"(?::(?:\d{1,5}|_[\w.-]{1,64}))?"
_NODE = re.compile(
    rf"(?:\[(?P<v6>[0-9A-Fa-f:.]{{2,45}})\]|(?P<v4>[0-9.]{{7,15}})){_PORT}|(?P<bare>[0-9A-Fa-f:.]{{2,45}})"
)
_TOKEN = r"[!#$%&'*+.^_`|~\w-]+"  # noqa: S105  of HTTP (RFC 9110, section 5.6.2)
_PAIR = re.compile(rf'(?P<name>{_TOKEN})=(?:"(?P<quoted>[^"\\,]*)"|(?P<word>{_TOKEN}))', re.ASCII)
_SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}  # some proxies name the WebSocket's


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Whether this is the address of a trusted proxy."""
    plain = plain_address(address)
    return plain is not None and any(ip_address(plain) in network for network in trusted)


def client_of(peer: str, listed: str | None, forwarded: str | None, trusted: Sequence[Network]) -> str:
    """The address of the client of a request from this trusted `peer`: without headers, the peer's own.

    `listed`: `X-Forwarded-For`; `forwarded`: `Forwarded`. Most proxies write one and pass on what a client has sent as
    the other: they must agree. Raises `ValueError`.
    """
    found = {peer} if listed is None and forwarded is None else set()
    if listed is not None:
        found.add(_first_untrusted(peer, _hops(listed), trusted))
    if forwarded is not None:
        nodes = (_parameters(hop).get("for", "") for hop in _hops(forwarded))
        found.add(_first_untrusted(peer, nodes, trusted))
    if len(found) > 1:
        raise ValueError("X-Forwarded-For and Forwarded name different clients; have the proxy remove one of them")
    return found.pop()


def scheme_of(named: str | None, forwarded: str | None) -> str | None:
    """The scheme that the client used with the proxy; `None`: the headers do not say.

    `named`: `X-Forwarded-Proto`; of several values the nearest proxy's counts. Raises `ValueError`.
    """
    if named is None and forwarded is not None:
        named = _parameters(next(_hops(forwarded))).get("proto")
    if named is None:
        return None
    scheme = _SCHEMES.get(next(_hops(named)).lower())
    if scheme is None:
        raise ValueError("X-Forwarded-Proto is neither http nor https")
    return scheme


def _first_untrusted(peer: str, nodes: Iterator[str], trusted: Sequence[Network]) -> str:
    hop = peer
    while is_trusted(hop, trusted) and (node := next(nodes, None)) is not None:
        hop = _address(node)
    return hop


def _hops(header: str) -> Iterator[str]:
    """The entries of a header, the nearest proxy's first."""
    if len(header) > LONGEST_HEADER:
        raise ValueError(f"the header with the client's address is longer than {LONGEST_HEADER} characters")
    return iter([hop.strip(" \t") for hop in reversed(header.split(","))])


def _parameters(hop: str) -> dict[str, str]:
    """The parameters of an entry of `Forwarded`, by their names in lower case."""
    found: dict[str, str] = {}
    for text in hop.split(";"):
        pair = _PAIR.fullmatch(text.strip(" \t"))
        name = pair["name"].lower() if pair else ""
        if pair is None or name in found:
            raise ValueError("Forwarded has an entry that is not of RFC 7239's form")
        found[name] = pair["word"] if pair["quoted"] is None else pair["quoted"]
    return found


def _address(node: str) -> str:
    """The address of a hop, without its port. `unknown` and invented names are no address."""
    match = _NODE.fullmatch(node)
    address = plain_address(match["v6"] or match["v4"] or match["bare"]) if match else None
    if address is None or ip_address(address).is_multicast or ip_address(address).is_unspecified:
        raise ValueError("the proxy's header has no address of the client")
    return address
