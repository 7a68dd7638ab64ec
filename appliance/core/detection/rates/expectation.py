"""What a series usually carries: by the hour of the day, apart for working days and weekends, and by weekday.

Traffic varies in multiples, so that each hour has the mean and the variance of the logarithm of the rate. The first
days are a plain average; later ones count less the older they are. A value far outside changes an hour only as much as
one at the edge of what is usual would: a strange night does not become normal at once.
"""

from array import array
from math import exp, log, sqrt
from typing import NamedTuple

HOUR_S = 3600.0
HOURS = 24
SATURDAY = 5  # as `datetime.weekday` counts
MEMORY_S = 10 * HOUR_S  # of each hour: two working weeks; an office that moves has the new habits after one
KNOWN_S = 0.75 * HOUR_S  # of an hour, before it is compared with: one day of it, with gaps
WEEKS_S = 14 * 86400.0  # before the weekdays differ: of two weeks a difference is not chance alone
WEEKDAY_MEMORY_S = 28 * 86400.0 / 7  # of each weekday: four weeks
CLIP = 3.0  # standard deviations that a value counts at most, once an hour is known well
WELL_KNOWN_S = 3 * HOUR_S
FEW_DAYS = 3.0  # to what is known of an hour, by which its scatter is uncertain
OTHER_DAY = 2.5  # times the scatter: the first weekend is compared with the working days before it
LEAST_SCATTER = 0.15  # of the logarithm, of a flat line: a sixth more or less is never remarkable
BAND = 2.0  # standard deviations to either side: 95 % of usual values
QUIET_SHARE = 0.25  # of the busiest hour's rate
IDLE_SHARE = 0.002  # of the mean rate: below it differences mean nothing
NEAR_S = 900.0  # to the next hour: what usually begins then may begin earlier, and end later
MEAN_MEMORY_S = 14 * 86400.0

_CELL = 3  # mean, variance and seconds known of each hour
_WEEKDAYS_AT = 2 * HOURS * _CELL
_MEAN_AT = _WEEKDAYS_AT + 2 * 7
_SEEN_AT = _MEAN_AT + 1
SIZE = _SEEN_AT + 1


