"""History: what departments and hosts carried, bucket by bucket, in memory first and on the disk in batches.

It is for people who look back, not for the books: those are the ledgers', exact and elsewhere. A crash loses at most
the batch that was not written: a quarter of an hour of departments' history, and an hour of hosts'. Where the disk does
not take a batch, it stays in memory with what follows and is tried again; memory is bounded, and the oldest detail is
the first to go.

While nobody trusts the clock, after a boot without one, what passes is held by the minute of the clock that does not
jump, and filed where it belongs once the time is known.

Nothing here takes long: a batch is written, and what is old deleted, in slices, one in each step.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

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
    start_of,
)
from appliance.core.metering.usage import NOTHING, Passed, plus
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.ports import HistoryStore

# What is written is pages, and a batch rewrites the last ones of each table, however little it adds.
BATCH_S = 900
HOSTS_BATCH_S = 3600  # a whole record of 12 times 5 minutes; four batches would write it four times
PRUNE_S = 21600
SLICE_SUMS = 2000  # written, or records deleted, in one step: some 5 ms, and a few times that on a Pi
RETRY_S = 60.0  # after the disk has refused; a full one is not emptied sooner
MOST_SUMS = 50_000  # waiting for the disk: 10 MB, two hours of 2,000 hosts or a day and a half of 100
MOST_HOSTS = 4096  # in an hour: twice what the appliance is made for; forged sources must not fill the disk
MOST_POINTS = 2000  # in one answer: more than a chart has pixels
MOST_DAYS = 4000  # that a month's answer is summed from: more than the ten years that days are kept
MINUTE_S = 60.0
JUMP_S = 60.0  # by which the wall clock left the monotonic one: more than NTP slews between two steps
SETTLED_S = 3600.0  # without a jump: a clock that is wrong for a moment must not delete what it takes for old

# What is written when it is complete; the others while they run, because a crash should not take a day.
_COMPLETE = (Step.MINUTE, Step.FIVE_MINUTES)
_HOSTS_COMPLETE = (Step.FIVE_MINUTES, Step.HOUR)


class HistoryRecorder:
    """Sums of every bucket, written in batches, read from memory and disk together."""

    def __init__(self, zone: ZoneInfo, history_store: HistoryStore, retention: Retention) -> None:
        """`zone`: whose midnight ends a day."""
        self._zone = zone
        self._history_store = history_store
        self._retention = retention
        self._departments = HistorySums()
        self._hosts = HistorySums(MOST_HOSTS)
        self._recent = RecentMinutes(MOST_HOSTS)
        self._held = HistorySums()  # a clock is trusted after ten minutes at the latest
        self._held_hosts = HistorySums(MOST_HOSTS)
        self._batch: int | None = None
        self._hosts_batch: int | None = None
        self._pruned: int | None = None
        self._waiting: list[Series] = []
        self._running: frozenset[Key] = frozenset()
        self._unpruned: list[Step] = []
        self._retry_s = float("-inf")
        self._trouble: str | None = None
        self._offset_s: float | None = None
        self._settled_s = float("inf")

    def observe(self, charged: Mapping[str, Passed], hosts: Mapping[Series, Passed], now: Moment) -> None:
        """Charge what has passed since the previous call to the buckets of this moment.

        `charged`: by department, with zeros, so that a gap in its history is time without metering. `hosts`: by
        department and address; what is zero is left out.
        """
        departments = [((department, ALL_HOSTS), passed) for department, passed in charged.items()]
        active = [(series, passed) for series, passed in hosts.items() if passed.up_bytes or passed.down_bytes]
        if not now.is_trusted:
            key = Step.MINUTE, int(now.monotonic_s // MINUTE_S)
            self._held.add([key], departments)
            self._held_hosts.add([key], active)
            return
        self._release(now)
        self._file(departments, active, now.wall)

    def step(self, now: Moment) -> None:
        """Write a slice of the batch that is due, or delete a slice of what is old; most of the time nothing."""
        self._look_at_clock(now)
        for sums in (self._departments, self._hosts):
            sums.shrink(MOST_SUMS)
        batch = int(now.wall.timestamp() // BATCH_S)
        if self._batch is None:
            self._batch = batch
        if batch != self._batch and now.monotonic_s >= self._retry_s:
            self._batch = batch
            self._begin_batch(now)
        if self._waiting:
            self._write(self._next_slice(), now)
        elif self._unpruned:
            self._prune(now)

    def save(self, now: Moment) -> None:
        """Write all that memory holds, as before the end."""
        self._release(now)
        everything = {one: list(sums.of(one)) for sums in (self._departments, self._hosts) for one in sums.series()}
        self._write(everything, now)

    def troubles(self, _: Moment) -> Sequence[str]:
        """Why history is in memory only, a sentence for a person; empty where it is not."""
        return [self._trouble] if self._trouble else []

    def query(
        self, department: str, host: str | None, since: datetime, until: datetime, step: Step
    ) -> Mapping[datetime, Passed]:
        """By its beginning, each bucket from the one that holds `since` to the last before `until`, oldest first.

        One that is missing was not metered, is not kept any more, or, of a host, had no traffic. Raises `Refused`
        (`E_BAD_REQUEST`) for a range of no length, or with more than `MOST_POINTS` buckets.
        """
        if since >= until:
            raise Refused(Code.BAD_REQUEST, "from, to: the range must begin before it ends")
        kept_step = Step.DAY if step is Step.MONTH else step
        buckets = buckets_between(kept_step, since, until, self._zone)
        if len(buckets) > (MOST_DAYS if step is Step.MONTH else MOST_POINTS):
            raise Refused(Code.BAD_REQUEST, self._advice(step, since, until))
        found = self._find((department, host or ALL_HOSTS), kept_step, buckets)
        if step is Step.MONTH:
            found = by_month(found)
        return {start_of(step, bucket, self._zone): found[bucket] for bucket in sorted(found)}

    def _file(
        self, departments: Sequence[tuple[Series, Passed]], hosts: Sequence[tuple[Series, Passed]], wall: datetime
    ) -> None:
        buckets = {step: bucket_of(step, wall, self._zone) for step in DEPARTMENT_STEPS}
        self._departments.add([(step, buckets[step]) for step in DEPARTMENT_STEPS], departments)
        self._hosts.add([(step, buckets[step]) for step in HOST_STEPS], hosts)
        self._recent.add(buckets[Step.MINUTE], hosts)

    def _release(self, now: Moment) -> None:
        """File what was held, each minute of it by its middle."""
        held, held_hosts = self._held.by_key(), self._held_hosts.by_key()
        self._held, self._held_hosts = HistorySums(), HistorySums(MOST_HOSTS)
        for key in sorted(held.keys() | held_hosts.keys()):
            ago_s = max(0.0, now.monotonic_s - (key[1] + 0.5) * MINUTE_S)
            self._file(held.get(key, []), held_hosts.get(key, []), now.wall - timedelta(seconds=ago_s))

    def _find(self, series: Series, step: Step, buckets: range) -> dict[int, Passed]:
        if step is Step.MINUTE and series[1] != ALL_HOSTS:
            return self._recent.find(series, buckets)
        found = dict(self._history_store.read(step, series, buckets))
        for bucket, passed in self._sums_of(series).find(step, series, buckets).items():
            found[bucket] = plus(found.get(bucket, NOTHING), passed)
        return found

    def _advice(self, step: Step, since: datetime, until: datetime) -> str:
        wider = list(Step)[list(Step).index(step) + 1 :]
        fits = [one for one in wider if len(buckets_between(one, since, until, self._zone)) <= MOST_POINTS]
        instead = f'use the step "{fits[0]}" or ' if fits else ""
        return (
            f"from, to: too long for the step {step} ({MOST_POINTS} points at most); {instead}ask for a shorter range"
        )

    def _look_at_clock(self, now: Moment) -> None:
        offset_s = now.wall.timestamp() - now.monotonic_s
        if self._offset_s is None or abs(offset_s - self._offset_s) > JUMP_S:
            self._settled_s = now.monotonic_s + SETTLED_S
        self._offset_s = offset_s

    def _begin_batch(self, now: Moment) -> None:
        hosts_batch = int(now.wall.timestamp() // HOSTS_BATCH_S)
        self._waiting = self._departments.series()
        if hosts_batch != self._hosts_batch:
            self._waiting += self._hosts.series()
        self._hosts_batch = hosts_batch
        self._running = frozenset((step, bucket_of(step, now.wall, self._zone)) for step in DEPARTMENT_STEPS)
        round_ = int(now.monotonic_s // PRUNE_S)
        if now.monotonic_s >= self._settled_s and round_ != self._pruned:
            self._pruned, self._unpruned = round_, list(DEPARTMENT_STEPS)
        self._recent.forget(bucket_of(Step.MINUTE, now.wall, self._zone))

    def _sums_of(self, series: Series) -> HistorySums:
        return self._departments if series[1] == ALL_HOSTS else self._hosts

    def _next_slice(self) -> dict[Series, list[Key]]:
        """Of the next series that wait, the buckets that are due, until a slice is full; some have none by now."""
        taken: dict[Series, list[Key]] = {}
        size = 0
        while self._waiting and size < SLICE_SUMS:
            series = self._waiting.pop(0)
            complete = _COMPLETE if series[1] == ALL_HOSTS else _HOSTS_COMPLETE
            sums = self._sums_of(series).of(series)
            if due := [key for key in sums if key[0] not in complete or key not in self._running]:
                taken[series] = due
                size += len(due)
        return taken

    def _write(self, due: Mapping[Series, Sequence[Key]], now: Moment) -> None:
        sums = {series: self._sums_of(series).of(series) for series in due}
        self._trouble = self._history_store.add(
            {one: {key: sums[one][key] for key in keys} for one, keys in due.items()}
        )
        if self._trouble is None:
            for series, keys in due.items():
                self._sums_of(series).drop(series, keys)
        else:  # the next try is a batch of all that waits
            self._waiting, self._batch, self._hosts_batch = [], -1, None
            self._retry_s = now.monotonic_s + RETRY_S

    def _prune(self, now: Moment) -> None:
        step = self._unpruned[0]
        before = oldest_kept(step, self._retention.department_days[step], now.wall, self._zone)
        host_days = self._retention.host_days.get(step)
        hosts_before = before if host_days is None else oldest_kept(step, host_days, now.wall, self._zone)
        if self._history_store.prune(step, before, hosts_before, SLICE_SUMS) == 0:
            del self._unpruned[0]
