"""The setup: whether the network around the appliance lets a department's configuration work.

A valid configuration can still not work where it is: a port that is in no bridge, a kernel that does not forward,
another program's firewall that drops what passes. Each such fault is found from what the machine shows, in one place
for `check-config`, `doctor` and the department's status.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import Enum

from msgspec import Struct, field

from appliance.core.machine import Address, Link, Position
from appliance.core.metering.department import Department
from appliance.core.metering.quota import QuotaKind
from appliance.core.operations.foreign_rules import FirstPacket, Listing, closed_chains

BRIDGE = "bridge"  # the kernel's name of the kind
ROUTED, BRIDGED = ("ip", "ip6", "inet"), ("bridge",)  # nftables' families whose forward chains a packet passes
FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
LONGEST_S = {QuotaKind.DAILY: 90_000, QuotaKind.WEEKLY: 7 * 90_000, QuotaKind.MONTHLY: 31 * 90_000}  # days of 25 hours
BOTH = 2  # directions count

# The families of chains that a packet passes, where it comes in, and where it may leave.
Passage = tuple[Collection[str], str, Collection[str]]


class Effect(Enum):
    """What a fault does. `STOPS`: the department cannot be metered or held. `HINT`: it may be meant so."""

    STOPS = "stops"
    LESSENS = "lessens"
    HINT = "hint"


class SetupFault(Struct, frozen=True):
    """A fault, as a sentence, and what a person can do."""

    effect: Effect
    text: str
    advice: str


class NetworkFacts(Struct, frozen=True):
    """What the machine shows beside its links. `forwarded`: by interface, the IP versions that the kernel forwards.

    `foreign_rules`: other programs' tables with a forward chain, in nft's JSON. `filters_bridged`: the kernel shows
    bridged packets to the chains for routed ones (br_netfilter). `gateways`: the next hops of default routes.
    """

    forwarded: Mapping[str, frozenset[int]] = field(default_factory=dict)
    foreign_rules: Listing = ()
    filters_bridged: bool = False
    gateways: tuple[Address, ...] = ()


def setup_faults(
    position: Position,
    department: Department,
    links: Mapping[str, Link],
    around: NetworkFacts,
) -> Sequence[SetupFault]:
    """The faults of a department's setup, worst first; none for an interface that does not exist, which is another."""
    link = links.get(department.interface)
    if link is None:
        return ()
    found = [
        *CHECKS.get(position, _nothing)(department, link, links, around),
        *_quotas_out_of_reach(department, link),
    ]
    return sorted(found, key=lambda fault: list(Effect).index(fault.effect))


def _nothing(*_: object) -> Iterator[SetupFault]:
    return iter(())


def _in_bridge(_: Department, link: Link, links: Mapping[str, Link], around: NetworkFacts) -> Iterator[SetupFault]:
    if link.kind == BRIDGE:
        ports = ", ".join(one.name for one in links.values() if one.master == link.name) or "none yet"
        text = f"{link.name} is the bridge itself, where nothing of what passes between its ports can be seen"
        yield SetupFault(Effect.STOPS, text, f"name the port that faces the department; its ports: {ports}")
        return
    bridge = links.get(link.master) if link.master else None
    if bridge is None or bridge.kind != BRIDGE:
        yield _bridgeless(link, links)
        return
    others = [one for one in links.values() if one.master == bridge.name and one.name != link.name]
    if not any(one.up for one in others):
        text = f"no other port of {bridge.name} is up" if others else f"{link.name} is the only port of {bridge.name}"
        yield SetupFault(Effect.STOPS, text, f"connect the port toward the uplink, and add it to {bridge.name}")
    packets: list[Passage] = [(BRIDGED, link.name, [one.name for one in others])]
    if around.filters_bridged:
        packets.append((ROUTED, bridge.name, [bridge.name]))
    yield from _closed(link, packets, around)


