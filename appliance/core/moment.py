"""Time as an argument: one value that holds both clocks, taken once at the start of a step.

Rates and ages use `monotonic_s`, which never jumps; quota periods, expiries and timestamps use `wall`, which a person
or NTP may set. Nothing in the core or in the monitor asks a clock by itself.
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks: `wall` is aware and in UTC, `monotonic_s` counts seconds from an arbitrary start."""

    wall: datetime
    monotonic_s: float


def timestamp(wall: datetime) -> str:
    """The contract's form of a time: UTC, ISO 8601, milliseconds and `Z`, as in `2024-12-15T04:49:29.000Z`."""
    return wall.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


PATIENCE_S = 600.0  # since boot; a network without a time server must still have days, and NTP takes a minute or two


def is_trusted(*, synchronised: bool, battery_clock: bool, now: Moment) -> bool:
    """Whether the wall clock may end a quota period. Linux counts the monotonic clock from boot."""
    return synchronised or battery_clock or now.monotonic_s >= PATIENCE_S
