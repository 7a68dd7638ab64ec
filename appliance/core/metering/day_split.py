"""Splits bytes by local day.

A step reads what passed since the step before; where midnight lies between the two, the bytes are split at it in
proportion to the time on either side. While the clock is not trusted, no day begins: bytes stay with the running day,
and `UndatedBytes` note when they came, so that they move to their own days once the clock is trusted.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from appliance.core.metering.quota import first_instant
from appliance.core.moment import Moment

LONGEST_STRETCH_DAYS = 62  # with the books of two months lost, no running period begins earlier
MOST_UNDATED = 1000  # more than one a second until a clock is trusted at the latest (`moment.PATIENCE_S`)


class DayShare(Struct, frozen=True):
    """Bytes of one local day."""

    day: date
    amount_bytes: int


class UndatedBytes(Struct, frozen=True):
    """Bytes that came while the clock was not trusted, from `since_s` to `until_s` of the monotonic clock."""

    amount_bytes: int
    since_s: float
    until_s: float


def with_undated(undated: Sequence[UndatedBytes], more: UndatedBytes) -> tuple[UndatedBytes, ...]:
    """Adds one. Beyond `MOST_UNDATED` the two oldest are joined: that blurs their time and keeps every byte."""
    if more.amount_bytes == 0:
        return tuple(undated)
    if len(undated) < MOST_UNDATED:
        return (*undated, more)
    first, second, *rest = undated
    return (UndatedBytes(first.amount_bytes + second.amount_bytes, first.since_s, second.until_s), *rest, more)


def split_by_day(amount_bytes: int, since: datetime, until: datetime, zone: ZoneInfo) -> Sequence[DayShare]:
    """These bytes by local day, oldest first.

    All belong to the last day where the stretch is negative, or longer than `LONGEST_STRETCH_DAYS`.
    """
    last = until.astimezone(zone).date()
    first = since.astimezone(zone).date()
    if first >= last or (last - first).days > LONGEST_STRETCH_DAYS or amount_bytes == 0:
        return [DayShare(last, amount_bytes)]
    shares: list[DayShare] = []
    begin, left = since, amount_bytes
    for day in (first + timedelta(days=n) for n in range((last - first).days)):
        end = first_instant(day + timedelta(days=1), zone)
        if end <= begin:
            continue  # a day that its zone left out, such as Apia's 30 December 2011
        share = round(amount_bytes * ((end - begin) / (until - since)))
        shares.append(DayShare(day, min(share, left)))
        begin, left = end, left - shares[-1].amount_bytes
    return [*shares, DayShare(last, left)]


def date_undated(undated: UndatedBytes, now: Moment, zone: ZoneInfo) -> Sequence[DayShare]:
    """The days of undated bytes, by a clock that is trusted now."""
    since = now.wall - timedelta(seconds=now.monotonic_s - undated.since_s)
    until = now.wall - timedelta(seconds=now.monotonic_s - undated.until_s)
    return split_by_day(undated.amount_bytes, since, until, zone)
