"""The latest metering periods of every department, in memory only: what a live chart shows when it is opened."""

from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from appliance.core.metering.usage import NOTHING, Passed
from appliance.core.moment import Moment

MOST_PERIODS = 300  # five minutes of seconds; 4.8 kB for each department
EMPTY = bytes(8 * MOST_PERIODS)
LARGEST = 2**64 - 1  # of a ring's place


class _Ring(NamedTuple):
    """Bytes of each period, by its place."""

    up: "array[int]"
    down: "array[int]"


class RecentPeriods:
    """A ring of periods for all departments, one place for each period, and a ring of bytes for each department.

    The beginning of a period is kept by the monotonic clock: a wall clock that is set moves all of them alike.
    """

    def __init__(self) -> None:
        self._begun_s = array("d", EMPTY)  # 0: no period yet
        self._rings: dict[str, _Ring] = {}
        self._next = 0  # the place of the next period, which has the oldest in it
        self._ended_s: float | None = None

    def remember(self, passed: Mapping[str, Passed], now: Moment) -> None:
        """Take the place of the oldest period. The first call only begins one: how long it lasted is not known."""
        began_s, self._ended_s = self._ended_s, now.monotonic_s
        for department in passed.keys() - self._rings.keys():
            self._rings[department] = _Ring(array("Q", EMPTY), array("Q", EMPTY))
        if began_s is None:
            return
        self._begun_s[self._next] = began_s
        for department, ring in self._rings.items():
            one = passed.get(department, NOTHING)
            ring.up[self._next], ring.down[self._next] = min(one.up_bytes, LARGEST), min(one.down_bytes, LARGEST)
        self._next = (self._next + 1) % MOST_PERIODS

    def recall(
        self, departments: Sequence[str], since: datetime, until: datetime, now: Moment
    ) -> Mapping[datetime, Passed]:
        """By its beginning, each period that began in this range, oldest first, as the sum of these departments."""
        rings = [self._rings[one] for one in departments if one in self._rings]
        found = {}
        for place in (*range(self._next, MOST_PERIODS), *range(self._next)):
            began_s = self._begun_s[place]
            began = now.wall - timedelta(seconds=now.monotonic_s - began_s)
            if began_s and since <= began < until:
                found[began] = Passed(sum(one.up[place] for one in rings), sum(one.down[place] for one in rings))
        return found
