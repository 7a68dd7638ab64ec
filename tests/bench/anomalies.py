"""How well anomalies are told: false alarms, events, confidence, and files in the form of NAB.

    tests/bench/run anomalies [FILE.csv...] [--windows FILE.json]

Without files, the made-up lines of `tests/bench/traffic.py` are judged: four weeks of each, of which the first is
for learning. An alarm is false unless something was made to happen then, or in the half hour before it. Made-up
interfaces follow (`tests/bench/interface_series.py`), and the devices of made-up offices, some of which send far too
much (`tests/bench/senders.py`). Constants are chosen by even seeds, and judged here by odd ones.

A file has the columns `timestamp` and `value`, as in NAB, and may have a third that is 1 in an anomaly; else
`--windows` names NAB's `combined_windows.json`. The first 15 % are not judged, as NAB has it. An episode of alarms in
an anomaly finds it; F1 is of episodes, by point of a window as NAB counts. The last row has NAB's own score of all
files, by its standard profile: 0 for a detector that says nothing, 100 for one that tells each window at its first
point and nothing else. NAB's own detectors get the threshold that is best for its files; this one has one for all.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import exp
from pathlib import Path
from random import Random
from statistics import fmean
from time import process_time
from typing import NamedTuple

from appliance.core.detection.rates.anomaly import Anomaly
from appliance.core.detection.rates.department_rates import DepartmentRates
from appliance.core.detection.rates.departure import Detector
from appliance.core.detection.rates.expectation import Clock
from tests.bench import senders, traffic
from tests.bench.interface_series import INTERFACES, WEEKS, Value, interface
from tests.bench.traffic import DAY, EVENTS, MINUTE_S, Happening, Line

LEARNED, DAYS = 7, 28
SEEDS = (1, 3, 5)
AFTERMATH = 30  # minutes after an event, in which its end may be told
PROMPT = 5  # minutes in which an event should be told
PROBATION = 0.15  # of a file
PROBATION_VALUES = 750  # and at most, by NAB's rules
FALSE_ALARM = 0.11  # what NAB's standard profile takes for one, where a window that was not told is 1
ORDINARY: Mapping[str, Callable[[int], Line]] = {
    "office of 5": lambda seed: traffic.office(seed, DAYS, 5),
    "office of 25": lambda seed: traffic.office(seed, DAYS, 25),
    "office of 120": lambda seed: traffic.office(seed, DAYS, 120),
    "small line": lambda seed: traffic.small(seed, DAYS),
    "noisy line": lambda seed: traffic.noisy(seed, DAYS),
    "heavy tails": lambda seed: traffic.heavy(seed, DAYS),
    "cameras": lambda seed: traffic.steady(seed, DAYS),
    "ward": lambda seed: traffic.ward(seed, DAYS),
}
# The days on which things happen: each has some for its aftermath. Days 8, 10, ... are working days.
EVENT_DAYS = (8, 11, 15, 17, 21, 24)
AT_SMALL = tuple(name for name in EVENTS if name.startswith("small"))
AT_OTHERS = tuple(name for name in EVENTS if name not in AT_SMALL)


class Alarm(NamedTuple):
    """An anomaly that was told at a minute of a line."""

    minute: int
    anomaly: Anomaly


class Run(NamedTuple):
    """A line that was judged, and what was made to happen on it."""

    name: str
    alarms: Sequence[Alarm]
    happenings: Sequence[Happening]

    def is_true(self, alarm: Alarm) -> bool:
        """Whether something had been made to happen."""
        return any(one.start < alarm.minute <= one.end + AFTERMATH for one in self.happenings)

    def judged(self) -> list[Alarm]:
        """The alarms after the time of learning."""
        return [one for one in self.alarms if one.minute > LEARNED * DAY]


def alarms_on(line: Line) -> list[Alarm]:
    """The alarms of a line, as a department's."""
    rates, found = DepartmentRates(), []
    for minute in range(line.minutes):
        second = (minute + 1) * MINUTE_S
        clock = Clock(second // 86400 % 7, second % 86400)
        one = rates.judge(line.up[minute], line.down[minute], clock, second)
        if one is not None:
            found.append(Alarm(minute + 1, one))
    return found


def with_events(name: str, line: Line, seed: int) -> list[Happening]:
    """Makes things happen on a line."""
    chance = Random(f"events/{name}/{seed}")
    kinds = [*(AT_SMALL if name == "small line" else AT_OTHERS)]
    chance.shuffle(kinds)
    return [EVENTS[kind](line, day, chance) for kind, day in zip(kinds, EVENT_DAYS, strict=False)]


def runs(*, is_quiet: bool, seeds: Sequence[int] = SEEDS, names: Iterable[str] = ORDINARY) -> Iterator[Run]:
    """Every line judged, as it is or with events."""
    for name in names:
        for seed in seeds:
            line = ORDINARY[name](seed)
            happenings = [] if is_quiet else with_events(name, line, seed)
            yield Run(name, alarms_on(line), happenings)


def false_alarms(quiet: Sequence[Run]) -> Iterator[str]:
    """A row for each ordinary line: the alarms a day."""
    for name in dict.fromkeys(one.name for one in quiet):
        of_line = [one for one in quiet if one.name == name]
        judged = [alarm for one in of_line for alarm in one.judged()]
        kinds = Counter(one.anomaly.type.value for one in judged)
        learning = sum(len(one.alarms) for one in of_line) - len(judged)
        at_night = [sum(2 * 60 <= one.minute % DAY < 4 * 60 for one in run.alarms) for run in of_line]
        told = ", ".join(f"{kind} {count}" for kind, count in kinds.items()) or "none"
        yield (
            f"{name}: {len(judged) / len(of_line) / (DAYS - LEARNED):.2f} alarms a day ({told}), while learning "
            f"{learning / len(of_line) / LEARNED:.2f}; at the time of the backup {max(at_night)} in all at most"
        )


def events_told(eventful: Sequence[Run]) -> Iterator[str]:
    """A row for each kind of event: how many were told in time."""
    delays: dict[str, list[int | None]] = {}
    for run in eventful:
        for one in run.happenings:
            minutes = [alarm.minute for alarm in run.alarms if one.start < alarm.minute <= one.end + AFTERMATH]
            delays.setdefault(one.name, []).append(minutes[0] - one.told_from if minutes else None)
    for name, found in delays.items():
        known = sorted(one for one in found if one is not None)
        prompt = sum(one <= PROMPT for one in known)
        median = f"{known[len(known) // 2]} min" if known else "never"
        yield f"{name}: {prompt} of {len(found)} told within {PROMPT} min, {len(known)} at all; median {median}"


def calibration(all_runs: Sequence[Run]) -> Iterator[str]:
    """A row for each range of confidence: how many of its alarms were true."""
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        verdicts = [
            run.is_true(one) for run in all_runs for one in run.judged() if low <= one.anomaly.confidence < high
        ]
        share = f"{sum(verdicts) / len(verdicts):.0%}" if verdicts else "none"
        yield f"confidence {low:.1f} to {min(high, 1.0):.1f}: {share} of {len(verdicts)} alarms are true"


def run_lines() -> Iterator[str]:
    """The rows of the made-up lines."""
    quiet, eventful = list(runs(is_quiet=True)), list(runs(is_quiet=False))
    yield from false_alarms(quiet)
    yield from events_told(eventful)
    yield from calibration(quiet + eventful)


def read(path: Path, windows: Mapping[str, Sequence[Sequence[str]]]) -> list[Value]:
    """The rows of a file in NAB's form, labelled by its third column or the windows of its name."""
    spans = [
        (datetime.fromisoformat(since), datetime.fromisoformat(until))
        for name, found in windows.items()
        if Path(name).name == path.name
        for since, until in found
    ]
    values = []
    with path.open(newline="") as file:
        for row in csv.reader(file):
            try:
                at, value = datetime.fromisoformat(row[0]), float(row[1])
            except (ValueError, IndexError):
                continue  # the head
            labelled = len(row) > 2 and row[2].strip() in {"1", "1.0", "true", "True"}
            values.append(Value(at, value, labelled or any(since <= at <= until for since, until in spans)))
    return values


class Score(NamedTuple):
    """How well the episodes of a series were told."""

    found: int
    labelled: int
    false: int

    @property
    def f1(self) -> float | None:
        """Of episodes; `None`: there was nothing to find, and nothing was told."""
        total = self.found + self.false + self.labelled
        return 2 * self.found / total if total else None

    def __str__(self) -> str:
        f1 = "1.00 (nothing to find)" if self.f1 is None else f"{self.f1:.2f}"
        return f"F1 {f1}; {self.found} of {self.labelled} found, {self.false} false"


def alarms_in(values: Sequence[Value]) -> list[int]:
    """Which values of a series raise an alarm."""
    detector, found = Detector(1e-9), []
    seconds = [one.at.timestamp() for one in values]
    for number, one in enumerate(values):
        elapsed_s = seconds[number] - seconds[number - 1] if number else 0.0
        if elapsed_s <= 0:
            continue
        clock = Clock(one.at.weekday(), one.at.hour * 3600 + one.at.minute * 60 + one.at.second)
        rate = max(0.0, one.value)  # the detector is for rates, of which none is negative
        if detector.judge(rate, clock, seconds[number], min(elapsed_s, 3600.0)) is not None:
            found.append(number)
    return found


def score(values: Sequence[Value], found: Sequence[int]) -> Score:
    """The episodes of a series after its first part."""
    first = _first_judged(values)
    labelled = _episodes([one.is_unusual for one in values])
    hits = [any(start <= one < end for one in found) for start, end in labelled if end > first]
    false = [one for one in found if one >= first and not any(start <= one < end for start, end in labelled)]
    return Score(sum(hits), len(hits), len(false))


def nab_score(values: Sequence[Value], found: Sequence[int]) -> tuple[float, int]:
    """The points of a series by NAB's standard profile, from minus to plus the number of its windows; and that number.

    The rule is that of the paper: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", 2015.
    """
    first = _first_judged(values)
    windows = _episodes([one.is_unusual for one in values])
    points, judged = 0.0, [one for one in found if one >= first]
    for start, end in windows:
        if end > first:
            hit = next((one for one in judged if start <= one < end), None)
            points += -1.0 if hit is None else _worth((hit - end) / (end - start)) / _worth(-1.0)
    for one in judged:
        before = [(start, end - 1) for start, end in windows if start <= one]
        if not before:
            points -= FALSE_ALARM
        elif one > before[-1][1]:
            start, last = before[-1]
            points += FALSE_ALARM * _worth((one - last) / max(1, last - start))
    return points, sum(end > first for _, end in windows)


def _worth(position: float) -> float:
    """Of an alarm at this place: -1 at the begin of a window, 0 at its end, beyond it the more the later."""
    return -1.0 if position > 3 else 2 / (1 + exp(5 * position)) - 1


def _first_judged(values: Sequence[Value]) -> int:
    return min(int(len(values) * PROBATION), PROBATION_VALUES)


def interface_rows(seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """A row for each kind of made-up interface, and the mean."""
    means = []
    for name in INTERFACES:
        series = [interface(name, seed) for seed in seeds]
        scores = [score(values, alarms_in(values)) for values in series]
        total = Score(*map(sum, zip(*scores, strict=True)))
        means.append(fmean(one.f1 or 0.0 for one in scores))
        most = max(one.false for one in scores)
        yield f"interface, {name}: {total}; at most {most} false in the {WEEKS} weeks of one"
    yield f"interfaces: F1 {fmean(means):.2f} in the mean, by the one threshold"


def _episodes(labels: Sequence[bool]) -> list[tuple[int, int]]:
    edges = [at for at in range(len(labels) + 1) if (at < len(labels) and labels[at]) != (at > 0 and labels[at - 1])]
    return list(zip(edges[0::2], edges[1::2], strict=True))


def cost() -> str:
    """What a series costs: time for each minute, and the size of what it has learned."""
    line, detector = traffic.office(1, 7, 5), Detector(500.0)
    began_s = process_time()
    for minute in range(line.minutes):
        clock = Clock(minute // DAY % 7, minute % DAY * MINUTE_S)
        detector.judge(line.down[minute], clock, minute * MINUTE_S, MINUTE_S)
    each_us = (process_time() - began_s) / line.minutes * 1e6
    return f"a series: {each_us:.0f} us a minute, {len(DepartmentRates().state) // 2} bytes learned"


def run(words: Sequence[str] = ()) -> Iterator[str]:
    """The rows, of the files that are named or of the made-up lines."""
    names = [*words]
    windows: Mapping[str, Sequence[Sequence[str]]] = {}
    if "--windows" in names:
        at = names.index("--windows")
        windows = json.loads(Path(names[at + 1]).read_text())
        del names[at : at + 2]
    if not names:
        yield from run_lines()
        yield from interface_rows()
        yield cost()
        yield from senders.rows()
    if names:
        yield from file_rows(names, windows)


def file_rows(names: Sequence[str], windows: Mapping[str, Sequence[Sequence[str]]]) -> Iterator[str]:
    """A row for each file, and one for all."""
    points, labelled = 0.0, 0
    for name in names:
        values = read(Path(name), windows)
        found = alarms_in(values)
        gained, there = nab_score(values, found)
        points, labelled = points + gained, labelled + there
        yield f"{Path(name).name}: {score(values, found)}, in {len(values)} values"
    if labelled:
        yield f"NAB's score, standard profile: {50 * (points / labelled + 1):.1f} of 100, with {labelled} windows"
