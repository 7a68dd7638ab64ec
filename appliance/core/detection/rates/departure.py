"""Departures of a series from what is usual: each minute is judged, by one threshold for every line.

How far a minute is from the usual rate of its hour is averaged over two minutes, a quarter of an hour and two hours: a
sudden departure is told at once, a small one when it lasts. What is far differs from line to line: where large files
are fetched, each day has a distant minute. So each of these averages has the largest value of every day remembered, as
mean and variance, and a value is an anomaly when by these it would come once in `LEAST_RETURN_DAYS` days (Gumbel 1958,
the distribution of largest values). No constant is in bytes per second, so that the same holds for any line.

An outage is judged by the fall: a holiday is quiet too, but it never fell.
"""

from array import array
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log, sqrt

from appliance.core.detection.rates.expectation import Clock, Expectation

DAY_S = 86400.0
JUMP_S = 180.0  # in which every value is far: a single file ends earlier
SLOW_S, LONG_S = 900.0, 7200.0  # what is averaged over
LEAST_SEEN_S = DAY_S  # before anything is judged: a day has every hour in it once
FARTHEST = 25.0  # standard deviations that count: from there on nothing becomes more unusual
LEAST_RATIO = 2.0  # to the usual rate: less is nothing to look at, however steady the line
LEAST_FALL = 4.0
BEGUN = 2.0  # standard deviations from which on a departure has begun
LEAST_RETURN_DAYS = 60.0
DAYS = 20.0  # of largest values that count
PRIOR_DAYS = 2.0  # that the values below are worth: so the second day is judged too
NEVER = -1e9  # less than any value
CLIP = 3.0  # standard deviations that a day counts at most
LEAST_SPREAD = 0.3  # of largest values
EULER = 0.5772  # the mean of Gumbel's distribution, and the factor of its standard deviation
GUMBEL = 1.2825
CLEARLY = 1.5  # standard deviations of the days' largest values, by which a further anomaly must be stronger
REST_S = 43200.0  # the strength that a further anomaly must exceed halves in this time


class Course(StrEnum):
    """In which way a series departs."""

    JUMP = "jump"
    SURPLUS = "surplus"
    LEVEL = "level"
    FALL = "fall"


# Of each course: the mean and the spread of the largest values of a day that are assumed at first, those of traffic
# whose logarithm is normal.
PRIORS = {Course.JUMP: (3.0, 1.0), Course.SURPLUS: (2.5, 0.9), Course.LEVEL: (1.8, 0.7), Course.FALL: (3.0, 1.0)}
COURSES = tuple(Course)
_KIND = 4 * len(COURSES)  # numbers of quiet hours, and of others
_BLOCKS = 2 * _KIND + 1


@dataclass(frozen=True, slots=True)
class Departure:
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


