"""Departures of a series from what is usual: each minute is judged, by one threshold for every line.

How far a minute is from the usual rate of its hour is averaged over two minutes, a quarter of an hour and two hours: a
sudden departure is told at once, a small one when it lasts. That is measured in logarithms, in which a film for one
person and twenty for all are near each other. So what passes in five minutes and in twenty is looked at too, by its
square root: single transfers, which are short or slow, count for little in it.

What is far differs from line to line: where large files are fetched, each day has a distant minute. So a measure is an
anomaly when by the largest values of former days (`extremes`) it would come once in 60 days. No constant
is in bytes per second, so that the same holds for any line.

An outage is judged by the fall: a holiday is quiet too, but it never fell.
"""

from array import array
from collections.abc import Sequence
from math import exp, log, sqrt
from typing import NamedTuple

from msgspec import Struct

from appliance.core.detection.rates.expectation import SATURDAY, Clock, Expectation
from appliance.core.detection.rates.extremes import (
    BUSY,
    BYTES,
    DAY_S,
    QUIET,
    WEEKEND,
    Course,
    Extremes,
    Kinds,
    return_days,
)
from appliance.core.detection.rates.extremes import SIZE as EXTREMES_SIZE

JUMP_S = 180.0  # in which every value is far: a single file ends earlier
SLOW_S, LONG_S = 900.0, 7200.0  # what is averaged over
BURST_S, SWELL_S = 300.0, 1200.0  # in which bytes are counted: no ordinary transfer fills a line for longer
LEAST_SEEN_S = DAY_S  # before anything is judged: a day has every hour in it once
# A line that has carried nothing for longer than a weekend teaches nothing more: nobody uses it yet, or all are on
# holiday. What comes afterwards is judged by what was usual before.
SILENT_S = 3 * DAY_S
FARTHEST = 25.0  # standard deviations that count: from there on nothing becomes more unusual
LEAST_RATIO = 2.0  # to the usual rate: less is nothing to look at, however steady the line
LEAST_FALL = 4.0
BEGUN = 2.0  # standard deviations from which on a departure has begun
CLEARLY = 1.5  # standard deviations of the days' largest values, by which a further anomaly must be stronger
REST_S = 43200.0  # the strength that a further anomaly must exceed halves in this time


class Departure(Struct, frozen=True):
    """A series that departs from what is usual.

    `rate`: of the last minutes; `low`, `middle`, `high`: what is usual now; `since_s`: when it began, by the clock of
    `Detector.judge`; `return_days`: in how many days such a value comes once; `days`: that were learned.
    """

    course: Course
    rate: float
    low: float
    middle: float
    high: float
    busiest: float
    since_s: float
    return_days: float
    days: float


class _Value(NamedTuple):
    """A rate, for how long it was the mean, and how far it was from what is usual."""

    over_s: float
    rate: float
    above: float
    below: float


