"""Validity: whether a token's time is over, on a computer whose wall clock may be wrong.

A Raspberry Pi wakes up after a power cut with the time of its last shutdown or worse, and jumps when a time server
answers. So a token that was issued in this very boot is judged by the monotonic clock, which never jumps: it is valid
for as many seconds as it was made for, whatever the wall clock does. Any other is judged by the wall clock, with two
precautions: a clock that nobody vouches for is not followed when it jumps, and time never goes back before the latest
moment that was known for sure, so that a power cut brings no expired token back to life.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.core.moment import Moment


@dataclass(frozen=True, slots=True)
class Issuance:
    """When a token was made, by the monotonic clock of one boot of one machine."""

    boot: str
    monotonic_s: float


@dataclass(frozen=True, slots=True)
class Lifetime:
    """For how long a token is valid. `birth`: `None` where that is not known."""

    issued_at: datetime
    expires_at: datetime
    birth: Issuance | None = None


class Timekeeper:
    """Judges spans. `boot`: of this machine; `None` where the kernel does not tell."""

    def __init__(self, boot: str | None, floor: datetime | None, now: Moment) -> None:
        """`floor`: the latest moment that was known for sure before this start."""
        self._boot = boot
        self._anchor = Moment(max(floor or now.wall, now.wall), now.monotonic_s)

    def observe(self, now: Moment, *, trusted: bool) -> None:
        """Follow the wall clock while somebody vouches for it."""
        if trusted:
            self._anchor = now

    def wall(self, now: Moment) -> datetime:
        """The time of day as far as it is known: the last that was trusted, and what passed since."""
        return self._anchor.wall + timedelta(seconds=now.monotonic_s - self._anchor.monotonic_s)

    def remaining_s(self, span: Lifetime, now: Moment) -> float:
        """Seconds until this span is over; it is at the very instant of its end (RFC 7519, section 4.1.4)."""
        if span.birth is not None and span.birth.boot == self._boot:
            lasts_s = (span.expires_at - span.issued_at).total_seconds()
            return lasts_s - (now.monotonic_s - span.birth.monotonic_s)
        return (span.expires_at - self.wall(now)).total_seconds()
