"""Throttling: what is above a department's rate is dropped, first of the hosts that take more than their share.

A host's share is the rate over the number of hosts that are active, as far down as a power of two, so that it seldom
changes. So no host takes more than twice its fair part, and what others leave is free for all. The kernel cannot count
who is active: with this program dead the shares stay as they are, and the rate holds.

A packet is dropped unanswered, which is what makes TCP go slower. Neither a rate nor a share can be changed in place:
each is part of the name of what has it.
"""

from typing import Any

from appliance.core.kernel.nftables.meter_names import MOST_HOSTS, object_name
from appliance.core.kernel.nftables.ruleset import ADDRESS_TYPES, HOST_ENDS, PROTOCOLS, Expression
from appliance.core.kernel.nftables.ruleset import field as header
from appliance.core.metering.meter import Plan

LEAST_BURST_BYTES = 131_072  # two of the largest packets that the kernel hands on at once (GSO): less lets none pass
PACED_S = 60  # a host that was silent for so long has its whole burst again anyway


def shares(active_hosts: int) -> int:
    """Into how many shares the rate is divided among so many hosts."""
    return 1 << (max(1, active_hosts).bit_length() - 1)


def throttle_objects(plan: Plan, parts: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """What holds the department to its rate, by name: kind and properties; nothing where it is free.

    `parts`: into how many shares the rate is divided.
    """
    if plan.throttle_bytes_s is None:
        return {}
    share = max(1, plan.throttle_bytes_s // parts)
    objects: dict[str, tuple[str, dict[str, Any]]] = {}
    for direction in HOST_ENDS:
        objects[_rate_name(plan, direction)] = ("limit", above(plan.throttle_bytes_s))
        for version, kind in ADDRESS_TYPES.items():
            paced = {"type": kind, "flags": ["timeout"], "size": MOST_HOSTS, "timeout": PACED_S}
            objects[_share_name(plan, f"{direction}{version}", share)] = ("set", paced)
    return objects


def throttle_rules(plan: Plan, direction: str, parts: int) -> list[Expression]:
    """The rules of one direction, the hosts' shares first; none where the department is free."""
    if plan.throttle_bytes_s is None:
        return []
    share = max(1, plan.throttle_bytes_s // parts)
    return [
        *(_pace(plan, direction, version, share) for version in PROTOCOLS),
        [{"limit": _rate_name(plan, direction)}, {"drop": None}],
    ]


def _pace(plan: Plan, direction: str, version: int, share: int) -> Expression:
    host = header(PROTOCOLS[version], HOST_ENDS[direction])
    hosts = f"@{_share_name(plan, f'{direction}{version}', share)}"
    return [{"set": {"op": "update", "elem": host, "set": hosts, "stmt": [{"limit": above(share)}]}}, {"drop": None}]


def above(rate_bytes_s: int) -> dict[str, Any]:
    """Holds for a packet above this rate."""
    burst = max(LEAST_BURST_BYTES, rate_bytes_s // 10)
    return {
        "rate": rate_bytes_s,
        "per": "second",
        "burst": burst,
        "rate_unit": "bytes",
        "burst_unit": "bytes",
        "inv": True,
    }


def _rate_name(plan: Plan, direction: str) -> str:
    return object_name(f"rate-{direction}-{plan.throttle_bytes_s}", plan)


def _share_name(plan: Plan, which: str, share: int) -> str:
    return object_name(f"share-{which}-{share}", plan)
