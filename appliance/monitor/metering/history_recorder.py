"""History: what departments and hosts carried, bucket by bucket, in memory first and on the disk in batches.

    bytes of a step -> buckets in memory -> batch, in slices -> records on the disk -> pruned when old

                              departments                  hosts
    buckets                   minute, 5min, hour, day      5min, hour, day; the last hour's minutes in memory only
    a batch begins            each quarter hour            each hour, with the first batch in it
    written once complete     minute, 5min                 5min, hour
    written while running     hour, day                    day
    a power cut loses         the last quarter hour        the last hour

Buckets that run for long are written in every batch, because a crash should not take a day: a batch adds to what the
disk has, and drops from memory what it wrote. A query adds both. A batch is written in slices of `SLICE_SUMS`, one at
each step, so nothing here takes long; between batches, old records are deleted in such slices.

Where the disk refuses a slice, the rest stays in memory and a batch of everything is tried `RETRY_S` later; memory is
bounded by `MOST_SUMS`, and the oldest detail is dropped first. History is for people who look back and may be lost;
quotas are charged from ledgers, which are exact and elsewhere.

While the clock is not trusted, after a boot without a battery, bytes are held by the minute of the monotonic clock, and
move to their own buckets once the time is known.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from appliance.core.detection.rates.usual import WEEKS, usual_range
from appliance.core.metering.history_series import (
    ALL_HOSTS,
    DEPARTMENT_STEPS,
    HOST_STEPS,
    HistorySums,
    Key,
    RecentMinutes,
    Retention,
    Series,
    Step,
    bucket_of,
    buckets_between,
    by_month,
    oldest_kept,
    runs_of,
    start_of,
    weeks_before,
)
from appliance.core.metering.usage import NOTHING, Passed, plus
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.monitor.metering.history_schedule import BatchSchedule, BatchScope, PruneSchedule
from appliance.monitor.metering.recent_periods import RecentPeriods
from appliance.ports import HistoryStore

SLICE_SUMS = 2000  # written, or records deleted, in one step: some 5 ms, and a few times that on a Pi
MOST_SUMS = 50_000  # waiting for the disk: 10 MB, two hours of 2,000 hosts or a day and a half of 100
MOST_HOSTS = 4096  # in an hour: twice what the appliance is made for; forged sources must not fill the disk
MOST_POINTS = 2000  # in one answer: more than a chart has pixels
MOST_DAYS = 4000  # that a month's answer is summed from: more than the ten years that days are kept
TURN = 100  # buckets that are worked on before others have their turn: some 3 ms, and a few times that on a Pi
MOST_LOOKED_AT = 5000  # for gaps: two weeks of five minutes, some 50 ms on a Pi
MINUTE_S = 60.0
# Whose weeks before say what is usual for a width, and into how many parts it is cut: five minutes are kept for two.
EXPECTED_FROM = {Step.FIVE_MINUTES: (Step.HOUR, 12), Step.HOUR: (Step.HOUR, 1), Step.DAY: (Step.DAY, 1)}

Item = TypeVar("Item")

_WRITTEN_ONCE = {Step.MINUTE, Step.FIVE_MINUTES}  # when complete; the others while they run
_HOSTS_WRITTEN_ONCE = {Step.FIVE_MINUTES, Step.HOUR}


class _Sums(Struct, frozen=True):
    """Sums in memory, departments' and hosts' apart: the number of hosts is bounded."""

    departments: HistorySums = field(default_factory=HistorySums)
    hosts: HistorySums = field(default_factory=lambda: HistorySums(MOST_HOSTS))

    def holding(self, series: Series) -> HistorySums:
        """Those with this series in them."""
        return self.departments if series[1] == ALL_HOSTS else self.hosts


class _Batch(Struct, frozen=True):
    """A batch under way: the series still `waiting`, and the buckets that were `running` when it began."""

    waiting: deque[Series] = field(default_factory=deque)
    running: frozenset[Key] = frozenset()

    def due(self, series: Series, keys: Mapping[Key, object]) -> list[Key]:
        """Those of a series' buckets that this batch writes."""
        once = _WRITTEN_ONCE if series[1] == ALL_HOSTS else _HOSTS_WRITTEN_ONCE
        return [key for key in keys if key[0] not in once or key not in self.running]


