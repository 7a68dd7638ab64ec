"""Compiles places into the table of the packet filter that blocks.

Each interface has a chain where packets come in, and one where they go out, before routing, NAT and bridging. So blocks
work alike in each position, and cut established connections too. A packet pays for what is blocked: there are rules
only for sets that have elements, and without any there is no chain at the interface. IPv4, IPv6 and other packets part
at once. Where a packet of the same pair of addresses has passed a moment ago, another one passes after one look-up
(`core.kernel.nftables.prefilter`). Others look up both ends in the sets of all departments, and then, if one at the
interface has blocks of its own, in those of the department that claims the host's address:

    turn_in_up                 a map that leads packets which come in, of an IP version, to the pairs in use
    pairs4_in_up_a             looks a pair up, and notes new ones; `out_down` of packets that go out
    ingress4_<interface>       packets of IPv4 that come in at the interface; `egress4` those that go out, `6` of IPv6
    ingress4_<interface>_own   those that the blocks of all departments let pass
    up4_<department>           packets from hosts; refused (TCP reset, ICMP), so that people see at once that something
                               is forbidden, and do not wait for a timeout
    down4_<department>         packets to hosts; dropped, except for refusals, because our own pass there too. A refusal
                               from outside passes with them; it carries no data

Where departments that share an interface have blocks of their own, the devices of all of them are noted; what the
meters have noted until then is taken over.

A pair is noted only where addresses and the interface decide alone: not for packets without an address of a department,
whose devices decide. The rules search a set of prefixes only for packets with an address in one of its regions. Each
element maps to the mark of its block; a packet that matches gets the mark, and goes to `stop_up4`, `stop_down4` and so
on: a flood passes them, so they have no rule of the other IP version. There it passes while the table is open
(`ruleset.OPEN`), or the kernel counts it by origin, and by block and host. The sets that count and pace hosts are
bounded, and forget a host after some minutes; without a place there a host gets no answer. So no flood fills the
kernel, or makes it answer without end.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address

from appliance.core.blocking.block import BlockOrigin
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.sets import ORIGIN_MARKS, ORIGIN_MASK, SHAPES, BlockSet, Family
from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.meter_names import claimant
from appliance.core.kernel.nftables.prefilter import Passage, grids
from appliance.core.kernel.nftables.table import HOOKS, ExistingTable, Layout, commands, edit_of
from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan

TABLE = "appliance"
TRACKING = {"family": "inet", "table": TABLE}
PRIORITY = 0  # before the meters' 10, so that what is refused is not counted

# Pairs of block and host that are counted; it bounds what a spoofer can fill, and what is read every few seconds.
MOST_HITS = 4096
HIT_REMEMBERED_S = 600
# Refusals to one host by one block: enough for a person's browser, and 50 cost a flooded computer next to nothing.
ANSWERS_PER_S = 50
PACE = {"limit": {"rate": ANSWERS_PER_S, "burst": ANSWERS_PER_S, "per": "second"}}

MARK = {"meta": {"key": "mark"}}
PROTOCOL = {"meta": {"key": "protocol"}}
ENDS = ("saddr", "daddr")
OWN = "_own"
NO_IP = 0  # as a version: of packets that are neither IPv4 nor IPv6
# IP version -> the families of sets in which its packets are looked up.
FAMILIES = {
    4: (Family.HOSTS4, Family.PREFIXES4, Family.MACS),
    6: (Family.HOSTS6, Family.PREFIXES6, Family.MACS),
    NO_IP: (Family.MACS,),
}


def sets_of(places: Sequence[Place]) -> list[BlockSet]:
    """The sets of elements for these places: five for all departments together, and five for each."""
    return [BlockSet(family, department) for department in _departments(places) for family in Family]


def passages_of(places: Sequence[Place]) -> list[Passage]:
    """The passages of the packets that pass these places."""
    hooks = [HOOKS[facing].items() for facing in dict.fromkeys(place.facing for place in places)]
    return [Passage(hook, direction) for one in hooks for hook, directions in one for direction in directions]


def hits_name(direction: str, version: int) -> str:
    """The name of the set that counts hits by hosts of this IP version."""
    return f"hits_{direction}{version}"


def layout(places: Sequence[Place], filled: Collection[str], present: Mapping[str, int]) -> Layout:
    """The whole table for these places, without the sets' elements.

    `filled`: the names of sets that have elements. `present`: the interfaces that exist, with their index.
    """
    table = Layout()
    for block_set in sets_of(places):
        shape = SHAPES[block_set.family]
        flags = ["timeout", "interval"] if shape.is_interval else ["timeout"]
        table.objects[nft.set_name(block_set)] = ("map", {"type": shape.type, "map": "mark", "flags": flags})
        table.objects.update((grid.name, ("set", {"type": shape.type})) for grid in grids(block_set))
    table.objects[nft.OPEN] = nft.OPEN_SET
    for origin in BlockOrigin:
        table.objects[_origin_name(origin)] = ("counter", {})
    for version, kind in nft.ADDRESS_TYPES.items():
        hits = {"type": ["mark", kind], "timeout": HIT_REMEMBERED_S, "flags": ["timeout"], "size": MOST_HITS}
        table.objects.update((hits_name(direction, version), ("set", hits)) for direction in nft.HOST_ENDS)
    _add_verdicts(table, places, filled)
    for department in dict.fromkeys(place.department for place in places):
        _add_department(table, department, filled)
    for interface in dict.fromkeys(place.interface for place in places):
        _add_interface(table, [one for one in places if one.interface == interface], places, filled)
    for passage in passages_of(places):
        _add_pairs(table, passage, places, present)
    return table


def arrangement(
    there: ExistingTable, places: Sequence[Place], filled: Collection[str], present: Mapping[str, int]
) -> tuple[Layout, list[nft.Command]]:
    """The layout for these places, and the commands that make it; elements stay in the sets that stay.

    `filled`, `present`: as of `layout`. Only kernels from 6.16 on take a chain for an interface that does not exist,
    and keep it when one goes.
    """
    whole = layout(places, filled, present)
    absent = [
        chain for chain, interface in whole.devices.items() if interface not in present and chain not in there.chains
    ]
    wanted = whole.without(absent)
    return wanted, commands(TABLE, there, wanted, edit_of(there, wanted))


def noted_devices(there: ExistingTable, wanted: Layout, places: Sequence[Place]) -> Mapping[str, str]:
    """The sets of devices that are about to be filled, with those of the meters' table that have noted the same.

    With the first block of a department at a shared interface, its rules begin to note devices. What the meters have
    noted tells until then whose a packet is that has no address of a department.
    """
    begun = [
        place
        for place in places
        if place.networks
        and nft.newcomers_name(place.interface) in wanted.chains
        and nft.newcomers_name(place.interface) not in there.chains
    ]
    own = {nft.several_name(place.interface): nft.several_name(place.interface) for place in begun}
    for place in begun:
        plan = Plan(place.department, place.interface, place.facing, place.networks)
        own[nft.devices_name(place.department)] = nft.devices_name(claimant(plan))
    return own


def hits_in(counted: Iterable[tuple[bytes, int, int]]) -> Iterator[Hit]:
    """The hits in a set of them. A key is the mark, in the machine's byte order, then the address."""
    for key, _, packets in counted:
        yield Hit(int.from_bytes(key[:4], sys.byteorder), str(ip_address(key[4:])), packets)


