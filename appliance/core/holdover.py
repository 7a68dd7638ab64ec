"""Estimates the time of day while the wall clock is not trusted, on a computer without a battery-backed clock.

A Raspberry Pi wakes up after a power cut with the time of its last shutdown or an earlier one, and its clock jumps when
a time server answers. While a `Moment` is trusted, its wall clock is the time. Otherwise the time goes on, by the
monotonic clock, from the latest trusted moment, or from where the start of the program puts it. There are two such
starts, because an error may only ever lie on the safe side:

    earliest    for blocks: a block is never too short. It lasts longer by as long as the power was off.
    latest      for tokens: a token is never valid too long. A power cut brings no expired token back to life.
"""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from appliance.core.moment import Moment


class Holdover(Struct, frozen=True):
    """An estimate that goes on from `since`. `since.is_trusted`: whether the true time was ever known."""

    since: Moment

    def moment(self, now: Moment) -> Moment:
        """The same instant, with the estimated wall clock where its own is not trusted."""
        return now if now.is_trusted else Moment(self._estimate(now), now.monotonic_s, is_trusted=False)

    def follow(self, now: Moment) -> "Holdover":
        """The holdover from this moment on, if it is trusted."""
        return Holdover(now) if now.is_trusted else self

    def jump(self, now: Moment) -> timedelta:
        """The moment's wall clock minus the estimate."""
        return now.wall - self._estimate(now)

    def _estimate(self, now: Moment) -> datetime:
        return self.since.wall + timedelta(seconds=now.monotonic_s - self.since.monotonic_s)


NOT_STARTED = Holdover(Moment(datetime.fromtimestamp(0, UTC), 0.0, is_trusted=False))


def earliest(now: Moment, saved: datetime | None) -> Holdover:
    """Starts from the saved time, or from the wall clock where none was saved (`None`) or it is trusted."""
    return Holdover(now if now.is_trusted or saved is None else Moment(saved, now.monotonic_s, is_trusted=False))


def latest(now: Moment, passed: datetime | None) -> Holdover:
    """Starts from the later of the wall clock and the latest time that is known to have passed (`None`: unknown)."""
    return Holdover(now if passed is None or passed <= now.wall else Moment(passed, now.monotonic_s, now.is_trusted))
