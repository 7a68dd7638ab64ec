"""The report of a department over a day, a week or a month: which days these are, and how its figures were counted."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from appliance.core.duration import duration_text
from appliance.core.metering.history_series import EARLIEST, LATEST, Step
from appliance.core.metering.quota import QuotaKind, first_instant, next_start, period_start

ADVICE = "a day such as 2026-11-27, a week such as 2026-W48 or a month such as 2026-10"
_WRITTEN = re.compile(r"(?P<year>\d{4})-(?:W(?P<week>\d{2})|(?P<month>\d{2})(?:-(?P<day>\d{2}))?)", re.ASCII)
_WIDTHS = {Step.MINUTE: "a minute", Step.FIVE_MINUTES: "five minutes", Step.HOUR: "an hour"}
TIME = "%Y-%m-%d %H:%M"


class ReportSpan(Struct, frozen=True):
    """The local days of a report, from `first` until before `after`."""

    kind: QuotaKind  # its length is that of a quota period
    first: date

    @property
    def text(self) -> str:
        """The span as `span_of` reads it."""
        if self.kind is QuotaKind.WEEKLY:
            year, week, _ = self.first.isocalendar()
            return f"{year}-W{week:02}"
        return f"{self.first:%Y-%m-%d}" if self.kind is QuotaKind.DAILY else f"{self.first:%Y-%m}"

    @property
    def after(self) -> date:
        """The day after the last one."""
        return next_start(self.kind, self.first)

    @property
    def before(self) -> "ReportSpan":
        """The span of the same kind that ends where this one begins."""
        last = self.first - timedelta(days=1)
        days = {QuotaKind.DAILY: 0, QuotaKind.WEEKLY: 6, QuotaKind.MONTHLY: last.day - 1}
        return ReportSpan(self.kind, last - timedelta(days=days[self.kind]))

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The instants at which it begins and ends, in UTC."""
        return first_instant(self.first, zone), first_instant(self.after, zone)


def span_of(text: str) -> ReportSpan:
    """The span that is written as a day, an ISO week or a month. Raises `ValueError`."""
    match = _WRITTEN.fullmatch(text)
    if match is None or not EARLIEST.year < int(match["year"]) < LATEST.year:
        raise ValueError(f"must be {ADVICE}")
    try:
        if match["week"]:
            return ReportSpan(QuotaKind.WEEKLY, date.fromisocalendar(int(match["year"]), int(match["week"]), 1))
        first = date(int(match["year"]), int(match["month"]), int(match["day"] or 1))
    except ValueError:
        raise ValueError(f"there is no {text}; it must be {ADVICE}") from None
    return ReportSpan(QuotaKind.DAILY if match["day"] else QuotaKind.MONTHLY, first)


def latest_span(kind: QuotaKind, at: time, wall: datetime, zone: ZoneInfo) -> tuple[ReportSpan, datetime]:
    """The latest span whose report is due by now, and since when: the local time `at` of the day after its last one."""
    span = ReportSpan(kind, period_start(kind, wall.astimezone(zone).date())).before
    due = _due(span, at, zone)
    return (span, due) if due <= wall else (span.before, _due(span.before, at, zone))


def _due(span: ReportSpan, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(span.after, at, zone).astimezone(UTC)


class Gap(NamedTuple):
    """Time in which nothing was metered."""

    since: datetime
    until: datetime

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.until - self.since).total_seconds()


class Counted(Struct, frozen=True):
    """How the figures of a report were counted, and what they lack.

    `up_to`: until when they go, the span's beginning where that is still ahead; `odd_days`: those whose hours are not
    24, because the clocks change; `gaps`: of a `step` or more; `exempt`: with whom traffic is not counted.
    """

    since: datetime
    until: datetime
    up_to: datetime
    exempt: Sequence[str]
    odd_days: Sequence[tuple[date, float]]
    gaps: Sequence[Gap]
    step: Step
    zone: ZoneInfo

    @property
    def longest_gap(self) -> Gap | None:
        """The longest; `None`: there is no gap."""
        return max(self.gaps, key=lambda gap: gap.seconds, default=None)

    def sentences(self) -> list[str]:
        """The same for a person, in English."""
        zone = self.zone
        told = [
            f"counted are the bytes of IP packets, in both directions, by the days of {zone.key}",
            *([f"traffic with {', '.join(self.exempt)} is exempt and not counted"] if self.exempt else []),
            *(f"{day} has {hours:g} hours, because the clocks change" for day, hours in self.odd_days),
            self._gap_sentence() if self.up_to > self.since else "the time of this report has not begun",
        ]
        if self.since < self.up_to < self.until:
            told.append(f"the figures go up to {self.up_to.astimezone(zone):{TIME}}")
        return [f"{one[0].upper()}{one[1:]}." for one in told]

    def _gap_sentence(self) -> str:
        zone, longest = self.zone, self.longest_gap
        if longest is None:
            return f"there is no gap of {_WIDTHS[self.step]} or more"
        where = f"from {longest.since.astimezone(zone):{TIME}} to {longest.until.astimezone(zone):{TIME}}"
        if len(self.gaps) == 1:
            return f"not metered: {duration_text(longest.seconds)}, {where}"
        total = duration_text(sum(gap.seconds for gap in self.gaps))
        return f"not metered: {total} in {len(self.gaps)} gaps of {_WIDTHS[self.step]} or more, the longest {where}"


def counted(
    span: ReportSpan, gaps: Sequence[Gap], step: Step, exempt: Sequence[object], now: datetime, zone: ZoneInfo
) -> Counted:
    """How the figures of the span were counted. `step`: the width by which gaps are known."""
    since, until = span.bounds(zone)
    days = (span.first + timedelta(days=number) for number in range((span.after - span.first).days))
    odd = [(day, hours) for day in days if (hours := _hours(day, zone)) != 24]
    return Counted(since, until, min(max(now, since), until), [*map(str, exempt)], odd, gaps, step, zone)


def _hours(day: date, zone: ZoneInfo) -> float:
    return (first_instant(day + timedelta(days=1), zone) - first_instant(day, zone)).total_seconds() / 3600
