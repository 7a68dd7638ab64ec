"""The rates of a department: both directions, gathered into minutes, and what of them is an anomaly.

During the first day there is nothing to compare with but the last minutes: `first_day` tells the grossest jumps. From
then on each direction is judged by itself; one cause often shows in both, and is told once.
"""

from array import array
from collections.abc import Callable
from zlib import crc32

from appliance.core.detection.incident import Severity
from appliance.core.detection.rates import first_day
from appliance.core.detection.rates.anomaly import DOWN, UP, Anomaly, AnomalyType, Contributor, Direction, describe
from appliance.core.detection.rates.departure import LEAST_SEEN_S, Departure, Detector
from appliance.core.detection.rates.expectation import Clock
from appliance.core.detection.rates.extremes import Course
from appliance.core.detection.rates.recurrence import SIZE as RECURRENCE_SIZE
from appliance.core.detection.rates.recurrence import Recurrence

DIRECTIONS: tuple[Direction, Direction] = (UP, DOWN)
MINUTE_S = 60.0  # what is judged at once: shorter rates are noise, and five minutes are the time to tell an event
IDLE_BYTES_S = 100.0  # the chatter of one idle device
# Within these times a further departure in the same sense, of either direction, is the same thing, unless it is graver
# or carries far more: whoever works on a Saturday does so for hours, and a line that falls again has been mended in
# between.
SURPLUS_S, FALL_S = 4 * 3600.0, 1800.0
FAR_MORE = 4.0
RANKS = list(Severity)
SUM_BYTES = 4  # of a CRC-32
GAP_S = 600.0  # without a rate: what was gathered before has nothing to do with what comes


class DepartmentRates:
    """Judges the rates of one department."""

    def __init__(self, saved: bytes = b"") -> None:
        """`saved`: what `state` gave before a restart; of another version, or damaged, it is not used."""
        known = _restored(saved) or {one: (Detector(IDLE_BYTES_S), Recurrence()) for one in DIRECTIONS}
        self._detectors = {name: detector for name, (detector, _) in known.items()}
        self._recurrence = {name: recurrence for name, (_, recurrence) in known.items()}
        self._baseline = first_day.Baseline()
        self._gathered = [0.0, 0.0]  # bytes
        self._gathered_s = 0.0
        self._latest_s: float | None = None
        self._told: dict[bool, tuple[float, Anomaly]] = {}  # by whether it fell: when, and which

    @property
    def state(self) -> bytes:
        """What was learned, for `saved`."""
        parts = (
            part.numbers.tobytes() for name in DIRECTIONS for part in (self._detectors[name], self._recurrence[name])
        )
        content = b"".join(parts)
        return content + _sum_of(content)

    def expected(self, clock: Clock) -> tuple[float, float] | None:
        """The usual least and most bytes per second now, both directions together; `None`: too little is known."""
        ranges = [one.expectation.usual(clock) for one in self._detectors.values()]
        known = [one for one in ranges if one is not None]
        return (sum(one[0] for one in known), sum(one[2] for one in known)) if len(known) == len(ranges) else None

    def judge(
        self,
        up: float,
        down: float,
        clock: Clock | None,
        now_s: float,
        contributor: Callable[[Direction], Contributor | None] = lambda _: None,
    ) -> Anomaly | None:
        """Judges the mean rates since the previous call, in bytes per second.

        `clock`: `None` while it is not known. `now_s`: seconds of any clock; what seems to last more than `GAP_S` is a
        clock that was set, and is left out. `contributor`: most of a direction's bytes.
        """
        elapsed_s = 0.0 if self._latest_s is None else now_s - self._latest_s
        self._latest_s = now_s
        if not 0 < elapsed_s <= GAP_S:
            self._gathered, self._gathered_s = [0.0, 0.0], 0.0
            elapsed_s = 0.0
        found = self._judge_first_day(up + down, now_s)
        self._gathered[0] += up * elapsed_s
        self._gathered[1] += down * elapsed_s
        self._gathered_s += elapsed_s
        if self._gathered_s < MINUTE_S or clock is None:
            return found
        return self._judge_minute(clock, now_s, contributor) or found

    def departures(self, clock: Clock, now_s: float) -> list[tuple[Direction, Departure]]:
        """Judges and learns what was gathered."""
        over_s, self._gathered_s = self._gathered_s, 0.0
        rates, self._gathered = [one / over_s for one in self._gathered], [0.0, 0.0]
        judged = [
            (name, one.judge(rate, clock, now_s, over_s))
            for (name, one), rate in zip(self._detectors.items(), rates, strict=True)
        ]
        return [(name, one) for name, one in judged if one is not None]

    def _judge_minute(
        self, clock: Clock, now_s: float, contributor: Callable[[Direction], Contributor | None]
    ) -> Anomaly | None:
        found = self.departures(clock, now_s)
        if not found:
            return None
        direction, rarest = max(found, key=lambda one: one[1].return_days)
        has_fallen = rarest.course is Course.FALL
        by = None if has_fallen else contributor(direction)
        told = self._new(describe(rarest, direction, clock, now_s, by), now_s)
        if told is None or has_fallen or self._recurrence[direction].is_new(clock.second, rarest.rate, now_s):
            return told
        return None

    def _judge_first_day(self, rate: float, now_s: float) -> Anomaly | None:
        if self._detectors[DOWN].expectation.seen_s >= LEAST_SEEN_S:
            return None
        self._baseline, found = first_day.judge(self._baseline, rate, now_s)
        return found

    def _new(self, found: Anomaly, now_s: float) -> Anomaly | None:
        """The anomaly; `None`: it is one that was told already."""
        has_fallen = found.type is AnomalyType.DROP
        if has_fallen in self._told:
            told_s, told = self._told[has_fallen]
            goes_on = found.since_s <= told_s or now_s - told_s < (FALL_S if has_fallen else SURPLUS_S)
            is_graver = RANKS.index(found.severity) > RANKS.index(told.severity)
            if goes_on and not is_graver and (has_fallen or found.rate < FAR_MORE * told.rate):
                return None
        self._told[has_fallen] = now_s, found
        return found


def _restored(saved: bytes) -> dict[Direction, tuple[Detector, Recurrence]] | None:
    content, its_sum = saved[:-SUM_BYTES], saved[-SUM_BYTES:]
    if not content or len(content) % 8 or its_sum != _sum_of(content):
        return None
    numbers = array("f", content)
    half = len(numbers) // 2
    try:
        return {
            name: (
                Detector(IDLE_BYTES_S, numbers[begin : begin + half - RECURRENCE_SIZE]),
                Recurrence(numbers[begin + half - RECURRENCE_SIZE : begin + half]),
            )
            for name, begin in zip(DIRECTIONS, (0, half), strict=True)
        }
    except ValueError:
        return None


def _sum_of(content: bytes) -> bytes:
    """By which damage is found: SQLite keeps no sums, and with other numbers nothing can be computed."""
    return crc32(content).to_bytes(SUM_BYTES)
