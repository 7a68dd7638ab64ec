"""Carrying over: what saved ledgers become where the configuration has changed when their periods begin.

A billing day, or the time zone, is changed while a month runs. What has been used in the period that runs from now on
is charged to it then, as far as the days of the books or of history show; where the running ledger began later, never
less than that has.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date

from msgspec.structs import replace

from appliance.core.metering.quota import Ledger, QuotaKind, period_start

Shown = Callable[[date, date], int]  # the bytes used from one local day to another, both included, as far as is known


def carry_over(
    ledgers: Sequence[Ledger], kinds: Collection[QuotaKind], day: date, billing_day: int, shown: Shown
) -> list[Ledger]:
    """The newest ledgers, one of each kind, as the periods with this day in them begin now. `day`: the running one."""
    there = {one.kind: one for one in ledgers}
    carried = [_carried(there.get(kind), kind, day, billing_day, shown) for kind in kinds]
    return [*(one for one in ledgers if one.kind not in kinds), *(one for one in carried if one is not None)]


def _carried(ledger: Ledger | None, kind: QuotaKind, day: date, billing_day: int, shown: Shown) -> Ledger | None:
    start = period_start(kind, day, billing_day)
    if ledger is not None and (ledger.start == start or ledger.start > day):
        return ledger
    used_bytes = shown(start, day)
    if ledger is None:
        return Ledger(kind, start, used_bytes) if used_bytes else None
    began_later_bytes = ledger.used_bytes if ledger.start > start else 0
    return replace(ledger, start=start, used_bytes=max(used_bytes, began_later_bytes))
