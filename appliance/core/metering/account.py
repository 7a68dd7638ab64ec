"""An account: one department's books, and the rules of its quotas applied to them.

It reads no machine and tells nobody: `metering` does. Every byte that is charged stands in a ledger of each kind,
and what a person grants or sets is an entry beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from appliance.core.metering import quota
from appliance.core.metering.day_split import DayShare, UndatedBytes, date_undated, split_by_day, with_undated
from appliance.core.metering.department import Department
from appliance.core.metering.meter import Reading
from appliance.core.metering.quota import Action, Crossing, Ledger, QuotaKind
from appliance.core.metering.usage import Mark, Passed, next_mark, passed
from appliance.core.moment import Moment


@dataclass(frozen=True, slots=True)
class Books:
    """One quota as a person reads it. `limit_bytes` and `percentage`: `None` where the kind is not limited.

    `granted_bytes`: part of the limit, for this period alone.
    """

    kind: QuotaKind
    used_bytes: int
    limit_bytes: int | None
    percentage: float | None
    resets_at: datetime
    granted_bytes: int = 0


class Account:
    """The books of one department."""

    def __init__(
        self,
        department: Department,
        zone: ZoneInfo,
        ledgers: Sequence[Ledger],
        mark: Mark | None,
        limits: Mapping[QuotaKind, int | None],
        kinds: Sequence[QuotaKind] = tuple(QuotaKind),
    ) -> None:
        """`limits`: set by hand over the configured ones; `None` for a kind that has none. `kinds`: that are kept."""
        self.department = department
        self.limits = department.limits
        self.mark = mark
        self._zone = zone
        self._ledgers = {one.kind: one for one in ledgers}
        self._kinds = {*kinds}
        self._closed: list[Ledger] = []
        self._notes: tuple[UndatedBytes, ...] = ()
        for kind, limit_bytes in limits.items():
            self.set_limit(kind, limit_bytes)

    @property
    def ledgers(self) -> Sequence[Ledger]:
        """The ledgers of the running periods, daily first."""
        return [self._ledgers[kind] for kind in QuotaKind if kind in self._ledgers]

    @property
    def unsaved(self) -> Sequence[Ledger]:
        """What the disk must take: periods that have ended since, with their last bytes, and those that run."""
        return [*self._closed, *self.ledgers]

    def saved(self) -> None:
        """The disk has taken it."""
        self._closed.clear()

    def is_other_meter(self, reading: Reading | None) -> bool:
        """Whether the charged meter is gone: then only this program knows what it had counted since the last saving."""
        return self.mark is not None and reading is not None and reading.identity != self.mark.identity

    def is_behind(self, reading: Reading | None) -> bool:
        """Whether the meter shows something else than what was charged."""
        return reading is not None and self.mark != next_mark(None, reading)

    def lose_meter(self) -> None:
        """The meter is gone for good: the next one begins at zero, though it may bear the same identity."""
        self.mark = None

    def read(self, reading: Reading | None, elapsed_s: float, now: Moment) -> tuple[Passed, Sequence[Crossing]]:
        """Charge what has passed since the mark, and say what that crossed.

        `elapsed_s`: seconds since the meter was read before, by a clock that does not jump; 0 where that is not known.
        """
        amount = passed(self.mark, reading)
        self.mark = next_mark(self.mark, reading)
        if not now.is_trusted:
            self._notes = with_undated(
                self._notes, UndatedBytes(amount.total_bytes, now.monotonic_s - elapsed_s, now.monotonic_s)
            )
            return amount, self._charge([DayShare(self._running_day(now), amount.total_bytes)])
        since = now.wall - timedelta(seconds=elapsed_s)
        filed = [
            *(one for note in self._withdrawn() for one in date_undated(note, now, self._zone)),
            *split_by_day(amount.total_bytes, since, now.wall, self._zone),
        ]
        return amount, self._charge(filed)

    def judge(self, now: Moment) -> Sequence[Crossing]:
        """What is crossed by other limits alone, without a byte more."""
        return self._charge([DayShare(self._running_day(now), 0)])

    def set_limit(self, kind: QuotaKind, limit_bytes: int | None) -> None:
        """From now on this kind is limited so, or not at all."""
        limits = {one: limit for one, limit in self.limits.bytes_by_kind.items() if one is not kind}
        if limit_bytes is not None:
            limits[kind] = limit_bytes
            self._kinds.add(kind)
        self.limits = replace(self.limits, bytes_by_kind=limits)

    def grant(self, kind: QuotaKind, more_bytes: int) -> None:
        """Extend the limit of the period that runs."""
        ledger = self._ledgers[kind]
        self._ledgers[kind] = replace(ledger, granted_bytes=ledger.granted_bytes + more_bytes)

    def is_limited(self, kind: QuotaKind) -> bool:
        """Whether this kind has a limit and a period that runs, so that it can be extended."""
        return kind in self.limits.bytes_by_kind and kind in self._ledgers

    def exceeded(self) -> tuple[QuotaKind, ...]:
        """The kinds whose limit is used up."""
        return tuple(one.kind for one in self.ledgers if quota.is_exceeded(one, self.limits))

    def stop_at_bytes(self, reading: Reading | None) -> int | None:
        """The meter's total at which the kernel must stop the department, or `None`.

        `reading`: `None` for a meter that is yet to be made, and begins at zero.
        """
        left = self.left_bytes()
        if self.limits.on_exceeded is not Action.BLOCK or left is None:
            return None
        return (reading.total_bytes if reading else 0) + left

    def left_bytes(self) -> int | None:
        """The bytes until the first of its limits, below 0 beyond it; `None`: it has none."""
        return quota.remaining_bytes(self.ledgers, self.limits)

    @property
    def is_unused(self) -> bool:
        """Whether nothing was charged, granted or is still to be filed in any running period."""
        return not self._notes and not any(one.used_bytes or one.granted_bytes for one in self.ledgers)

    def throttle_bytes_s(self) -> int | None:
        """The rate that the department is held to now, or `None`."""
        is_slow = self.limits.on_exceeded is Action.THROTTLE and self.exceeded()
        return self.limits.throttle_bytes_s if is_slow else None

    def books(self, day: date) -> Sequence[Books]:
        """The quotas as a person reads them, daily first. `day`: the local one, for periods without a ledger yet."""
        return [self._books(self._ledgers.get(kind) or Ledger(kind, self._start(kind, day))) for kind in QuotaKind]

    def used_today_bytes(self) -> int:
        """Bytes charged in the day that runs."""
        return self._ledgers[QuotaKind.DAILY].used_bytes

    def forecast(self, rate_bytes_s: float, wall: datetime) -> datetime | None:
        """When the first limit is reached at this rate, or `None`."""
        found = [quota.reaches_limit_at(one, self.limits, rate_bytes_s, wall, self._zone) for one in self.ledgers]
        return min((one for one in found if one is not None), default=None)

    def _charge(self, filed: Sequence[DayShare]) -> list[Crossing]:
        crossings: list[Crossing] = []
        for kind in (one for one in QuotaKind if one in self._kinds):
            for start, amount_bytes in sorted(self._by_period(kind, filed).items()):
                former = self._ledgers.get(kind)
                ledger, crossed = quota.charge(former, kind, amount_bytes, self.limits, start, self._zone)
                if former is not None and former.start != ledger.start:
                    self._closed.append(former)
                self._ledgers[kind] = ledger
                crossings += crossed
        return crossings

    def _by_period(self, kind: QuotaKind, filed: Sequence[DayShare]) -> Mapping[date, int]:
        """The bytes of each period of a kind, none before the one that runs.

        Together, because bytes that were withdrawn and come back one by one would pass the same threshold again.
        """
        running = self._ledgers.get(kind)
        found: dict[date, int] = {}
        for one in filed:
            start = self._start(kind, one.day)
            if running is not None:
                start = max(start, running.start)
            found[start] = found.get(start, 0) + one.amount_bytes
        return found

    def _withdrawn(self) -> Sequence[UndatedBytes]:
        """The notes, with their bytes taken out of the ledgers that they were kept in meanwhile."""
        notes, self._notes = self._notes, ()
        total = sum(note.amount_bytes for note in notes)
        if total:
            self._ledgers = {
                kind: replace(one, used_bytes=one.used_bytes - total) for kind, one in self._ledgers.items()
            }
        return notes

    def _running_day(self, now: Moment) -> date:
        daily = self._ledgers.get(QuotaKind.DAILY)
        return daily.start if daily else now.wall.astimezone(self._zone).date()

    def _start(self, kind: QuotaKind, day: date) -> date:
        return quota.period_start(kind, day, self.limits.billing_day)

    def _books(self, ledger: Ledger) -> Books:
        limit = quota.limit_of(ledger, self.limits)
        return Books(
            kind=ledger.kind,
            used_bytes=ledger.used_bytes,
            limit_bytes=limit,
            percentage=None if limit is None else quota.percentage(ledger.used_bytes, limit),
            resets_at=quota.resets_at(ledger.kind, ledger.start, self._zone, self.limits.billing_day),
            granted_bytes=ledger.granted_bytes,
        )
