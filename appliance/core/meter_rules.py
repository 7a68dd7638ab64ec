"""The rules by which the kernel counts and holds departments: from plans to one table of the packet filter.

For each interface a chain that every frame passes where it comes in, and one where it goes out; they lead to two
chains for each department, by the address of the host, or to the one that has everything else there:

    from.<department>   what comes from its hosts        to.<department>   what goes to them

A packet's way through them: exempt traffic leaves, what is over the quota is turned away, and only the rest is
counted, in the department's counter and in its host's. So nothing that was refused is ever in a meter.

What holds a count bears a name with a fingerprint of what it counts, so that another structure gets other meters, at
zero, and the same structure finds its own again after a restart.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import collapse_addresses
from typing import Any

from appliance.core.meter import Facing, Network, Plan
from appliance.core.ruleset import (
    HTTP,
    NOTICE_MARK,
    REFUSE,
    WITHHOLD,
    Command,
    Expression,
    add,
    add_rule,
    goto,
    match,
    verdict_chains,
)
from appliance.core.ruleset import field as header

# Part of each fingerprint. To be raised when a release counts something else under the same plan: it makes all meters
# anew, which costs the bytes since the last reading.
COUNTS_SINCE = 1
PRIORITY = 10  # after the blocks' 0, so that what they refuse is not counted
NEVER = (1 << 63) - 1  # bytes; the largest limit that the kernel takes (net/netfilter/nft_quota.c)
MOST_HOSTS = 4096  # of a department and family: twice the largest that is asked for; it bounds a spoofer's flood
HOST_SILENT_S = 86_400  # a host that says nothing for so long loses its meter, which makes room for others
ETHERNET_BYTES = 14  # what the kernel counts more for each packet that goes out: linux/if_ether.h: ETH_HLEN

LEAST_BURST_BYTES = 131_072  # two of the largest packets that the kernel hands on at once (GSO): less lets none pass

NOTICE = {"family": "inet", "table": "appliance_notice"}
NAT_PRIORITY, MANGLE_PRIORITY = -100, -150  # linux/netfilter_ipv4.h: NF_IP_PRI_NAT_DST, NF_IP_PRI_MANGLE
CUT_OFF = "cut_off"  # the verdict on what comes from a department beyond its quota

PROTOCOLS = {4: "ip", 6: "ip6"}
ADDRESS_TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}
# Direction -> which end of a packet is the department's host.
HOST_ENDS = {"up": "saddr", "down": "daddr"}
CHAINS = {"up": "from", "down": "to"}
# Facing -> the direction that passes each hook.
HOOKS: Mapping[Facing, Mapping[str, tuple[str, ...]]] = {
    Facing.DEPARTMENT: {"ingress": ("up",), "egress": ("down",)},
    Facing.SELF: {"ingress": ("down",), "egress": ("up",)},
    Facing.MIRRORED: {"ingress": ("up", "down")},
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What has to be in the table. `objects`: by name their kind and properties; `chains`: theirs; `rules`: in order.

    `devices`: by base chain, the interface that it stands at.
    """

    objects: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    chains: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, list[Expression]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)

    def without(self, chains: Collection[str]) -> "Layout":
        """The same without some chains."""
        kept = [name for name in self.chains if name not in chains]
        return replace(
            self,
            chains={name: self.chains[name] for name in kept},
            rules={name: self.rules[name] for name in kept},
            devices={name: device for name, device in self.devices.items() if name in kept},
        )

    def add_chain(self, name: str, rules: Iterable[Expression] = (), **properties: Any) -> None:
        """A chain with its rules."""
        self.chains[name] = properties
        self.rules[name] = list(rules)


def fingerprint(plan: Plan) -> str:
    """What a meter of this plan counts, in nine letters; the first tells how the interface faces."""
    counted = f"{COUNTS_SINCE} {plan.interface} {plan.facing} {sorted(map(str, plan.networks))}"
    return plan.facing[0] + hashlib.sha256(counted.encode()).hexdigest()[:8]


def object_name(kind: str, plan: Plan) -> str:
    """The name of one of the plan's objects."""
    return f"{kind}.{fingerprint(plan)}.{plan.department}"


