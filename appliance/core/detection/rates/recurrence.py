"""Recurrence: what was told twice at the same time of day is usual from then on, though it does not come every day.

A small backup takes a minute in most nights and four in others: neither the rate of its hour nor the largest values of
the days become as high as it is in those. Whoever was told of it twice knows it.
"""

from array import array

DAY_S = 86400.0
NEAR_S = 1800.0  # of the time of day: a task of the night does not begin to the minute
ALIKE = 2.0  # times the rate that was told: more is something else
USUAL_TIMES = 2
APART_S = 6 * 3600.0  # what becomes graver within this time is the same, and not told on another day
MOST = 6  # that are remembered, the latest last: at an alarm in three days, those of weeks
_CELL = 3  # the second of the day, the rate, and how often it was told; 0: nothing is remembered
SIZE = MOST * _CELL


class Recurrence:
    """What was told of one direction. `numbers`: to be kept over a restart."""

    __slots__ = ("_told_s", "numbers")

    def __init__(self, numbers: "array[float] | None" = None) -> None:
        self.numbers = array("f", bytes(4 * SIZE)) if numbers is None else numbers
        self._told_s = float("-inf")

    def is_new(self, second: float, rate: float, now_s: float) -> bool:
        """Whether something of this rate is to be told, which is remembered then.

        `second`: of the day; `now_s`: any clock that never jumps.
        """
        numbers, at = self.numbers, self._near(second)
        known_rate, times = (0.0, 0.0) if at is None else numbers[at + 1 : at + _CELL]
        is_usual = times >= USUAL_TIMES and rate <= ALIKE * known_rate
        if not is_usual:
            known_rate = max(rate, known_rate)
            times += at is None or now_s - self._told_s >= APART_S
            self._told_s = now_s
        del numbers[at or 0 : (at or 0) + _CELL]
        numbers.extend((second, known_rate, times))
        return not is_usual

    def _near(self, second: float) -> int | None:
        for at in range(0, SIZE, _CELL):
            apart_s = abs(self.numbers[at] - second) % DAY_S
            if self.numbers[at + 2] > 0 and min(apart_s, DAY_S - apart_s) <= NEAR_S:
                return at
        return None
