"""Filing: to which local day the bytes of a stretch of time belong, and whether the clock may say so.

A step reads what has passed since the step before; where midnight lies between the two, the bytes are split at it in
proportion to the time on either side. While the clock cannot be trusted no day begins: bytes stay with the day that
runs, and a note remembers when they came, so that they can be filed where they belong once the clock is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from appliance.core.metering.quota import first_instant
from appliance.core.moment import Moment

LONGEST_STRETCH_DAYS = 62  # whoever lost the books of two months has no running period that begins before them
MOST_NOTES = 1000  # more than a step a second for as long as the patience lasts


@dataclass(frozen=True, slots=True)
class DayShare:
    """Bytes of one local day."""

    day: date
    amount_bytes: int


@dataclass(frozen=True, slots=True)
class UndatedBytes:
    """Bytes that came while the clock could not be trusted, and when: seconds of the monotonic clock."""

    amount_bytes: int
    since_s: float
    until_s: float


def with_undated(notes: Sequence[UndatedBytes], note: UndatedBytes) -> tuple[UndatedBytes, ...]:
    """The notes with one more; of too many the oldest are joined, which blurs the hour and not the bytes."""
    if note.amount_bytes == 0:
        return tuple(notes)
    if len(notes) < MOST_NOTES:
        return (*notes, note)
    first, second, *rest = notes
    return (UndatedBytes(first.amount_bytes + second.amount_bytes, first.since_s, second.until_s), *rest, note)


def split_by_day(amount_bytes: int, since: datetime, until: datetime, zone: ZoneInfo) -> Sequence[DayShare]:
    """These bytes by local day, oldest first; all of them to the last day where the stretch makes no sense."""
    last = until.astimezone(zone).date()
    first = since.astimezone(zone).date()
    if first >= last or (last - first).days > LONGEST_STRETCH_DAYS or amount_bytes == 0:
        return [DayShare(last, amount_bytes)]
    filed: list[DayShare] = []
    begin, left = since, amount_bytes
    for day in (first + timedelta(days=n) for n in range((last - first).days)):
        end = first_instant(day + timedelta(days=1), zone)
        if end <= begin:
            continue  # a day that its zone has left out, such as Apia's 30 December 2011
        share = round(amount_bytes * ((end - begin) / (until - since)))
        filed.append(DayShare(day, min(share, left)))
        begin, left = end, left - filed[-1].amount_bytes
    return [*filed, DayShare(last, left)]


def date_undated(note: UndatedBytes, now: Moment, zone: ZoneInfo) -> Sequence[DayShare]:
    """Where the noted bytes belong, by a clock that is right now."""
    since = now.wall - timedelta(seconds=now.monotonic_s - note.since_s)
    until = now.wall - timedelta(seconds=now.monotonic_s - note.until_s)
    return split_by_day(note.amount_bytes, since, until, zone)
