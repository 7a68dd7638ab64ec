"""Quotas: which period a byte belongs to, and which thresholds a ledger has passed.

A period is named by the local date on which it starts, never by a number of seconds: a local day has 23, 24 or 25 hours
and may lack its midnight. A threshold is raised once in a period, because the ledger remembers it. A clock that is set
back does not reopen a period that has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Kind(StrEnum):
    """The lengths of a quota period."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Alert(StrEnum):
    """What has happened to a ledger."""

    WARNING = "warning"
    CRITICAL = "critical"
    EXCEEDED = "exceeded"
    RESET = "reset"


CRITICAL_PERCENT = 95  # the contract's `critical`; below it an alert is a `warning`
EXCEEDED_PERCENT = 100  # always a threshold, whatever is configured


@dataclass(frozen=True, slots=True)
class Ledger:
    """Bytes charged in one period. `start`: its first local day. `raised`: thresholds alerted already, in percent."""

    kind: Kind
    start: date
    used_bytes: int = 0
    raised: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """A department's quota: bytes for each kind that is limited, and the percentages at which to alert."""

    bytes_by_kind: dict[Kind, int]
    thresholds: tuple[int, ...] = (80, 95, EXCEEDED_PERCENT)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A ledger has passed a threshold, or has begun anew (`RESET`)."""

    alert: Alert
    kind: Kind
    used_bytes: int
    limit_bytes: int
    percentage: float
    resets_at: datetime


def period_start(kind: Kind, day: date) -> date:
    """The first local day of the period that holds this day; a week starts on Monday (ISO 8601)."""
    if kind is Kind.DAILY:
        return day
    if kind is Kind.WEEKLY:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1)


def resets_at(kind: Kind, start: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the next period begins. Where that local day has no midnight, its first instant."""
    if kind is Kind.DAILY:
        following = start + timedelta(days=1)
    elif kind is Kind.WEEKLY:
        following = start + timedelta(days=7)
    else:
        following = (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    return datetime.combine(following, time(), zone).astimezone(UTC)


def percentage(used_bytes: int, limit_bytes: int) -> float:
    """Percent of the limit, two decimals; a limit of 0 is always used up."""
    if limit_bytes == 0:
        return float(EXCEEDED_PERCENT)
    return round(used_bytes * 100 / limit_bytes, 2)


def alert_for(threshold: int) -> Alert:
    """What passing this threshold is called."""
    if threshold >= EXCEEDED_PERCENT:
        return Alert.EXCEEDED
    return Alert.CRITICAL if threshold >= CRITICAL_PERCENT else Alert.WARNING


def charge(
    ledger: Ledger | None, kind: Kind, charged_bytes: int, limits: Limits, day: date, zone: ZoneInfo
) -> tuple[Ledger, Sequence[Crossing]]:
    """The ledger after these bytes on this local day, and what that crossed, lowest threshold first.

    `ledger`: the newest one of the kind, or `None` for the very first.
    """
    start = period_start(kind, day)
    crossings = []
    limit = limits.bytes_by_kind.get(kind)
    if ledger is None:
        ledger = Ledger(kind, start)
    elif start > ledger.start:
        ledger = Ledger(kind, start)
        if limit is not None:
            crossings.append(_crossing(Alert.RESET, ledger, limit, zone))
    ledger = replace(ledger, used_bytes=ledger.used_bytes + charged_bytes)
    if limit is None:
        return ledger, crossings
    passed = _passed(ledger, limit, limits.thresholds)
    crossings += [_crossing(alert_for(threshold), ledger, limit, zone) for threshold in passed]
    return replace(ledger, raised=ledger.raised.union(passed)), crossings


def _passed(ledger: Ledger, limit_bytes: int, thresholds: tuple[int, ...]) -> list[int]:
    # Whole numbers, because a float of a large ledger may round up to a threshold that is not reached.
    return [
        threshold
        for threshold in sorted({*thresholds, EXCEEDED_PERCENT})
        if threshold not in ledger.raised and ledger.used_bytes * 100 >= threshold * limit_bytes
    ]


def _crossing(alert: Alert, ledger: Ledger, limit_bytes: int, zone: ZoneInfo) -> Crossing:
    return Crossing(
        alert=alert,
        kind=ledger.kind,
        used_bytes=ledger.used_bytes,
        limit_bytes=limit_bytes,
        percentage=percentage(ledger.used_bytes, limit_bytes),
        resets_at=resets_at(ledger.kind, ledger.start, zone),
    )
