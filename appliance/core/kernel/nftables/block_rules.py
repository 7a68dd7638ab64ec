"""Compiles places into the table of the packet filter that blocks.

Each interface has a chain where packets come in, and one where they go out, before routing, NAT and bridging. So blocks
work alike in each position, and cut established connections too. The rules look up both ends of a packet in the sets of
all departments, and then in those of the department that claims the host's address:

    up, up_<department>      packets from hosts; refused (TCP reset, ICMP), so that people see at once that something is
                             forbidden, and do not wait for a timeout
    down, down_<department>  packets to hosts; dropped, except for refusals, because our own pass there too. A refusal
                             from outside passes with them; it carries no data

The rules search a set of prefixes only for packets with an address in one of its regions
(`core.kernel.nftables.prefilter`). Each element maps to the mark of its block; a packet that matches gets the mark, and
goes to `stop_up` or `stop_down`. There the kernel counts it by origin, and by block and host. The sets that count and
pace hosts are bounded, and forget a host after some minutes: no flood fills the kernel, or makes it answer without end.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address

from appliance.core.blocking.block import BlockOrigin
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.sets import ORIGIN_MARKS, ORIGIN_MASK, SHAPES, BlockSet, Family
from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.prefilter import grids
from appliance.core.kernel.nftables.table import HOOKS, Edit, ExistingTable, Layout, commands
from appliance.core.machine import Facing

TABLE = "appliance"
TRACKING = {"family": "inet", "table": TABLE}
PRIORITY = 0  # before the meters' 10, so that what is refused is not counted

# Pairs of block and host that are counted; it bounds what a spoofer can fill, and what is read every few seconds.
MOST_HITS = 4096
HIT_REMEMBERED_S = 600
# Refusals to one host: enough for a person's browser, and 50 answers cost a flooded computer next to nothing.
ANSWERS_PER_S = 50

MARK = {"meta": {"key": "mark"}}
ENDS = ("saddr", "daddr")
# Family -> the protocol whose header has its addresses.
LOOKED_UP = {Family.HOSTS4: "ip", Family.HOSTS6: "ip6", Family.PREFIXES4: "ip", Family.PREFIXES6: "ip6"}


def sets_of(places: Sequence[Place]) -> list[BlockSet]:
    """The sets of elements for these places: five for all departments together, and five for each."""
    return [BlockSet(family, department) for department in _departments(places) for family in Family]


def hits_name(version: int) -> str:
    """The name of the set that counts hits by hosts of this IP version."""
    return f"hits{version}"


def layout(places: Sequence[Place]) -> Layout:
    """The whole table for these places, without the sets' elements."""
    table = Layout()
    for block_set in sets_of(places):
        shape = SHAPES[block_set.family]
        flags = ["timeout", "interval"] if shape.is_interval else ["timeout"]
        table.objects[nft.set_name(block_set)] = ("map", {"type": shape.type, "map": "mark", "flags": flags})
        table.objects.update((grid.name, ("set", {"type": shape.type})) for grid in grids(block_set))
    for origin in BlockOrigin:
        table.objects[_origin_name(origin)] = ("counter", {})
    for version, kind in nft.ADDRESS_TYPES.items():
        bounds = {"flags": ["timeout"], "size": MOST_HITS}
        hits = {"type": ["mark", kind], "timeout": HIT_REMEMBERED_S, **bounds}
        table.objects[hits_name(version)] = ("set", hits)
        table.objects[_answers_name(version)] = ("set", {"type": kind, "timeout": 60, **bounds})
    _add_verdicts(table, places)
    for direction in nft.HOST_ENDS:
        for department in _departments(places):
            table.add_chain(_chain(direction, department), _lookups(direction, department))
    for interface in dict.fromkeys(place.interface for place in places):
        _add_interface(table, [one for one in places if one.interface == interface], places)
    return table


def arrangement(
    there: ExistingTable, places: Sequence[Place], present: Collection[str], *, tracks_connections: bool
) -> list[nft.Command]:
    """The commands that turn the existing table into that of these places; elements stay in the sets that stay.

    `present`: the interfaces that exist. Only kernels from 6.16 on take a chain for one that does not, and keep it when
    one goes.
    """
    whole = layout(places)
    absent = [
        chain for chain, interface in whole.devices.items() if interface not in present and chain not in there.chains
    ]
    wanted = whole.without(absent)
    edit = Edit(
        emptied=there.chains,
        deleted=[name for name in there.objects if name not in wanted.objects],
        added={name: one for name, one in wanted.objects.items() if name not in there.objects},  # else a map is refused
        chains=wanted.chains,
        filled=wanted.rules,
    )
    return [*commands(TABLE, there, wanted, edit), *(_tracking() if tracks_connections else [])]


def hits_in(counted: Iterable[tuple[bytes, int, int]]) -> Iterator[Hit]:
    """The hits in a set of them. A key is the mark, in the machine's byte order, then the address."""
    for key, _, packets in counted:
        yield Hit(int.from_bytes(key[:4], sys.byteorder), str(ip_address(key[4:])), packets)


def stopped_by_origin(counters: Mapping[str, tuple[int, int, int]]) -> Mapping[str, int]:
    """The packets that blocks of each origin stopped. `counters`: by name, handle, bytes and packets."""
    return {origin: counters.get(_origin_name(origin), (0, 0, 0))[2] for origin in BlockOrigin}


