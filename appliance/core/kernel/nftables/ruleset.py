"""Builds nftables' JSON (libnftables-json(5)): expressions, rules, commands, and what our verdicts have in common."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any

from appliance.core.blocking.sets import BlockSet

Command = dict[str, Any]
Expression = Sequence[Mapping[str, Any]]
Verdict = Mapping[str, Any]

REFUSE, WITHHOLD = "refuse", "withhold"
# The name of a table's set that has one element, the number 0, while nothing is held back. The kernel drops the element
# when its time is over: so a table closes by itself, whatever became of the program that opened it.
OPEN = "open"
HTTP = 80  # the port of what a browser asks in the clear, which another computer can answer

PROTOCOLS = {4: "ip", 6: "ip6"}
ADDRESS_TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}
HOST_ENDS = {"up": "saddr", "down": "daddr"}  # direction -> the end of a packet that is the department's host

_UNSAFE = re.compile(r"[^A-Za-z0-9]")
_ESCAPED = re.compile(r"_([0-9a-f]{2})")

ACCEPT: Mapping[str, Any] = {"accept": None}
DROP: Mapping[str, Any] = {"drop": None}
RETURN: Mapping[str, Any] = {"return": None}
COUNT: Mapping[str, Any] = {"counter": None}
OPEN_SET: tuple[str, dict[str, Any]] = ("set", {"type": "mark", "flags": ["timeout"]})
_ZERO: Mapping[str, Any] = {"&": [{"meta": {"key": "mark"}}, 0]}  # of any packet: what is looked up in `OPEN`


@lru_cache(maxsize=8192)  # the same names each second: some dozens of each department
def identifier(kind: str, *parts: str) -> str:
    """The name of a table's object: letters, digits and `_` alone, so that `nft` can load what it has listed.

    `nft` reads neither its own keywords (`list`) nor every character that the kernel takes back as names. Each part
    begins with `_`, and in it each other character, and `_` itself, is written as `_` and two hexadecimal digits.
    """
    return kind + "".join(f"_{_UNSAFE.sub(_escape, part)}" for part in parts)


def identifier_part(written: str) -> str:
    """The part of a name that `identifier` has written so."""
    found = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), written)
    return found.encode("latin-1").decode(errors="surrogateescape")


def set_name(block_set: BlockSet) -> str:
    """The name of a set of blocked elements."""
    return identifier(block_set.family, *([] if block_set.department is None else [block_set.department]))


def _escape(found: re.Match[str]) -> str:
    return "".join(f"_{byte:02x}" for byte in found[0].encode(errors="surrogateescape"))


def field(protocol: str, name: str) -> dict[str, Any]:
    """Selects a field of the packet's headers."""
    return {"payload": {"protocol": protocol, "field": name}}


def host(direction: str, version: int) -> dict[str, Any]:
    """Selects the address of the department's host in a packet of this IP version."""
    return field(PROTOCOLS[version], HOST_ENDS[direction])


def match(left: Mapping[str, Any], right: Any, operator: str = "==") -> dict[str, Any]:
    """Ends the rule for packets of which the condition is false."""
    return {"match": {"op": operator, "left": left, "right": right}}


IS_OPEN, IS_CLOSED = match(_ZERO, f"@{OPEN}"), match(_ZERO, f"@{OPEN}", "!=")


def goto(chain: str) -> dict[str, Any]:
    """Continues in another chain and does not return."""
    return {"goto": {"target": chain}}


def jump(chain: str) -> dict[str, Any]:
    """Continues in another chain, and after its end behind this rule."""
    return {"jump": {"target": chain}}


def add(kind: str, table: Mapping[str, str], name: str, **properties: Any) -> Command:
    """Adds an object to the table; one that exists stays, and takes the properties that can change in place."""
    return {"add": {kind: {**table, "name": name, **properties}}}


def add_rule(table: Mapping[str, str], chain: str, expression: Expression) -> Command:
    """Adds a rule at the end of a chain."""
    return {"add": {"rule": {**table, "chain": chain, "expr": list(expression)}}}


def update(set_name: str, element: Mapping[str, Any], *statements: Mapping[str, Any]) -> dict[str, Any]:
    """Puts the element in a set, unless it is there, and runs the statements that it keeps there, two at most."""
    return {"set": {"op": "update", "elem": element, "set": f"@{set_name}", "stmt": statements}}


def is_protocol(name: str) -> dict[str, Any]:
    """Matches frames of this protocol. One comparison costs a packet a tenth of a look-up in a set of protocols."""
    return match({"meta": {"key": "protocol"}}, name)


def prefixes(networks: Iterable[IPv4Network | IPv6Network], version: int) -> list[dict[str, Any]]:
    """The networks of this IP version as disjoint prefixes, because the kernel's interval sets take no overlaps."""
    own = [network for network in networks if network.version == version]
    return [_prefix(network) for network in collapse_addresses(own)]  # type: ignore[type-var]  # all of one version


def claims(
    direction: str, version: int, verdicts: Iterable[tuple[Verdict, Iterable[IPv4Network | IPv6Network]]]
) -> Iterator[Expression]:
    """The rule that judges packets by the address of their host; none without networks of this IP version.

    `verdicts`: verdicts, and the networks of each. Networks of one size are a hash table of masked addresses, others an
    interval tree, which costs a packet more, and more for each doubling of their number.
    """
    found = [(one, verdict) for verdict, networks in verdicts for one in _outermost(networks, version)]
    sizes = {one.prefixlen for one, _ in found}
    key: Mapping[str, Any] = host(direction, version)
    if len(sizes) == 1 and 0 not in sizes:
        network, _ = found[0]
        key = key if network.prefixlen == network.max_prefixlen else {"&": [key, str(network.netmask)]}
        yield [{"vmap": {"key": key, "data": {"set": [[str(one.network_address), verdict] for one, verdict in found]}}}]
    elif found:
        yield [{"vmap": {"key": key, "data": {"set": [[_prefix(one), verdict] for one, verdict in found]}}}]


