"""The change from what is in the meters' table to what should be there: limits that move, and one transaction.

What counts is never touched where it stays. Chains that stay are emptied and filled again within the transaction, so
that no packet passes between, and none is seen by two.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from appliance.core.kernel.nftables.meter_names import (
    ETHERNET_BYTES,
    chains_of,
    is_held,
    object_name,
    outgoing_direction,
)
from appliance.core.kernel.nftables.meter_rules import NEVER
from appliance.core.kernel.nftables.ruleset import Command, add, add_rule
from appliance.core.kernel.nftables.table import ExistingTable, Layout
from appliance.core.metering.meter import Plan

TABLE = "appliance_meters"
NETDEV = {"family": "netdev", "table": TABLE}
# A limit is moved for the Ethernet headers only when they make more than this part of what remains, so that departments
# far from their limits cost no transaction.
WORTH = 1 / 1000

Counters = Mapping[str, tuple[int, int, int]]  # by name: handle, bytes, packets
Quotas = Mapping[str, tuple[int, int]]  # by name: bytes seen, but no more than the limit, and the limit


@dataclass(frozen=True, slots=True)
class Limit:
    """What a quota of the kernel is to hold, in the bytes that the kernel counts. `seen_bytes`: what it has counted.

    `is_new`: the quota is to be made anew, because it has counted what it refused.
    """

    plan: Plan
    kernel_bytes: int
    seen_bytes: int
    is_new: bool = False

    @property
    def name(self) -> str:
        """The quota's name."""
        return object_name("stop", self.plan)

    def given(self, shown: tuple[int, int]) -> "Limit":
        """The same for a quota that shows this: one that was met although something is left has to be made anew."""
        return replace(self, is_new=shown[0] >= shown[1] and self.kernel_bytes > self.seen_bytes)

    def is_due(self, former_bytes: int) -> bool:
        """Whether to put it in force. `former_bytes`: the limit that the kernel shows."""
        correction_bytes = abs(self.kernel_bytes - former_bytes)
        return self.is_new or correction_bytes > abs(self.kernel_bytes - self.seen_bytes) * WORTH


def limits(plans: Sequence[Plan], counters: Counters) -> Iterator[Limit]:
    """The limits of all plans that can be held, by what the counters show."""
    for plan in plans:
        if is_held(plan):
            shown = {direction: counters.get(object_name(direction, plan), (0, 0, 0)) for direction in ("up", "down")}
            _, _, packets = shown[outgoing_direction(plan.facing) or "up"]
            stop = NEVER if plan.stop_at_bytes is None else plan.stop_at_bytes + ETHERNET_BYTES * packets
            yield Limit(plan, max(0, min(stop, NEVER)), shown["up"][1] + shown["down"][1])


def moved(plans: Sequence[Plan], quotas: Quotas, counters: Counters) -> list[Limit]:
    """The limits to put in force in place of what the quotas show."""
    wanted = list(limits(plans, counters))
    there = [limit.given(quotas[limit.name]) for limit in wanted if limit.name in quotas]
    return [
        *(limit for limit in wanted if limit.name not in quotas),
        *(limit for limit in there if limit.is_due(quotas[limit.name][1])),
    ]


def transaction(there: ExistingTable, wanted: Layout, moving: Sequence[Limit]) -> list[Command]:
    """The commands that make the wanted layout of what is there, and put the moving limits in force."""
    remade = [limit.plan for limit in moving if limit.is_new and limit.name in there.objects]
    anew = {object_name(kind, plan) for plan in remade for kind in ("stop", "last")}
    disturbed = {chain for plan in remade for chain in chains_of(plan)}
    gone = [name for name in there.objects if name in anew or name not in wanted.objects]
    new = [name for name in wanted.objects if name in anew or name not in there.objects]
    properties = wanted.objects | {limit.name: _quota(limit, is_new=limit.name in new) for limit in moving}
    in_place = [limit.name for limit in moving if limit.name not in new]
    removed = [name for name in there.chains if name not in wanted.chains]
    refilled = [name for name, rules in wanted.rules.items() if name in disturbed or there.rules.get(name) != rules]
    emptied = [name for name in there.chains if name in {*removed, *refilled}]
    return [
        {"add": {"table": {"family": "netdev", "name": TABLE}}},
        *({"flush": {"chain": {**NETDEV, "name": name}}} for name in emptied),
        *({"delete": {"chain": {**NETDEV, "name": name}}} for name in removed),
        *({"delete": {there.objects[name]: {**NETDEV, "name": name}}} for name in gone),
        *(add(properties[name][0], NETDEV, name, **properties[name][1]) for name in (*new, *in_place)),
        *(add("chain", NETDEV, name, **base) for name, base in wanted.chains.items() if name not in there.chains),
        *(add_rule(NETDEV, name, rule) for name in refilled for rule in wanted.rules[name]),
    ]


def _quota(limit: Limit, *, is_new: bool) -> tuple[str, dict[str, Any]]:
    # Moved in place, a quota keeps what it has seen, whatever is said here; and no more than its limit can be said.
    used_bytes = min(limit.seen_bytes, limit.kernel_bytes) if is_new else 0
    return "quota", {"bytes": limit.kernel_bytes, "used": used_bytes, "inv": True}
