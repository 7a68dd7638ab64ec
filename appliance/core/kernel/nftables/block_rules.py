"""The rules by which the kernel blocks: from places to one table of the packet filter.

At each interface a chain stands where packets come in, and one where they go out, before routing, NAT and bridging, so
that it works alike in each position and cuts established connections too. They look the packet's ends up in the sets
of all departments, and then, by the address of the host, in those of its own department:

    up, up.<department>      what comes from hosts; refused (TCP reset, ICMP), so that a person sees at once that
                             something is forbidden, and does not wait for a timeout
    down, down.<department>  what goes to hosts; dropped, but for refusals, because our own pass there too. A refusal
                             from outside passes with them; it carries no data

A set of prefixes is gone through where the packet has an address in one of its regions
(`core.kernel.nftables.prefilter`). An element of a set carries the mark of its block. A packet that is stopped bears it
for a moment, and is counted by origin, and by block and host in sets of their own that take so many hosts and forget
them after some minutes: no flood fills the kernel, and none makes it answer without pause.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import ip_address

from appliance.core.blocking.block import BlockOrigin
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.sets import ORIGIN_MARKS, ORIGIN_MASK, SHAPES, BlockSet, Family
from appliance.core.kernel.nftables.prefilter import grids
from appliance.core.kernel.nftables.ruleset import (
    ADDRESS_TYPES,
    HOST_ENDS,
    PROTOCOLS,
    REFUSE,
    WITHHOLD,
    Command,
    Expression,
    add,
    add_rule,
    field,
    goto,
    is_ip,
    match,
    prefixes,
    verdict_chains,
)
from appliance.core.kernel.nftables.table import HOOKS, ExistingTable, Layout
from appliance.core.machine import Facing, carries

TABLE = "appliance"
NETDEV = {"family": "netdev", "table": TABLE}
TRACKING = {"family": "inet", "table": TABLE}
PRIORITY = 0  # before the meters' 10, so that what is refused is not counted

# Of hosts that were hit, by block; it bounds what a spoofer can fill, and what is read every few seconds.
MOST_HITS = 4096
HIT_REMEMBERED_S = 600
# Refusals to one host: enough for a person's browser, and 50 answers cost a flooded computer next to nothing.
ANSWERS_PER_S = 50

MARK = {"meta": {"key": "mark"}}
ENDS = ("saddr", "daddr")
# Family -> the protocols that its addresses stand in.
LOOKED_UP = {
    Family.HOSTS4: "ip",
    Family.HOSTS6: "ip6",
    Family.PREFIXES4: "ip",
    Family.PREFIXES6: "ip6",
}


def sets_of(places: Sequence[Place]) -> list[BlockSet]:
    """The sets that stand for these places."""
    return [
        BlockSet(family, department) for department in (None, *(one.department for one in places)) for family in Family
    ]


def hits_name(version: int) -> str:
    """The set that counts hits on hosts of this IP version."""
    return f"hits{version}"


def layout(places: Sequence[Place]) -> Layout:
    """The whole table for these places, but for the sets' elements."""
    table = Layout()
    for block_set in sets_of(places):
        shape = SHAPES[block_set.family]
        flags = ["timeout", "interval"] if shape.is_interval else ["timeout"]
        table.objects[block_set.name] = ("map", {"type": shape.type, "map": "mark", "flags": flags})
        table.objects.update((grid.name, ("set", {"type": shape.type})) for grid in grids(block_set))
    for origin in BlockOrigin:
        table.objects[origin] = ("counter", {})
    for version, kind in ADDRESS_TYPES.items():
        bounds = {"flags": ["timeout"], "size": MOST_HITS}
        hits = {"type": ["mark", kind], "timeout": HIT_REMEMBERED_S, **bounds}
        table.objects[hits_name(version)] = ("set", hits)
        table.objects[f"answers{version}"] = ("set", {"type": kind, "timeout": 60, **bounds})
    _add_verdicts(table, places)
    for direction in HOST_ENDS:
        for department in (None, *(one.department for one in places)):
            table.add_chain(_chain(direction, department), _lookups(direction, department))
    for interface in dict.fromkeys(place.interface for place in places):
        _add_interface(table, [one for one in places if one.interface == interface], places)
    return table


def arrangement(
    there: ExistingTable, places: Sequence[Place], present: Collection[str], *, tracks_connections: bool
) -> list[Command]:
    """The commands that make these places' rules of what is there, and leave all elements that have a place.

    `present`: the interfaces that exist. Only kernels from 6.16 on take a chain for one that does not, and keep it when
    one goes.
    """
    whole = layout(places)
    absent = [
        chain for chain, interface in whole.devices.items() if interface not in present and chain not in there.chains
    ]
    return [*_rebuilt(there, whole.without(absent)), *(_tracking() if tracks_connections else [])]


def hits_in(counted: Iterable[tuple[bytes, int, int]]) -> Iterator[Hit]:
    """What a set of hits shows: the mark in the machine's byte order, then the address."""
    for key, _, packets in counted:
        yield Hit(int.from_bytes(key[:4], sys.byteorder), str(ip_address(key[4:])), packets)


