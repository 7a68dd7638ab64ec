"""Extremes: the largest values of each day, and how far a value is beyond them.

Of each measure of a series the largest value of every day is remembered, as mean and variance. By these a value comes
once in so many days (Gumbel 1958, the distribution of largest values), which is the same question for any line.
"""

from array import array
from collections.abc import Sequence
from enum import StrEnum
from math import exp, inf, log, sqrt

DAY_S = 86400.0
LEAST_RETURN_DAYS = 60.0
DAYS = 20.0  # of largest values that count
PRIOR_DAYS = 2.0  # that the values below are worth: so the second day is judged too
NEVER = -1e9  # less than any value
CLIP = 3.0  # standard deviations that a day counts at most
LEAST_SPREAD = 0.3  # of largest values that are standard deviations
FIRST_SHARE, LEAST_SHARE = 0.15, 0.05  # spread of largest square roots at first, and at least, as a share of their mean
EULER = 0.5772  # the mean of Gumbel's distribution, and the factor of its standard deviation
GUMBEL = 1.2825
LEAST_EXCESS = -(log(-log(1 - 1 / LEAST_RETURN_DAYS)) + EULER) / GUMBEL


class Course(StrEnum):
    """In which way a series departs: each has a measure of its own."""

    JUMP = "jump"
    SURPLUS = "surplus"
    LEVEL = "level"
    FALL = "fall"
    BURST = "burst"
    SWELL = "swell"


# Of each course that is measured in standard deviations: the mean and the spread of the largest values of a day that
# are assumed at first, those of traffic whose logarithm is normal. Of bytes nothing can be assumed.
PRIORS = {Course.JUMP: (3.0, 1.0), Course.SURPLUS: (2.5, 0.9), Course.LEVEL: (1.8, 0.7), Course.FALL: (3.0, 1.0)}
COURSES = tuple(Course)
BYTES = frozenset(COURSES) - PRIORS.keys()
NOTHING = (0.0, 0.0)
# Kinds of hours, of which the largest values are remembered apart. An hour of a weekend is of two, and judged by both:
# one who works on a Saturday is more than a night's chatter. Of each kind the days that are known when the first week
# has passed, from which on bytes are judged.
LEAST_DAYS = (6, 4, 2)
QUIET, BUSY, WEEKEND = range(len(LEAST_DAYS))
_CELL = 4  # mean and variance of the days' largest values, number of days, and the largest value of today
_KIND = _CELL * len(COURSES)
SIZE = len(LEAST_DAYS) * _KIND + 1

Kinds = tuple[int, ...]


class Extremes:
    """The largest values of one series. `numbers`: of each kind of hours and each course; at last today's seconds."""

    __slots__ = ("_least_root", "_limits", "numbers")

    def __init__(self, idle: float, numbers: "array[float] | None" = None) -> None:
        """`idle`: above 0; below this rate no difference means anything, where the largest values are all 0 too."""
        self._least_root = sqrt(idle)
        self.numbers = _priors() if numbers is None else numbers
        self._limits: dict[Kinds, Sequence[float]] = {}

    def furthest(self, kinds: Kinds, measures: Sequence[float]) -> tuple[Course, float] | None:
        """The course that is furthest beyond its largest values, and by how many of their standard deviations.

        `None`: none comes as rarely as once in `LEAST_RETURN_DAYS` days. `measures`: one for each course.
        """
        limits = self._limits.get(kinds)
        if limits is None:  # they are the same all day, and hardly ever exceeded
            limits = self._limits[kinds] = [self._limit(kinds, place) for place in range(len(COURSES))]
        beyond = [place for place, limit in enumerate(limits) if measures[place] > limit]
        if not beyond:
            return None
        excess, place = max((min(self._excess(kind, one, measures[one]) for kind in kinds), one) for one in beyond)
        return COURSES[place], excess

    def remember(self, kinds: Kinds, measures: Sequence[float], elapsed_s: float) -> None:
        """Remember the measures, and learn from a day at its end."""
        numbers = self.numbers
        for kind in kinds:
            at = kind * _KIND + _CELL - 1
            for value in measures:
                numbers[at] = max(numbers[at], value)
                at += _CELL
        numbers[-1] += elapsed_s
        if numbers[-1] >= DAY_S:
            numbers[-1] = 0.0
            self._limits.clear()
            for number, at in enumerate(range(0, SIZE - 1, _CELL)):
                if numbers[at + 3] > NEVER:  # a day has not every kind of hours
                    numbers[at : at + _CELL] = self._learned(COURSES[number % len(COURSES)], *numbers[at : at + _CELL])

    def _limit(self, kinds: Kinds, place: int) -> float:
        return max(mean + LEAST_EXCESS * spread for mean, spread in (self._largest(kind, place) for kind in kinds))

    def _excess(self, kind: int, place: int, value: float) -> float:
        mean, spread = self._largest(kind, place)
        return (value - mean) / spread

    def _largest(self, kind: int, place: int) -> tuple[float, float]:
        """The mean and the spread of the largest values, of which few are known."""
        at = kind * _KIND + _CELL * place
        mean, variance, days, _ = self.numbers[at : at + _CELL]
        if COURSES[place] in BYTES and days < LEAST_DAYS[kind]:
            return inf, 1.0
        return mean, self._spread(COURSES[place], mean, variance) * sqrt(1 + 2 / (days + PRIOR_DAYS))

    def _spread(self, course: Course, mean: float, variance: float) -> float:
        least = max(self._least_root, LEAST_SHARE * mean) if course in BYTES else LEAST_SPREAD
        return max(least, sqrt(variance))

    def _learned(self, course: Course, mean: float, variance: float, days: float, largest: float) -> "array[float]":
        """The numbers of a course after one more day."""
        if days == 0:
            first = (FIRST_SHARE * largest) ** 2 if course in BYTES else variance
            return array("f", (largest, first, 1.0, NEVER))
        difference = min(largest, mean + CLIP * self._spread(course, mean, variance)) - mean
        known = min(days, DAYS)
        changed = variance + (difference * difference - variance) / (known + PRIOR_DAYS)
        return array("f", (mean + difference / (known + 1), changed, days + 1, NEVER))


def return_days(excess: float) -> float:
    """In how many days a value comes once that is so many standard deviations above the mean of the days' largest."""
    rarity = exp(-(GUMBEL * min(excess, 50.0) + EULER))  # minus the logarithm of the probability of a day below it
    return 1 / (1 - exp(-rarity)) if rarity > 1e-6 else 1 / rarity


def _priors() -> "array[float]":
    known = [PRIORS.get(course, NOTHING) for course in COURSES]
    one = [number for mean, spread in known for number in (mean, spread * spread, 0.0, NEVER)]
    return array("f", [*one * len(LEAST_DAYS), 0.0])