def stopped_by_origin(counters: Mapping[str, tuple[int, int, int]]) -> Mapping[str, int]:
    """The packets that blocks of each origin stopped. `counters`: by name, handle, bytes and packets."""
    return {origin: counters.get(_origin_name(origin), (0, 0, 0))[2] for origin in BlockOrigin}


def tracking() -> list[nft.Command]:
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


def _add_verdicts(table: Layout, places: Sequence[Place], filled: Collection[str]) -> None:
    """Add the chains that count a packet and then refuse or drop it, by direction and IP version."""
    table.add_chain(nft.REFUSE, nft.refuse_chain())
    # A refusal can be sent only where packets come in (net/netfilter/nft_reject_netdev.c).
    answers = any(place.facing is Facing.DEPARTMENT for place in places)
    opened: nft.Expression = [nft.IS_OPEN, {"mangle": {"key": MARK, "value": 0}}, nft.ACCEPT]
    for version in FAMILIES:
        # Before the counting: what has to pass (neighbour discovery) is no hit.
        passing = [*([opened] if nft.OPEN in filled else []), *([nft.DISCOVERY] if version == 6 else [])]
        up, down = _hits(version, answers=answers) if version != NO_IP else ([], [])
        table.add_chain(_stop("up", version), [*passing, _by_origin(), *up, [nft.DROP]])
        refusals = nft.REFUSALS.get(version, ())
        table.add_chain(_stop("down", version), [*passing, *refusals, _by_origin(), *down, [nft.DROP]])


def _stop(direction: str, version: int) -> str:
    """The name of the chain for packets of which a block has been found."""
    return f"stop_{direction}{version or ''}"


def _by_origin() -> nft.Expression:
    """Count a packet by the origin in its mark."""
    counters = [[mark, _origin_name(origin)] for origin, mark in ORIGIN_MARKS.items()]
    return [{"counter": {"map": {"key": {"&": [MARK, ORIGIN_MASK]}, "data": {"set": counters}}}}]