class Clock(NamedTuple):
    """The time of a value by the people's clock. `second`: of the day; `weekday`: 0 is Monday."""

    weekday: int
    second: float

    @property
    def hour(self) -> int:
        """0..23."""
        return int(self.second // HOUR_S) % HOURS


class Distance(NamedTuple):
    """How far a value is from what is usual, in standard deviations: above it, and below (as a negative number)."""

    above: float
    below: float


class Expectation:
    """The usual rates of one series, in `SIZE` numbers. `idle`: below this rate no difference means anything."""

    __slots__ = ("_busiest", "_busiest_hour", "idle", "numbers")

    def __init__(self, idle: float, numbers: "array[float] | None" = None) -> None:
        self.idle = idle
        self._busiest, self._busiest_hour = 0.0, -1  # looked up once an hour
        self.numbers = array("f", bytes(4 * SIZE)) if numbers is None else numbers

    @property
    def seen_s(self) -> float:
        """The seconds that the series was followed."""
        return self.numbers[_SEEN_AT]

    @property
    def mean(self) -> float:
        """The mean rate of the last weeks."""
        return self.numbers[_MEAN_AT]

    def level(self, rate: float) -> float:
        """The logarithm of a rate, with what is idle added."""
        return log(max(0.0, rate) + self.idle + IDLE_SHARE * self.numbers[_MEAN_AT])

    def rate(self, level: float) -> float:
        """The rate of a level."""
        return max(0.0, exp(level) - self.idle - IDLE_SHARE * self.numbers[_MEAN_AT])

    def distance(self, rate: float, clock: Clock) -> Distance | None:
        """How far the rate is from what is usual at this time; `None`: too little is known of it."""
        level, shift = self.level(rate), self._weekday_shift(clock.weekday)
        above, below = float("inf"), float("-inf")
        for cell in self._cells_near(clock):
            mean, scatter = self._usual(cell, clock.weekday)
            z = (level - mean - shift) / scatter
            above, below = min(above, z), max(below, z)
        return None if below == float("-inf") else Distance(above, below)

    def usual(self, clock: Clock) -> tuple[float, float, float] | None:
        """The least, the middle and the largest rate that are usual at this time; `None`: too little is known."""
        cell = self._known_cell(clock.weekday, clock.hour)
        if cell is None:
            return None
        mean, scatter = self._usual(cell, clock.weekday)
        mean += self._weekday_shift(clock.weekday)
        return self.rate(mean - BAND * scatter), self.rate(mean), self.rate(mean + BAND * scatter)

    def is_quiet(self, clock: Clock) -> bool:
        """Whether far less is usual at this hour than at the busiest one."""
        if clock.hour != self._busiest_hour:
            self._busiest, self._busiest_hour = self.busiest(), clock.hour
        cell = self._known_cell(clock.weekday, clock.hour)
        return cell is not None and self.rate(self.numbers[cell]) < QUIET_SHARE * self._busiest

    def busiest(self) -> float:
        """The largest rate that is usual at any hour."""
        means, known = self.numbers[0:_WEEKDAYS_AT:_CELL], self.numbers[2:_WEEKDAYS_AT:_CELL]
        busiest = max((mean for mean, seconds in zip(means, known, strict=True) if seconds >= KNOWN_S), default=None)
        return 0.0 if busiest is None else self.rate(busiest)

    def learn(self, rate: float, clock: Clock, elapsed_s: float) -> None:
        """Learns that the rate was so high for these seconds."""
        numbers = self.numbers
        numbers[_SEEN_AT] = seen_s = min(numbers[_SEEN_AT] + elapsed_s, 1e7)
        bounded = rate if seen_s < 86400 else min(rate, 100 * numbers[_MEAN_AT])  # an event is not a mean
        numbers[_MEAN_AT] += elapsed_s / min(seen_s, MEAN_MEMORY_S) * (bounded - numbers[_MEAN_AT])
        level, shift = self.level(rate), self._weekday_shift(clock.weekday)
        cell = _cell(clock.weekday, clock.hour)
        known_s = min(numbers[cell + 2] + elapsed_s, MEMORY_S)
        difference = level - shift - numbers[cell]
        if numbers[cell + 2] >= KNOWN_S:
            if numbers[cell + 2] >= WELL_KNOWN_S:
                most = CLIP * sqrt(numbers[cell + 1] + LEAST_SCATTER**2)
                difference = max(-most, min(most, difference))
            self._learn_weekday(clock.weekday, difference + shift, elapsed_s)
        weight = min(1.0, elapsed_s / known_s)
        numbers[cell] += weight * difference
        numbers[cell + 1] = (1 - weight) * (numbers[cell + 1] + weight * difference * difference)
        numbers[cell + 2] = known_s

    def _learn_weekday(self, weekday: int, difference: float, elapsed_s: float) -> None:
        place = _WEEKDAYS_AT + 2 * weekday
        known_s = min(self.numbers[place + 1] + elapsed_s, WEEKDAY_MEMORY_S)
        self.numbers[place] += min(1.0, elapsed_s / known_s) * (difference - self.numbers[place])
        self.numbers[place + 1] = known_s

    def _weekday_shift(self, weekday: int) -> float:
        return self.numbers[_WEEKDAYS_AT + 2 * weekday] if self.numbers[_SEEN_AT] >= WEEKS_S else 0.0

    def _usual(self, cell: int, weekday: int) -> tuple[float, float]:
        """The mean and the scatter of an hour; what is known of few days, or of the other kind of day, is uncertain."""
        variance, known_s = self.numbers[cell + 1], self.numbers[cell + 2]
        scatter = sqrt((variance + LEAST_SCATTER**2) * (1 + FEW_DAYS * HOUR_S / known_s))
        is_own = (cell >= HOURS * _CELL) == (weekday >= SATURDAY)
        return self.numbers[cell], scatter if is_own else OTHER_DAY * scatter

    def _known_cell(self, weekday: int, hour: int) -> int | None:
        """The cell of this hour, or that of the other kind of day."""
        for day in (weekday, SATURDAY if weekday < SATURDAY else 0):
            cell = _cell(day, hour)
            if self.numbers[cell + 2] >= KNOWN_S:
                return cell
        return None

    def _cells_near(self, clock: Clock) -> list[int]:
        hours = [clock.hour]
        if clock.second % HOUR_S < NEAR_S:
            hours.append((clock.hour - 1) % HOURS)
        elif clock.second % HOUR_S >= HOUR_S - NEAR_S:
            hours.append((clock.hour + 1) % HOURS)
        found = [self._known_cell(clock.weekday, hour) for hour in hours]
        return [cell for cell in found if cell is not None] if found[0] is not None else []


def _cell(weekday: int, hour: int) -> int:
    return ((weekday >= SATURDAY) * HOURS + hour) * _CELL
