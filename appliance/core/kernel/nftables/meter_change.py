"""Computes the change from the existing table of meters to the wanted one: limits that move, and one transaction.

A counter that stays is never touched. Chains that stay are emptied and filled again within the transaction, so that no
packet slips through in between, and none is counted twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from appliance.core.kernel.nftables.meter_names import (
    ETHERNET_BYTES,
    budget_in,
    is_held,
    object_name,
    outgoing_direction,
    stop_name,
)
from appliance.core.kernel.nftables.meter_rules import NEVER
from appliance.core.kernel.nftables.ruleset import Command
from appliance.core.kernel.nftables.table import ExistingTable, Layout, commands, edit_of
from appliance.core.metering.meter import Plan

TABLE = "appliance_meters"
# A limit moves for the Ethernet headers only when they make more than this part of what remains, so that departments
# far from their limits cost no transaction.
WORTH = 1 / 1000

Counters = Mapping[str, tuple[int, int, int]]  # by name: handle, bytes, packets
Quotas = Mapping[str, tuple[int, int]]  # by name: bytes seen, but no more than the limit, and the limit


class Limit(Struct, frozen=True):
    """The limit of a quota in the kernel, in bytes as the kernel counts them. `seen_bytes`: counted so far."""

    plan: Plan
    kernel_bytes: int
    seen_bytes: int

    @property
    def name(self) -> str:
        """The quota's name."""
        return stop_name(self.plan)

    def is_due(self, shown: tuple[int, int]) -> bool:
        """Whether it is worth a transaction. `shown`: the quota's count and limit.

        A quota that was met has refused a packet, and is closed: it never moves up again.
        """
        used_bytes, former_bytes = shown
        if used_bytes >= former_bytes and self.kernel_bytes > former_bytes:
            return False
        correction_bytes = abs(self.kernel_bytes - former_bytes)
        return correction_bytes > abs(self.kernel_bytes - self.seen_bytes) * WORTH


def limits(plans: Sequence[Plan], counters: Counters) -> Iterator[Limit]:
    """The limits of all plans that the kernel can hold, by what the counters show."""
    for plan in plans:
        if is_held(plan):
            shown = {direction: counters.get(object_name(direction, plan), (0, 0, 0)) for direction in ("up", "down")}
            _, _, packets = shown[outgoing_direction(plan.facing) or "up"]
            stop = NEVER if plan.stop_at_bytes is None else plan.stop_at_bytes + ETHERNET_BYTES * packets
            yield Limit(plan, max(0, min(stop, NEVER)), shown["up"][1] + shown["down"][1])


def moved(plans: Sequence[Plan], quotas: Quotas, counters: Counters) -> list[Limit]:
    """The limits to put in force in place of what the quotas show."""
    wanted = limits(plans, counters)
    return [limit for limit in wanted if limit.name not in quotas or limit.is_due(quotas[limit.name])]


def cuts_off(plans: Sequence[Plan], quotas: Quotas, counters: Counters) -> bool:
    """Whether a quota has refused a packet, or a department has nothing left by its plan."""
    is_met = any(used_bytes >= limit_bytes for used_bytes, limit_bytes in quotas.values())
    return is_met or any(limit.kernel_bytes <= limit.seen_bytes for limit in limits(plans, counters))


def refused_budgets(quotas: Quotas) -> Iterator[tuple[str, str]]:
    """The departments of which the kernel has refused a packet, with the budget that was too little for it."""
    for name, (used_bytes, limit_bytes) in quotas.items():
        if used_bytes >= limit_bytes and (found := budget_in(name)) is not None:
            yield found


def transaction(there: ExistingTable, wanted: Layout, moving: Sequence[Limit]) -> list[Command]:
    """The commands that turn the existing table into the wanted one, and put the moving limits in force."""
    quotas = {limit.name: _quota(limit, is_new=limit.name not in there.objects) for limit in moving}
    return commands(TABLE, there, wanted, edit_of(there, wanted, quotas))


def _quota(limit: Limit, *, is_new: bool) -> tuple[str, dict[str, Any]]:
    # A quota that moves in place keeps what it has seen, whatever is said here; and no more than its limit can be said.
    used_bytes = min(limit.seen_bytes, limit.kernel_bytes) if is_new else 0
    return "quota", {"bytes": limit.kernel_bytes, "used": used_bytes, "inv": True}