class HistoryRecorder:
    """Adds up every bucket in memory, writes batches, and answers from memory and disk together."""

    def __init__(self, zone: ZoneInfo, history_store: HistoryStore, retention: Retention) -> None:
        """`zone`: whose midnight ends a day. `recent_periods`: the latest steps of the departments, each by itself."""
        self.recent_periods = RecentPeriods()
        self._zone = zone
        self._history_store = history_store
        self._retention = retention
        self._sums = _Sums()
        self._held = _Sums()  # of the monotonic clock's minutes, for ten minutes at most: then a clock is trusted
        self._recent = RecentMinutes(MOST_HOSTS)
        self._batches = BatchSchedule()
        self._batch = _Batch()
        self._prunes = PruneSchedule()
        self._unpruned: list[Step] = []
        self._trouble: str | None = None

    def record_passed(self, departments: Mapping[str, Passed], hosts: Mapping[Series, Passed], now: Moment) -> None:
        """Adds what passed since the previous call to the buckets of this moment.

        `departments`: zeros too, so that a gap in a history is time without metering. `hosts`: by department and
        host; zeros are left out.
        """
        self.recent_periods.remember(departments, now)
        series = [((department, ALL_HOSTS), passed) for department, passed in departments.items()]
        active = [(host, passed) for host, passed in hosts.items() if passed.up_bytes or passed.down_bytes]
        if not now.is_trusted:
            minute = Step.MINUTE, int(now.monotonic_s // MINUTE_S)
            self._held.departments.accumulate([minute], series)
            self._held.hosts.accumulate([minute], active)
            return
        self._release_held(now)
        self._add_to_buckets(series, active, now.wall)

    def step(self, now: Moment, *, is_held: bool = False) -> None:
        """Writes a slice of the batch that is due, or deletes a slice of what is old; most of the time nothing.

        `is_held`: nothing may be written now, and all stays in memory.
        """
        self._prunes.watch_clock(now)
        for sums in (self._sums.departments, self._sums.hosts):
            sums.shrink(MOST_SUMS)
        if is_held:
            return
        scope = self._batches.begin(now)
        if scope is not None:
            self._begin_batch(scope, now)
        if self._batch.waiting:
            self._write(self._next_slice(), now)
        elif self._unpruned:
            self._prune(now)

    def save(self, now: Moment) -> None:
        """Writes everything in memory, as before the end."""
        self._release_held(now)
        both = self._sums.departments, self._sums.hosts
        self._write({series: list(sums.of(series)) for sums in both for series in sums.series()}, now)

    def troubles(self, _: Moment) -> Sequence[str]:
        """Why history is in memory only, a sentence for a person; empty where it is not."""
        return [self._trouble] if self._trouble else []

    def query(
        self,
        series: Sequence[Series],
        since: datetime,
        until: datetime,
        step: Step,
        pause: Callable[[], None] = lambda: None,
    ) -> Mapping[datetime, Passed]:
        """By its beginning, each bucket from the one with `since` in it to the last before `until`, oldest first.

        `series`: of which each bucket is the sum. `pause`: gives others their turn between two of them.
        A missing one was not metered, is not kept any more, or, of a host, had no traffic. Raises `Refused`
        (`E_BAD_REQUEST`) for a range of no length, or with more than `MOST_POINTS` buckets.
        """
        if since >= until:
            raise Refused(Code.BAD_REQUEST, "from, to: the range must begin before it ends")
        kept_step = Step.DAY if step is Step.MONTH else step
        buckets = buckets_between(kept_step, since, until, self._zone)
        if len(buckets) > (MOST_DAYS if step is Step.MONTH else MOST_POINTS):
            raise Refused(Code.BAD_REQUEST, self._advice(step, since, until))
        found = self._sum(series, kept_step, buckets, pause)
        if step is Step.MONTH:
            found = by_month(found)
        return {start_of(step, bucket, self._zone): found[bucket] for bucket in sorted(found)}

    def expected(
        self,
        series: Sequence[Series],
        since: datetime,
        until: datetime,
        step: Step,
        pause: Callable[[], None] = lambda: None,
    ) -> Mapping[datetime, tuple[int, int]]:
        """By its beginning, the usual least and most bytes of each bucket in a range that `query` takes.

        They are those of the same hour, or day, of the same weekday in the weeks before; of five minutes, a twelfth of
        the hour's. Buckets of which too little is known are missing, and those of other widths than these three.
        """
        if step not in EXPECTED_FROM:
            return {}
        base, parts = EXPECTED_FROM[step]
        asked = buckets_between(base, since, until, self._zone)
        earlier = {bucket: weeks_before(base, bucket, self._zone, WEEKS) for bucket in _in_turns(asked, pause)}
        known: dict[int, Passed] = {}
        for run in runs_of(bucket for weeks in earlier.values() for bucket in weeks):
            pause()
            known |= self._sum(series, base, run, pause)
        usual = {
            bucket: usual_range([known[one].total_bytes for one in weeks if one in known])
            for bucket, weeks in _in_turns(earlier.items(), pause)
        }
        starts = [start_of(step, bucket, self._zone) for bucket in buckets_between(step, since, until, self._zone)]
        found = {start: usual.get(bucket_of(base, start, self._zone)) for start in starts}
        return {start: (one[0] // parts, one[1] // parts) for start, one in found.items() if one is not None}

    def gaps(self, department: str, since: datetime, until: datetime, now: Moment) -> tuple[Step, Sequence[range]]:
        """The time in a range, up to now, in which the department was not metered, as buckets of the width returned.

        It is the narrowest that is kept for so long.
        """
        until = min(until, now.wall)
        kept = self._retention.department_days
        for step in (Step.MINUTE, Step.FIVE_MINUTES, Step.HOUR):
            buckets = buckets_between(step, since, until, self._zone)
            is_kept = not buckets or buckets.start >= oldest_kept(step, kept[step], now.wall, self._zone)
            if (is_kept and len(buckets) <= MOST_LOOKED_AT) or step is Step.HOUR:
                break
        known = self._find((department, ALL_HOSTS), step, buckets)
        return step, runs_of(bucket for bucket in buckets if bucket not in known)

    def _sum(
        self, series: Sequence[Series], step: Step, buckets: range, pause: Callable[[], None]
    ) -> dict[int, Passed]:
        found: dict[int, Passed] = {}
        for number, one in enumerate(series):
            if number > 0:
                pause()
            for bucket, passed in self._find(one, step, buckets).items():
                found[bucket] = plus(found.get(bucket, NOTHING), passed)
        return found

    def _add_to_buckets(
        self, departments: Sequence[tuple[Series, Passed]], hosts: Sequence[tuple[Series, Passed]], wall: datetime
    ) -> None:
        buckets = {step: bucket_of(step, wall, self._zone) for step in DEPARTMENT_STEPS}
        self._sums.departments.accumulate([(step, buckets[step]) for step in DEPARTMENT_STEPS], departments)
        self._sums.hosts.accumulate([(step, buckets[step]) for step in HOST_STEPS], hosts)
        self._recent.remember(buckets[Step.MINUTE], hosts)

    def _release_held(self, now: Moment) -> None:
        """Moves held bytes to their buckets, each minute by its middle."""
        departments, hosts = self._held.departments.by_key(), self._held.hosts.by_key()
        self._held = _Sums()
        for key in sorted(departments.keys() | hosts.keys()):
            ago_s = max(0.0, now.monotonic_s - (key[1] + 0.5) * MINUTE_S)
            self._add_to_buckets(departments.get(key, []), hosts.get(key, []), now.wall - timedelta(seconds=ago_s))

    def _find(self, series: Series, step: Step, buckets: range) -> dict[int, Passed]:
        if step is Step.MINUTE and series[1] != ALL_HOSTS:
            return self._recent.recall(series, buckets)
        found = dict(self._history_store.passed_in(step, series, buckets))
        for bucket, passed in self._sums.holding(series).passed_in(step, series, buckets).items():
            found[bucket] = plus(found.get(bucket, NOTHING), passed)
        return found

    def _advice(self, step: Step, since: datetime, until: datetime) -> str:
        wider = list(Step)[list(Step).index(step) + 1 :]
        fits = [one for one in wider if len(buckets_between(one, since, until, self._zone)) <= MOST_POINTS]
        instead = f'use the step "{fits[0]}" or ' if fits else ""
        return (
            f"from, to: too long for the step {step} ({MOST_POINTS} points at most); {instead}ask for a shorter range"
        )

    def _begin_batch(self, scope: BatchScope, now: Moment) -> None:
        hosts = self._sums.hosts.series() if scope is BatchScope.EVERYTHING else []
        self._batch = _Batch(
            deque([*self._sums.departments.series(), *hosts]),
            frozenset((step, bucket_of(step, now.wall, self._zone)) for step in DEPARTMENT_STEPS),
        )
        if self._prunes.begin(now):
            self._unpruned = list(DEPARTMENT_STEPS)
        self._recent.forget(bucket_of(Step.MINUTE, now.wall, self._zone))

    def _next_slice(self) -> dict[Series, list[Key]]:
        """The due buckets of the next waiting series, until a slice is full; some series have none by now."""
        taken: dict[Series, list[Key]] = {}
        size = 0
        while self._batch.waiting and size < SLICE_SUMS:
            series = self._batch.waiting.popleft()
            if due := self._batch.due(series, self._sums.holding(series).of(series)):
                taken[series] = due
                size += len(due)
        return taken

    def _write(self, due: Mapping[Series, Sequence[Key]], now: Moment) -> None:
        sums = {series: self._sums.holding(series).of(series) for series in due}
        self._trouble = self._history_store.accumulate(
            {one: {key: sums[one][key] for key in keys} for one, keys in due.items()}
        )
        if self._trouble is None:
            for series, keys in due.items():
                self._sums.holding(series).drop(series, keys)
        else:
            self._batch = _Batch()
            self._batches.postpone(now)

    def _prune(self, now: Moment) -> None:
        step = self._unpruned[0]
        days = self._retention.department_days[step]
        before = oldest_kept(step, days, now.wall, self._zone)
        hosts_before = oldest_kept(step, self._retention.host_days.get(step, days), now.wall, self._zone)
        if self._history_store.prune(step, before, hosts_before, SLICE_SUMS) == 0:
            del self._unpruned[0]


def _in_turns(items: Iterable[Item], pause: Callable[[], None]) -> Iterator[Item]:
    """The same items; others have their turn before each `TURN` of them."""
    for number, item in enumerate(items):
        if number % TURN == 0:
            pause()
        yield item
