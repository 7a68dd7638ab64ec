"""Decides when history is written to the disk, and when old history is deleted."""

from enum import Enum, auto

from msgspec import Struct

from appliance.core.moment import Moment

# What is written is pages, and a batch rewrites the last ones of each table, however little it adds.
BATCH_S = 900
HOSTS_BATCH_S = 3600  # a whole record of 12 times 5 minutes; four batches would write it four times
RETRY_S = 60.0  # after a refusal of the disk; a full one is not emptied sooner
PRUNE_S = 21600
JUMP_S = 60.0  # between wall clock and monotonic clock: more than NTP slews between two steps
SETTLED_S = 3600.0  # without a jump: a clock that is wrong for a moment must not delete what it takes for old


class BatchScope(Enum):
    """Whose sums a batch writes."""

    DEPARTMENTS = auto()
    EVERYTHING = auto()


class BatchSchedule(Struct):
    """Begins a batch at each quarter hour of the wall clock, of hosts too in each new hour, and retries all at once.

    `quarter`: of the latest batch; `None`: before the first step. `hour`: of the latest batch with hosts; `None`: none
    yet. `retry_s`: when a refused batch is tried again, by the monotonic clock; `None`: the disk refused nothing.
    """

    quarter: int | None = None
    hour: int | None = None
    retry_s: float | None = None

    def begin(self, now: Moment) -> BatchScope | None:
        """The batch that begins now; `None`: none is due."""
        quarter, hour = int(now.wall.timestamp() // BATCH_S), int(now.wall.timestamp() // HOSTS_BATCH_S)
        if self.quarter is None:
            self.quarter = quarter
        is_due = quarter != self.quarter if self.retry_s is None else now.monotonic_s >= self.retry_s
        if not is_due:
            return None
        with_hosts = self.retry_s is not None or hour != self.hour
        self.quarter, self.hour, self.retry_s = quarter, hour, None
        return BatchScope.EVERYTHING if with_hosts else BatchScope.DEPARTMENTS

    def postpone(self, now: Moment) -> None:
        """Tries again after `RETRY_S`: the disk has refused."""
        self.retry_s = now.monotonic_s + RETRY_S


class PruneSchedule(Struct):
    """Lets old history be deleted once in `PRUNE_S`, while the wall clock has not jumped for `SETTLED_S`.

    `offset_s`: wall clock minus monotonic clock at the latest step; `None`: before the first. `settled_s`: when the
    clock counts as settled, by the monotonic clock. `period`: that of the latest deletion; `None`: none yet.
    """

    offset_s: float | None = None
    settled_s: float = 0.0
    period: int | None = None

    def watch_clock(self, now: Moment) -> None:
        """Waits another `SETTLED_S` at the first step and after each jump of the wall clock."""
        offset_s = now.wall.timestamp() - now.monotonic_s
        if self.offset_s is None or abs(offset_s - self.offset_s) > JUMP_S:
            self.settled_s = now.monotonic_s + SETTLED_S
        self.offset_s = offset_s

    def begin(self, now: Moment) -> bool:
        """Whether a deletion begins now. To be asked after `watch_clock`."""
        period = int(now.monotonic_s // PRUNE_S)
        if now.monotonic_s < self.settled_s or period == self.period:
            return False
        self.period = period
        return True
