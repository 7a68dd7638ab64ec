"""Made-up traffic of ordinary lines, minute by minute, and things that may happen to it.

The constants of `core.detection` were chosen on these lines alone, with the seeds of `tests/bench/anomalies.py`. An
office is made of people: each comes and goes, reads and waits, watches a film at times, and fetches something large now
and then (sizes as Pareto, which is what file sizes on the web are). Its computers chatter at night, are backed up and
updated. Everything is a function of the seed.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp
from random import Random

DAY = 1440  # minutes
MINUTE_S = 60
LINE_BYTES_S = 60_000_000.0  # what a line carries in one direction: half of a Gbit/s
SATURDAY = 5  # days are counted from a Monday

Rates = array  # of bytes per second, one for each minute


@dataclass(frozen=True, slots=True)
class Line:
    """The traffic of a department. `up` and `down`: bytes per second, one for each minute from a Monday's midnight."""

    up: "Rates[float]"
    down: "Rates[float]"

    @property
    def minutes(self) -> int:
        """The length."""
        return len(self.up)

    def add(self, rates: "Rates[float]", start: float, minutes: float, bytes_s: float) -> None:
        """Adds a transfer; what begins or ends within a minute counts for its part."""
        end = min(start + minutes, len(rates))
        at = max(start, 0.0)
        while at < end:
            until = min(end, int(at) + 1)
            rates[int(at)] = min(LINE_BYTES_S, rates[int(at)] + bytes_s * (until - at))
            at = until


def empty(days: int) -> Line:
    """A line without traffic."""
    return Line(array("d", bytes(8 * DAY * days)), array("d", bytes(8 * DAY * days)))


def office(seed: int, days: int, people: int) -> Line:
    """An office with lunch, weekends, backup at night and updates."""
    chance, line = Random(f"office/{seed}/{people}"), empty(days)
    habits = [(chance.gauss(8.5, 0.7), chance.gauss(17.2, 0.8), chance.lognormvariate(0, 0.5)) for _ in range(people)]
    for day in range(days):
        busy = exp(chance.gauss(0, 0.15))
        for begins_h, ends_h, keen in habits:
            _chatter(chance, line, day)
            if chance.random() < (0.03 if day % 7 >= SATURDAY else 0.87):
                work(chance, line, day, begins_h + chance.gauss(0, 0.3), ends_h + chance.gauss(0, 0.5), keen * busy)
        back_up(chance, line, day, people)
        if day % 7 == 2 and day % 14 < 7:
            _update(chance, line, day, people)
    return line


def _chatter(chance: Random, line: Line, day: int) -> None:
    for minute in range(day * DAY, (day + 1) * DAY, 10):
        rate = chance.lognormvariate(6.2, 0.8)  # some 500 bytes per second
        line.add(line.down, minute, 10, rate)
        line.add(line.up, minute, 10, rate * 0.6)


def work(chance: Random, line: Line, day: int, begins_h: float, ends_h: float, keen: float) -> None:
    at, end = day * DAY + begins_h * 60, day * DAY + ends_h * 60
    lunch = day * DAY + chance.gauss(12.4, 0.3) * 60
    while at < end:
        if lunch <= at < lunch + 40:
            at = lunch + 40
            continue
        kind = chance.random()
        if kind < 0.02:  # a film, or a call
            minutes, down, up = chance.uniform(5, 30), chance.uniform(2e5, 6e5), chance.uniform(5e3, 2e5)
        elif kind < 0.06:  # something large
            size, down, up = min(3e9, 5e6 * chance.paretovariate(1.1)), chance.uniform(1e6, 8e6), 4e4
            minutes = size / down / 60
        elif kind < 0.08:  # and sent
            size, down, up = min(1e9, 2e6 * chance.paretovariate(1.1)), 2e4, chance.uniform(5e5, 4e6)
            minutes = size / up / 60
        else:  # pages, mail
            minutes = chance.expovariate(1 / 4)
            down = chance.lognormvariate(9.6, 1.0) * keen
            up = down * chance.uniform(0.05, 0.3)
        line.add(line.down, at, minutes, down)
        line.add(line.up, at, minutes, up)
        at += minutes + chance.expovariate(1 / 4)


def back_up(chance: Random, line: Line, day: int, people: int) -> None:
    if day % 7 >= SATURDAY and day % 7 != SATURDAY + 1:
        return
    size = people * 150e6 * exp(chance.gauss(0, 0.3)) * (4 if day % 7 == SATURDAY + 1 else 1)  # whole on Sundays
    rate = chance.uniform(8e6, 12e6)
    line.add(line.up, day * DAY + 120 + chance.gauss(0, 6), size / rate / 60, rate)


def _update(chance: Random, line: Line, day: int, people: int) -> None:
    for _ in range(people):
        rate = chance.uniform(1e6, 3e6)
        line.add(line.down, day * DAY + chance.uniform(9.5, 15) * 60, 250e6 / rate / 60, rate)


def noisy(seed: int, days: int) -> Line:
    """A line with no day in it, whose rate wanders by a factor of ten within an hour."""
    chance, line = Random(f"noisy/{seed}"), empty(days)
    slow, quick = 0.0, 0.0
    for minute in range(line.minutes):
        slow = 0.98 * slow + chance.gauss(0, 0.14)
        quick = 0.5 * quick + chance.gauss(0, 0.6)
        line.down[minute] = 300e3 * exp(slow + quick)
        line.up[minute] = 60e3 * exp(slow + 0.5 * quick + chance.gauss(0, 0.3))
    return line


