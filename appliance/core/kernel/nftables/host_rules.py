"""Hosts in the kernel: how packets are told apart by host, the counter and the quota of each, and the rules for both.

A host is a device. Its key is the hardware address at the department's side, so that IPv4, IPv6 and every address that
a device takes are one host, and a false source address is charged to the device that sent it. Behind a router all
packets bear the router's hardware address: for them the key is the IP address, by rules that only a plan with routers
has. A frame to a group of stations is to no host.

A set has for each host the bytes that it has left, in both directions together. An unknown host gets the whole limit
with its first packet, so that newcomers are held too, and all hosts are while this program is dead. Newcomers for whom
the set has no room share one allowance of one host's limit (`NEWCOMERS`).

What is within its host's quota goes on to the rest of the department's rules at once, so that most packets pass one
rule more than without quotas of hosts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.meter_names import object_name
from appliance.core.kernel.nftables.table import Layout, Objects
from appliance.core.metering.host_room import MOST_HOSTS
from appliance.core.metering.meter import NEWCOMERS, Plan

REMEMBERED_S = 32 * 86_400  # longer than the longest period: a host's silence must not give it its quota back
SILENT_S = 86_400  # a host that is silent for this long loses its meter, which makes room for others
LEAST_BURST_BYTES = 131_072  # two of the largest packets that the kernel hands on at once (GSO): less lets none pass

# The bit of a destination that marks a group of stations (IEEE 802.3): the lowest of its first byte.
GROUP_BIT = {"payload": {"base": "ll", "offset": 7, "len": 1}}
IS_TO_ONE, IS_TO_GROUP = nft.match(GROUP_BIT, 0), nft.match(GROUP_BIT, 1)


class HostKey(Struct, frozen=True):
    """A way to tell hosts apart. `ending`: of its sets' names; `type`: of their elements; `protocol`: of the header.

    `is_behind_router`: whether it is for packets of routers, or for all others.
    """

    ending: str
    type: str
    protocol: str
    is_behind_router: bool = False

    def name(self, kind: str, plan: Plan) -> str:
        """The name of the plan's set of this kind."""
        return object_name(f"{kind}{self.ending}", plan)

    def new_set(self, timeout_s: int) -> tuple[str, dict[str, Any]]:
        """A set of hosts; each stays for so long after its last packet."""
        return "set", {"type": self.type, "flags": ["timeout"], "size": MOST_HOSTS, "timeout": timeout_s}

    def of(self, direction: str) -> dict[str, Any]:
        """Selects the key in a packet of this direction."""
        return nft.field(self.protocol, nft.HOST_ENDS[direction])

    def conditions(self, plan: Plan, direction: str) -> nft.Expression:
        """Match the packets whose host has this key, except that a group may be among them."""
        if not plan.routers:
            return []
        return [nft.match(BY_MAC.of(direction), {"set": [*plan.routers]}, "==" if self.is_behind_router else "!=")]


BY_MAC = HostKey("", "ether_addr", "ether")
BEHIND_ROUTERS = {
    version: HostKey(f"routed{version}", nft.ADDRESS_TYPES[version], protocol, is_behind_router=True)
    for version, protocol in nft.PROTOCOLS.items()
}


def host_keys(plan: Plan) -> tuple[HostKey, ...]:
    """The ways in which the plan's hosts are told apart."""
    return (BY_MAC, *BEHIND_ROUTERS.values()) if plan.routers else (BY_MAC,)


def to_one(direction: str) -> nft.Expression:
    """Match the packets that have a host at the department's end."""
    return [IS_TO_ONE] if direction == "down" else []


def counter_kind(direction: str) -> str:
    """The kind of set that counts hosts in this direction."""
    return f"hosts{direction}"


def count_objects(plan: Plan) -> Objects:
    """The sets that count hosts."""
    return {
        key.name(counter_kind(direction), plan): key.new_set(SILENT_S)
        for direction in nft.HOST_ENDS
        for key in host_keys(plan)
    }


def add_counting(
    table: Layout, plan: Plan, direction: str, onward: Sequence[nft.Expression]
) -> Sequence[nft.Expression]:
    """The rules that count the hosts of one direction, and those that come then; hosts behind routers have a chain."""
    counted = [[*to_one(direction), _count(BY_MAC, plan, direction)], *onward]
    if not plan.routers:
        return counted
    routed = nft.identifier(f"routed{direction}", plan.department)
    table.add_chain(routed, [*([_count(key, plan, direction)] for key in BEHIND_ROUTERS.values()), *onward])
    is_of_router = nft.match(BY_MAC.of(direction), {"set": [*plan.routers]})
    return [[is_of_router, nft.goto(routed)], *counted]


def _count(key: HostKey, plan: Plan, direction: str) -> Mapping[str, Any]:
    return nft.update(key.name(counter_kind(direction), plan), key.of(direction), nft.COUNT)