def _hits(version: int, *, answers: bool) -> tuple[Sequence[nft.Expression], Sequence[nft.Expression]]:
    """The rules that count a packet by its mark and its host, and may answer it, up and down.

    The pace is kept where the hits are, so that a flood costs one look-up a packet. What exceeds it, or finds no place
    there, gets no answer.
    """
    kept = {"up": [nft.COUNT, PACE] if answers else [nft.COUNT], "down": [nft.COUNT]}
    up, down = (
        nft.update(hits_name(direction, version), {"concat": [MARK, nft.host(direction, version)]}, *statements)
        for direction, statements in kept.items()
    )
    return [[up, nft.goto(nft.REFUSE)] if answers else [up]], [[down]]


def _lookups(direction: str, department: str | None, version: int, filled: Collection[str]) -> list[nft.Expression]:
    """Look up both addresses of a packet, and the host's hardware address, in a department's sets (`None`: of all)."""
    rules: list[nft.Expression] = []
    for family in FAMILIES[version]:
        block_set = BlockSet(family, department)
        is_address = family is not Family.MACS
        fields = [nft.field(nft.PROTOCOLS[version], end) for end in ENDS] if is_address else []
        for key in fields or [nft.field("ether", nft.HOST_ENDS[direction])]:
            # A rule whose map has no element for the key ends there (net/netfilter/nft_lookup.c: NFT_BREAK).
            set_mark = {"mangle": {"key": MARK, "value": {"map": {"key": key, "data": f"@{nft.set_name(block_set)}"}}}}
            stop = [set_mark, nft.goto(_stop(direction, version))]
            regions = [*grids(block_set)]
            rules += [
                [nft.match({"&": [key, grid.mask]}, f"@{grid.name}"), *stop] for grid in regions if grid.name in filled
            ]
            rules += [stop] if not regions and nft.set_name(block_set) in filled else []
    return rules


def _add_department(table: Layout, department: str, filled: Collection[str]) -> None:
    """Add the chains that look packets up in the department's own sets."""
    for direction in nft.HOST_ENDS:
        for version in FAMILIES:
            if rules := _lookups(direction, department, version, filled):
                table.add_chain(_chain(direction, version, department), rules)


def _add_interface(table: Layout, here: Sequence[Place], everywhere: Iterable[Place], filled: Collection[str]) -> None:
    """Add the base chains of one interface. `here`: its places."""
    named = [place for place in here if place.networks]
    if named:
        table.objects[nft.several_name(here[0].interface)] = ("set", {**nft.DEVICES})
        table.objects.update((nft.devices_name(place.department), ("set", {**nft.DEVICES})) for place in named)
    if learns := bool(named) and any(_is_held(table, place) for place in here):
        newcomers = nft.newcomer_rules([place.department for place in named], here[0].interface)
        table.add_chain(nft.newcomers_name(here[0].interface), newcomers)
    for passage in passages_of(here):
        rules = [*_base_rules(table, passage, here, filled, learns=learns)]
        if rules:
            table.add_base_chain(passage.hook, here[0].interface, PRIORITY, rules, (place.vlan for place in everywhere))


def _base_rules(
    table: Layout, passage: Passage, here: Sequence[Place], filled: Collection[str], *, learns: bool
) -> Iterator[nft.Expression]:
    """The rules at an interface's hook. What has no pair is judged, and so are all while no pairs are in use."""
    steps = {}
    for version in nft.PROTOCOLS:
        general = _lookups(passage.direction, None, version, filled)
        own = [*_own_lookups(table, passage.direction, version, here, learns=learns)]
        steps[version] = [*_steps(table, _judge(passage.hook, version, here[0].interface), general, own)]
    if any(steps.values()):
        yield [{"vmap": {"key": PROTOCOL, "data": f"@{passage.turn_name}"}}]
        yield from ([nft.is_protocol(nft.PROTOCOLS[version]), nft.ACCEPT] for version in steps if not steps[version])
    for version, protocol in nft.PROTOCOLS.items():
        yield from ([nft.is_protocol(protocol), step] for step in steps[version])
    others = [
        *_lookups(passage.direction, None, NO_IP, filled),
        *_own_lookups(table, passage.direction, NO_IP, here, learns=learns),
    ]
    if others:
        yield from ([nft.is_protocol("arp"), nft.ACCEPT], *others)


def _steps(
    table: Layout, chain: str, general: Sequence[nft.Expression], own: Sequence[nft.Expression]
) -> Iterator[nft.Verdict]:
    """Add chains for the look-ups in the sets of all departments, and in departments' own; returns what leads there.

    Each has a chain, because departments' rules change more often, and the kernel walks all elements of a map for each
    chain that begins to look up in it (net/netfilter/nf_tables_api.c: nf_tables_bind_set).
    """
    if general:
        table.add_chain(chain, general)
        yield nft.jump(chain) if own else nft.goto(chain)
    if own:
        table.add_chain(f"{chain}{OWN}", own)
        yield nft.goto(f"{chain}{OWN}")


