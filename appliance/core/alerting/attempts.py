"""Attempts: when a channel tries to deliver what waits.

A message waits until nothing has come for a moment, so that a storm makes one message; after a delivery the next one
waits for a while. A receiver that fails is asked again, less and less often and never at the same time as by other
appliances.
"""

from datetime import datetime, timedelta

from msgspec import Struct

GATHER_S = 5.0  # without another notice; a quota's alerts and its error, or the sources of one scan, come within it
LONGEST_GATHER_S = 60.0  # from the first one: a storm goes on
PACE_S = 60.0  # between two messages: a person's telephone rings once a minute at most
FIRST_RETRY_S, LONGEST_RETRY_S = 10.0, 900.0  # a server restarts within seconds; one that is down is found in 15 min
JITTER = 0.5  # share of a delay that is left to chance
MOST_AGE = timedelta(days=3)  # from Friday evening to Monday; who reads older ones has seen the page meanwhile
LEAST_FAILURES = 20  # in a row, before anything is too old: the clock may have jumped by years, and nobody was asked


class Attempts(Struct):
    """The attempts of one channel; all times are monotonic seconds. `failures`: in a row."""

    failures: int = 0
    first_s: float | None = None  # the oldest notice that waits and may leave
    latest_s: float = 0.0
    not_before_s: float = 0.0

    def arrived(self, now_s: float) -> None:
        """A notice waits that may leave."""
        self.first_s = now_s if self.first_s is None else self.first_s
        self.latest_s = now_s

    def is_due(self, now_s: float) -> bool:
        """Whether what waits is to be delivered now."""
        if self.first_s is None or now_s < self.not_before_s:
            return False
        return now_s - self.latest_s >= GATHER_S or now_s - self.first_s >= LONGEST_GATHER_S

    def delivered(self, now_s: float) -> None:
        """What waited was delivered."""
        self.failures, self.first_s, self.not_before_s = 0, None, now_s + PACE_S

    def failed(self, now_s: float, chance: float) -> None:
        """The attempt failed. `chance`: 0..1."""
        delay_s = min(FIRST_RETRY_S * 2 ** min(self.failures, 16), LONGEST_RETRY_S)
        self.failures += 1
        self.not_before_s = now_s + delay_s * (1 - JITTER * chance)

    def is_too_old(self, at: datetime, wall: datetime) -> bool:
        """Whether a notice of this time is given up."""
        return self.failures >= LEAST_FAILURES and wall - at > MOST_AGE