def host_objects(plan: Plan) -> Objects:
    """The sets of what each host has left and of those beyond that, and the newcomers' allowance; none without limit.

    A rate is part of its object's name, because none can be changed in place.
    """
    limit_bytes, pace = plan.host_limit_bytes, plan.host_bytes_s
    if limit_bytes is None:
        return {}
    objects: Objects = {
        object_name(NEWCOMERS, plan): ("quota", {"bytes": limit_bytes, "used": 0, "inv": True}),
        object_name(f"{NEWCOMERS}passed", plan): ("counter", {}),
        object_name(f"{NEWCOMERS}refused", plan): ("counter", {}),
    }
    for key in host_keys(plan):
        objects[key.name("left", plan)] = key.new_set(REMEMBERED_S)
        objects[beyond_name(key, plan)] = key.new_set(REMEMBERED_S)
        if pace is not None:
            objects[object_name(f"{NEWCOMERS}by{pace}", plan)] = ("limit", above(pace))
    return objects


def beyond_name(key: HostKey, plan: Plan) -> str:
    """The name of the set of hosts beyond their quota: it counts what was refused, or keeps the pace of each."""
    return key.name("beyond" if plan.host_bytes_s is None else f"paceby{plan.host_bytes_s}", plan)


def add_held_chains(
    table: Layout, plan: Plan, direction: str, refused: nft.Expression, passed: Sequence[nft.Expression]
) -> list[nft.Expression]:
    """Add the chains of packets that hosts' quotas let pass, and of newcomers; returns the rules that lead to them.

    `refused`: the verdict over a limit. `passed`: the rules for what passes; where hosts are not limited, they are what
    is returned.
    """
    if plan.host_limit_bytes is None:
        return [*passed]
    verdict: nft.Expression = refused if plan.host_bytes_s is None else [nft.DROP]
    within = nft.identifier(f"within{direction}", plan.department)
    table.add_chain(within, passed)
    onward = nft.goto(within)
    table.add_chain(_newcomers_chain(plan, direction), _newcomer_rules(plan, verdict, onward))
    return _host_rules(plan, direction, verdict, onward)


def _host_rules(plan: Plan, direction: str, verdict: nft.Expression, onward: Mapping[str, Any]) -> list[nft.Expression]:
    """The rules for a host: within its quota, without a place in the set, and beyond its quota, if it is closed.

    A look-up in the set runs the quota of what it finds once more; only one that asks for what is absent does not
    (net/netfilter/nft_lookup.c). Packets without a hardware address, of tunnels, are the newcomers' too.
    """
    whole = {"quota": {"val": plan.host_limit_bytes, "val_unit": "bytes", "used": 0, "used_unit": "bytes"}}
    newcomers = nft.goto(_newcomers_chain(plan, direction))
    within, absent, beyond = [], [], []
    for key in host_keys(plan):
        host, conditions, left = key.of(direction), key.conditions(plan, direction), key.name("left", plan)
        within.append([*conditions, nft.update(left, host, whole), onward])
        absent.append([*conditions, nft.match(host, f"@{left}", "!="), newcomers])
        beyond.append([*conditions, *_pass_slowly(plan, key, host, onward)])
    groups = [[IS_TO_GROUP, onward]] if direction == "down" else []
    has_mac = nft.match({"meta": {"key": "iiftype"}}, "ether")
    passing = [nft.IS_OPEN, has_mac, onward]
    return [*groups, *within, *absent, *beyond, passing, [has_mac, *verdict], [newcomers]]


def _pass_slowly(plan: Plan, key: HostKey, host: Mapping[str, Any], onward: Mapping[str, Any]) -> nft.Expression:
    """Note a host beyond its quota, and let it pass at its pace, if it has one."""
    if plan.host_bytes_s is None:
        return [nft.update(beyond_name(key, plan), host, nft.COUNT)]
    return [nft.update(beyond_name(key, plan), host, {"limit": {**above(plan.host_bytes_s), "inv": False}}), onward]


def _newcomer_rules(plan: Plan, verdict: nft.Expression, onward: Mapping[str, Any]) -> list[nft.Expression]:
    """The rules for newcomers: what exceeds their allowance, and of that what exceeds the pace, if there is one."""
    pace = plan.host_bytes_s
    paced = [] if pace is None else [{"limit": object_name(f"{NEWCOMERS}by{pace}", plan)}]
    return [
        [
            {"quota": object_name(NEWCOMERS, plan)},
            nft.IS_CLOSED,
            *paced,
            {"counter": object_name(f"{NEWCOMERS}refused", plan)},
            *verdict,
        ],
        [{"counter": object_name(f"{NEWCOMERS}passed", plan)}, onward],
    ]


def _newcomers_chain(plan: Plan, direction: str) -> str:
    return nft.identifier(f"newcomers{direction}", plan.department)


def above(rate_bytes_s: int) -> dict[str, Any]:
    """The limit that matches packets above this rate."""
    burst = max(LEAST_BURST_BYTES, rate_bytes_s // 10)
    units = {"rate_unit": "bytes", "burst_unit": "bytes"}
    return {"rate": rate_bytes_s, "per": "second", "burst": burst, **units, "inv": True}
