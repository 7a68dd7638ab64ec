"""Compiles plans into the table of the packet filter that counts departments and holds them to their limits.

Each interface has a chain that every frame passes where it comes in, and one where it goes out. There one look-up leads
to two chains for each department, by the address of the host. What it does not find goes to the chains of the
department that has sent from that device, or that has the rest of the interface. IPv4, IPv6 and other frames part:

    ingress4_<interface>   other packets of IPv4 that come in; `egress4` those that go out, `6` of IPv6
    from_<department>      packets from its hosts        to_<department>   packets to them

On its way through them exempt traffic leaves, packets above a rate are dropped, packets over the host's quota or the
department's are turned away, and only the rest is counted, in the department's counter and in its host's. So no refused
packet is ever in a meter, and no dropped one in the department's quota. While the table is open (`ruleset.OPEN`), the
quotas go on counting, nothing is turned away for them, and no rate holds. One counter has all that were turned away.

A frame with a VLAN tag passes the hooks of the interface that carries it, and then those of its subinterface
(`eth1.20`): where that one has a department, only the latter count it.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.frame_rules import frame_objects, frame_rules, link_group_rule, link_rules
from appliance.core.kernel.nftables.host_rules import add_counting, add_held_chains, count_objects, host_objects
from appliance.core.kernel.nftables.meter_names import (
    CHAINS,
    chain_name,
    claimant,
    is_held,
    object_name,
    stop_name,
    unclaimed,
)
from appliance.core.kernel.nftables.notice_rules import (
    IS_MARKED,
    LEADING,
    cut_off_chain,
    cut_off_chains,
    cut_off_objects,
    leading_rules,
    own_refusal_chains,
    own_refusals,
)
from appliance.core.kernel.nftables.table import HOOKS, Layout, Objects
from appliance.core.kernel.nftables.throttle_rules import throttle_objects, throttle_rules
from appliance.core.machine import Facing, Network
from appliance.core.metering.meter import Plan

PRIORITY = 10  # after the blocks' 0, so that what they refuse is not counted
NEVER = (1 << 63) - 1  # bytes; the largest limit that the kernel takes (net/netfilter/nft_quota.c)
REFUSED = "refused"  # the counter of what was turned away
SPOOFED = "spoofed"  # the counter of packets from sources that are not routed back to where they came from
# Comparing a few networks costs a packet less than a search among them; a rule has room for some dozens.
MOST_COMPARED = 8
UNROUTED: Mapping[int, Sequence[Network]] = {
    4: (IPv4Network("0.0.0.0/32"), IPv4Network("169.254.0.0/16")),
    6: (IPv6Network("::/128"), IPv6Network("fe80::/10")),
}


class Setting(Struct, frozen=True):
    """What applies to all departments.

    `notice_port`: port of this computer that serves the HTTP of hosts that are cut off; `None`: it is refused.
    `server_port`: of the dashboards, which hosts that are cut off still reach; `None`: there are none.
    `blocks_unclaimed`: what no department of a shared interface claims is refused. `blocks_encapsulated`: what the
    rules cannot read is dropped (`frame_rules`).
    """

    notice_port: int | None = None
    server_port: int | None = None
    blocks_unclaimed: bool = False
    blocks_encapsulated: bool = False

    @property
    def own_ports(self) -> Sequence[int]:
        """The ports of this computer that a quota never cuts off."""
        return [port for port in (self.notice_port, self.server_port) if port is not None]


DEFAULT = Setting()


def layout(
    plans: Sequence[Plan], setting: Setting, shares: Mapping[str, int] | None = None, *, leads: bool = False
) -> Layout:
    """The whole table for these plans, with quotas that never end (`meter_change` moves their limits).

    `shares`: by throttled department, the number of shares of its rate. `leads`: HTTP is led to the notice now.
    """
    table = Layout()
    table.objects.update({REFUSED: ("counter", {}), SPOOFED: ("counter", {}), nft.OPEN: nft.OPEN_SET})
    table.add_chain(nft.REFUSE, nft.refuse_chain({"counter": REFUSED}))
    # Own refusals have passed before (`notice_rules`); others' would carry data through a used-up quota.
    table.add_chain(nft.WITHHOLD, [nft.DISCOVERY, [{"counter": REFUSED}, nft.DROP]])
    table.add_chain(LEADING, leading_rules(leads=leads))
    for interface in dict.fromkeys(plan.interface for plan in plans):
        here = [plan for plan in plans if plan.interface == interface]
        _add_interface(table, here, plans, setting, shares or {})
    for plan in plans:
        _add_cut_off(table, plan, setting)
    return table


def _add_interface(
    table: Layout, plans: Sequence[Plan], everywhere: Sequence[Plan], setting: Setting, shares: Mapping[str, int]
) -> None:
    """Add the base chains of one interface, and the chains and meters of its departments.

    `plans`: of the interface; `everywhere`: of all interfaces.
    """
    [rest, *_] = [plan for plan in plans if not plan.networks] or [unclaimed(plans)]
    for plan in plans:
        _add_department(table, plan, plans, shares.get(plan.department, 1))
    if named := [claimant(plan) for plan in plans if plan.networks]:
        table.objects[nft.several_name(plans[0].interface)] = ("set", {**nft.DEVICES})
        newcomers = nft.newcomer_rules(named, plans[0].interface)
        table.add_chain(nft.newcomers_name(plans[0].interface), newcomers)
    if rest not in plans:
        _add_counters(table, rest)
        _add_cut_off(table, rest, setting)
    table.objects.update(frame_objects(plans[0].interface))
    for hook, directions in HOOKS[plans[0].facing].items():
        taken = _take(rest, directions[-1], is_department=rest in plans, blocks=setting.blocks_unclaimed)
        claimed = {version: _claimed(plans, hook, directions, version) for version in nft.PROTOCOLS}
        # Of most packets the first look-up of their address decides: it is at the hook, which spares them a chain.
        rules = [found[0] for found in claimed.values() if found and "vmap" in found[0][0]]
        for version, protocol in nft.PROTOCOLS.items():
            chain = nft.identifier(f"{hook}{version}", plans[0].interface)
            if others := [rule for rule in claimed[version] if rule not in rules]:
                table.add_chain(chain, [*others, taken])
            rules.append([nft.is_protocol(protocol), *([nft.goto(chain)] if others else taken)])
        rules += [
            *link_rules(),
            *_device_claims(directions, plans),
            *frame_rules(plans[0].interface, blocks=setting.blocks_encapsulated),
            taken,
        ]
        table.add_base_chain(hook, plans[0].interface, PRIORITY, rules, (plan.vlan for plan in everywhere))


def _claimed(plans: Sequence[Plan], hook: str, directions: Sequence[str], version: int) -> list[nft.Expression]:
    """The rules for packets of an IP version at a hook, before those for what no department claims.

    Most packets are from a network near the interface, to which the way back leads here: they are claimed before the
    sources are checked.
    """
    checks = plans[0].checks_sources and hook == "ingress"
    if checks:
        near, far = ([_part_of(plan, near=is_near) for plan in plans] for is_near in (True, False))
        [direction] = directions
        rules = [
            *_claims(direction, version, near),
            _strict_source(plans[0].near, version),
            *_claims(direction, version, far),
        ]
    else:
        rules = [rule for direction in directions for rule in _claims(direction, version, plans)]
    if any(plan.networks for plan in plans):
        rules += [link_group_rule(), *_device_claims(directions, plans)]
    return rules


def _part_of(plan: Plan, *, near: bool) -> Plan:
    """The plan with those of its networks that lie in one near the interface, or with the others."""
    return replace(plan, networks=tuple(one for one in plan.networks if _is_near(one, plan.near) is near))


def _is_near(network: Network, near: Sequence[Network]) -> bool:
    # `subnet_of` takes no network of the other version.
    return any(one.version == network.version and network.subnet_of(one) for one in near)  # type: ignore[arg-type]


def _strict_source(near: Sequence[Network], version: int) -> nft.Expression:
    """The rule that drops what comes from a source to which the way back leads elsewhere (RFC 3704, strict).

    `near`: the interface's own networks, to which it leads back here, so that their packets cost no look-up of a route.
    Packets of hosts that have no address yet, or one that no router forwards, are let through: DHCP, and neighbour
    discovery.
    """
    is_foreign = nft.match({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, False)
    source = nft.field(nft.PROTOCOLS[version], "saddr")
    own = nft.prefixes(near, version)
    elsewhere = [nft.match(source, prefix, "!=") for prefix in own]
    if len(own) > MOST_COMPARED:
        elsewhere = [nft.match(source, {"set": own}, "!=")]
    unrouted = {"set": nft.prefixes(UNROUTED[version], version)}
    # The protocol first: the route is looked up for packets of any.
    is_version = nft.is_protocol(nft.PROTOCOLS[version])
    return [is_version, *elsewhere, is_foreign, nft.match(source, unrouted, "!="), {"counter": SPOOFED}, nft.DROP]


def _add_department(table: Layout, plan: Plan, plans: Sequence[Plan], parts: int) -> None:
    _add_counters(table, plan)
    if is_held(plan):
        held: Objects = {
            stop_name(plan): ("quota", {"bytes": NEVER, "used": 0, "inv": True}),
            **throttle_objects(plan, parts),
            **host_objects(plan),
        }
        table.objects.update(held)
    table.objects.update(count_objects(plan))
    for direction in CHAINS:
        passed = _passed_rules(table, plan, direction, plans)
        if is_held(plan):
            passed = add_held_chains(table, plan, direction, _refused(plan, direction), passed)
        table.add_chain(chain_name(direction, plan), [*_department_rules(plan, direction, parts), *passed])
    if plan.networks:
        table.objects[nft.devices_name(claimant(plan))] = ("set", {**nft.DEVICES})
        learning = nft.learning_rules(claimant(plan), plan.interface, nft.goto(chain_name("up", plan)))
        table.add_chain(_learning(plan), learning)


def _add_cut_off(table: Layout, plan: Plan, setting: Setting) -> None:
    if is_held(plan):
        table.objects.update(cut_off_objects(plan))
        chains = cut_off_chains(plan, setting.own_ports)
        for chain, rules in (*own_refusal_chains(plan), *chains):
            table.add_chain(chain, rules)


def _add_counters(table: Layout, plan: Plan) -> None:
    for direction in CHAINS:
        table.objects[object_name(direction, plan)] = ("counter", {})


def _department_rules(plan: Plan, direction: str, parts: int) -> list[nft.Expression]:
    """The rules for a department's packets before those of its hosts' quotas and of its own."""
    faces_department = plan.facing is Facing.DEPARTMENT
    own = own_refusals(plan) if direction == "down" and faces_department else ()
    # Nothing marks a packet before it comes in from a department.
    marked: list[nft.Expression] = [] if direction == "up" and faces_department else [[IS_MARKED, nft.ACCEPT]]
    paced = throttle_rules(plan, direction, parts) if is_held(plan) else []
    return [*marked, *own, *_exempt(plan, direction), *paced]


def _passed_rules(table: Layout, plan: Plan, direction: str, plans: Sequence[Plan]) -> Sequence[nft.Expression]:
    """The rules for what the hosts' quotas let pass: the department's own quota, and the counting."""
    stop = [{"quota": stop_name(plan)}, nft.IS_CLOSED, *_refused(plan, direction)]
    # The base chain goes on only with what no department has sent.
    onward = [
        rule
        for version in nft.PROTOCOLS
        if plan.facing is Facing.MIRRORED and direction == "up"
        for rule in _claims("down", version, plans)
    ]
    counts_hosts = plan.networks or plan.facing is not Facing.MIRRORED
    return [
        *([stop] if is_held(plan) else []),
        [{"counter": object_name(direction, plan)}],
        *(add_counting(table, plan, direction, onward) if counts_hosts else onward),
    ]


def _refused(plan: Plan, direction: str) -> nft.Expression:
    return [nft.goto(cut_off_chain(plan, direction))]


def _exempt(plan: Plan, direction: str) -> list[nft.Expression]:
    """Accept what goes to an exempt destination and comes from it: a department's own end may be forged."""
    far_end = {"up": "daddr", "down": "saddr"}[direction]
    return [
        [nft.match(nft.field(nft.PROTOCOLS[version], far_end), {"set": exempt}), nft.ACCEPT]
        for version in nft.PROTOCOLS
        if (exempt := nft.prefixes(plan.exempt, version))
    ]


def _claims(direction: str, version: int, plans: Sequence[Plan]) -> list[nft.Expression]:
    chains = [(_learning(plan) if direction == "up" else chain_name("down", plan), plan.networks) for plan in plans]
    return [*nft.claims(direction, version, [(nft.goto(chain), networks) for chain, networks in chains])]


def _device_claims(directions: Sequence[str], plans: Sequence[Plan]) -> Iterator[nft.Expression]:
    """The rules for packets without an address of a department, where departments are told apart by addresses."""
    named = [plan for plan in plans if plan.networks]
    for direction in directions:
        chains = [(claimant(plan), nft.goto(chain_name(direction, plan))) for plan in named]
        yield from nft.device_claims(direction, plans[0].interface, chains)


def _learning(plan: Plan) -> str:
    return nft.identifier("known", plan.department)


def _take(plan: Plan, direction: str, *, is_department: bool, blocks: bool) -> nft.Expression:
    """What happens to packets that no department claims, by address or by device."""
    if is_department:
        return [nft.goto(chain_name(direction, plan))]
    verdict = nft.goto(cut_off_chain(plan, direction)) if blocks and is_held(plan) else nft.ACCEPT
    return [{"counter": object_name(direction, plan)}, verdict]
