"""Throttling: the kernel drops packets above a department's rate, first those of hosts above their share.

A host's share is the rate divided by the number of active hosts, rounded down to a power of two, so that it seldom
changes. So no host gets more than twice its fair part, and what others leave is free for all. The kernel cannot count
active hosts: while this program is dead, the shares stay as they are, and the rate still holds.

Packets are dropped without an answer, because that makes TCP slow down. The kernel can change neither a rate nor a
share in place: so each is part of its object's name. Newcomers for whom the set of hosts has no room have one share
together.
"""

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.host_rules import above, host_keys, to_one
from appliance.core.kernel.nftables.meter_names import object_name
from appliance.core.kernel.nftables.table import Objects
from appliance.core.metering.meter import Plan

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
        objects[_newcomers_name(plan, direction, share)] = ("limit", above(share))
        for key in host_keys(plan):
            objects[key.name(_share_kind(direction, share), plan)] = key.new_set(PACED_S)
    return objects


def throttle_rules(plan: Plan, direction: str, parts: int) -> list[nft.Expression]:
    """The rules of one direction, the hosts' shares first; none where the department has no rate."""
    if plan.throttle_bytes_s is None:
        return []
    share = max(1, plan.throttle_bytes_s // parts)
    rules: list[nft.Expression] = []
    for key in host_keys(plan):
        name, host = key.name(_share_kind(direction, share), plan), key.of(direction)
        paced = [*(key.conditions(plan, direction) or to_one(direction))]
        is_newcomer = nft.match(host, f"@{name}", "!=")
        rules += [
            [*paced, nft.update(name, host, {"limit": above(share)}), nft.IS_CLOSED, nft.DROP],
            [*paced, is_newcomer, {"limit": _newcomers_name(plan, direction, share)}, nft.IS_CLOSED, nft.DROP],
        ]
    return [*rules, [{"limit": _rate_name(plan, direction)}, nft.IS_CLOSED, nft.DROP]]


def _rate_name(plan: Plan, direction: str) -> str:
    return object_name(f"rate{direction}{plan.throttle_bytes_s}", plan)


def _share_kind(direction: str, share: int) -> str:
    return f"share{direction}by{share}"


def _newcomers_name(plan: Plan, direction: str, share: int) -> str:
    return object_name(f"newcomers{direction}by{share}", plan)
