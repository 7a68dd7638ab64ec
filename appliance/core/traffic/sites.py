"""Analytics of a department: active devices, visited sites, the trend of its bandwidth.

A visit is one device at one site within half an hour, however the site was named, once a server has answered. Sites are
counted by registrable domain over the last hour, and apart from what programs do by themselves. Memory is bounded for
any traffic: each part of the hour keeps a fixed number of sites by the space-saving rule (Metwally, Agrawal, El Abbadi
2005) and reports the guaranteed count, so that no visit is invented: the count is at most `error` too low, which is at
most `visits in that part / SITES_PER_PART` for each part, and a site with more than that share of the visits is never
missed. Nothing of this is saved.
"""

from collections import Counter, OrderedDict
from enum import StrEnum
from math import exp

from msgspec import Struct

from appliance.core.traffic.naming import Judgement, Purpose
from appliance.core.traffic.presence import Presence

TOP_SITES = 10  # as many as a dashboard shows at a glance
PART_S = 300.0  # the hour moves on in steps of 5 minutes: a count is at most that much too old
PARTS = 12  # an hour
SITES_PER_PART = 256  # 0.4 % of the visits of 5 minutes is the largest error; about 0.8 MB for a full hour
BACKGROUND_PER_PART = 64  # names of programs' own business: of those there are few
VISIT_S = 1800.0  # web analytics' own idea of one visit
MOST_VISITS = 8192  # remembered for that time; 150 people with 50 sites each, 1.6 MB
MOST_DEVICES = 1024  # told apart when a site's devices are counted; beyond, two may count as one

SHORT_S, LONG_S = 15.0, 60.0  # "now" and "before" for a person who watches: a few seconds, a minute
DEAD_BAND = 1.25  # ordinary web traffic varies by a fifth between such averages without a trend
QUIET_BPS = 10_000.0  # bytes per second: traffic of idle devices, whose changes mean nothing


class Trend(StrEnum):
    """The direction in which the bandwidth changes."""

    INCREASING = "increasing"
    DECREASING = "decreasing"
    STABLE = "stable"


class Site(Struct, frozen=True):
    """A site of the last hour. `visits`: at most `error` too low.

    `bytes`: both directions of the TCP connections that ended, `None` where none has. `devices`: that visited it.
    """

    domain: str
    visits: int
    error: int = 0
    bytes: int | None = None
    devices: tuple[str, ...] = ()


class Contacts(Struct, frozen=True):
    """How many connections of the last hour were for what, and the bytes of those that ended, of all and unnamed."""

    by_purpose: dict[Purpose, int]
    bytes: int = 0
    unnamed_bytes: int = 0

    @property
    def unnamed_share(self) -> float | None:
        """The share of connections that got no name, 0 to 1; `None`: there were none."""
        count = sum(self.by_purpose.values())
        without = sum(self.by_purpose.get(one, 0) for one in NAMELESS)
        return without / count if count else None


NAMELESS = (Purpose.UNNAMED, Purpose.HIDDEN, Purpose.ENCRYPTED_DNS)


