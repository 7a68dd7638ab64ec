"""Quotas: which period a byte belongs to, which thresholds a ledger has crossed, and how many bytes are left.

A period is named by the local date on which it starts, never by a number of seconds: a local day has 23, 24 or 25 hours
and may lack its midnight. A threshold is raised once in a period, because the ledger remembers it; it can be raised
again only after a larger limit has put the ledger well below it. A clock that is set back does not reopen a period that
has ended.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace


class QuotaKind(StrEnum):
    """The lengths of a quota period."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class AlertKind(StrEnum):
    """What has happened to a ledger."""

    WARNING = "warning"
    CRITICAL = "critical"
    EXCEEDED = "exceeded"
    RESET = "reset"


class RequestState(StrEnum):
    """What has become of a request for more."""

    OPEN = "open"
    GRANTED = "granted"
    DECLINED = "declined"


class Action(StrEnum):
    """What the appliance does with a department that has used up a quota."""

    ALERT = "alert"
    THROTTLE = "throttle"
    BLOCK = "block"


CRITICAL_PERCENT = 95  # the contract's `critical`; below it an alert is a `warning`
EXCEEDED_PERCENT = 100  # always a threshold, whatever is configured
HYSTERESIS_PERCENT = 5  # so far below a threshold, after an extension, a ledger can cross it again
LEAST_RATE_BYTES_S = 1.0  # no limit in practice is reached at a slower rate
MOST_GRANTS = 16  # that a ledger names; a department that needs more in a period needs another limit
MOST_CLOSED = 400  # periods of a kind that are kept after their end: a year of days, and a month more


class Extension(Struct, frozen=True):
    """More bytes for one period, with who granted them, when and why; below 0 where they were taken back."""

    granted_bytes: int
    actor: str
    at: datetime
    reason: str


class Ledger(Struct, frozen=True):
    """Bytes charged in one period. `start`: its first local day. `raised`: thresholds alerted already, in percent.

    `granted_bytes`: the extension of the limit, for this period alone. `closed_at_bytes`: the limit under which the
    kernel refused a packet because what was left was too little for it; the rest is closed until the limit grows.
    `grants`: the latest `MOST_GRANTS` extensions, oldest first. `exceeded_at`: when the limit was last used up, by a
    trusted clock. `limit_bytes`: of a period that has ended, its limit with what was granted.
    """

    kind: QuotaKind
    start: date
    used_bytes: int = 0
    raised: frozenset[int] = frozenset()
    granted_bytes: int = 0
    closed_at_bytes: int | None = None
    grants: tuple[Extension, ...] = ()
    exceeded_at: datetime | None = None
    limit_bytes: int | None = None


class QuotaRequest(Struct, frozen=True):
    """A cut-off person's request for more. `until`: when the quota resets; an open request ends with it.

    `actor`, `reason`: of the answer; `None`: there is none yet, or no reason was given.
    """

    id: str
    department: str
    address: str
    name: str
    text: str
    at: datetime
    until: datetime
    state: RequestState = RequestState.OPEN
    actor: str | None = None
    reason: str | None = None


class Limits(Struct, frozen=True):
    """A department's quota: bytes for each kind that is limited, and the percentages at which to alert.

    `billing_day`: the day of the month on which the monthly period starts; a month without it starts on its last day.
    """

    bytes_by_kind: Mapping[QuotaKind, int]
    thresholds: tuple[int, ...] = (80, CRITICAL_PERCENT, EXCEEDED_PERCENT)
    billing_day: int = 1
    on_exceeded: Action = Action.ALERT
    throttle_bytes_s: int | None = None


def override(limits: Limits, by_hand: Mapping[QuotaKind, int | None]) -> Limits:
    """The limits with those that a person set over them; `None`: this kind is not limited any more."""
    together = {**limits.bytes_by_kind, **by_hand}
    return replace(limits, bytes_by_kind={kind: limit for kind, limit in together.items() if limit is not None})


class Crossing(Struct, frozen=True):
    """A ledger has reached a threshold, or a new period began (`RESET`)."""

    alert: AlertKind
    kind: QuotaKind
    used_bytes: int
    limit_bytes: int
    percentage: float
    resets_at: datetime


def period_start(kind: QuotaKind, day: date, billing_day: int = 1) -> date:
    """The first local day of the period with this day in it; a week starts on Monday (ISO 8601)."""
    if kind is QuotaKind.DAILY:
        return day
    if kind is QuotaKind.WEEKLY:
        return day - timedelta(days=day.weekday())
    this_month = _billing_date(day.year, day.month, billing_day)
    if day >= this_month:
        return this_month
    before = day.replace(day=1) - timedelta(days=1)
    return _billing_date(before.year, before.month, billing_day)


def _billing_date(year: int, month: int, billing_day: int) -> date:
    next_month = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(billing_day, (next_month - timedelta(days=1)).day))


def next_start(kind: QuotaKind, start: date, billing_day: int = 1) -> date:
    """The first local day of the period after the one that starts here."""
    if kind is QuotaKind.DAILY:
        return start + timedelta(days=1)
    if kind is QuotaKind.WEEKLY:
        return start + timedelta(days=7)
    following = start.replace(day=28) + timedelta(days=4)
    return _billing_date(following.year, following.month, billing_day)


def resets_at(kind: QuotaKind, start: date, zone: ZoneInfo, billing_day: int = 1) -> datetime:
    """The instant, in UTC, at which the next period begins. Where that local day has no midnight, its first instant."""
    return first_instant(next_start(kind, start, billing_day), zone)


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a local day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def percentage(used_bytes: int, limit_bytes: int) -> float:
    """Percent of the limit, two decimals; a limit of 0 is always used up."""
    return round(used_bytes * 100 / limit_bytes, 2) if limit_bytes else float(EXCEEDED_PERCENT)