class Detector:
    """Follows one series. `numbers`: what it has learned, to be kept over a restart."""

    __slots__ = ("_averages", "_began_s", "_blocks", "_latest", "_told", "_told_s", "expectation")

    def __init__(self, idle: float, numbers: "array[float] | None" = None) -> None:
        """`idle`: below this rate no difference means anything. Raises `ValueError` for numbers of another kind."""
        size = len(Expectation(idle).numbers)
        if numbers is not None and len(numbers) != size + _BLOCKS:
            raise ValueError(f"{len(numbers)} numbers are not those of a series")
        self.expectation = Expectation(idle, None if numbers is None else numbers[:size])
        # For quiet hours and then for others, by course: mean and variance of the days' largest values, number of
        # days, and the largest value of today; at last the seconds of today.
        self._blocks = _priors() if numbers is None else numbers[size:]
        self._averages = [0.0, 0.0]
        self._latest: list[tuple[float, float, float, float]] = []  # seconds, rate, how far above and below
        self._began_s: list[float | None] = [None, None]  # upward and downward
        self._told, self._told_s = [0.0, 0.0], [0.0, 0.0]

    @property
    def numbers(self) -> "array[float]":
        """What was learned."""
        return self.expectation.numbers + self._blocks

    def judge(self, rate: float, clock: Clock, now_s: float, elapsed_s: float) -> Departure | None:
        """Judges and learns the mean rate of the last `elapsed_s` seconds. `now_s`: any clock that never jumps."""
        distance = self.expectation.distance(rate, clock)
        found = None
        if distance is not None:
            self._average(rate, distance.above, distance.below, elapsed_s)
            self._note_beginning(now_s, elapsed_s)
            if self.expectation.seen_s >= LEAST_SEEN_S:
                kind = 0 if self.expectation.is_quiet(clock) else _KIND
                found = self._departure(kind, clock, now_s)
                self._remember_largest(kind, elapsed_s)
        self.expectation.learn(rate, clock, elapsed_s)
        return found

    def _average(self, rate: float, above: float, below: float, elapsed_s: float) -> None:
        above, below = (max(-FARTHEST, min(FARTHEST, one)) for one in (above, below))
        for place, over_s in enumerate((SLOW_S, LONG_S)):
            self._averages[place] += (1 - exp(-elapsed_s / over_s)) * (above - self._averages[place])
        self._latest.append((elapsed_s, rate, above, below))
        while sum(one[0] for one in self._latest) - self._latest[0][0] >= JUMP_S:
            del self._latest[0]

    def _strengths(self) -> tuple[float, float, float, float]:
        slow, long = self._averages
        below = max(one[3] for one in self._latest)
        return min(one[2] for one in self._latest), slow, long, min(-below, long - below)

    def _note_beginning(self, now_s: float, elapsed_s: float) -> None:
        _, _, above, below = self._latest[-1]
        for side, value in enumerate((above, -below)):
            if value < BEGUN:
                self._began_s[side] = None
            elif self._began_s[side] is None:
                self._began_s[side] = now_s - elapsed_s

    def _departure(self, kind: int, clock: Clock, now_s: float) -> Departure | None:
        strengths = [self._excess(kind + 4 * place, one) for place, one in enumerate(self._strengths())]
        excess = max(strengths)
        days = return_days(excess)
        if days < LEAST_RETURN_DAYS:
            return None
        course = COURSES[strengths.index(excess)]
        side = int(course is Course.FALL)
        if excess < self._told[side] * 0.5 ** ((now_s - self._told_s[side]) / REST_S):
            return None
        usual, rate = self.expectation.usual(clock), self._latest_rate()
        if usual is None or not self._matters(course, rate, usual[1]):
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
            return_days=days,
            days=self.expectation.seen_s / DAY_S,
        )

    def _latest_rate(self) -> float:
        """The mean rate of the last minutes."""
        return sum(one[0] * one[1] for one in self._latest) / sum(one[0] for one in self._latest)

    def _matters(self, course: Course, rate: float, middle: float) -> bool:
        more, less = self.expectation.level(rate), self.expectation.level(middle)
        if course is Course.FALL:
            return less - more >= log(LEAST_FALL)
        return more - less >= log(LEAST_RATIO)

    def _excess(self, at: int, value: float) -> float:
        """How far the value is above the largest values of the days, in their standard deviations."""
        mean, variance, days = self._blocks[at : at + 3]
        spread = max(LEAST_SPREAD, sqrt(variance)) * sqrt(1 + 2 / (days + PRIOR_DAYS))
        return (value - mean) / spread

    def _remember_largest(self, kind: int, elapsed_s: float) -> None:
        blocks = self._blocks
        for place, value in enumerate(self._strengths()):
            at = kind + 4 * place + 3
            blocks[at] = max(blocks[at], value)
        blocks[-1] += elapsed_s
        if blocks[-1] >= DAY_S:
            blocks[-1] = 0.0
            for at in range(0, 2 * _KIND, 4):
                if blocks[at + 3] > NEVER:  # a weekend may have quiet hours only
                    blocks[at : at + 4] = _learned(*blocks[at : at + 4])


def _learned(mean: float, variance: float, days: float, largest: float) -> "array[float]":
    """The mean and the variance of the days' largest values after one more day."""
    if days == 0:
        return array("f", (largest, variance, 1.0, NEVER))
    difference = min(largest, mean + CLIP * max(LEAST_SPREAD, sqrt(variance))) - mean
    known = min(days, DAYS)
    changed = variance + (difference * difference - variance) / (known + PRIOR_DAYS)
    return array("f", (mean + difference / (known + 1), changed, days + 1, NEVER))


def _priors() -> "array[float]":
    one = [number for mean, spread in PRIORS.values() for number in (mean, spread * spread, 0.0, NEVER)]
    return array("f", [*one, *one, 0.0])


def return_days(excess: float) -> float:
    """In how many days a value comes once that is so many standard deviations above the mean of the days' largest."""
    rarity = exp(-(GUMBEL * min(excess, 50.0) + EULER))  # minus the logarithm of the probability of a day below it
    return 1 / (1 - exp(-rarity)) if rarity > 1e-6 else 1 / rarity