def _add_pairs(table: Layout, passage: Passage, places: Sequence[Place], present: Mapping[str, int]) -> None:
    """Add the pairs that have passed on a passage. Interfaces that do not exist have none."""
    table.objects.update(passage.objects())
    interfaces = dict.fromkeys(place.interface for place in places if passage in passages_of([place]))
    for version in nft.PROTOCOLS:
        chains = {present[one]: _judge(passage.hook, version, one) for one in interfaces if one in present}
        judges = [
            {at: name for at, chain in chains.items() if (name := f"{chain}{kind}") in table.chains}
            for kind in ("", OWN)
        ]
        for name, rules in passage.chains(version, judges):
            table.add_chain(name, rules)


def _judge(hook: str, version: int, interface: str) -> str:
    """The name of the chain that looks up in the sets of all departments; with `OWN` behind it, in departments' own."""
    return nft.identifier(f"{hook}{version}", interface)


def _own_lookups(
    table: Layout, direction: str, version: int, here: Sequence[Place], *, learns: bool
) -> Iterator[nft.Expression]:
    """The rules that lead packets of this version to the chains of the departments at an interface.

    `learns`: packets with an address of a department are noted, because some department has blocks.
    """
    verdicts = {place.department: _verdict(table, direction, version, place.department) for place in here}
    has_blocks = any(verdict is not nft.RETURN for verdict in verdicts.values())
    named = [place for place in here if place.networks]
    notes = learns and direction == "up" and version != NO_IP
    if version != NO_IP and (has_blocks or notes):
        claiming = [place for place in named if any(one.version == version for one in place.networks)]
        noted = {one.department: _noting(table, version, one, verdicts) for one in claiming} if notes else {}
        entries = verdicts | noted
        yield from nft.claims(direction, version, [(entries[one.department], one.networks) for one in claiming])
    if has_blocks:
        own = [(one.department, _device_verdict(table, direction, version, one.department)) for one in named]
        yield from nft.device_claims(direction, here[0].interface, own)
        yield from _unclaimed(version, here, verdicts)
        if named:
            yield [nft.ACCEPT]  # and no pair is noted: a device may become a department's


def _noting(table: Layout, version: int, place: Place, verdicts: Mapping[str, nft.Verdict]) -> nft.Verdict:
    """Add the chain that notes devices of packets with an address of the department; returns what leads there."""
    chain = nft.identifier(f"known{version}", place.department)
    onward = verdicts[place.department]
    table.add_chain(chain, nft.learning_rules(place.department, place.interface, onward, renews=True))
    return nft.goto(chain)


def _is_held(table: Layout, place: Place) -> bool:
    """Whether the department has blocks of its own."""
    return any(_chain("up", version, place.department) in table.chains for version in FAMILIES)


def _verdict(table: Layout, direction: str, version: int, department: str) -> nft.Verdict:
    """The way of packets with an address of the department: to the chain that looks up, if there is one, and back."""
    chain = _chain(direction, version, department)
    return nft.goto(chain) if chain in table.chains else nft.RETURN


def _device_verdict(table: Layout, direction: str, version: int, department: str) -> nft.Verdict:
    """The way of packets of the department's devices without an address of it: they pass without being remembered."""
    chain = _chain(direction, version, department)
    if chain not in table.chains:
        return nft.ACCEPT
    device_chain = nft.identifier(f"device{direction}{version or ''}", department)
    table.add_chain(device_chain, [[nft.jump(chain)], [nft.ACCEPT]])
    return nft.goto(device_chain)


def _unclaimed(version: int, here: Sequence[Place], verdicts: Mapping[str, nft.Verdict]) -> Iterator[nft.Expression]:
    """The rules for packets that no department claims.

    They are of the department that has the rest. Without one, those of an IP version of which a department names no
    network may be its own, so that its blocks hold for them; others are nobody's.
    """
    for place in here:
        verdict = verdicts[place.department]
        has_rest = not place.networks
        named = {network.version for network in place.networks}
        may_be = version != NO_IP and version not in named and all(one.networks for one in here)
        if verdict is not nft.RETURN and (has_rest or may_be):
            yield [{"jump": verdict["goto"]}]


def _departments(places: Iterable[Place]) -> list[str | None]:
    """`None`, which stands for all departments, then each."""
    return [None, *(one.department for one in places)]


def _chain(direction: str, version: int, department: str) -> str:
    return nft.identifier(f"{direction}{version or ''}", department)


def _origin_name(origin: str) -> str:
    return nft.identifier("origin", origin)
