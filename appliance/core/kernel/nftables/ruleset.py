"""Sentences for the kernel's packet filter, in nftables' JSON form, and the two verdicts that we give.

Pure: what is built here is put in force by whoever holds the packet filter.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any

Command = dict[str, Any]
Expression = Sequence[Mapping[str, Any]]

REFUSE, WITHHOLD = "refuse", "withhold"
HTTP = 80  # the port of what a person's browser asks in the clear, and can be answered by another
NOTICE_MARK = 0x5001  # on packets on their way to the notice and back; any value that nobody else is likely to use


def field(protocol: str, name: str) -> dict[str, Any]:
    """A field of the packet's headers."""
    return {"payload": {"protocol": protocol, "field": name}}


def match(left: Mapping[str, Any], right: Any, operator: str = "==") -> dict[str, Any]:
    """A condition; where it does not hold, the rest of its rule is not run."""
    return {"match": {"op": operator, "left": left, "right": right}}


def goto(chain: str) -> dict[str, Any]:
    """Leave for another chain and do not come back."""
    return {"goto": {"target": chain}}


def add(kind: str, table: Mapping[str, str], name: str, **properties: Any) -> Command:
    """Add an object of the table; what exists already stays as it is, or takes what can be changed in place."""
    return {"add": {kind: {**table, "name": name, **properties}}}


def add_rule(table: Mapping[str, str], chain: str, expression: Expression) -> Command:
    """Add a rule at the end of a chain."""
    return {"add": {"rule": {**table, "chain": chain, "expr": list(expression)}}}


def is_ip(operator: str = "==") -> dict[str, Any]:
    """Holds for IP packets of either version; with `!=` for all else."""
    return match({"meta": {"key": "protocol"}}, {"set": ["ip", "ip6"]}, operator)


def prefixes(networks: Iterable[IPv4Network | IPv6Network], version: int) -> list[dict[str, Any]]:
    """The networks of this version as disjoint prefixes, which is what the kernel's interval sets take."""
    own = [network for network in networks if network.version == version]
    return [
        {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
        for network in collapse_addresses(own)  # type: ignore[type-var]  # all of one version
    ]


def verdict_chains(*counted: Mapping[str, Any]) -> Sequence[tuple[str, Expression]]:
    """By chain, the rules of the two verdicts, in their order; each is to be left for with `goto`.

    `refuse`: what comes from a department is answered with a TCP reset or an ICMP prohibition, for a person to see at
    once; only where packets come in, which is where the kernel can answer. `withhold`: what goes toward a department is
    dropped, except for refusals, because those that `refuse` sends pass there too. `counted`: what is done with each
    packet that is refused or dropped, before it is.
    """
    tcp_reset = match(field("tcp", "flags"), "rst", "in")
    # RFC 4861 neighbour discovery, which no router forwards: as ARP in IPv4, it must work for a refusal to arrive.
    discovery = [match(field("icmpv6", "type"), {"range": [133, 137]}), match(field("ip6", "hoplimit"), 255)]
    return [
        (REFUSE, [*discovery, {"accept": None}]),
        (WITHHOLD, [*discovery, {"accept": None}]),
        (REFUSE, [match({"meta": {"key": "l4proto"}}, "tcp"), *counted, {"reject": {"type": "tcp reset"}}]),
        (REFUSE, [*counted, {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]),
        # A reset is headers only: 20 bytes of IPv4 (IPv6 counts what follows its header) and 20 of TCP.
        (WITHHOLD, [match(field("ip", "length"), 40), tcp_reset, {"accept": None}]),
        (WITHHOLD, [match(field("ip6", "length"), 20), tcp_reset, {"accept": None}]),
        # Destination unreachable, administratively prohibited: RFC 1812 5.2.7.1 and RFC 4443 3.1.
        (WITHHOLD, [match(field("icmp", "type"), 3), match(field("icmp", "code"), 13), {"accept": None}]),
        (WITHHOLD, [match(field("icmpv6", "type"), 1), match(field("icmpv6", "code"), 1), {"accept": None}]),
        (WITHHOLD, [*counted, {"drop": None}]),
    ]


PROTOCOLS = {4: "ip", 6: "ip6"}


ADDRESS_TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}


# Direction -> which end of a packet is the department's host.
HOST_ENDS = {"up": "saddr", "down": "daddr"}
