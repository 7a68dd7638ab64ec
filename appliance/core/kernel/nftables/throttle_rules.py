"""Throttling: the kernel drops packets above a department's rate, first those of hosts above their share.

A host's share is the rate divided by the number of active hosts, rounded down to a power of two, so that it seldom
changes. So no host gets more than twice its fair part, and what others leave is free for all. The kernel cannot count
active hosts: while this program is dead, the shares stay as they are, and the rate still holds.

Packets are dropped without an answer, because that makes TCP slow down. The kernel can change neither a rate nor a
share in place: so each is part of its object's name.
"""

from typing import Any

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.meter_names import host_set, object_name
from appliance.core.kernel.nftables.table import Objects
from appliance.core.metering.meter import Plan

LEAST_BURST_BYTES = 131_072  # two of the largest packets that the kernel hands on at once (GSO): less lets none pass
PACED_S = 60  # a host that was silent for this long has its whole burst again anyway


def shares(active_hosts: int) -> int:
    """Number of shares for this many active hosts: the largest power of two not above it."""
    return 1 << (max(1, active_hosts).bit_length() - 1)


def throttle_objects(plan: Plan, parts: int) -> Objects:
    """The limits and sets that hold the department to its rate; none without a rate. `parts`: number of shares."""
    if plan.throttle_bytes_s is None:
        return {}
    share = max(1, plan.throttle_bytes_s // parts)
    objects: Objects = {}
    for direction in nft.HOST_ENDS:
        objects[_rate_name(plan, direction)] = ("limit", above(plan.throttle_bytes_s))
        for version in nft.PROTOCOLS:
            objects[_share_name(plan, direction, version, share)] = host_set(version, PACED_S)
    return objects


def throttle_rules(plan: Plan, direction: str, parts: int) -> list[nft.Expression]:
    """The rules of one direction, the hosts' shares first; none where the department has no rate."""
    if plan.throttle_bytes_s is None:
        return []
    share = max(1, plan.throttle_bytes_s // parts)
    paced = (
        nft.update(_share_name(plan, direction, version, share), nft.host(direction, version), {"limit": above(share)})
        for version in nft.PROTOCOLS
    )
    return [*([pace, nft.DROP] for pace in paced), [{"limit": _rate_name(plan, direction)}, nft.DROP]]


def above(rate_bytes_s: int) -> dict[str, Any]:
    """The limit that matches packets above this rate."""
    burst = max(LEAST_BURST_BYTES, rate_bytes_s // 10)
    units = {"rate_unit": "bytes", "burst_unit": "bytes"}
    return {"rate": rate_bytes_s, "per": "second", "burst": burst, **units, "inv": True}


def _rate_name(plan: Plan, direction: str) -> str:
    return object_name(f"rate{direction}{plan.throttle_bytes_s}", plan)


def _share_name(plan: Plan, direction: str, version: int, share: int) -> str:
    return object_name(f"share{direction}{version}by{share}", plan)