def _outermost(networks: Iterable[IPv4Network | IPv6Network], version: int) -> Sequence[IPv4Network | IPv6Network]:
    """The networks of this IP version that lie in no other of them."""
    own = dict.fromkeys(network for network in networks if network.version == version)
    return [one for one in own if not any(one != other and one.subnet_of(other) for other in own)]  # type: ignore[arg-type]


def _prefix(network: IPv4Network | IPv6Network) -> dict[str, Any]:
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


# A device that sends nothing for this long has to show an address of its department again (a neighbour table's entry
# lives about as long); and no more devices than a department has hosts, which bounds what a forger can fill.
DEVICE_REMEMBERED_S, MOST_DEVICES = 600, 4096
DEVICES: Mapping[str, Any] = {
    "type": "ether_addr",
    "flags": ["timeout"],
    "size": MOST_DEVICES,
    "timeout": DEVICE_REMEMBERED_S,
}


def devices_name(department: str) -> str:
    """The name of the set of devices that have sent with an address of the department."""
    return identifier("devices", department)


def learning_rules(department: str, interface: str, onward: Verdict, *, renews: bool = False) -> list[Expression]:
    """The rules for packets from an address of the department: its device is noted, and they go onward.

    An entry that is there is left alone until it ends: a look-up costs a packet a third of an update. `renews`: where
    only some of a device's packets come here, each renews it, so that it does not end between two of them. A device of
    several is noted by each packet as if it were new, so that it is one of several for as long as it is.
    """
    device, devices = field("ether", "saddr"), devices_name(department)
    noted = match(device, f"@{devices}")
    is_of_several = [match(device, f"@{several_name(interface)}"), _change("delete", devices)]
    return [
        *([is_of_several] if renews else []),
        [noted, _change("update", devices), onward] if renews else [noted, onward],
        [jump(newcomers_name(interface))],
        [_change("update", devices)],
        [onward],
    ]


def newcomer_rules(departments: Iterable[str], interface: str) -> list[Expression]:
    """The rules for a device that a department is about to note: one that another has noted already is of several.

    So a router is nobody's, and there is one rule for each department, not for each pair of them.
    """
    device = field("ether", "saddr")
    return [[match(device, f"@{devices_name(one)}"), _change("update", several_name(interface))] for one in departments]


def device_claims(direction: str, interface: str, verdicts: Iterable[tuple[str, Verdict]]) -> Iterator[Expression]:
    """Rules that judge packets without an address of any department by their device.

    `verdicts`: departments and their verdicts. A device that has sent with addresses of two, like a router, is
    neither's.
    """
    device = field("ether", HOST_ENDS[direction])
    is_of_one = match(device, f"@{several_name(interface)}", "!=")
    for department, verdict in verdicts:
        yield [match(device, f"@{devices_name(department)}"), is_of_one, verdict]


def several_name(interface: str) -> str:
    """The name of the set of devices that have sent with addresses of several departments of this interface."""
    return identifier("several", interface)


def newcomers_name(interface: str) -> str:
    """The name of the chain for devices that a department of this interface has not noted yet."""
    return identifier("newcomers", interface)


def _change(operation: str, devices: str) -> Mapping[str, Any]:
    return {"set": {"op": operation, "elem": field("ether", "saddr"), "set": f"@{devices}"}}


def skip_tags(tags: Iterable[int]) -> Expression:
    """Accepts frames of subinterfaces at the interface that carries them: they pass their own hooks later.

    Other tags stay: tag 0 is none (IEEE 802.1Q), and what has a tag without a subinterface only a bridge forwards.
    """
    return [match(field("vlan", "id"), {"set": sorted(tags)}), ACCEPT]


_IS_RESET = match(field("tcp", "flags"), "rst", "in")
# RFC 4861 neighbour discovery, which no router forwards: as ARP in IPv4, it must work for a refusal to arrive.
DISCOVERY: Expression = [
    match(field("icmpv6", "type"), {"range": [133, 137]}),
    match(field("ip6", "hoplimit"), 255),
    ACCEPT,
]
# By IP version. A reset is headers only: 20 bytes of IPv4 (IPv6 counts what follows its header) and 20 of TCP; and
# destination unreachable, administratively prohibited: RFC 1812 5.2.7.1 and RFC 4443 3.1.
REFUSALS: Mapping[int, Sequence[Expression]] = {
    4: [
        [match(field("ip", "length"), 40), _IS_RESET, ACCEPT],
        [match(field("icmp", "type"), 3), match(field("icmp", "code"), 13), ACCEPT],
    ],
    6: [
        [match(field("ip6", "length"), 20), _IS_RESET, ACCEPT],
        [match(field("icmpv6", "type"), 1), match(field("icmpv6", "code"), 1), ACCEPT],
    ],
}


def refuse_chain(*counted: Mapping[str, Any]) -> Sequence[Expression]:
    """The rules that answer packets from a department with a TCP reset or an ICMP prohibition; `goto` leads there.

    So people see at once that something is forbidden. It works only where packets come in, because only there the
    kernel can answer. `counted`: statements that run for each packet before it is refused.
    """
    return [
        DISCOVERY,
        [match({"meta": {"key": "l4proto"}}, "tcp"), *counted, {"reject": {"type": "tcp reset"}}],
        [*counted, {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}],
    ]
