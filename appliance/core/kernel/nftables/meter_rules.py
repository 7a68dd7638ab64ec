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

from collections.abc import Mapping, Sequence

from appliance.core.kernel.nftables.host_rules import host_objects, host_rules
from appliance.core.kernel.nftables.meter_names import CHAINS, MOST_HOSTS, is_held, object_name, unclaimed
from appliance.core.kernel.nftables.notice_rules import IS_MARKED, LEAD, lookup_objects, lookup_rules
from appliance.core.kernel.nftables.ruleset import (
    ACCEPT,
    ADDRESS_TYPES,
    COUNT,
    HOST_ENDS,
    PROTOCOLS,
    REFUSE,
    SKIP_TAGGED,
    WITHHOLD,
    Expression,
    base_chain,
    claims,
    goto,
    is_ip,
    match,
    prefixes,
    update,
    verdict_chains,
)
from appliance.core.kernel.nftables.ruleset import field as header
from appliance.core.kernel.nftables.table import HOOKS, Layout, Objects
from appliance.core.kernel.nftables.throttle_rules import throttle_objects, throttle_rules
from appliance.core.machine import Facing, carries
from appliance.core.metering.meter import Plan

PRIORITY = 10  # after the blocks' 0, so that what they refuse is not counted
NEVER = (1 << 63) - 1  # bytes; the largest limit that the kernel takes (net/netfilter/nft_quota.c)
HOST_SILENT_S = 86_400  # a host that is silent for this long loses its meter, which makes room for others
REFUSED = "refused"  # the counter of what was turned away
CUT_OFF = {"up": "cut_off_from", "down": "cut_off_to"}  # the chains for packets beyond a quota


def layout(plans: Sequence[Plan], *, shares: Mapping[str, int] | None = None, leads: bool = False) -> Layout:
    """The whole table for these plans, with quotas that never end (`meter_change` moves their limits).

    `shares`: by throttled department, the number of shares of its rate. `leads`: the kernel leads marked HTTP to the
    notice (`notice_rules`).
    """
    table = Layout()
    if leads:
        table.objects.update(lookup_objects())
    table.add_chain(CUT_OFF["up"], [*([LEAD, *lookup_rules("up")] if leads else []), [goto(REFUSE)]])
    table.add_chain(CUT_OFF["down"], [*(lookup_rules("down") if leads else []), [goto(WITHHOLD)]])
    table.objects[REFUSED] = ("counter", {})
    for chain, expression in verdict_chains({"counter": REFUSED}):
        table.chains.setdefault(chain, {})
        table.rules.setdefault(chain, []).append(expression)
    for interface in dict.fromkeys(plan.interface for plan in plans):
        here = [plan for plan in plans if plan.interface == interface]
        carries_tagged = any(carries(interface, plan.interface) for plan in plans)
        _add_interface(table, here, shares or {}, carries_tagged=carries_tagged)
    return table


def _add_interface(table: Layout, plans: Sequence[Plan], shares: Mapping[str, int], *, carries_tagged: bool) -> None:
    """Add the base chains of one interface, and the chains and meters of its departments. `plans`: of the interface."""
    facing, interface = plans[0].facing, plans[0].interface
    rest = [plan for plan in plans if not plan.networks] or [unclaimed(plans)]
    for plan in plans:
        _add_department(table, plan, plans, shares.get(plan.department, 1))
    if rest[0] not in plans:
        _add_counters(table, rest[0])
    for hook, directions in HOOKS[facing].items():
        name = f"{hook}.{interface}"
        rules = [
            *([SKIP_TAGGED] if carries_tagged else []),
            *(rule for direction in directions for rule in _claims(direction, plans)),
            [is_ip(), *_take(rest[0], directions[-1], is_department=rest[0] in plans)],
        ]
        table.add_chain(name, rules, **base_chain(hook, interface, PRIORITY))
        table.devices[name] = interface


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
    for direction, chain in CHAINS.items():
        for version, kind in ADDRESS_TYPES.items():
            hosts = {"type": kind, "flags": ["timeout"], "size": MOST_HOSTS, "timeout": HOST_SILENT_S}
            table.objects[object_name(f"{direction}{version}", plan)] = ("set", hosts)
        table.add_chain(f"{chain}.{plan.department}", _department_rules(plan, direction, plans, parts))


# One packet beyond a quota still passes, so that a meter that stopped has reached its limit, and is not for ever some
# bytes short of it. The kernel has no longer unit, so it is one each week. Where two packets meet the limit at the same
# moment, it may be the smaller one; then the next `apply` finds something left.
LAST = {"rate": 1, "per": "week", "burst": 1, "inv": True}


def _add_counters(table: Layout, plan: Plan) -> None:
    for direction in CHAINS:
        table.objects[object_name(direction, plan)] = ("counter", {})


def _department_rules(plan: Plan, direction: str, plans: Sequence[Plan], parts: int) -> list[Expression]:
    rules = [[IS_MARKED, ACCEPT], *_exempt(plan)]
    if is_held(plan):
        # A refusal can be sent only where packets come in (net/netfilter/nft_reject_netdev.c).
        refused = [goto(CUT_OFF[direction] if plan.facing is Facing.DEPARTMENT else WITHHOLD)]
        rules += [*throttle_rules(plan, direction, parts), *host_rules(plan, direction, refused)]
        rules.append([{"quota": object_name("stop", plan)}, {"limit": object_name("last", plan)}, *refused])
    rules.append([{"counter": object_name(direction, plan)}])
    if plan.networks or plan.facing is not Facing.MIRRORED:
        rules += [_count_host(plan, direction, version) for version in PROTOCOLS]
    if plan.facing is Facing.MIRRORED and direction == "up":
        rules += _claims("down", plans)  # the base chain goes on only with what no department has sent
    return rules


def _count_host(plan: Plan, direction: str, version: int) -> Expression:
    host = header(PROTOCOLS[version], HOST_ENDS[direction])
    return [update(object_name(f"{direction}{version}", plan), host, COUNT)]


def _exempt(plan: Plan) -> list[Expression]:
    return [
        [match(header(PROTOCOLS[version], end), {"set": exempt}), ACCEPT]
        for version in PROTOCOLS
        for end in HOST_ENDS.values()
        if (exempt := prefixes(plan.exempt, version))
    ]


def _claims(direction: str, plans: Sequence[Plan]) -> list[Expression]:
    return claims(direction, [(f"{CHAINS[direction]}.{plan.department}", plan.networks) for plan in plans])


def _take(plan: Plan, direction: str, *, is_department: bool) -> Expression:
    """What happens to packets that no department claims by address."""
    if is_department:
        return [goto(f"{CHAINS[direction]}.{plan.department}")]
    return [{"counter": object_name(direction, plan)}]
