"""Anomalies: departures from what is usual for a department, in words.

`details` says how much passes, what is usual, by what that is known, since when, whose it is for the most part, and
what to look at: a person decides within a minute whether it needs them.
"""

from datetime import datetime
from enum import StrEnum
from math import log10
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from appliance.core.detection.incident import Severity
from appliance.core.detection.rates.departure import Departure
from appliance.core.detection.rates.expectation import QUIET_SHARE, Clock
from appliance.core.detection.rates.extremes import LEAST_RETURN_DAYS, Course

UP: Final = "up"
DOWN: Final = "down"
Direction = Literal["up", "down"]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_DAYS = 14  # of each hour's memory

# The least multiple of the usual high for each severity, worst first.
SEVERITIES = ((30.0, Severity.CRITICAL), (8.0, Severity.HIGH), (3.0, Severity.MEDIUM), (0.0, Severity.LOW))
SILENT_SHARE = 0.02  # of the usual rate: what is left of it in an outage
MOST_CONFIDENCE = 0.97


class AnomalyType(StrEnum):
    """The kind of an anomaly; the first is the contract's own."""

    SPIKE = "usage_spike"
    DROP = "usage_drop"
    LEVEL = "usage_level"
    UNUSUAL_HOUR = "unusual_hour"


# Confidence: in what comes once in `LEAST_RETURN_DAYS`, and how much more for each power of ten beyond. An outage has
# hardly ever another cause, and who works late hardly ever means harm. The numbers are the shares of alarms that were
# made to happen on the lines of the bench with even seeds (tests/bench/anomalies.py, which judges odd ones).
CONFIDENCE = {
    AnomalyType.SPIKE: (0.45, 0.14),
    AnomalyType.DROP: (0.8, 0.05),
    AnomalyType.LEVEL: (0.7, 0.07),
    AnomalyType.UNUSUAL_HOUR: (0.1, 0.17),
}


class Contributor(Struct, frozen=True):
    """The host that has carried most in the last minutes. `rate`: its bytes per second."""

    host: str
    rate: float


class Anomaly(Struct, frozen=True):
    """A departure. `details`: a sentence with the numbers; `confidence`: 0..1; `since_s`: as the departure has it.

    `direction`: up or down; `None`: both together. `low` and `high`: what is usual, in bytes per second, by so many
    `days`; by the last minutes, on the first day, both are the rate that was.
    """

    type: AnomalyType
    severity: Severity
    details: str
    confidence: float
    direction: Direction | None = None
    rate: float = 0.0
    low: float = 0.0
    high: float = 0.0
    since_s: float = 0.0
    contributor: Contributor | None = None
    days: int = 0


class StoredAnomaly(NamedTuple):
    """An anomaly of a department that was told at this time. `facts`: as JSON, as they were sent."""

    department: str
    at: datetime
    facts: bytes


def describe(
    found: Departure, direction: Direction, clock: Clock, now_s: float, contributor: Contributor | None = None
) -> Anomaly:
    """The anomaly that a departure is. `clock`, `now_s`: the time of both clocks now."""
    kind = _type_of(found)
    is_more = kind is not AnomalyType.DROP
    return Anomaly(
        type=kind,
        severity=_severity_of(found),
        details=_details(found, kind, direction, clock, now_s, contributor if is_more else None),
        confidence=confidence(kind, found.return_days),
        direction=direction,
        rate=found.rate,
        low=found.low,
        high=found.high,
        since_s=found.since_s,
        contributor=contributor if is_more else None,
        days=_days(found),
    )


def confidence(kind: AnomalyType, return_days: float) -> float:
    """The share of such anomalies that were made to happen, on the lines of the bench."""
    least, a_decade = CONFIDENCE[kind]
    return round(min(MOST_CONFIDENCE, least + a_decade * log10(max(1.0, return_days / LEAST_RETURN_DAYS))), 2)


def rate_text(rate: float) -> str:
    """Bytes per second for a person: `5.2 MB/s`."""
    for unit in ("B/s", "kB/s", "MB/s"):
        if rate < 999.5:
            return f"{rate:.3g} {unit}"
        rate /= 1000
    return f"{rate:.3g} GB/s"


def _type_of(found: Departure) -> AnomalyType:
    if found.course is Course.FALL:
        return AnomalyType.DROP
    if found.middle < QUIET_SHARE * found.busiest and found.rate <= 3 * found.busiest:
        return AnomalyType.UNUSUAL_HOUR
    return AnomalyType.LEVEL if found.course is Course.LEVEL else AnomalyType.SPIKE


def _severity_of(found: Departure) -> Severity:
    if found.course is Course.FALL:
        return Severity.HIGH if found.rate <= SILENT_SHARE * found.middle else Severity.MEDIUM
    multiple = found.rate / max(found.high, 1.0)
    return next(severity for least, severity in SEVERITIES if multiple >= least)


_ADVICE = {
    AnomalyType.SPIKE: "see what is {moved}",
    AnomalyType.DROP: "look at the cable, the switch and the uplink",
    AnomalyType.LEVEL: "see what has been new since then",
    AnomalyType.UNUSUAL_HOUR: "see whether anybody is meant to work now, and what is {moved}",
}


def _details(
    found: Departure, kind: AnomalyType, direction: str, clock: Clock, now_s: float, contributor: Contributor | None
) -> str:
    days = _days(found)
    weekday = WEEKDAYS[clock.weekday]
    compared = f"on a {weekday} at this hour, by the last {days} {'day' if days == 1 else 'days'}"
    range_text = f"{rate_text(found.low)} to {rate_text(found.high)}"
    moved = "sent" if direction == UP else "fetched"
    parts = [
        f"{rate_text(found.rate)} {direction} since {_time_text(clock, now_s - found.since_s)}",
        f"where {range_text} is usual {compared}",
    ]
    if contributor is not None:
        parts.append(f"most of it by {contributor.host} ({rate_text(contributor.rate)})")
    return f"{', '.join(parts)}; {_ADVICE[kind].format(moved=moved)}"


def _days(found: Departure) -> int:
    return max(1, round(min(found.days, MOST_DAYS)))


def _time_text(clock: Clock, ago_s: float) -> str:
    minutes = int((clock.second - ago_s) // 60) % 1440
    return f"{minutes // 60:02}:{minutes % 60:02}"
