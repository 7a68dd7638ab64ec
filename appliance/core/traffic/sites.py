"""Analytics of a department: active users, visited sites, the trend of its bandwidth.

A visit is a client's successful look-up of a name; look-ups of both IP versions for one visit count once. Sites are
counted by registrable domain over the last hour. Memory is bounded for any traffic: each part of the hour keeps a fixed
number of domains by the space-saving rule (Metwally, Agrawal, El Abbadi 2005) and reports the guaranteed count, so that
no visit is invented: the count is at most `visits in that part / SITES_PER_PART` too low, and a domain with more than
that share of the visits is never missed.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import exp

from appliance.core.traffic.dns import DnsAnswer
from appliance.core.traffic.presence import Presence

TOP_SITES = 10  # as many as a dashboard shows at a glance
PART_S = 300.0  # the hour moves on in steps of 5 minutes: a count is at most that much too old
PARTS = 12  # an hour
SITES_PER_PART = 256  # 0.4 % of the visits of 5 minutes is the largest error; about 0.5 MB for a full hour
SAME_VISIT_S = 1.0  # a client asks for A, AAAA and HTTPS at once; even slow answers arrive within a second
MOST_LOOKUPS = 4096  # remembered for that second; a department makes fewer

SHORT_S, LONG_S = 15.0, 60.0  # "now" and "before" for a person who watches: a few seconds, a minute
DEAD_BAND = 1.25  # ordinary web traffic varies by a fifth between such averages without a trend
QUIET_BPS = 10_000.0  # bytes per second: traffic of idle devices, whose changes mean nothing


class Trend(StrEnum):
    """The direction in which the bandwidth changes."""

    INCREASING = "increasing"
    DECREASING = "decreasing"
    STABLE = "stable"


@dataclass(frozen=True, slots=True)
class Site:
    """A registrable domain and its number of visits."""

    domain: str
    visits: int


@dataclass(frozen=True, slots=True)
class Averages:
    """Two moving averages of bytes per second, over `SHORT_S` and `LONG_S`, up to `at_s`."""

    short: float
    long: float
    at_s: float


def update_averages(averages: Averages | None, rate: float, now_s: float) -> Averages:
    """The averages after one more sample, at any distance from the last. `averages`: `None` before the first sample."""
    if averages is None:
        return Averages(rate, rate, now_s)
    elapsed_s = max(0.0, now_s - averages.at_s)
    short, long = (1 - exp(-elapsed_s / span_s) for span_s in (SHORT_S, LONG_S))
    return Averages(
        averages.short + short * (rate - averages.short), averages.long + long * (rate - averages.long), now_s
    )


def trend_of(averages: Averages | None) -> Trend:
    """The trend: stable within the dead band, and while both averages are quiet."""
    if averages is None or max(averages.short, averages.long) < QUIET_BPS:
        return Trend.STABLE
    if averages.short > averages.long * DEAD_BAND:
        return Trend.INCREASING
    if averages.long > averages.short * DEAD_BAND:
        return Trend.DECREASING
    return Trend.STABLE


class Analytics:
    """One department's activity. `registrable`: folds a name to its site; `None` for a name that belongs to no site."""

    def __init__(self, registrable: Callable[[str], str | None]) -> None:
        self._registrable = registrable
        self._users = Presence()
        self._lookups_s: dict[tuple[str, str], float] = {}
        self._parts: dict[int, _PartVisits] = {}

    def mark_active(self, client: str, now_s: float) -> None:
        """Record that the client is active now."""
        self._users.mark_seen(client, now_s)

    def count_visit(self, answer: DnsAnswer, now_s: float) -> None:
        """Count a visit to the site of this name, and its client as active."""
        self.mark_active(answer.client, now_s)
        domain = self._registrable(answer.name)
        if domain is None or self._is_same_visit(answer, now_s):
            return
        part = int(now_s // PART_S)
        if part not in self._parts:
            self._parts = {number: kept for number, kept in self._parts.items() if number > part - PARTS}
            self._parts[part] = _PartVisits()
        self._parts[part].count(domain)

    def active_users(self, now_s: float) -> int:
        """The number of client addresses that were active in the last 5 minutes."""
        return self._users.count(now_s)

    def top_sites(self, now_s: float) -> tuple[Site, ...]:
        """The sites of the last hour, most visited first, then by name; at most `TOP_SITES`."""
        oldest = int(now_s // PART_S) - PARTS
        visits: Counter[str] = Counter()
        for number, part in self._parts.items():
            if number > oldest:
                visits.update(part.guaranteed())
        ranked = sorted(visits.items(), key=lambda one: (-one[1], one[0]))
        return tuple(Site(domain, count) for domain, count in ranked[:TOP_SITES])

    def _is_same_visit(self, answer: DnsAnswer, now_s: float) -> bool:
        lookup = (answer.client, answer.name)
        if now_s - self._lookups_s.get(lookup, float("-inf")) < SAME_VISIT_S:
            return True
        self._lookups_s.pop(lookup, None)  # so that the oldest is always first
        self._lookups_s[lookup] = now_s
        while len(self._lookups_s) > MOST_LOOKUPS or now_s - next(iter(self._lookups_s.values())) >= SAME_VISIT_S:
            del self._lookups_s[next(iter(self._lookups_s))]
        return False


class _PartVisits:
    """Visits in one part of the hour: by domain, its count and how much of it may be inherited."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}

    def count(self, domain: str) -> None:
        counts = self._counts
        if domain in counts:
            count, inherited = counts[domain]
            counts[domain] = (count + 1, inherited)
        elif len(counts) < SITES_PER_PART:
            counts[domain] = (1, 0)
        else:  # replaces the least visited, and inherits its count as a possible error
            least = min(counts, key=counts.__getitem__)
            inherited, _ = counts.pop(least)
            counts[domain] = (inherited + 1, inherited)

    def guaranteed(self) -> dict[str, int]:
        return {domain: count - inherited for domain, (count, inherited) in self._counts.items()}
