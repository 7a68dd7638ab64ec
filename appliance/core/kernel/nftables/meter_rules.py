"""The rules by which the kernel counts and holds departments: from plans to one table of the packet filter.

For each interface a chain that every frame passes where it comes in, and one where it goes out; they lead to two
chains for each department, by the address of the host, or to the one that has everything else there:

    from.<department>   what comes from its hosts        to.<department>   what goes to them

A packet's way through them: exempt traffic leaves, what is above a rate is dropped, what is over the host's quota or
the department's is turned away, and only the rest is counted, in the department's counter and in its host's. So nothing
that was refused is ever in a meter, nor anything that was dropped in the department's quota. What was turned away is
counted by itself, for all departments together.

A frame with a VLAN tag passes the hooks of the interface that carries it, and then those of the subinterface that it
is for (`eth1.20`): where that one has a department, it is left to it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from appliance.core.kernel.nftables.host_rules import host_objects, host_rules
from appliance.core.kernel.nftables.meter_names import CHAINS, MOST_HOSTS, is_held, object_name, unclaimed
from appliance.core.kernel.nftables.notice_rules import IS_MARKED, LEAD, lookup_objects, lookup_rules
from appliance.core.kernel.nftables.ruleset import (
    ADDRESS_TYPES,
    HOST_ENDS,
    PROTOCOLS,
    REFUSE,
    WITHHOLD,
    Expression,
    goto,
    is_ip,
    match,
    prefixes,
    verdict_chains,
)
from appliance.core.kernel.nftables.ruleset import field as header
from appliance.core.kernel.nftables.table import HOOKS, Layout
from appliance.core.kernel.nftables.throttle_rules import throttle_objects, throttle_rules
from appliance.core.machine import Facing, carries
from appliance.core.metering.meter import Plan

PRIORITY = 10  # after the blocks' 0, so that what they refuse is not counted
NEVER = (1 << 63) - 1  # bytes; the largest limit that the kernel takes (net/netfilter/nft_quota.c)
HOST_SILENT_S = 86_400  # a host that says nothing for so long loses its meter, which makes room for others
REFUSED = "refused"  # the counter of what was turned away
CUT_OFF = {"up": "cut_off_from", "down": "cut_off_to"}  # the verdicts on what is beyond a quota


def layout(plans: Sequence[Plan], *, shares: Mapping[str, int] | None = None, leads: bool = False) -> Layout:
    """The whole table for these plans, whose limits it leaves open.

    `shares`: by throttled department, into how many its rate is divided. `leads`: something leads the HTTP that is
    marked to the notice.
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
        tagged = any(carries(interface, plan.interface) for plan in plans)
        _add_interface(table, [plan for plan in plans if plan.interface == interface], shares or {}, tagged=tagged)
    return table


def _add_interface(table: Layout, plans: Sequence[Plan], shares: Mapping[str, int], *, tagged: bool) -> None:
    facing, interface = plans[0].facing, plans[0].interface
    rest = [plan for plan in plans if not plan.networks] or [unclaimed(plans)]
    for plan in plans:
        _add_department(table, plan, plans, shares.get(plan.department, 1))
    if rest[0] not in plans:
        _add_counters(table, rest[0])
    for hook, directions in HOOKS[facing].items():
        name = f"{hook}.{interface}"
        rules: list[Expression] = [[match(header("ether", "type"), "8021q"), {"accept": None}]] if tagged else []
        rules += [rule for direction in directions for rule in _claims(direction, plans)]
        rules += [[is_ip(), *_take(rest[0], directions[-1], is_department=rest[0] in plans)]]
        base = {"type": "filter", "hook": hook, "prio": PRIORITY, "dev": interface, "policy": "accept"}
        table.add_chain(name, rules, **base)
        table.devices[name] = interface


def _add_department(table: Layout, plan: Plan, plans: Sequence[Plan], parts: int) -> None:
    _add_counters(table, plan)
    if is_held(plan):
        held: dict[str, tuple[str, dict[str, Any]]] = {
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


# Of what exceeds a quota, one packet still passes, so that a meter that stopped has reached its limit, and is not for
# ever some bytes short of it. This is that one; the kernel has no longer unit, so it is one each week. Where two
# packets meet the limit at the same moment, it may be the smaller; then the next `apply` finds something left.
LAST = {"rate": 1, "per": "week", "burst": 1, "inv": True}


def _add_counters(table: Layout, plan: Plan) -> None:
    for direction in CHAINS:
        table.objects[object_name(direction, plan)] = ("counter", {})


def _department_rules(plan: Plan, direction: str, plans: Sequence[Plan], parts: int) -> list[Expression]:
    rules = [[IS_MARKED, {"accept": None}], *_exempt(plan)]
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
    meters = f"@{object_name(f'{direction}{version}', plan)}"
    return [{"set": {"op": "update", "elem": host, "set": meters, "stmt": [{"counter": None}]}}]


def _exempt(plan: Plan) -> list[Expression]:
    return [
        [match(header(PROTOCOLS[version], end), {"set": exempt}), {"accept": None}]
        for version in PROTOCOLS
        for end in HOST_ENDS.values()
        if (exempt := prefixes(plan.exempt, version))
    ]


def _claims(direction: str, plans: Sequence[Plan]) -> list[Expression]:
    """By the address of the host, to the department that claims it."""
    return [
        [{"vmap": {"key": header(protocol, HOST_ENDS[direction]), "data": {"set": claims}}}]
        for version, protocol in PROTOCOLS.items()
        if (
            claims := [
                [prefix, goto(f"{CHAINS[direction]}.{plan.department}")]
                for plan in plans
                for prefix in prefixes(plan.networks, version)
            ]
        )
    ]


def _take(plan: Plan, direction: str, *, is_department: bool) -> Expression:
    if is_department:
        return [goto(f"{CHAINS[direction]}.{plan.department}")]
    return [{"counter": object_name(direction, plan)}]
