"""History: which bucket of time a byte belongs to, and the sums of each bucket until the disk has them.

A bucket is a whole number. Minutes, five minutes and hours are counted from 1970 in UTC, so that a change of the clocks
neither stretches nor repeats one; a day is a local date and a month a local month, so that it ends when the people's
day does. All bytes of a step are charged to the bucket of the step's time.

The rule that keeps it honest: only sums are kept, and sums can be added in any order. So a restart, a clock that was
set back or a batch in two halves adds to the same bucket, and the points of every step add up to what was observed.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from appliance.core.metering.quota import first_instant
from appliance.core.metering.usage import NOTHING, Passed, plus

Series = tuple[str, str]  # a department, and one of its hosts or `ALL_HOSTS`: as the disk has them, and sortable
ALL_HOSTS = ""


class Step(StrEnum):
    """The widths of a bucket, narrowest first."""

    MINUTE = "minute"
    FIVE_MINUTES = "5min"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


Key = tuple[Step, int]  # a bucket and its width

SECONDS = {Step.MINUTE: 60, Step.FIVE_MINUTES: 300, Step.HOUR: 3600}  # days and months vary in length

# The widths that are summed and kept. A month is the sum of its days and needs no sums of its own. Hosts' minutes would
# write more to the SD card than all else together: they are in memory only (`RecentMinutes`).
DEPARTMENT_STEPS = (Step.MINUTE, Step.FIVE_MINUTES, Step.HOUR, Step.DAY)
HOST_STEPS = (Step.FIVE_MINUTES, Step.HOUR, Step.DAY)

RECENT_MINUTES = 60  # of each host, in memory, for a look at what goes on now; 1.5 kB for each host
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # nothing was metered before; between `EARLIEST` and `LATEST` no arithmetic
LATEST = datetime(2100, 1, 1, tzinfo=UTC)  # of dates overflows


class Retention(Struct, frozen=True):
    """How many days the buckets of each width are kept."""

    department_days: Mapping[Step, int]
    host_days: Mapping[Step, int]


def bucket_of(step: Step, wall: datetime, zone: ZoneInfo) -> int:
    """The bucket with this instant in it."""
    if step in SECONDS:
        return int(wall.timestamp() // SECONDS[step])
    day = wall.astimezone(zone).date()
    return day.toordinal() if step is Step.DAY else _month(day)


@lru_cache(maxsize=8192)  # all departments of a page ask for the same buckets
def start_of(step: Step, bucket: int, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the bucket begins."""
    if step in SECONDS:
        return datetime.fromtimestamp(bucket * SECONDS[step], UTC)
    day = date.fromordinal(bucket) if step is Step.DAY else date(bucket // 12, bucket % 12 + 1, 1)
    return first_instant(day, zone)


def buckets_between(step: Step, since: datetime, until: datetime, zone: ZoneInfo) -> range:
    """The buckets with any instant from `since` until before `until`; none where `until` is not later."""
    first, last = max(since, EARLIEST), min(until, LATEST) - timedelta(microseconds=1)
    if first > last:
        return range(0)
    return range(bucket_of(step, first, zone), bucket_of(step, last, zone) + 1)


def weeks_before(step: Step, bucket: int, zone: ZoneInfo, weeks: int) -> list[int]:
    """The hour or day of the same weekday, and the same time of the people's clock, in each of the weeks before."""
    if step is Step.DAY:
        return [bucket - 7 * week for week in range(1, weeks + 1)]
    local = start_of(step, bucket, zone).astimezone(zone)
    return [bucket_of(step, local - timedelta(weeks=week), zone) for week in range(1, weeks + 1)]


def runs_of(buckets: Iterable[int]) -> list[range]:
    """These buckets as ranges without a gap."""
    runs: list[range] = []
    for bucket in sorted({*buckets}):
        if runs and runs[-1].stop == bucket:
            runs[-1] = range(runs[-1].start, bucket + 1)
        else:
            runs.append(range(bucket, bucket + 1))
    return runs


def oldest_kept(step: Step, days: int, wall: datetime, zone: ZoneInfo) -> int:
    """The oldest bucket that is still kept at this instant."""
    return bucket_of(step, wall - timedelta(days=days), zone)


def by_month(days: Mapping[int, Passed]) -> dict[int, Passed]:
    """The sums of days as sums of months."""
    months: dict[int, Passed] = {}
    for bucket, passed in days.items():
        month = _month(date.fromordinal(bucket))
        months[month] = plus(months.get(month, NOTHING), passed)
    return months


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


class HistorySums:
    """Adds up bytes by series and bucket until they are on the disk."""

    def __init__(self, most_series: int | None = None) -> None:
        """`most_series`: beyond this number no new series is accepted; `None`: all are."""
        self._most_series = most_series
        self._sums: dict[Series, dict[Key, list[int]]] = {}
        self.size = 0  # number of sums

    def series(self) -> list[Series]:
        """Every series with a sum, sorted: the disk has them in the same order, new ones apart."""
        return sorted(self._sums)

    def of(self, series: Series) -> Mapping[Key, list[int]]:
        """The sums of one series: by bucket, bytes up and down."""
        return self._sums.get(series, {})

    def by_key(self) -> Mapping[Key, Sequence[tuple[Series, Passed]]]:
        """By bucket, every series with its sum."""
        found: dict[Key, list[tuple[Series, Passed]]] = {}
        for series, sums in self._sums.items():
            for key, total in sums.items():
                found.setdefault(key, []).append((series, Passed(*total)))
        return found

    def accumulate(self, keys: Iterable[Key], passed: Iterable[tuple[Series, Passed]]) -> None:
        """Adds what passed to each of these buckets."""
        for series, one in passed:
            sums = self._sums.get(series)
            if sums is None:
                if self._most_series is not None and len(self._sums) >= self._most_series:
                    continue
                sums = self._sums[series] = {}
            for key in keys:
                total = sums.get(key)
                if total is None:
                    sums[key] = [one.up_bytes, one.down_bytes]
                    self.size += 1
                else:
                    total[0] += one.up_bytes
                    total[1] += one.down_bytes

    def passed_in(self, step: Step, series: Series, buckets: range) -> dict[int, Passed]:
        """By bucket, the sums of this series."""
        return {
            bucket: Passed(*total)
            for (width, bucket), total in self.of(series).items()
            if width is step and bucket in buckets
        }

    def drop(self, series: Series, keys: Iterable[Key]) -> None:
        """Drops these sums: they are on the disk."""
        sums = self._sums[series]
        for key in keys:
            del sums[key]
            self.size -= 1
        if not sums:
            del self._sums[series]

    def shrink(self, most: int) -> None:
        """Drops sums until at most `most` are left: each time the oldest bucket of the width with the most sums."""
        while self.size > most:
            keys = Counter(key for sums in self._sums.values() for key in sums)
            widths = Counter(step for step, _ in keys.elements())
            oldest = min(key for key in keys if key[0] is widths.most_common(1)[0][0])
            for series in [one for one, sums in self._sums.items() if oldest in sums]:
                self.drop(series, [oldest])


class RecentMinutes:
    """Remembers the latest minutes of each host, in a ring of (minute, up, down); nothing is on the disk."""

    def __init__(self, most_hosts: int) -> None:
        """`most_hosts`: beyond this number no new host is followed."""
        self._most_hosts = most_hosts
        self._rings: dict[Series, array[int]] = {}

    def remember(self, minute: int, passed: Iterable[tuple[Series, Passed]]) -> None:
        """Adds to one minute, which takes the place of the minute an hour before."""
        place = minute % RECENT_MINUTES * 3
        for series, one in passed:
            ring = self._rings.get(series)
            if ring is None:
                if len(self._rings) >= self._most_hosts:
                    continue
                ring = self._rings[series] = array("Q", bytes(8 * 3 * RECENT_MINUTES))
            if ring[place] == minute:
                ring[place + 1] += one.up_bytes
                ring[place + 2] += one.down_bytes
            else:
                ring[place], ring[place + 1], ring[place + 2] = minute, one.up_bytes, one.down_bytes

    def recall(self, series: Series, minutes: range) -> dict[int, Passed]:
        """By minute, what passed of this host; minutes without traffic are left out."""
        ring = self._rings.get(series, array("Q"))
        return {
            minute: Passed(up_bytes, down_bytes)
            for minute, up_bytes, down_bytes in zip(ring[0::3], ring[1::3], ring[2::3], strict=True)
            if minute and minute in minutes
        }

    def forget(self, minute: int) -> None:
        """Drops the hosts that were silent in the whole hour before this minute."""
        self._rings = {
            series: ring for series, ring in self._rings.items() if max(ring[0::3]) > minute - RECENT_MINUTES
        }
