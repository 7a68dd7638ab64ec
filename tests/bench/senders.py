"""What the devices of made-up offices send, and how well an unusual outflow is told.

The people are those of `tests/bench/traffic.py`, each at a device; the office's server is backed up each night, and
whole on Sundays. The constants of `core.detection.rates.outflow` were chosen with even seeds; odd ones judge.
"""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import NamedTuple

from appliance.core.detection.rates.outflow import Outflow, Outflows
from tests.bench import traffic
from tests.bench.traffic import DAY, SATURDAY, Line

DAYS, LEARNED = 28, 7
FIRST_DAY = 735_601  # a Monday
OFFICES = (5, 25, 120)
SERVER = "server"


class Leak(NamedTuple):
    """What a device sends beside the rest: so fast, from this minute of the day on, for so many minutes."""

    bytes_s: float
    begin: int
    minutes: int


LEAKS: Mapping[str, Leak] = {
    "0.9 MB/s all night": Leak(0.9e6, 22 * 60, 480),
    "5 GB in 20 min by day": Leak(4.2e6, 11 * 60, 20),
    "20 GB in an hour by day": Leak(5.6e6, 14 * 60, 60),
    "0.3 MB/s for a day": Leak(0.3e6, 60, 1300),
}


class Told(NamedTuple):
    """An outflow that was told at a minute."""

    minute: int
    found: Outflow


def office(seed: int, people: int, days: int = DAYS) -> dict[str, Line]:
    """A line for each device; only what it sends matters."""
    chance = Random(f"senders/{seed}/{people}")
    lines = {f"pc{number}": traffic.empty(days) for number in range(people)} | {SERVER: traffic.empty(days)}
    for number in range(people):
        begins_h, ends_h, keen = chance.gauss(8.5, 0.7), chance.gauss(17.2, 0.8), chance.lognormvariate(0, 0.5)
        for day in range(days):
            if chance.random() < (0.03 if day % 7 >= SATURDAY else 0.87):
                traffic.work(chance, lines[f"pc{number}"], day, begins_h, ends_h, keen)
    for day in range(days):
        traffic.back_up(chance, lines[SERVER], day, people)
    return lines


def told(lines: Mapping[str, Line]) -> list[Told]:
    """What is told of these devices, the first of each device and day."""
    watch = Outflows()
    found: dict[tuple[str, int], Told] = {}
    ups = [(name, line.up) for name, line in lines.items()]
    for minute in range(len(ups[0][1])):
        for name, rates in ups:
            watch.add(name, int(rates[minute] * 60))
        for one in watch.judge(FIRST_DAY + minute // DAY, minute * 60.0):
            found.setdefault((one.device, minute // DAY), Told(minute, one))
    return [*found.values()]


def rows(seeds: Callable[[int], bool] = lambda seed: bool(seed % 2)) -> Iterator[str]:
    """False alarms in ordinary offices, and what is told of devices that send far too much."""
    chosen = [seed for seed in range(1, 9) if seeds(seed)]
    hits = {name: [0, 0] for name in LEAKS}
    for people in OFFICES:
        false, judged_days = [], 0
        for seed in chosen:
            lines = office(seed, people)
            false += told(lines)
            judged_days += DAYS - LEARNED
            for number, (name, leak) in enumerate(LEAKS.items()):
                hits[name][0] += _is_told(lines, leak, f"pc{number % people}", 15 + number)
                hits[name][1] += 1
        devices = sorted({one.found.device for one in false})
        yield f"office of {people}: {len(false) / judged_days:.3f} false outflows a day; {', '.join(devices[:5])}"
    for name, (right, all_) in hits.items():
        yield f"{name}: {right} of {all_} told"


def _is_told(lines: Mapping[str, Line], leak: Leak, device: str, day: int) -> bool:
    ours = {name: Line(line.up[: (day + 2) * DAY], line.down[: (day + 2) * DAY]) for name, line in lines.items()}
    begin = day * DAY + leak.begin
    ours[device].add(ours[device].up, begin, leak.minutes, leak.bytes_s)
    return any(begin <= one.minute <= begin + leak.minutes and one.found.device == device for one in told(ours))
