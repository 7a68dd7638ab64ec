"""Reckoning: what time it is for blocks, on a computer without a clock of its own.

While the wall clock is trusted it is followed. Until then, time goes on from where it was when the state was last
saved, so that a block has left what it had left then: too long by how long the power was off, and never too short. What
is ordered meanwhile is provisional: when the true time is known, its instants move with the clock, and what is left of
it stays. All other blocks end when they were meant to end.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from appliance.core.blocking.block import Block
from appliance.core.moment import Moment


@dataclass(frozen=True, slots=True)
class Reckoning:
    """`since`: by this wall clock, it was `since_s` by the monotonic one."""

    since: datetime
    since_s: float
    is_trusted: bool

    def wall(self, now: Moment) -> datetime:
        """The time by which blocks begin and end."""
        if self.is_trusted:
            return now.wall
        return self.since + timedelta(seconds=now.monotonic_s - self.since_s)

    def strayed_s(self, now: Moment) -> float:
        """By how many seconds the wall clock has been moved since the last look: what was told the kernel is off."""
        return abs((now.wall - self.since).total_seconds() - (now.monotonic_s - self.since_s))


NEVER = Reckoning(datetime.fromtimestamp(0, UTC), 0.0, is_trusted=False)  # before anything was reckoned


def begin(now: Moment, saved_at: datetime | None, *, is_trusted: bool) -> Reckoning:
    """At the start of the program. `saved_at`: the time that was saved last, `None`: none was."""
    if is_trusted or saved_at is None:
        return Reckoning(now.wall, now.monotonic_s, is_trusted)
    return Reckoning(saved_at, now.monotonic_s, is_trusted=False)


def follow(reckoning: Reckoning, now: Moment, *, is_trusted: bool) -> Reckoning:
    """The same, later. A clock that was trusted once stays so."""
    if reckoning.is_trusted or is_trusted:
        return Reckoning(now.wall, now.monotonic_s, is_trusted=True)
    return reckoning


def moved(block: Block, jump: timedelta) -> Block:
    """A provisional block by the true time, which is this far from the one that it was ordered by."""
    ends = None if block.expires_at is None else block.expires_at + jump
    return replace(block, started_at=block.started_at + jump, expires_at=ends, is_provisional=False)