def alert_for(threshold: int) -> AlertKind:
    """The kind of alert that crossing this threshold raises."""
    if threshold >= EXCEEDED_PERCENT:
        return AlertKind.EXCEEDED
    return AlertKind.CRITICAL if threshold >= CRITICAL_PERCENT else AlertKind.WARNING


def limit_of(ledger: Ledger, limits: Limits) -> int | None:
    """The ledger's limit, extended by the granted bytes; `None`: this kind is not limited."""
    limit = limits.bytes_by_kind.get(ledger.kind)
    return None if limit is None else limit + ledger.granted_bytes


def is_exceeded(ledger: Ledger, limits: Limits) -> bool:
    """Whether the ledger has used up its limit, or the kernel has refused a packet that did not fit in the rest."""
    left = _left_bytes(ledger, limits)
    return left is not None and left <= 0


def extended(ledger: Ledger, grant: Extension) -> Ledger:
    """The ledger with a larger limit, for its period alone, or with a smaller one where a grant is taken back."""
    total, grants = ledger.granted_bytes + grant.granted_bytes, (*ledger.grants, grant)
    return replace(ledger, granted_bytes=total, grants=grants[-MOST_GRANTS:])


def stamped(ledger: Ledger, former: Ledger | None, limits: Limits, wall: datetime) -> Ledger:
    """The ledger with the time at which it was used up. `former`: the same before the change; `None`: there was none.

    A time that is known stays, until the limit is used up once more.
    """
    if not is_exceeded(ledger, limits):
        return ledger
    was_exceeded = former is not None and former.start == ledger.start and is_exceeded(former, limits)
    return ledger if was_exceeded and ledger.exceeded_at is not None else replace(ledger, exceeded_at=wall)


def remaining_bytes(ledgers: Sequence[Ledger], limits: Limits) -> int | None:
    """The bytes until the first of the limits is reached, 0 or below beyond it; `None`: nothing is limited."""
    left = [_left_bytes(one, limits) for one in ledgers]
    return min((one for one in left if one is not None), default=None)


def _left_bytes(ledger: Ledger, limits: Limits) -> int | None:
    limit = limit_of(ledger, limits)
    if limit is None:
        return None
    is_closed = ledger.closed_at_bytes is not None and limit <= ledger.closed_at_bytes
    return min(limit - ledger.used_bytes, 0) if is_closed else limit - ledger.used_bytes


def close(ledger: Ledger, limits: Limits, zone: ZoneInfo) -> tuple[Ledger, Crossing]:
    """The ledger without its rest, which was too little for the next packet, and the crossing that this is."""
    thresholds = {*limits.thresholds, EXCEEDED_PERCENT}
    ledger = replace(ledger, closed_at_bytes=limit_of(ledger, limits), raised=ledger.raised | thresholds)
    return ledger, _crossing(AlertKind.EXCEEDED, ledger, limits, zone)


def charge(
    ledger: Ledger | None, kind: QuotaKind, charged_bytes: int, limits: Limits, day: date, zone: ZoneInfo
) -> tuple[Ledger, Sequence[Crossing]]:
    """The ledger after these bytes on this local day, and its crossings, lowest threshold first.

    `ledger`: the newest of the kind; `None`: there is none yet.
    """
    start = period_start(kind, day, limits.billing_day)
    crossings = []
    if ledger is None:
        ledger = Ledger(kind, start)
    elif start > ledger.start:
        ledger = Ledger(kind, start)
        if kind in limits.bytes_by_kind:
            crossings.append(_crossing(AlertKind.RESET, ledger, limits, zone))
    used_bytes, limit = ledger.used_bytes + charged_bytes, limit_of(ledger, limits)
    if limit is None:
        return replace(ledger, used_bytes=used_bytes), crossings
    # Whole numbers: the float of a large ledger may round up to a threshold that is not reached.
    still = {one for one in ledger.raised if used_bytes * 100 >= (one - HYSTERESIS_PERCENT) * limit}
    if len(still) < len(ledger.raised) and is_exceeded(ledger, limits):
        still |= ledger.raised
    fresh = sorted({*limits.thresholds, EXCEEDED_PERCENT} - still)
    reached = [one for one in fresh if used_bytes * 100 >= one * limit]
    ledger = replace(ledger, used_bytes=used_bytes, raised=frozenset({*still, *reached}))
    crossings += [_crossing(alert_for(one), ledger, limits, zone) for one in reached]
    return ledger, crossings


def reaches_limit_at(
    ledger: Ledger, limits: Limits, rate_bytes_s: float, wall: datetime, zone: ZoneInfo
) -> datetime | None:
    """When the ledger reaches its limit if the rate stays; `None`: not in this period, or it already has."""
    limit = limit_of(ledger, limits)
    if limit is None or rate_bytes_s < LEAST_RATE_BYTES_S or is_exceeded(ledger, limits):
        return None
    seconds = (limit - ledger.used_bytes) / rate_bytes_s
    end = resets_at(ledger.kind, ledger.start, zone, limits.billing_day)
    return wall + timedelta(seconds=seconds) if seconds < (end - wall).total_seconds() else None


def _crossing(alert: AlertKind, ledger: Ledger, limits: Limits, zone: ZoneInfo) -> Crossing:
    limit = limit_of(ledger, limits) or 0
    return Crossing(
        alert=alert,
        kind=ledger.kind,
        used_bytes=ledger.used_bytes,
        limit_bytes=limit,
        percentage=percentage(ledger.used_bytes, limit),
        resets_at=resets_at(ledger.kind, ledger.start, zone, limits.billing_day),
    )