class Detector:
    """Follows one series. `numbers`: what it has learned, to be kept over a restart."""

    __slots__ = (
        "_averages", "_began_s", "_extremes", "_latest", "_silent_s", "_swell", "_told", "_told_s", "expectation"
    )  # fmt: skip

    def __init__(self, idle: float, numbers: "array[float] | None" = None) -> None:
        """`idle`: below this rate no difference means anything. Raises `ValueError` for numbers of another kind."""
        size = len(Expectation(idle).numbers)
        if numbers is not None and len(numbers) != size + EXTREMES_SIZE:
            raise ValueError(f"{len(numbers)} numbers are not those of a series")
        self.expectation = Expectation(idle, None if numbers is None else numbers[:size])
        self._extremes = Extremes(idle, None if numbers is None else numbers[size:])
        self._silent_s = SILENT_S  # since it last carried something
        self._averages = [0.0, 0.0]
        self._swell = 0.0  # bytes per second
        self._latest: list[_Value] = []
        self._began_s: list[float | None] = [None, None]  # upward and downward
        self._told, self._told_s = [0.0, 0.0], [0.0, 0.0]

    @property
    def numbers(self) -> "array[float]":
        """What was learned."""
        return self.expectation.numbers + self._extremes.numbers

    def judge(self, rate: float, clock: Clock, now_s: float, elapsed_s: float) -> Departure | None:
        """Judges and learns the mean rate of the last `elapsed_s` seconds. `now_s`: any clock that never jumps."""
        distance = self.expectation.distance(rate, clock)
        self._silent_s = 0.0 if rate > 0 else self._silent_s + elapsed_s
        teaches = self._silent_s < SILENT_S
        found = None
        if distance is not None:
            self._average(rate, distance.above, distance.below, elapsed_s)
            self._note_beginning(now_s, elapsed_s)
            if self.expectation.seen_s >= LEAST_SEEN_S:
                kinds, measures = self._kinds(clock), self._measures()
                furthest = self._extremes.furthest(kinds, measures)
                found = self._departure(*furthest, clock, now_s) if furthest is not None else None
                if teaches:
                    self._extremes.remember(kinds, measures, elapsed_s)
        if teaches:
            self.expectation.learn(rate, clock, elapsed_s)
        return found

    def _kinds(self, clock: Clock) -> Kinds:
        kind = QUIET if self.expectation.is_quiet(clock) else BUSY
        return (kind, WEEKEND) if clock.weekday >= SATURDAY else (kind,)

    def _average(self, rate: float, above: float, below: float, elapsed_s: float) -> None:
        above, below = max(-FARTHEST, min(FARTHEST, above)), max(-FARTHEST, min(FARTHEST, below))
        for place, over_s in enumerate((SLOW_S, LONG_S)):
            self._averages[place] += (1 - exp(-elapsed_s / over_s)) * (above - self._averages[place])
        self._swell += (1 - exp(-elapsed_s / SWELL_S)) * (rate - self._swell)
        self._latest.append(_Value(elapsed_s, rate, above, below))
        while sum([one.over_s for one in self._latest]) - self._latest[0].over_s >= BURST_S:
            del self._latest[0]

    def _last_minutes(self) -> Sequence[_Value]:
        """The values of the time in which every one is far in a jump."""
        covered_s = 0.0
        for number, one in enumerate(reversed(self._latest), 1):
            covered_s += one.over_s
            if covered_s >= JUMP_S:
                return self._latest[-number:]
        return self._latest

    def _measures(self) -> tuple[float, ...]:
        """The measure of each course, in their order."""
        slow, long = self._averages
        minutes = self._last_minutes()
        jump, below = min([one.above for one in minutes]), max([one.below for one in minutes])
        sent = sum([one.over_s * one.rate for one in self._latest])
        over_s = max(BURST_S, sum([one.over_s for one in self._latest]))
        return jump, slow, long, min(-below, long - below), sqrt(sent / over_s), sqrt(self._swell)

    def _note_beginning(self, now_s: float, elapsed_s: float) -> None:
        latest = self._latest[-1]
        for side, value in enumerate((latest.above, -latest.below)):
            if value < BEGUN:
                self._began_s[side] = None
            elif self._began_s[side] is None:
                self._began_s[side] = now_s - elapsed_s

    def _departure(self, course: Course, excess: float, clock: Clock, now_s: float) -> Departure | None:
        side = int(course is Course.FALL)
        if excess < self._told[side] * 0.5 ** ((now_s - self._told_s[side]) / REST_S):
            return None
        usual, rate = self.expectation.usual(clock), self._latest_rate()
        if usual is None or not self._matters(course, rate, usual):
            return None
        began_s = self._began_s[side]
        self._told[side], self._told_s[side] = excess + CLEARLY, now_s
        return Departure(
            course=course,
            rate=rate,
            low=usual[0],
            middle=usual[1],
            high=usual[2],
            busiest=self.expectation.busiest(),
            since_s=now_s - JUMP_S if began_s is None else began_s,
            return_days=return_days(excess),
            days=self.expectation.seen_s / DAY_S,
        )

    def _latest_rate(self) -> float:
        """The mean rate of the last minutes."""
        minutes = self._last_minutes()
        return sum(one.over_s * one.rate for one in minutes) / sum(one.over_s for one in minutes)

    def _matters(self, course: Course, rate: float, usual: tuple[float, float, float]) -> bool:
        _, middle, high = usual
        more, less = self.expectation.level(rate), self.expectation.level(middle)
        if course is Course.FALL:
            return less - more >= log(LEAST_FALL)
        if course in BYTES and min(one.rate for one in self._last_minutes()) < high:
            return False  # it has begun a moment ago, or is a backup that lasts longer than others
        return more - less >= log(LEAST_RATIO)
