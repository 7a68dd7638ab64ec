"""Compiles plans into the table of the packet filter that counts departments and holds them to their limits.

Each interface has a chain that every frame passes where it comes in, and one where it goes out. They lead to two chains
for each department, by the address of the host, or else to those of the department that has the rest of the interface:

    from.<department>   packets from its hosts        to.<department>   packets to them

On its way through them exempt traffic leaves, packets above a rate are dropped, packets over the host's quota or the
department's are turned away, and only the rest is counted, in the department's counter and in its host's. So no refused
packet is ever in a meter, and no dropped one in the department's quota. One counter has all that were turned away.

A frame with a VLAN tag passes the hooks of the interface that carries it, and then those of its subinterface
(`eth1.20`): where that one has a department, only the latter count it.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.host_rules import (
    LAST,
    add_held_chains,
    count_objects,
    count_rules,
    host_objects,
)
from appliance.core.kernel.nftables.meter_names import CHAINS, is_held, object_name, unclaimed
from appliance.core.kernel.nftables.notice_rules import IS_MARKED, LEAD, lookup_objects, lookup_rules
from appliance.core.kernel.nftables.table import HOOKS, Layout, Objects
from appliance.core.kernel.nftables.throttle_rules import throttle_objects, throttle_rules
from appliance.core.machine import Facing, Network
from appliance.core.metering.meter import Plan

PRIORITY = 10  # after the blocks' 0, so that what they refuse is not counted
NEVER = (1 << 63) - 1  # bytes; the largest limit that the kernel takes (net/netfilter/nft_quota.c)
REFUSED = "refused"  # the counter of what was turned away
SPOOFED = "spoofed"  # the counter of packets from sources that are not routed back to where they came from
UNROUTED: Mapping[int, Sequence[Network]] = {
    4: (IPv4Network("0.0.0.0/32"), IPv4Network("169.254.0.0/16")),
    6: (IPv6Network("::/128"), IPv6Network("fe80::/10")),
}
CUT_OFF = {"up": "cut_off_from", "down": "cut_off_to"}  # the chains for packets beyond a quota


def layout(plans: Sequence[Plan], *, shares: Mapping[str, int] | None = None, leads: bool = False) -> Layout:
    """The whole table for these plans, with quotas that never end (`meter_change` moves their limits).

    `shares`: by throttled department, the number of shares of its rate. `leads`: the kernel leads marked HTTP to the
    notice (`notice_rules`).
    """
    table = Layout()
    if leads:
        table.objects.update(lookup_objects())
    table.add_chain(CUT_OFF["up"], [*([LEAD, *lookup_rules("up")] if leads else []), [nft.goto(nft.REFUSE)]])
    table.add_chain(CUT_OFF["down"], [*(lookup_rules("down") if leads else []), [nft.goto(nft.WITHHOLD)]])
    table.objects.update({REFUSED: ("counter", {}), SPOOFED: ("counter", {})})
    for chain, rules in nft.verdict_chains({"counter": REFUSED}).items():
        table.add_chain(chain, rules)
    for interface in dict.fromkeys(plan.interface for plan in plans):
        here = [plan for plan in plans if plan.interface == interface]
        _add_interface(table, here, plans, shares or {})
    return table


def _add_interface(table: Layout, plans: Sequence[Plan], everywhere: Sequence[Plan], shares: Mapping[str, int]) -> None:
    """Add the base chains of one interface, and the chains and meters of its departments.

    `plans`: of the interface; `everywhere`: of all interfaces.
    """
    rest = [plan for plan in plans if not plan.networks] or [unclaimed(plans)]
    for plan in plans:
        _add_department(table, plan, plans, shares.get(plan.department, 1))
    if rest[0] not in plans:
        _add_counters(table, rest[0])
    for hook, directions in HOOKS[plans[0].facing].items():
        rules = [
            *(_strict_source(plans[0].near) if plans[0].checks_sources and hook == "ingress" else []),
            *(rule for direction in directions for rule in _claims(direction, plans)),
            [nft.is_ip(), *_take(rest[0], directions[-1], is_department=rest[0] in plans)],
        ]
        table.add_base_chain(hook, plans[0].interface, PRIORITY, rules, (plan.interface for plan in everywhere))


def _strict_source(near: Sequence[Network]) -> Iterator[nft.Expression]:
    """The rules that drop what comes from a source to which the way back leads elsewhere (RFC 3704, strict).

    `near`: the interface's own networks, to which it leads back here, so that their packets cost no look-up of a route.
    Packets of hosts that have no address yet, or one that no router forwards, are let through: DHCP, and neighbour
    discovery.
    """
    is_foreign = nft.match({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, False)
    for version, own in UNROUTED.items():
        source = nft.field(nft.PROTOCOLS[version], "saddr")
        elsewhere = [nft.match(source, prefix, "!=") for prefix in nft.prefixes(near, version)]
        unrouted = {"set": nft.prefixes(own, version)}
        yield [*elsewhere, is_foreign, nft.match(source, unrouted, "!="), {"counter": SPOOFED}, nft.DROP]


def _add_department(table: Layout, plan: Plan, plans: Sequence[Plan], parts: int) -> None:
    _add_counters(table, plan)
    if is_held(plan):
        held: Objects = {
            object_name("stop", plan): ("quota", {"bytes": NEVER, "used": 0, "inv": True}),
            object_name("last", plan): ("limit", LAST),
            **throttle_objects(plan, parts),
            **host_objects(plan),
        }
        table.objects.update(held)
    table.objects.update(count_objects(plan))
    for direction, chain in CHAINS.items():
        passed = _passed_rules(plan, direction, plans)
        if is_held(plan):
            passed = add_held_chains(table, plan, direction, _refused(plan, direction), passed)
        table.add_chain(f"{chain}.{plan.department}", [*_department_rules(plan, direction, parts), *passed])


def _add_counters(table: Layout, plan: Plan) -> None:
    for direction in CHAINS:
        table.objects[object_name(direction, plan)] = ("counter", {})


def _department_rules(plan: Plan, direction: str, parts: int) -> list[nft.Expression]:
    """The rules for a department's packets before those of its hosts' quotas and of its own."""
    rules = [[IS_MARKED, nft.ACCEPT], *_exempt(plan, direction)]
    return [*rules, *throttle_rules(plan, direction, parts)] if is_held(plan) else rules


def _passed_rules(plan: Plan, direction: str, plans: Sequence[Plan]) -> list[nft.Expression]:
    """The rules for what the hosts' quotas let pass: the department's own quota, and the counting."""
    rules: list[nft.Expression] = []
    if is_held(plan):
        reached = [{"quota": object_name("stop", plan)}, {"limit": object_name("last", plan)}]
        rules.append([*reached, *_refused(plan, direction)])
    rules.append([{"counter": object_name(direction, plan)}])
    if plan.networks or plan.facing is not Facing.MIRRORED:
        rules += count_rules(plan, direction)
    if plan.facing is Facing.MIRRORED and direction == "up":
        rules += _claims("down", plans)  # the base chain goes on only with what no department has sent
    return rules


def _refused(plan: Plan, direction: str) -> nft.Expression:
    """The verdict over a limit: refusals can be sent only where packets come in (net/netfilter/nft_reject_netdev.c)."""
    return [nft.goto(CUT_OFF[direction] if plan.facing is Facing.DEPARTMENT else nft.WITHHOLD)]


def _exempt(plan: Plan, direction: str) -> list[nft.Expression]:
    """Accept what goes to an exempt destination and comes from it: a department's own end may be forged."""
    far_end = {"up": "daddr", "down": "saddr"}[direction]
    return [
        [nft.match(nft.field(nft.PROTOCOLS[version], far_end), {"set": exempt}), nft.ACCEPT]
        for version in nft.PROTOCOLS
        if (exempt := nft.prefixes(plan.exempt, version))
    ]


def _claims(direction: str, plans: Sequence[Plan]) -> list[nft.Expression]:
    return nft.claims(direction, [(f"{CHAINS[direction]}.{plan.department}", plan.networks) for plan in plans])


def _take(plan: Plan, direction: str, *, is_department: bool) -> nft.Expression:
    """What happens to packets that no department claims by address."""
    if is_department:
        return [nft.goto(f"{CHAINS[direction]}.{plan.department}")]
    return [{"counter": object_name(direction, plan)}]