def heavy(seed: int, days: int) -> Line:
    """A server that is asked at all hours, for files whose sizes have a heavy tail."""
    chance, line = Random(f"heavy/{seed}"), empty(days)
    at = 0.0
    while at < line.minutes:
        at += chance.expovariate(0.4 * (2 if 8 <= at % DAY / 60 < 20 else 1))
        rate = chance.uniform(1e6, 6e6)
        size = min(2e10, 3e6 * chance.paretovariate(1.05))
        line.add(line.up, at, size / rate / 60, rate)
    for minute in range(line.minutes):
        line.up[minute] += chance.lognormvariate(10, 0.5)
        line.down[minute] += line.up[minute] * 0.02 + chance.lognormvariate(8, 0.5)
    return line


def steady(seed: int, days: int) -> Line:
    """Cameras, which send the same day and night."""
    chance, line = Random(f"steady/{seed}"), empty(days)
    for minute in range(line.minutes):
        line.up[minute] = 2.5e6 * exp(chance.gauss(0, 0.03)) * (0.8 if minute % DAY < 6 * 60 else 1)
        line.down[minute] = 4e3 * exp(chance.gauss(0, 0.1))
    return line


def ward(seed: int, days: int) -> Line:
    """A department that works at all hours, less at night, with pictures that are sent in between."""
    chance, line = Random(f"ward/{seed}"), empty(days)
    slow = 0.0
    for minute in range(line.minutes):
        slow = 0.995 * slow + chance.gauss(0, 0.03)
        level = 0.35 + 0.65 * max(0.0, 1 - abs(minute % DAY / 60 - 13) / 8)
        line.down[minute] = 400e3 * level * exp(slow + chance.gauss(0, 0.35))
        line.up[minute] = 80e3 * level * exp(slow + chance.gauss(0, 0.35))
    for _ in range(days * 12):
        line.add(line.up, chance.uniform(0, line.minutes), chance.uniform(0.5, 4), 6e6)
    return line


@dataclass(frozen=True, slots=True)
class Happening:
    """Something unusual, of minutes of a line. `told_from`: when it is as strong as it becomes."""

    name: str
    start: int
    end: int
    told_from: int


def outage(line: Line, day: int, chance: Random) -> Happening:
    """No traffic at all for half an hour of a working day."""
    start = day * DAY + int(chance.uniform(9.5, 16) * 60)
    if 11.5 < start % DAY / 60 < 13.5:
        start += 120
    for minute in range(start, start + 30):
        line.up[minute] = line.down[minute] = 0.0
    return Happening("outage in working hours", start, start + 30, start)


def burst(line: Line, day: int, chance: Random) -> Happening:
    """20 MB/s for ten minutes by day."""
    start = day * DAY + int(chance.uniform(9, 17) * 60)
    line.add(line.down, start, 10, 20e6)
    return Happening("20 MB/s for 10 min by day", start, start + 10, start)


def leak(line: Line, day: int, chance: Random) -> Happening:
    """0.9 MB/s that leave all night: 26 GB."""
    start = day * DAY + int(chance.uniform(21, 23) * 60)
    line.add(line.up, start, 8 * 60, 0.9e6)
    return Happening("0.9 MB/s all night", start, start + 8 * 60, start)


def rise(line: Line, day: int, chance: Random) -> Happening:
    """Everything grows slowly, to 16 times in two hours, and stays so for one."""
    start = day * DAY + int(chance.uniform(9, 13) * 60)
    for minute in range(start, start + 180):
        factor = 16 ** min(1.0, (minute - start) / 120)
        line.up[minute] = min(LINE_BYTES_S, line.up[minute] * factor)
        line.down[minute] = min(LINE_BYTES_S, line.down[minute] * factor)
    return Happening("slow rise of 16 times", start, start + 180, start + 120)


def small_burst(line: Line, day: int, chance: Random) -> Happening:
    """A small line fetches 12 times its busiest usual hour for a quarter of an hour."""
    start = day * DAY + int(chance.uniform(9, 17) * 60)
    line.add(line.down, start, 15, 12 * _busy(line.down, start))
    return Happening("small line: 12 times as much", start, start + 15, start)


def small_leak(line: Line, day: int, chance: Random) -> Happening:
    """A small line sends at night as much as it fetches by day."""
    start = day * DAY + int(chance.uniform(22, 23.5) * 60)
    line.add(line.up, start, 180, _busy(line.down, start))
    return Happening("small line: sends by night", start, start + 180, start)


def small_outage(line: Line, day: int, chance: Random) -> Happening:
    """A small line is silent in working hours."""
    found = outage(line, day, chance)
    return Happening("small line: silent", found.start, found.end, found.told_from)


def _busy(rates: "Rates[float]", before: int) -> float:
    """The mean of the busiest hour of a usual day before."""
    hours = sorted(sum(rates[at : at + 60]) / 60 for at in range(before - 7 * DAY, before, 60))
    return hours[int(len(hours) * 0.85)]


def small(seed: int, days: int) -> Line:
    """Four devices on a line of their own, which are never quite silent by day."""
    chance, line = Random(f"small/{seed}"), empty(days)
    for minute in range(line.minutes):
        is_day = 7.5 <= minute % DAY / 60 < 18 and minute // DAY % 7 < SATURDAY
        line.down[minute] = (12e3 if is_day else 900.0) * exp(chance.gauss(0, 0.6))
        line.up[minute] = (3e3 if is_day else 400.0) * exp(chance.gauss(0, 0.6))
    return line


EVENTS: Mapping[str, Callable[[Line, int, Random], Happening]] = {
    "outage": outage,
    "burst": burst,
    "leak": leak,
    "rise": rise,
    "small burst": small_burst,
    "small leak": small_leak,
    "small outage": small_outage,
}