def parse_name(name: str) -> tuple[str, str, str]:
    """Of an object's name: its kind, the first letter of how its interface faces, and the department."""
    kind, counted, department = name.split(".", 2)
    return kind, counted[0], department


def chains_of(plan: Plan) -> list[str]:
    """The names of the department's own chains."""
    return [f"{chain}.{plan.department}" for chain in CHAINS.values()]


def unclaimed(plans: Sequence[Plan]) -> Plan:
    """The plan of what no department of this interface claims, given all that stand there."""
    first = plans[0]
    return Plan(f"unclaimed:{first.interface}", first.interface, first.facing)


def is_held(plan: Plan) -> bool:
    """Whether the position can hold the department at all: where packets are only mirrored, they have passed."""
    return plan.facing is not Facing.MIRRORED


def outgoing_direction(facing: str) -> str | None:
    """The direction whose packets are counted with their Ethernet header. `facing`: or its first letter."""
    return {"d": "down", "s": "up"}.get(facing[0])


def layout(plans: Sequence[Plan], *, leads: bool = False) -> Layout:
    """The whole table for these plans, whose limits it leaves open. `leads`: marked HTTP is led to the notice."""
    table = Layout()
    table.add_chain(CUT_OFF, [*([_lead()] if leads else []), [goto(REFUSE)]])
    for chain, expression in verdict_chains():
        table.chains.setdefault(chain, {})
        table.rules.setdefault(chain, []).append(expression)
    for interface in dict.fromkeys(plan.interface for plan in plans):
        _add_interface(table, [plan for plan in plans if plan.interface == interface])
    return table


def _add_interface(table: Layout, plans: Sequence[Plan]) -> None:
    facing, interface = plans[0].facing, plans[0].interface
    rest = [plan for plan in plans if not plan.networks] or [unclaimed(plans)]
    for plan in plans:
        _add_department(table, plan, plans)
    if rest[0] not in plans:
        _add_counters(table, rest[0])
    for hook, directions in HOOKS[facing].items():
        name = f"{hook}.{interface}"
        rules = [rule for direction in directions for rule in _claims(direction, plans)]
        rules += [[_is_ip(), *_take(rest[0], directions[-1], is_department=rest[0] in plans)]]
        base = {"type": "filter", "hook": hook, "prio": PRIORITY, "dev": interface, "policy": "accept"}
        table.add_chain(name, rules, **base)
        table.devices[name] = interface


def _add_department(table: Layout, plan: Plan, plans: Sequence[Plan]) -> None:
    _add_counters(table, plan)
    table.objects.update(department_objects(plan))
    for direction, chain in CHAINS.items():
        for version, kind in ADDRESS_TYPES.items():
            hosts = {"type": kind, "flags": ["timeout"], "size": MOST_HOSTS, "timeout": HOST_SILENT_S}
            table.objects[object_name(f"{direction}{version}", plan)] = ("set", hosts)
        table.add_chain(f"{chain}.{plan.department}", _department_rules(plan, direction, plans))


# Whatever exceeds a quota, one packet of it still passes, so that a meter that stopped has reached its limit, and is
# not for ever some bytes short of it. This is that one; the kernel has no longer unit, so it is one each week.
LAST = {"rate": 1, "per": "week", "burst": 1, "inv": True}


def department_objects(plan: Plan) -> dict[str, tuple[str, dict[str, Any]]]:
    """What holds a department, by name: kind and properties."""
    return {
        object_name("stop", plan): ("quota", {"bytes": NEVER, "used": 0, "inv": True}),
        object_name("last", plan): ("limit", dict(LAST)),
    }


def _add_counters(table: Layout, plan: Plan) -> None:
    for direction in CHAINS:
        table.objects[object_name(direction, plan)] = ("counter", {})


def _department_rules(plan: Plan, direction: str, plans: Sequence[Plan]) -> list[Expression]:
    rules = [[_noticed(), {"accept": None}], *_exempt(plan)]
    if is_held(plan):
        rules += _holds(plan, direction)
    rules.append([{"counter": object_name(direction, plan)}])
    if plan.networks or plan.facing is not Facing.MIRRORED:
        rules += [_count_host(plan, direction, version) for version in PROTOCOLS]
    if plan.facing is Facing.MIRRORED and direction == "up":
        rules += _claims("down", plans)  # the base chain goes on only with what no department has sent
    return rules


