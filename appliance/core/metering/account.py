"""Accounts: what a department or a host has used in each period, against its limits.

Four things fit together:

    mark       up to where the meter is charged. A reading minus the mark is what passed since; then the mark moves.
    ledger     bytes used in one period. What passed is added to the running ledger of each kind (daily, weekly,
               monthly), so each kind counts every byte exactly once.
    crossing   a ledger has reached a threshold of its limit, or a new period began. Each is returned once.
    limit      configured, or set by hand, and extended by what was granted for the running period alone.

         reading - mark = 25 bytes        daily    700 + 25 of 1,000
        ------------------------->        weekly   900 + 25           (not limited)
         mark := reading                  monthly  950 + 25 of 1,200  -> crossing: warning at 80 %

Bytes of an untrusted clock stay in the running period, and a note of when they came (`UndatedBytes`) moves them to
their own days once the clock is trusted. An account reads no meter and writes no disk: `monitor.metering` does both.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.metering import quota
from appliance.core.metering.day_split import DayShare, UndatedBytes, date_undated, split_by_day, with_undated
from appliance.core.metering.meter import Reading
from appliance.core.metering.quota import Action, Crossing, Extension, Ledger, Limits, QuotaKind
from appliance.core.metering.usage import Mark, Passed, next_mark, passed
from appliance.core.moment import Moment

_KINDS = tuple(QuotaKind)  # daily first; an enum itself is walked three times as slowly, and each charge walks it often
EACH_HOST = "*"  # as the host of a key: the limits of every host of the department by itself


class AccountKey(NamedTuple):
    """Names an account. `host`: a host's address, or `EACH_HOST`; `None`: the account is the whole department's."""

    department: str
    host: str | None = None


class Books(Struct, frozen=True):
    """One quota as a person reads it. `limit_bytes` and `percentage`: `None` where the kind is not limited.

    `granted_bytes`: part of the limit, for this period alone; `grants`: the latest of which it is the sum.
    `reaches_limit_at`: by the rate of the last minutes; `None`: not in this period. `is_exceeded`: it is used up,
    also where the next packet does not fit in the rest. `exceeded_at`: since when; `None`: it is not, or the clock was
    not trusted then. `is_paused`: it counts, and limits nobody for now.
    """

    kind: QuotaKind
    used_bytes: int
    limit_bytes: int | None
    percentage: float | None
    started_at: datetime
    resets_at: datetime
    granted_bytes: int = 0
    grants: Sequence[Extension] = ()
    reaches_limit_at: datetime | None = None
    is_exceeded: bool = False
    exceeded_at: datetime | None = None
    is_paused: bool = False


class ClosedPeriod(Struct, frozen=True):
    """A period that has ended. `limit_bytes`: as it was at the end, with what was granted; `None`: it had none.

    `exceeded_at`: when it was last used up; `None`: it never was, or no trusted clock told when.
    """

    started_at: datetime
    ended_at: datetime
    used_bytes: int
    limit_bytes: int | None
    granted_bytes: int
    exceeded_at: datetime | None


class Account:
    """The ledgers, the mark and the limits of one department or host. `is_paused`: it counts, and limits nobody."""

    is_paused = False

    def __init__(
        self,
        *,
        limits: Limits,
        zone: ZoneInfo,
        kinds: Sequence[QuotaKind] = tuple(QuotaKind),
        ledgers: Sequence[Ledger] = (),
        mark: Mark | None = None,
    ) -> None:
        """`zone`: whose midnight ends a day. `kinds`: of each a ledger is kept, limited or not."""
        self.limits = limits
        self.mark = mark
        self._zone = zone
        self._kinds = {*kinds}
        self._ledgers = {one.kind: one for one in ledgers}
        self._closed: list[Ledger] = []
        self._undated: tuple[UndatedBytes, ...] = ()

    @property
    def ledgers(self) -> Sequence[Ledger]:
        """The ledgers of the running periods, daily first."""
        return [self._ledgers[kind] for kind in _KINDS if kind in self._ledgers]

    @property
    def unsaved(self) -> Sequence[Ledger]:
        """The ledgers to save: of periods that ended since the last saving, and of the running ones."""
        return [*self._closed, *self.ledgers]

    def confirm_saved(self) -> None:
        """Drops the ended periods: they are on the disk now."""
        self._closed.clear()

    def is_other_meter(self, reading: Reading | None) -> bool:
        """Whether the charged meter is gone: then only this program knows what it counted since the last saving."""
        return self.mark is not None and reading is not None and reading.identity != self.mark.identity

    def is_behind(self, reading: Reading | None) -> bool:
        """Whether the meter shows something else than what is charged."""
        return reading is not None and self.mark != next_mark(None, reading)

    def lose_meter(self) -> None:
        """Drops the mark of a meter that is gone: the next begins at zero, though its identity may be the same."""
        self.mark = None

    def charge_reading(
        self, reading: Reading | None, elapsed_s: float, now: Moment
    ) -> tuple[Passed, Sequence[Crossing]]:
        """Charges what passed since the mark; returns that and what it crossed.

        `elapsed_s`: seconds since the meter was read before, by the monotonic clock; 0 where that is not known.
        """
        amount = passed(self.mark, reading)
        self.mark = next_mark(self.mark, reading)
        refused, former = reading.refused_budget if reading is not None else None, dict(self._ledgers)
        is_refused = bool(refused) and refused == self.budget  # before the charge, which may begin another period
        crossings = self._charge(self._shares(amount.total_bytes, elapsed_s, now))
        if refused and is_refused:
            crossings += self._close_refused(refused)
        self._stamp(former, now)
        return amount, crossings

    def check_limits(self, now: Moment) -> Sequence[Crossing]:
        """Charges nothing; returns what changed limits alone have crossed."""
        former = dict(self._ledgers)
        crossings = self._charge([DayShare(self._running_day(now), 0)])
        self._stamp(former, now)
        return crossings

    def set_limit(self, kind: QuotaKind, limit_bytes: int | None) -> None:
        """Limits this kind from now on, or not at all (`None`)."""
        self.limits = quota.override(self.limits, {kind: limit_bytes})
        if limit_bytes is not None:
            self._kinds.add(kind)

    def grant(self, kind: QuotaKind, grant: Extension) -> Ledger:
        """Extends the limit of the running period; returns the former ledger, for `take_back`."""
        former = self._ledgers[kind]
        self._ledgers[kind] = quota.extended(former, grant)
        return former

    def take_back(self, former: Ledger) -> None:
        """Undoes a grant that could not be saved."""
        self._ledgers[former.kind] = former

    def is_limited(self, kind: QuotaKind) -> bool:
        """Whether this kind has a limit and a running period, so that it can be extended."""
        return kind in self.limits.bytes_by_kind and kind in self._ledgers

    def exceeded_kinds(self) -> tuple[QuotaKind, ...]:
        """The kinds whose limit is used up."""
        return tuple(one.kind for one in self.ledgers if quota.is_exceeded(one, self.limits))

    @property
    def action(self) -> Action:
        """What happens now to who has used up a limit."""
        return Action.ALERT if self.is_paused else self.limits.on_exceeded

    def stop_at_bytes(self, reading: Reading | None) -> int | None:
        """The meter's total at which the kernel must stop the department; `None`: never.

        `reading`: `None` for a meter that does not exist yet and will begin at zero.
        """
        left = self.left_bytes()
        if self.action is not Action.BLOCK or left is None:
            return None
        return (reading.total_bytes if reading else 0) + left

    @property
    def budget(self) -> str:
        """Names what the kernel may let pass: other limits or periods are another budget; empty: it stops nothing."""
        if self.action is not Action.BLOCK:
            return ""
        bounds = [(one.kind, one.start, quota.limit_of(one, self.limits)) for one in self.ledgers]
        return _budget_name(tuple((kind, start, limit) for kind, start, limit in bounds if limit is not None))

    def left_bytes(self) -> int | None:
        """The bytes until the first of its limits, below 0 beyond it; `None`: nothing is limited."""
        return quota.remaining_bytes(self.ledgers, self.limits)

    @property
    def is_unused(self) -> bool:
        """Whether no running period has charged, granted or undated bytes."""
        return not self._undated and not any(one.used_bytes or one.granted_bytes for one in self.ledgers)

    def throttle_bytes_s(self) -> int | None:
        """The rate to which the department is throttled now; `None`: it is not."""
        is_slow = self.action is Action.THROTTLE and self.exceeded_kinds()
        return self.limits.throttle_bytes_s if is_slow else None

    def books(self, now: Moment, rate_bytes_s: float = 0.0) -> Sequence[Books]:
        """The quotas as a person reads them, daily first, in the running periods. `rate_bytes_s`: of the forecast."""
        day = now.wall.astimezone(self._zone).date()  # for periods without a ledger yet
        ledgers = [self._ledgers.get(kind) or Ledger(kind, self._start(kind, day)) for kind in _KINDS]
        return [self._books(one, rate_bytes_s, now) for one in ledgers]

    def running_start(self, kind: QuotaKind, now: Moment) -> date:
        """The first local day of the kind's running period."""
        ledger = self._ledgers.get(kind)
        return ledger.start if ledger else self._start(kind, now.wall.astimezone(self._zone).date())

    def closed_periods(self, ended: Sequence[Ledger], running: date) -> Sequence[ClosedPeriod]:
        """Ended periods as a person reads them. `ended`: of one kind, newest first. `running`: the next one's start."""
        nexts = [running, *(one.start for one in ended)]
        return [self._closed_period(one, after) for one, after in zip(ended, nexts, strict=False)]

    def cut_off_by(self, now: Moment) -> Sequence[Books]:
        """The used-up quotas that cut the department or host off; empty: it is not cut off."""
        kinds = self.exceeded_kinds() if self.action is Action.BLOCK else ()
        return [one for one in self.books(now) if one.kind in kinds]

    @property
    def daily(self) -> Ledger:
        """The ledger of the running day."""
        return self._ledgers[QuotaKind.DAILY]

    def forecast(self, rate_bytes_s: float, wall: datetime) -> datetime | None:
        """When the first limit is reached at this rate; `None`: in no running period."""
        found = [quota.reaches_limit_at(one, self.limits, rate_bytes_s, wall, self._zone) for one in self.ledgers]
        return min((one for one in found if one is not None), default=None)

    def _shares(self, amount_bytes: int, elapsed_s: float, now: Moment) -> Sequence[DayShare]:
        if not now.is_trusted:
            self._undated = with_undated(
                self._undated, UndatedBytes(amount_bytes, now.monotonic_s - elapsed_s, now.monotonic_s)
            )
            return [DayShare(self._running_day(now), amount_bytes)]
        since = now.wall - timedelta(seconds=elapsed_s)
        return [
            *(share for one in self._withdraw_undated() for share in date_undated(one, now, self._zone)),
            *split_by_day(amount_bytes, since, now.wall, self._zone),
        ]

    def _close_refused(self, budget: str) -> list[Crossing]:
        """Closes the ledgers with the least left, after the kernel refused a packet of this budget."""
        left = self.left_bytes()
        if left is None or left <= 0 or budget != self.budget:
            return []
        crossings = []
        for ledger in self.ledgers:
            if quota.remaining_bytes([ledger], self.limits) == left:
                self._ledgers[ledger.kind], crossing = quota.close(ledger, self.limits, self._zone)
                crossings.append(crossing)
        return crossings

    def _charge(self, shares: Sequence[DayShare]) -> list[Crossing]:
        crossings: list[Crossing] = []
        for kind in (one for one in _KINDS if one in self._kinds):
            for start, amount_bytes in sorted(self._by_period(kind, shares).items()):
                former = self._ledgers.get(kind)
                ledger, crossed = quota.charge(former, kind, amount_bytes, self.limits, start, self._zone)
                if former is not None and former.start != ledger.start:
                    self._closed.append(replace(former, limit_bytes=quota.limit_of(former, self.limits)))
                self._ledgers[kind] = ledger
                crossings += crossed
        return crossings

    def _stamp(self, former: Mapping[QuotaKind, Ledger], now: Moment) -> None:
        """Notes when limits were used up, once a clock can be trusted to know it."""
        if now.is_trusted:
            for kind in self.exceeded_kinds():
                self._ledgers[kind] = quota.stamped(self._ledgers[kind], former.get(kind), self.limits, now.wall)

    def _by_period(self, kind: QuotaKind, shares: Sequence[DayShare]) -> Mapping[date, int]:
        """The bytes of each period of a kind, none before the running one.

        Summed first, because withdrawn bytes that come back one by one would cross the same threshold again.
        """
        running = self._ledgers.get(kind)
        earliest = running.start if running else date.min
        found: dict[date, int] = {}
        for one in shares:
            start = max(earliest, self._start(kind, one.day))
            found[start] = found.get(start, 0) + one.amount_bytes
        return found

    def _withdraw_undated(self) -> Sequence[UndatedBytes]:
        """Takes the undated bytes out of the running ledgers, and returns them."""
        undated, self._undated = self._undated, ()
        total = sum(one.amount_bytes for one in undated)
        if total:
            self._ledgers = {
                kind: replace(one, used_bytes=one.used_bytes - total) for kind, one in self._ledgers.items()
            }
        return undated

    def _running_day(self, now: Moment) -> date:
        daily = self._ledgers.get(QuotaKind.DAILY)
        return daily.start if daily else now.wall.astimezone(self._zone).date()

    def _start(self, kind: QuotaKind, day: date) -> date:
        return quota.period_start(kind, day, self.limits.billing_day)

    def _books(self, ledger: Ledger, rate_bytes_s: float, now: Moment) -> Books:
        limit, is_exceeded = quota.limit_of(ledger, self.limits), quota.is_exceeded(ledger, self.limits)
        return Books(
            kind=ledger.kind,
            used_bytes=ledger.used_bytes,
            limit_bytes=limit,
            percentage=None if limit is None else quota.percentage(ledger.used_bytes, limit),
            started_at=quota.first_instant(ledger.start, self._zone),
            resets_at=quota.resets_at(ledger.kind, ledger.start, self._zone, self.limits.billing_day),
            granted_bytes=ledger.granted_bytes,
            grants=ledger.grants,
            reaches_limit_at=quota.reaches_limit_at(ledger, self.limits, rate_bytes_s, now.wall, self._zone),
            is_exceeded=is_exceeded,
            exceeded_at=ledger.exceeded_at if is_exceeded else None,
            is_paused=self.is_paused,
        )

    def _closed_period(self, ledger: Ledger, following: date) -> ClosedPeriod:
        """`following`: the start of the next known period, before which this one ended, whatever the billing day."""
        ends = quota.resets_at(ledger.kind, ledger.start, self._zone, self.limits.billing_day)
        return ClosedPeriod(
            started_at=quota.first_instant(ledger.start, self._zone),
            ended_at=min(ends, quota.first_instant(following, self._zone)),
            used_bytes=ledger.used_bytes,
            limit_bytes=ledger.limit_bytes,
            granted_bytes=ledger.granted_bytes,
            exceeded_at=ledger.exceeded_at,
        )


@lru_cache(maxsize=1024)  # the same of each department in every second
def _budget_name(bounds: tuple[tuple[QuotaKind, date, int], ...]) -> str:
    """Names the limits of running periods by kind, first day and bytes; empty: there are none."""
    written = [(kind, start.isoformat(), limit_bytes) for kind, start, limit_bytes in bounds]
    return hashlib.sha256(repr(written).encode()).hexdigest()[:8] if written else ""
