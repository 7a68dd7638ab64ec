"""Quotas of single hosts: the rules that hold each host to its own, and which of the kernel's figures to correct.

A set has for each host the bytes that it has left, in both directions together. An unknown host gets the whole limit
with its first packet, so that newcomers are held too, and all hosts are while this program is dead.

A host's figure can only be replaced, not moved, so the bytes that pass between reading and writing are given away. That
is why it is left alone while it is about right: a host that is stopped early, because the kernel counts the Ethernet
headers of outgoing packets, gets the rest while it is stopped and nothing passes.
"""

from collections.abc import Mapping
from typing import Any

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.meter_names import host_set, object_name
from appliance.core.kernel.nftables.table import Objects
from appliance.core.kernel.nftables.throttle_rules import above
from appliance.core.metering.meter import Plan

REMEMBERED_S = 32 * 86_400  # longer than the longest period: a host's silence must not give it its quota back
WORTH = 1 / 1000  # an error above this part of what is left is worth a correction
# One packet beyond a quota still passes, of a host or a department, so that a meter that stopped has reached its limit,
# and is not for ever some bytes short of it. The kernel has no longer unit, so it is one each week. Where two packets
# meet the limit at the same moment, it may be the smaller one; then the next `apply` finds something left.
LAST: dict[str, Any] = {"rate": 1, "per": "week", "burst": 1, "inv": True}

Left = Mapping[bytes, int]  # by a host's address, bytes; below 0: more was used than it should
Shown = Mapping[bytes, tuple[int, int]]  # by a host's address, bytes seen, but no more than the limit, and the limit


def left_name(plan: Plan, version: int) -> str:
    """The name of the set of what each host has left."""
    return object_name(f"left{version}", plan)


def beyond_name(plan: Plan, version: int) -> str:
    """The name of the set of hosts that have nothing left; it keeps the last packet of each, or its pace."""
    pace = "last" if plan.host_bytes_s is None else f"pace{plan.host_bytes_s}by"
    return object_name(f"{pace}{version}", plan)


def host_objects(plan: Plan) -> Objects:
    """The sets; none where hosts are not limited."""
    return {
        name: host_set(version, REMEMBERED_S)
        for version in nft.PROTOCOLS
        for name in (left_name(plan, version), beyond_name(plan, version))
        if plan.host_limit_bytes is not None
    }


def host_rules(plan: Plan, direction: str, refused: nft.Expression) -> list[nft.Expression]:
    """The rules of one direction; none where hosts are not limited. `refused`: the verdict over the limit."""
    if plan.host_limit_bytes is None:
        return []
    whole = {"quota": {"val": plan.host_limit_bytes, "val_unit": "bytes", "used": 0, "used_unit": "bytes", "inv": True}}
    beyond = {"limit": LAST if plan.host_bytes_s is None else above(plan.host_bytes_s)}
    verdict: nft.Expression = refused if plan.host_bytes_s is None else [nft.DROP]
    return [
        [
            nft.update(left_name(plan, version), nft.host(direction, version), whole),
            nft.update(beyond_name(plan, version), nft.host(direction, version), beyond),
            *verdict,
        ]
        for version in nft.PROTOCOLS
    ]


def due(left: Left, before: Left, shown: Shown, newcomer_bytes: int) -> dict[bytes, int]:
    """The hosts whose figure has to be replaced, and the bytes that each has left.

    `before`: bytes left at the previous look. `newcomer_bytes`: what the kernel gives an unknown host.
    """
    return {
        host: max(0, left_bytes)
        for host, left_bytes in left.items()
        if _is_due(left_bytes, before.get(host, left_bytes), *shown.get(host, (0, newcomer_bytes)))
    }


def _is_due(left_bytes: int, before_bytes: int, seen_bytes: int, limit_bytes: int) -> bool:
    if seen_bytes >= limit_bytes:
        return left_bytes > 0
    too_much_bytes = limit_bytes - seen_bytes - left_bytes
    return left_bytes > before_bytes or too_much_bytes > max(0, left_bytes) * WORTH