def _bridgeless(link: Link, links: Mapping[str, Link]) -> SetupFault:
    parent = links.get(link.vlan.trunk) if link.vlan else None
    text = f"{link.name} is in no bridge, so that nothing passes through this computer there"
    if parent is not None and parent.master is not None:
        return SetupFault(
            Effect.STOPS,
            f"{text}: {parent.name}, which carries it, is a port of {parent.master}, and its frames pass there",
            f"name {parent.name} as the interface, or bridge {link.name} itself",
        )
    return SetupFault(Effect.STOPS, text, "make it a port of a bridge with the uplink's, or change the position")


def _in_gateway(
    department: Department, link: Link, links: Mapping[str, Link], around: NetworkFacts
) -> Iterator[SetupFault]:
    bridge = links.get(link.master) if link.master else None
    addresses = [*link.addresses, *(bridge.addresses if bridge else ())]
    versions = {one.version for one in addresses if not one.is_link_local}
    if not versions:
        text = f"{link.name} has no address, so that no host behind it can use this computer as its gateway"
        yield SetupFault(Effect.STOPS, text, f"give {link.name} the gateway's address of the department's network")
    inbound = link.name if bridge is None else bridge.name
    forwarded = around.forwarded.get(inbound, frozenset())
    for version in sorted(versions - forwarded):
        effect = Effect.STOPS if versions.isdisjoint(forwarded) else Effect.LESSENS
        text = f"the kernel forwards no IPv{version} from {inbound}"
        advice = f"sysctl -w {FORWARDING[version]}=1, and the same in /etc/sysctl.d for the next boot"
        yield SetupFault(effect, text, advice)
    outbound = [one.name for one in links.values() if one.name not in {"lo", link.name, inbound}]
    yield from _closed(link, [(ROUTED, inbound, outbound)], around, versions or {4})
    for gateway in around.gateways:
        if any(gateway in one.network for one in addresses):
            text = f"{link.name} is where the default gateway {gateway} is, so it faces the uplink"
            yield SetupFault(Effect.LESSENS, text, "name the interface that faces the department")
    for version in {one.version for one in department.subnets} & versions:
        subnets = [one for one in department.subnets if one.version == version]
        if not any(one.ip in subnet for one in addresses for subnet in subnets if one.version == version):
            shown = ", ".join(map(str, subnets))
            text = f"no address of {link.name} is in {shown}"
            yield SetupFault(Effect.HINT, text, "right only where another router is between; else compare the two")


def _closed(
    link: Link,
    packets: Sequence[Passage],
    around: NetworkFacts,
    versions: Collection[int] = (4, 6),
) -> Iterator[SetupFault]:
    found = dict.fromkeys(
        (chain, version)
        for families, inbound, outbound in packets
        for version in sorted(versions)
        for chain in closed_chains(around.foreign_rules, families, FirstPacket(inbound, outbound, version))
    )
    for chain in dict.fromkeys(chain for chain, _ in found):
        dropped = {version for name, version in found if name == chain}
        effect = Effect.STOPS if dropped == set(versions) else Effect.LESSENS
        which = "everything" if dropped == set(versions) else " and ".join(f"IPv{one}" for one in sorted(dropped))
        text = f"another firewall's chain ({chain}) drops {which} that comes from {link.name}"
        yield SetupFault(effect, text, "accept it there, or remove that chain; the appliance does not change it")


def _quotas_out_of_reach(department: Department, link: Link) -> Iterator[SetupFault]:
    rate_bps = department.line_rate_bps or link.speed_bps
    for kind, limit_bytes in department.limits.bytes_by_kind.items() if rate_bps else ():
        most = (rate_bps or 0) // 8 * BOTH * LONGEST_S[kind]
        if limit_bytes > most:
            text = f"the {kind} quota is more than a line of {(rate_bps or 0) // 1_000_000} Mbit/s carries"
            yield SetupFault(Effect.HINT, text, "lower the quota, or give the line_rate")


_Check = Callable[[Department, Link, Mapping[str, Link], NetworkFacts], Iterator[SetupFault]]
CHECKS: Mapping[Position, _Check] = {Position.BRIDGE: _in_bridge, Position.GATEWAY: _in_gateway}