def _tracking() -> list[nft.Command]:
    """A rule that no packet reaches: because it names `ct`, the kernel tracks connections.

    For a bridge to be tracked, `br_netfilter` must be loaded and `net.bridge.bridge-nf-call-iptables` and `-ip6tables`
    be 1.
    """
    return [
        {"add": {"table": {"family": "inet", "name": TABLE}}},
        nft.add("chain", TRACKING, "tracking"),
        {"flush": {"chain": {**TRACKING, "name": "tracking"}}},
        nft.add_rule(TRACKING, "tracking", [nft.match({"ct": {"key": "state"}}, "new", "in")]),
    ]


def _add_verdicts(table: Layout, places: Sequence[Place]) -> None:
    """Add the chains that count a packet and then refuse or drop it."""
    for chain, rules in nft.verdict_chains().items():
        table.add_chain(chain, rules)
    *passing, drop = table.rules[nft.WITHHOLD]
    # A refusal can be sent only where packets come in (net/netfilter/nft_reject_netdev.c).
    answers = any(place.facing is Facing.DEPARTMENT for place in places)
    up = [*_paced(), [nft.goto(nft.REFUSE)]] if answers else [drop]
    # Before the counting: what has to pass (neighbour discovery) is no hit.
    table.add_chain("stop_up", [table.rules[nft.REFUSE][0], *_counted("up"), *up])
    table.add_chain("stop_down", [*passing, *_counted("down"), drop])


def _counted(direction: str) -> Iterator[nft.Expression]:
    """Count a packet that has a mark: by the origin in the mark, and by the mark and the host."""
    by_origin = [[mark, _origin_name(origin)] for origin, mark in ORIGIN_MARKS.items()]
    yield [{"counter": {"map": {"key": {"&": [MARK, ORIGIN_MASK]}, "data": {"set": by_origin}}}}]
    for version in nft.PROTOCOLS:
        yield [nft.update(hits_name(version), {"concat": [MARK, nft.host(direction, version)]}, nft.COUNT)]


def _paced() -> Iterator[nft.Expression]:
    """Drop packets of a host that already got its refusals of this second."""
    above = {"limit": {"rate": ANSWERS_PER_S, "burst": ANSWERS_PER_S, "per": "second", "inv": True}}
    for version in nft.PROTOCOLS:
        yield [nft.update(_answers_name(version), nft.host("up", version), above), nft.DROP]


def _lookups(direction: str, department: str | None) -> Iterator[nft.Expression]:
    """Look up both addresses of a packet, and the host's hardware address, in a department's sets (`None`: of all)."""
    keys = [(family, nft.field(protocol, end)) for family, protocol in LOOKED_UP.items() for end in ENDS]
    keys.append((Family.MACS, nft.field("ether", nft.HOST_ENDS[direction])))
    for family, key in keys:
        block_set = BlockSet(family, department)
        # A rule whose map has no element for the key ends there (net/netfilter/nft_lookup.c: NFT_BREAK).
        set_mark = {"mangle": {"key": MARK, "value": {"map": {"key": key, "data": f"@{nft.set_name(block_set)}"}}}}
        in_region = [[nft.match({"&": [key, grid.mask]}, f"@{grid.name}")] for grid in grids(block_set)]
        for condition in in_region or [[]]:
            yield [*condition, set_mark, nft.goto(f"stop_{direction}")]


def _add_interface(table: Layout, here: Sequence[Place], everywhere: Iterable[Place]) -> None:
    """Add the base chains of one interface. `here`: its places."""
    named = [place for place in here if place.networks]
    departments = [place.department for place in named]
    if named:
        table.objects[nft.several_name(here[0].interface)] = ("set", {**nft.DEVICES})
        newcomers = nft.newcomer_rules(departments, here[0].interface)
        table.add_chain(nft.newcomers_name(here[0].interface), newcomers)
    for place in named:
        table.objects[nft.devices_name(place.department)] = ("set", {**nft.DEVICES})
        learning = nft.learning_rules(place.department, place.interface, _chain("up", place.department))
        table.add_chain(_entry("up", place), learning)
    for hook, directions in HOOKS[here[0].facing].items():
        [direction] = directions
        rules: list[nft.Expression] = [
            [nft.is_protocol("arp"), nft.ACCEPT],
            [{"jump": {"target": direction}}],
            *nft.claims(direction, [(_entry(direction, place), place.networks) for place in named]),
            *nft.device_claims(direction, here[0].interface, [(one, _chain(direction, one)) for one in departments]),
            *_unclaimed(direction, here),
        ]
        table.add_base_chain(hook, here[0].interface, PRIORITY, rules, (place.vlan for place in everywhere))


def _entry(direction: str, place: Place) -> str:
    """The chain for packets with an address of the department; that for packets from it notes their devices."""
    return nft.identifier("known", place.department) if direction == "up" else _chain(direction, place.department)


def _unclaimed(direction: str, here: Sequence[Place]) -> Iterator[nft.Expression]:
    """The rules for packets that no department claims.

    They are of the department that has the rest. Without one, those of an IP version of which a department names no
    network may be its own, so that its blocks hold for them; others are nobody's.
    """
    for place in here:
        jump = {"jump": {"target": _chain(direction, place.department)}}
        if not place.networks:
            yield [jump]
        elif all(one.networks for one in here):
            named = {network.version for network in place.networks}
            yield from (
                [nft.is_protocol(name), jump] for version, name in nft.PROTOCOLS.items() if version not in named
            )


def _departments(places: Iterable[Place]) -> list[str | None]:
    """`None`, which stands for all departments, then each."""
    return [None, *(one.department for one in places)]


def _chain(direction: str, department: str | None) -> str:
    return direction if department is None else nft.identifier(direction, department)


def _origin_name(origin: str) -> str:
    return nft.identifier("origin", origin)


def _answers_name(version: int) -> str:
    """The name of the set that paces the refusals to hosts of this IP version."""
    return f"answers{version}"
