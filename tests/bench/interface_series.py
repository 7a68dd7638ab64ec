"""Made-up series of interfaces, as a collector of SNMP keeps them: a value each five minutes for weeks, with labels.

The lines of `traffic` are made of people; here the sum of many is drawn as a curve with noise about it, as it is on an
uplink, and what happens is labelled from its first value to its last.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from math import cos, exp, pi
from random import Random
from typing import NamedTuple

STEP_S = 300
DAY = 86400 // STEP_S
WEEKS = 5
DAYS = 7 * WEEKS
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
SATURDAY = 5
HAPPENINGS = 8
FIRST_DAY = 7  # on which something happens


class Value(NamedTuple):
    """A value of a series, and whether something was made to happen then."""

    at: datetime
    value: float
    is_unusual: bool


def _hour(number: int) -> float:
    return number % DAY * STEP_S / 3600


def _is_weekend(number: int) -> bool:
    return number // DAY % 7 >= SATURDAY


def _uplink(chance: Random) -> list[float]:
    """Of a campus: a smooth day, the most in the evening."""
    slow, values = 0.0, []
    for number in range(DAYS * DAY):
        slow = 0.98 * slow + chance.gauss(0, 0.02)
        day = 0.35 + 0.65 * (0.5 - 0.5 * cos((_hour(number) - 4) / 12 * pi))
        values.append(4e7 * day * (0.85 if _is_weekend(number) else 1.0) * exp(slow + chance.gauss(0, 0.06)))
    return values


def _offices(chance: Random) -> list[float]:
    """Of a house of offices: busy by day, lunch, and hardly anything on weekends."""
    slow, values = 0.0, []
    for number in range(DAYS * DAY):
        slow = 0.95 * slow + chance.gauss(0, 0.08)
        hour = _hour(number)
        is_busy = not _is_weekend(number) and 8 <= hour < 18
        level = (0.6 if 12 <= hour < 13 else 1.0) if is_busy else 0.04
        values.append(5e6 * level * exp(slow + chance.gauss(0, 0.3)))
    return values


def _server(chance: Random) -> list[float]:
    """Of a server: requests at all hours, with files now and then, and a copy that is made each night."""
    values = []
    for number in range(DAYS * DAY):
        file = 2e6 * chance.paretovariate(1.5) if chance.random() < 0.1 else 0.0
        copy = 1.2e7 * exp(chance.gauss(0, 0.05)) if 1 <= _hour(number) < 2 else 0.0
        values.append(1.5e6 * exp(chance.gauss(0, 0.25)) + min(file, 2e7) + copy)
    return values


def _tunnel(chance: Random) -> list[float]:
    """Of a tunnel to a branch: its rate wanders by multiples, with no day in it."""
    slow, values = 0.0, []
    for _ in range(DAYS * DAY):
        slow = 0.97 * slow + chance.gauss(0, 0.12)
        values.append(3e5 * exp(slow + chance.gauss(0, 0.25)))
    return values


def _telephones(chance: Random) -> list[float]:
    """Of telephones: a call is 10 kB/s, and by night there is none."""
    values = []
    for number in range(DAYS * DAY):
        busy = 25 if not _is_weekend(number) and 8 <= _hour(number) < 18 else 1.5
        values.append(600.0 + 10_000 * sum(chance.random() < busy / 60 for _ in range(60)))
    return values


def _cameras(chance: Random) -> list[float]:
    """Of cameras, which send the same at all hours."""
    return [8e6 * exp(chance.gauss(0, 0.02)) for _ in range(DAYS * DAY)]


INTERFACES: Mapping[str, Callable[[Random], list[float]]] = {
    "uplink": _uplink,
    "offices": _offices,
    "server": _server,
    "tunnel": _tunnel,
    "telephones": _telephones,
    "cameras": _cameras,
}


def _largest_usual(values: list[float], begin: int) -> float:
    """The largest value of the same hour in the week before, within an hour to either side."""
    return max(max(values[begin - day * DAY - 12 : begin - day * DAY + 13]) for day in range(1, 7))


def _flood(values: list[float], begin: int, chance: Random) -> int:
    """Far more than ever at this hour, for ten minutes to an hour."""
    more = chance.uniform(2.5, 8) * _largest_usual(values, begin)
    end = begin + chance.randint(2, 12)
    for at in range(begin, end):
        values[at] += more
    return end


def _new_load(values: list[float], begin: int, chance: Random) -> int:
    """Something new that goes on for hours."""
    more = chance.uniform(1.5, 4) * _largest_usual(values, begin)
    end = begin + chance.randint(24, 96)
    for at in range(begin, end):
        values[at] += more * exp(chance.gauss(0, 0.1))
    return end


def _silence(values: list[float], begin: int, chance: Random) -> int:
    """Nothing, or hardly anything, for a quarter of an hour to two hours."""
    left = chance.choice((0.0, 0.0, 0.03))
    end = begin + chance.randint(3, 24)
    for at in range(begin, end):
        values[at] *= left
    return end


KINDS = (_flood, _new_load, _silence)


def interface(name: str, seed: int) -> list[Value]:
    """A series in which something happens eight times, by day, on days that are apart."""
    chance = Random(f"interface/{name}/{seed}")
    values = INTERFACES[name](chance)
    unusual = bytearray(len(values))
    workdays = [day for day in range(FIRST_DAY, DAYS - 1) if day % 7 < SATURDAY]
    for number, day in enumerate(sorted(chance.sample(workdays[::2], HAPPENINGS))):
        begin = day * DAY + int(chance.uniform(9, 16) * 3600 / STEP_S)
        end = KINDS[number % len(KINDS)](values, begin, chance)
        unusual[begin:end] = b"\1" * (end - begin)
    clock = (BEGIN + timedelta(seconds=STEP_S * number) for number in range(len(values)))
    return [Value(at, value, bool(one)) for at, value, one in zip(clock, values, unusual, strict=True)]
