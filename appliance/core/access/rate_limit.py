"""Allowances: how often somebody may do something, by a bucket of tokens for each.

A bucket holds `burst` tokens and regains `rate_per_s` of them each second; what is asked for takes one. So a dashboard
may ask for everything at once when it opens, and nobody may ask without end. Buckets that are full again are forgotten,
so that strangers cannot fill the memory; where there are too many at once, the one that was used longest ago goes.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """What a bucket allows: `burst` at once, `rate_per_s` for ever."""

    rate_per_s: float
    burst: int


class RateLimit:
    """A bucket for each key, full at first."""

    def __init__(self, rate: Rate, most_keys: int) -> None:
        """`most_keys`: how many buckets are kept at once."""
        self._rate = rate
        self._most_keys = most_keys
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # key -> tokens, at which second

    def take(self, key: Hashable, now_s: float, tokens: float = 1) -> float:
        """Take tokens of this key if there are so many. Returns 0, or the seconds after which there will be.

        `now_s`: of a clock that never jumps.
        """
        level, since_s = self._levels.pop(key, (float(self._rate.burst), now_s))
        level = min(self._rate.burst, level + max(0.0, now_s - since_s) * self._rate.rate_per_s)
        is_granted = level >= tokens
        self._levels[key] = (level - tokens if is_granted else level, now_s)
        self._forget(now_s)
        return 0.0 if is_granted else (tokens - level) / self._rate.rate_per_s

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._levels)

    def _forget(self, now_s: float) -> None:
        full_after_s = self._rate.burst / self._rate.rate_per_s
        while self._levels:
            key, (_, since_s) = next(iter(self._levels.items()))  # the one that was used longest ago
            if len(self._levels) <= self._most_keys and now_s - since_s < full_after_s:
                return
            del self._levels[key]