class Averages(Struct, frozen=True):
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
    """Counts the devices and visits of one department; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._users = Presence()
        self._parts: dict[int, _Part] = {}
        self._visits_s: OrderedDict[tuple[int, str], float] = OrderedDict()
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._next = 0

    def mark_active(self, device: str, now_s: float) -> None:
        """Record that the device is active now."""
        self._users.mark_seen(device, now_s)

    def active_users(self, now_s: float) -> int:
        """The number of devices that were active in the last 5 minutes."""
        return self._users.count(now_s)

    def count_contact(self, device: str, judgement: Judgement, now_s: float) -> None:
        """Count a connection that a server has answered, and the visit that it is, unless it belongs to one before."""
        self.mark_active(device, now_s)
        part = self._part(now_s)
        part.contacts[judgement.purpose] += 1
        if judgement.purpose not in {Purpose.SITE, Purpose.BACKGROUND}:
            return
        number = self._number(device)
        counts = part.sites if judgement.purpose is Purpose.SITE else part.background
        is_new = not self._is_same_visit((number, judgement.label), now_s)
        counts.count(judgement.label, visits=int(is_new), devices=1 << number % MOST_DEVICES)

    def add_bytes(self, label: str | None, count: int, now_s: float) -> None:
        """Add bytes that a connection has carried. `label`: what it was counted for; `None`: it has no name."""
        part = self._part(now_s)
        part.bytes += count
        if label is None:
            part.unnamed_bytes += count
        elif not part.background.add_bytes(label, count):
            part.sites.add_bytes(label, count, may_begin=True)

    def top_sites(self, now_s: float, most: int = TOP_SITES) -> tuple[Site, ...]:
        """The sites of the last hour, most visited first, then by name."""
        return self._ranked([part.sites for part in self._latest(now_s)], most)

    def background(self, now_s: float, most: int = TOP_SITES) -> tuple[Site, ...]:
        """The names of programs' own business in the last hour, as sites."""
        return self._ranked([part.background for part in self._latest(now_s)], most)

    def contacts(self, now_s: float) -> Contacts:
        """The connections of the last hour."""
        parts = self._latest(now_s)
        total: Counter[Purpose] = Counter()
        for part in parts:
            total.update(part.contacts)
        return Contacts(dict(total), sum(one.bytes for one in parts), sum(one.unnamed_bytes for one in parts))

    def _part(self, now_s: float) -> "_Part":
        number = int(now_s // PART_S)
        if number not in self._parts:
            self._parts = {one: kept for one, kept in self._parts.items() if one > number - PARTS}
            self._parts[number] = _Part()
        return self._parts[number]

    def _latest(self, now_s: float) -> "list[_Part]":
        oldest = int(now_s // PART_S) - PARTS
        return [part for number, part in self._parts.items() if number > oldest]

    def _ranked(self, parts: "list[_Counts]", most: int) -> tuple[Site, ...]:
        total: dict[str, _Count] = {}
        for part in parts:
            for label, one in part.counts.items():
                total.setdefault(label, _Count()).add(one)
        found = [(label, one) for label, one in total.items() if one.visits > one.inherited]
        found.sort(key=lambda one: (one[1].inherited - one[1].visits, one[0]))
        devices = {number % MOST_DEVICES: device for device, number in self._numbers.items()}
        return tuple(
            Site(label, one.visits - one.inherited, one.inherited, one.bytes, tuple(_those(devices, one.devices)))
            for label, one in found[:most]
        )

    def _number(self, device: str) -> int:
        """A number for the device, by which it is counted."""
        number = self._numbers.pop(device, self._next)  # so that the oldest is always first
        self._next += number == self._next
        self._numbers[device] = number
        if len(self._numbers) > MOST_DEVICES:
            self._numbers.popitem(last=False)
        return number

    def _is_same_visit(self, visit: tuple[int, str], now_s: float) -> bool:
        if now_s - self._visits_s.get(visit, float("-inf")) < VISIT_S:
            return True
        self._visits_s.pop(visit, None)  # so that the oldest is always first
        self._visits_s[visit] = now_s
        while len(self._visits_s) > MOST_VISITS or now_s - next(iter(self._visits_s.values())) >= VISIT_S:
            self._visits_s.popitem(last=False)
        return False


def _those(devices: dict[int, str], bits: int) -> list[str]:
    """The devices whose bits are set; a number without a device stays one."""
    return [devices.get(place, f"device {place}") for place in range(bits.bit_length()) if bits >> place & 1]


class _Count:
    """What is counted of one label. `inherited`: of the visits, those that may be others'."""

    __slots__ = ("bytes", "devices", "inherited", "visits")

    def __init__(self, inherited: int = 0) -> None:
        self.visits = self.inherited = inherited
        self.bytes: int | None = None
        self.devices = 0

    def add(self, other: "_Count") -> None:
        self.visits += other.visits
        self.inherited += other.inherited
        self.devices |= other.devices
        if other.bytes is not None:
            self.bytes = (self.bytes or 0) + other.bytes


class _Counts:
    """The most frequent labels in one part of the hour."""

    __slots__ = ("_most", "counts")

    def __init__(self, most: int) -> None:
        self._most = most
        self.counts: dict[str, _Count] = {}

    def count(self, label: str, *, visits: int, devices: int) -> None:
        found = self.counts.get(label)
        if found is None:
            if not visits and len(self.counts) >= self._most:
                return  # a visit that began earlier replaces none
            found = self._begin(label)
        found.visits += visits
        found.devices |= devices

    def add_bytes(self, label: str, count: int, *, may_begin: bool = False) -> bool:
        """Whether the label is known here, so that the bytes were added; `may_begin`: if there is room, make it so."""
        found = self.counts.get(label)
        if found is None and may_begin and len(self.counts) < self._most:
            found = self._begin(label)
        if found is None:
            return False
        found.bytes = (found.bytes or 0) + count
        return True

    def _begin(self, label: str) -> _Count:
        inherited = 0
        if len(self.counts) >= self._most:  # replaces the least visited, and inherits its count as a possible error
            least = min(self.counts, key=lambda one: self.counts[one].visits)
            inherited = self.counts.pop(least).visits
        self.counts[label] = _Count(inherited)
        return self.counts[label]


class _Part:
    """One part of the hour."""

    __slots__ = ("background", "bytes", "contacts", "sites", "unnamed_bytes")

    def __init__(self) -> None:
        self.sites, self.background = _Counts(SITES_PER_PART), _Counts(BACKGROUND_PER_PART)
        self.contacts: Counter[Purpose] = Counter()
        self.bytes = self.unnamed_bytes = 0
