"""Limits how often each client may do something, by a token bucket for each.

A bucket has room for `burst` tokens and regains `rate_per_s` of them each second; each request spends one. So a
dashboard may ask for everything at once when it opens, but no client may ask without end. Full buckets are forgotten,
so that strangers cannot fill the memory; where there are too many, the one that was used longest ago is forgotten.
"""

from collections import OrderedDict
from collections.abc import Hashable

from msgspec import Struct


class Rate(Struct, frozen=True):
    """A bucket allows `burst` at once and `rate_per_s` in the long run."""

    rate_per_s: float
    burst: int


class RateLimit:
    """A bucket for each key, full at first."""

    def __init__(self, rate: Rate, most_keys: int) -> None:
        """`most_keys`: the number of buckets that are remembered at once."""
        self._rate = rate
        self._most_keys = most_keys
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # key -> tokens, at which second

    def spend(self, key: Hashable, now_s: float, tokens: float = 1) -> float:
        """Spend tokens of this key if it has so many. Returns 0, or the seconds to wait until it has.

        `now_s`: of a clock that never jumps.
        """
        level, since_s = self._levels.pop(key, (float(self._rate.burst), now_s))
        level = min(self._rate.burst, level + max(0.0, now_s - since_s) * self._rate.rate_per_s)
        is_granted = level >= tokens
        self._levels[key] = (level - tokens if is_granted else level, now_s)
        self._forget(now_s)
        return 0.0 if is_granted else (tokens - level) / self._rate.rate_per_s

    def __len__(self) -> int:
        """The number of buckets that are remembered."""
        return len(self._levels)

    def _forget(self, now_s: float) -> None:
        full_after_s = self._rate.burst / self._rate.rate_per_s
        while self._levels:
            key, (_, since_s) = next(iter(self._levels.items()))  # the one that was used longest ago
            if len(self._levels) <= self._most_keys and now_s - since_s < full_after_s:
                return
            del self._levels[key]
