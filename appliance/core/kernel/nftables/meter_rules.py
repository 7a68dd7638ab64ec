"""Compiles plans into the table of the packet filter that counts departments and holds them to their limits.

Each interface has a chain that every frame passes where it comes in, and one where it goes out. They lead to two chains
for each department, by the address of the host, or else to those of the department that has the rest of the interface:

    from_<department>   packets from its hosts        to_<department>   packets to them

On its way through them exempt traffic leaves, packets above a rate are dropped, packets over the host's quota or the
department's are turned away, and only the rest is counted, in the department's counter and in its host's. So no refused
packet is ever in a meter, and no dropped one in the department's quota. One counter has all that were turned away.

A frame with a VLAN tag passes the hooks of the interface that carries it, and then those of its subinterface
(`eth1.20`): where that one has a department, only the latter count it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.frame_rules import frame_objects, frame_rules, link_rules
from appliance.core.kernel.nftables.host_rules import add_held_chains, count_objects, count_rules, host_objects
from appliance.core.kernel.nftables.meter_names import (
    CHAINS,
    chain_name,
    fingerprint,
    is_held,
    object_name,
    stop_name,
    unclaimed,
)
from appliance.core.kernel.nftables.notice_rules import (
    IS_MARKED,
    cut_off_chain,
    cut_off_chains,
    cut_off_objects,
    own_refusal_chain,
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
UNROUTED: Mapping[int, Sequence[Network]] = {
    4: (IPv4Network("0.0.0.0/32"), IPv4Network("169.254.0.0/16")),
    6: (IPv6Network("::/128"), IPv6Network("fe80::/10")),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What applies to all departments.

    `notice_port`: port of this computer that serves the HTTP of hosts that are cut off, which the kernel leads there;
    `None`: it is refused. `server_port`: of the dashboards, which hosts that are cut off still reach; `None`: there are
    none. `blocks_unclaimed`: what no department of a shared interface claims is refused. `blocks_encapsulated`: what
    the rules cannot read is dropped (`frame_rules`).
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


def layout(plans: Sequence[Plan], setting: Setting, shares: Mapping[str, int] | None = None) -> Layout:
    """The whole table for these plans, with quotas that never end (`meter_change` moves their limits).

    `shares`: by throttled department, the number of shares of its rate.
    """
    table = Layout()
    table.objects.update({REFUSED: ("counter", {}), SPOOFED: ("counter", {})})
    for chain, rules in nft.verdict_chains({"counter": REFUSED}).items():
        table.add_chain(chain, rules)
    # Own refusals have passed before (`notice_rules`); others' would carry data through a used-up quota.
    discovery, *_, drop = table.rules[nft.WITHHOLD]
    table.rules[nft.WITHHOLD] = [discovery, drop]
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
    if named := [_claimant(plan) for plan in plans if plan.networks]:
        table.objects[nft.several_name(plans[0].interface)] = ("set", {**nft.DEVICES})
        newcomers = nft.newcomer_rules(named, plans[0].interface)
        table.add_chain(nft.newcomers_name(plans[0].interface), newcomers)
    if rest not in plans:
        _add_counters(table, rest)
        _add_cut_off(table, rest, setting)
    table.objects.update(frame_objects(plans[0].interface))
    for hook, directions in HOOKS[plans[0].facing].items():
        taken = _take(rest, directions[-1], is_department=rest in plans, blocks=setting.blocks_unclaimed)
        rules = [
            *(_strict_source(plans[0].near) if plans[0].checks_sources and hook == "ingress" else []),
            *(rule for direction in directions for rule in _claims(direction, plans)),
            *_device_claims(directions, plans),
            *([nft.is_protocol(protocol), *taken] for protocol in nft.PROTOCOLS.values()),
            *frame_rules(plans[0].interface, blocks=setting.blocks_encapsulated),
            taken,
        ]
        table.add_base_chain(hook, plans[0].interface, PRIORITY, rules, (plan.vlan for plan in everywhere))


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
        # The protocol first: the route is looked up for packets of any.
        is_version = nft.is_protocol(nft.PROTOCOLS[version])
        yield [is_version, *elsewhere, is_foreign, nft.match(source, unrouted, "!="), {"counter": SPOOFED}, nft.DROP]


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
        passed = _passed_rules(plan, direction, plans)
        if is_held(plan):
            passed = add_held_chains(table, plan, direction, _refused(plan, direction), passed)
        table.add_chain(chain_name(direction, plan), [*_department_rules(plan, direction, parts), *passed])
    if plan.networks:
        table.objects[nft.devices_name(_claimant(plan))] = ("set", {**nft.DEVICES})
        learning = nft.learning_rules(_claimant(plan), plan.interface, chain_name("up", plan))
        table.add_chain(_learning(plan), learning)


def _add_cut_off(table: Layout, plan: Plan, setting: Setting) -> None:
    if is_held(plan):
        table.objects.update(cut_off_objects(plan))
        chains = cut_off_chains(plan, setting.own_ports, leads=setting.notice_port is not None)
        for chain, rules in (own_refusal_chain(plan), *chains):
            table.add_chain(chain, rules)


def _add_counters(table: Layout, plan: Plan) -> None:
    for direction in CHAINS:
        table.objects[object_name(direction, plan)] = ("counter", {})


def _department_rules(plan: Plan, direction: str, parts: int) -> list[nft.Expression]:
    """The rules for a department's packets before those of its hosts' quotas and of its own."""
    own = [own_refusals(plan)] if direction == "down" and plan.facing is Facing.DEPARTMENT else []
    paced = throttle_rules(plan, direction, parts) if is_held(plan) else []
    return [[IS_MARKED, nft.ACCEPT], *own, *_exempt(plan, direction), *paced]


def _passed_rules(plan: Plan, direction: str, plans: Sequence[Plan]) -> list[nft.Expression]:
    """The rules for what the hosts' quotas let pass: the department's own quota, and the counting."""
    rules: list[nft.Expression] = []
    if is_held(plan):
        rules.append([{"quota": stop_name(plan)}, *_refused(plan, direction)])
    rules.append([{"counter": object_name(direction, plan)}])
    if plan.networks or plan.facing is not Facing.MIRRORED:
        rules += count_rules(plan, direction)
    if plan.facing is Facing.MIRRORED and direction == "up":
        rules += _claims("down", plans)  # the base chain goes on only with what no department has sent
    return rules


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


def _claims(direction: str, plans: Sequence[Plan]) -> list[nft.Expression]:
    named = [plan for plan in plans if plan.networks]
    chains = {plan.department: _learning(plan) if direction == "up" else chain_name("down", plan) for plan in named}
    return nft.claims(direction, [(chains[plan.department], plan.networks) for plan in named])


def _device_claims(directions: Sequence[str], plans: Sequence[Plan]) -> Iterator[nft.Expression]:
    """The rules for packets without an address of a department, where departments are told apart by addresses."""
    named = [plan for plan in plans if plan.networks]
    if named:
        yield from link_rules()
    for direction in directions:
        chains = [(_claimant(plan), chain_name(direction, plan)) for plan in named]
        yield from nft.device_claims(direction, plans[0].interface, chains)


def _claimant(plan: Plan) -> str:
    """Whose devices are noted: with other networks a department claims none by its former ones."""
    return f"{fingerprint(plan)}.{plan.department}"


def _learning(plan: Plan) -> str:
    return nft.identifier("known", plan.department)


def _take(plan: Plan, direction: str, *, is_department: bool, blocks: bool) -> nft.Expression:
    """What happens to packets that no department claims, by address or by device."""
    if is_department:
        return [nft.goto(chain_name(direction, plan))]
    verdict = nft.goto(cut_off_chain(plan, direction)) if blocks and is_held(plan) else nft.ACCEPT
    return [{"counter": object_name(direction, plan)}, verdict]