def _holds(plan: Plan, direction: str) -> list[Expression]:
    # A refusal can be sent only where packets come in (net/netfilter/nft_reject_netdev.c).
    verdict = CUT_OFF if plan.facing is Facing.DEPARTMENT and direction == "up" else WITHHOLD
    stop: Expression = [{"quota": object_name("stop", plan)}, {"limit": object_name("last", plan)}, goto(verdict)]
    return [stop] if plan.throttle_bytes_s is None else [stop, [_above(plan.throttle_bytes_s), {"drop": None}]]


def _lead() -> Expression:
    """HTTP is marked for the page that tells why. Only where something leads what is marked: else it would pass."""
    mark = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": NOTICE_MARK}}
    return [match(header("tcp", "dport"), HTTP), mark, {"accept": None}]


def _above(rate_bytes_s: int) -> dict[str, Any]:
    """Holds for a packet above this rate. It is dropped unanswered, which is what makes TCP go slower."""
    burst = max(LEAST_BURST_BYTES, rate_bytes_s // 10)
    rate = {"rate": rate_bytes_s, "rate_unit": "bytes", "per": "second", "burst": burst, "burst_unit": "bytes"}
    return {"limit": {**rate, "inv": True}}


def _count_host(plan: Plan, direction: str, version: int) -> Expression:
    host = header(PROTOCOLS[version], HOST_ENDS[direction])
    meters = f"@{object_name(f'{direction}{version}', plan)}"
    return [{"set": {"op": "update", "elem": host, "set": meters, "stmt": [{"counter": None}]}}]


def notice_table(port: int) -> list[Command]:
    """The table that leads marked HTTP to this port of the appliance, made anew.

    The meters mark where packets come in, before the kernel knows of connections. What goes back must bear the mark
    too, or the same quota would stop it. For a bridge, `br_netfilter` must be loaded, as for tracking.
    """
    own: Command = {"table": {"family": "inet", "name": NOTICE["table"]}}
    translated = match({"ct": {"key": "status"}}, "dnat", "in")
    mark = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": NOTICE_MARK}}
    lead: Expression = [_noticed(), match(header("tcp", "dport"), HTTP), {"redirect": {"port": port}}]
    return [
        *({action: own} for action in ("add", "delete", "add")),  # deleting what does not exist would be an error
        add("chain", NOTICE, "arriving", type="nat", hook="prerouting", prio=NAT_PRIORITY, policy="accept"),
        add("chain", NOTICE, "leaving", type="filter", hook="output", prio=MANGLE_PRIORITY, policy="accept"),
        add_rule(NOTICE, "arriving", lead),
        add_rule(NOTICE, "leaving", [match(header("tcp", "sport"), port), translated, mark]),
    ]


def _noticed() -> dict[str, Any]:
    """Holds for what goes to a cut-off host from the page that tells it why."""
    return match({"meta": {"key": "mark"}}, NOTICE_MARK)


def _exempt(plan: Plan) -> list[Expression]:
    return [
        [match(header(PROTOCOLS[version], end), {"set": prefixes}), {"accept": None}]
        for version in PROTOCOLS
        for end in HOST_ENDS.values()
        if (prefixes := _prefixes(plan.exempt, version))
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
                for prefix in _prefixes(plan.networks, version)
            ]
        )
    ]


def _take(plan: Plan, direction: str, *, is_department: bool) -> Expression:
    if is_department:
        return [goto(f"{CHAINS[direction]}.{plan.department}")]
    return [{"counter": object_name(direction, plan)}]


def _is_ip() -> dict[str, Any]:
    return match({"meta": {"key": "protocol"}}, {"set": list(PROTOCOLS.values())})


def _prefixes(networks: Iterable[Network], version: int) -> list[dict[str, Any]]:
    """The networks of this family as disjoint prefixes, which is what the kernel's interval sets take."""
    own = [network for network in networks if network.version == version]
    return [
        {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
        for network in collapse_addresses(own)  # type: ignore[type-var]  # all of one family
    ]
