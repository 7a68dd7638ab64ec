"""Time as an argument: one value with both clocks, read once at the start of a step.

Rates and ages use `monotonic_s`, which never jumps; quota periods, expiries and timestamps use `wall`, which a person
or a time server may set. Nothing in the core or in the monitor reads a clock.
"""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

PATIENCE_S = 600.0  # since boot: NTP takes a minute or two, and without a time server days must begin all the same

# These programs were not written before, and none of today's appliances runs for so long: a clock beyond is wrong.
FIRST_POSSIBLE, LAST_POSSIBLE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC)


class Moment(Struct, frozen=True):
    """One instant on both clocks. `wall`: aware, in UTC. `monotonic_s`: seconds since boot, as Linux counts them.

    `is_trusted`: whether `wall` may be believed; only then may it end a quota period or a block.
    """

    wall: datetime
    monotonic_s: float
    is_trusted: bool

    def is_due(self, last_s: float | None, period_s: float) -> bool:
        """Whether a period has passed since `last_s` of the monotonic clock; `None`: it never happened, and is due."""
        return last_s is None or self.monotonic_s - last_s >= period_s


def moment(wall: datetime, monotonic_s: float, *, is_synchronised: bool, has_battery: bool) -> Moment:
    """The moment, trusted if a time server or a battery keeps the wall clock right, or `PATIENCE_S` have passed."""
    return Moment(wall, monotonic_s, is_synchronised or has_battery or monotonic_s >= PATIENCE_S)


def began_at(began_s: float, now: Moment) -> datetime:
    """When something began at `began_s` of the monotonic clock, to the second, as the wall clock says now.

    The wall clock may have been wrong then.
    """
    wall = now.wall - timedelta(seconds=now.monotonic_s - began_s)
    return datetime.fromtimestamp(round(wall.timestamp()), UTC)


def at_epoch(epoch_s: float) -> datetime:
    """The time so many seconds after the beginning of 1970."""
    return datetime.fromtimestamp(epoch_s, UTC)


def strays(wall: datetime) -> bool:
    """Whether a clock that says this is wrong by years."""
    return not FIRST_POSSIBLE <= wall < LAST_POSSIBLE


def timestamp(wall: datetime) -> str:
    """The contract's form of a time: UTC, ISO 8601, milliseconds and `Z`, as in `2024-12-15T04:49:29.000Z`."""
    return wall.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