def _rebuilt(there: ExistingTable, wanted: Layout) -> list[Command]:
    removed = [name for name in there.chains if name not in wanted.chains]
    gone = [name for name in there.objects if name not in wanted.objects]
    new = [name for name in wanted.objects if name not in there.objects]  # a map that exists is refused
    return [
        {"add": {"table": {"family": "netdev", "name": TABLE}}},
        *({"flush": {"chain": {**NETDEV, "name": name}}} for name in there.chains),
        *({"delete": {"chain": {**NETDEV, "name": name}}} for name in removed),
        *({"delete": {there.objects[name]: {**NETDEV, "name": name}}} for name in gone),
        *(add(wanted.objects[name][0], NETDEV, name, **wanted.objects[name][1]) for name in new),
        *(add("chain", NETDEV, name, **base) for name, base in wanted.chains.items()),
        *(add_rule(NETDEV, name, rule) for name, rules in wanted.rules.items() for rule in rules),
    ]


def _tracking() -> list[Command]:
    """One rule that nothing ever runs through: that it speaks of `ct` is what makes the kernel track connections.

    For a bridge to be tracked, `br_netfilter` must be loaded and `net.bridge.bridge-nf-call-iptables` and `-ip6tables`
    be 1.
    """
    return [
        {"add": {"table": {"family": "inet", "name": TABLE}}},
        add("chain", TRACKING, "tracking"),
        {"flush": {"chain": {**TRACKING, "name": "tracking"}}},
        add_rule(TRACKING, "tracking", [match({"ct": {"key": "state"}}, "new", "in")]),
    ]


def _add_verdicts(table: Layout, places: Sequence[Place]) -> None:
    for chain, expression in verdict_chains():
        table.chains.setdefault(chain, {})
        table.rules.setdefault(chain, []).append(expression)
    *passing, drop = table.rules[WITHHOLD]
    # A refusal can be sent only where packets come in (net/netfilter/nft_reject_netdev.c).
    answers = any(place.facing is Facing.DEPARTMENT for place in places)
    up = [*_paced(), [goto(REFUSE)]] if answers else [drop]
    # Before the counting: what has to pass (neighbour discovery) is no hit.
    table.add_chain("stop.up", [table.rules[REFUSE][0], *_counted("up"), *up])
    table.add_chain("stop.down", [*passing, *_counted("down"), drop])


def _counted(direction: str) -> Iterator[Expression]:
    by_origin = [[mark, origin] for origin, mark in ORIGIN_MARKS.items()]
    yield [{"counter": {"map": {"key": {"&": [MARK, ORIGIN_MASK]}, "data": {"set": by_origin}}}}]
    for version, protocol in PROTOCOLS.items():
        hit = {"concat": [MARK, field(protocol, HOST_ENDS[direction])]}
        yield [{"set": {"op": "update", "elem": hit, "set": f"@{hits_name(version)}", "stmt": [{"counter": None}]}}]


def _paced() -> Iterator[Expression]:
    above = {"limit": {"rate": ANSWERS_PER_S, "burst": ANSWERS_PER_S, "per": "second", "inv": True}}
    for version, protocol in PROTOCOLS.items():
        host = field(protocol, "saddr")
        paced = {"set": {"op": "update", "elem": host, "set": f"@answers{version}", "stmt": [above]}}
        yield [paced, {"drop": None}]


def _lookups(direction: str, department: str | None) -> Iterator[Expression]:
    keys = [(family, field(protocol, end)) for family, protocol in LOOKED_UP.items() for end in ENDS]
    keys.append((Family.MACS, field("ether", HOST_ENDS[direction])))
    for family, key in keys:
        block_set = BlockSet(family, department)
        found = {"map": {"key": key, "data": f"@{block_set.name}"}}
        within = [[match({"&": [key, grid.mask]}, f"@{grid.name}")] for grid in grids(block_set)]
        for condition in within or [[]]:
            yield [*condition, {"mangle": {"key": MARK, "value": found}}, goto(f"stop.{direction}")]


def _add_interface(table: Layout, here: Sequence[Place], everywhere: Iterable[Place]) -> None:
    facing, interface = here[0].facing, here[0].interface
    tagged = any(carries(interface, place.interface) for place in everywhere)
    for hook, directions in HOOKS[facing].items():
        [direction] = directions
        # Neither ARP nor what belongs to a subinterface is anything here.
        rules: list[Expression] = [[match(field("ether", "type"), "8021q"), {"accept": None}]] if tagged else []
        rules += [[is_ip(operator="!="), {"accept": None}], [{"jump": {"target": direction}}]]
        rules += _claims(direction, here)
        rules += [[goto(_chain(direction, place.department))] for place in here if not place.networks]
        name = f"{hook}.{interface}"
        base = {"type": "filter", "hook": hook, "prio": PRIORITY, "dev": interface, "policy": "accept"}
        table.add_chain(name, rules, **base)
        table.devices[name] = interface


def _claims(direction: str, places: Sequence[Place]) -> Iterator[Expression]:
    """By the address of the host, to the department that claims it."""
    for version, protocol in PROTOCOLS.items():
        claims = [
            [prefix, goto(_chain(direction, place.department))]
            for place in places
            for prefix in prefixes(place.networks, version)
        ]
        if claims:
            yield [{"vmap": {"key": field(protocol, HOST_ENDS[direction]), "data": {"set": claims}}}]


def _chain(direction: str, department: str | None) -> str:
    return direction if department is None else f"{direction}.{department}"
