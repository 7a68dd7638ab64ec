"""Outflow: a device that sends far more out of its department than it ever has, and than the others do.

What a device sends is added up over an hour and over a day. It is unusual from four times the most that the device has
sent so in the last four weeks, and twice what nearly every other device of the department has: people send large files
now and then, and which of them does it on which day says nothing. The device that sends most of all, as one that is
backed up, is no measure for the others.

Nothing is judged before a department is known for a week, and a device for three days. A day on which something was
unusual is not learned, until there have been three: what lasts is usual then.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from math import ceil
from typing import NamedTuple

from msgspec import Struct, field

from appliance.core.detection.evidence import MOST_EXAMPLES, Evidence
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.size import size_text

MINUTE_S = 60.0
# The constants were chosen on the made-up offices of tests/bench/senders.py, of the even seeds.
OWN_MULTIPLE, OTHERS_MULTIPLE = 4.0, 2.0
NEARLY_ALL = 0.95  # of the other devices
KNOWN_DEPARTMENT_DAYS, KNOWN_DEVICE_DAYS = 7, 3
OUTSTANDING_DAYS = 2  # that are not learned
WEEKS = 5  # of which the largest sums are kept: four whole ones, and the present one
LEAST_MINUTE = 100_000  # bytes; the chatter of a device, and a page that is asked for, are less
MOST_DEVICES = 1024  # of a department, as of `contributors`; 1.5 MB if each sends all day long


class Span(NamedTuple):
    """What is added up together: so many slots of this length, from so many bytes on."""

    words: str
    slot_s: float
    slots: int
    least_bytes: int


# Half a gigabyte is an hour of a video call; two are a day of them.
SPANS = (Span("an hour", 600.0, 6, 500_000_000), Span("a day", 7200.0, 12, 2_000_000_000))


class Outflow(Struct, frozen=True):
    """What a device has sent within a span. `own_bytes`: the most that it has before.

    `others_bytes`: what nearly all of the `others`, so many devices, do not exceed.
    """

    device: str
    span: Span
    sent_bytes: int
    own_bytes: int
    others_bytes: int
    others: int


class _SpanSums(Struct):
    """What devices have sent in the latest slots; `slots`: the newest last."""

    span: Span
    slots: list[dict[str, int]] = field(default_factory=lambda: [{}])
    totals: dict[str, int] = field(default_factory=dict)
    began_s: float | None = None

    def add(self, sent: Iterable[tuple[str, int]], now_s: float) -> None:
        """Add what was sent lately."""
        if self.began_s is None or now_s - self.began_s > self.span.slot_s * self.span.slots or now_s < self.began_s:
            self.slots, self.totals, self.began_s = [{}], {}, now_s
        while now_s - self.began_s >= self.span.slot_s:
            self.began_s += self.span.slot_s
            self.slots.append({})
            if len(self.slots) > self.span.slots:
                self._subtract(self.slots.pop(0))
        for device, sent_bytes in sent:
            self.slots[-1][device] = self.slots[-1].get(device, 0) + sent_bytes
            self.totals[device] = self.totals.get(device, 0) + sent_bytes

    def _subtract(self, slot: dict[str, int]) -> None:
        for device, sent_bytes in slot.items():
            self.totals[device] -= sent_bytes
            if not self.totals[device]:
                del self.totals[device]


class _Sender(Struct):
    """What is known of a device. `weeks`: by span, the most of each week, the present one first.

    `today`: by span, the most of today; `found`: of that, what was unusual; `outstanding`: days that were, and are not
    learned.
    """

    first_day: int
    seen_day: int
    week: int
    weeks: list[list[int]]
    today: list[int] = field(default_factory=lambda: [0] * len(SPANS))
    found: list[int] = field(default_factory=lambda: [0] * len(SPANS))
    outstanding: int = 0

    def end_day(self, day: int) -> None:
        """Learn the day that has ended."""
        if any(self.found) and self.outstanding < OUTSTANDING_DAYS:
            self.outstanding += 1
        else:
            self.outstanding = 0
            for weeks, most in zip(self.weeks, self.today, strict=True):
                weeks[0] = max(weeks[0], most)
        self.today, self.found = [0] * len(SPANS), [0] * len(SPANS)
        passed = min(day // 7 - self.week, WEEKS)
        self.weeks = [[*[0] * passed, *weeks][:WEEKS] for weeks in self.weeks]
        self.week = day // 7


class Sent(NamedTuple):
    """An outflow of a device that is known by these addresses. `mac`: `None` behind a router."""

    found: Outflow
    mac: str | None
    addresses: tuple[str, ...]

    @property
    def source(self) -> str:
        """As whom the device is named."""
        return self.addresses[0] if self.addresses else self.found.device


class Outflows:
    """The devices of one department; `now_s` is monotonic, and a day is counted in the people's calendar."""

    def __init__(self, saved: bytes = b"") -> None:
        """`saved`: what `state` gave before a restart; of another form it is not used."""
        self._began_day, self._devices = _restored(saved)
        self._sums = [_SpanSums(one) for one in SPANS]
        self._minute: dict[str, int] = {}
        self._folded_s: float | None = None
        self._day = 0

    @property
    def state(self) -> bytes:
        """What was learned, for `saved`."""
        rows = [
            [name, one.first_day, one.seen_day, one.week, one.outstanding, *one.weeks]
            for name, one in self._devices.items()
        ]
        return json.dumps([self._began_day, rows], separators=(",", ":")).encode()

    def add(self, device: str, sent_bytes: int) -> None:
        """Add what a device has sent."""
        if sent_bytes:
            self._minute[device] = self._minute.get(device, 0) + sent_bytes

    def judge(self, day: int | None, now_s: float) -> Sequence[Outflow]:
        """The devices that have sent far too much; each again while it becomes more.

        Judged and learned is each minute. `day`: `None` while it is not known; then nothing is.
        """
        if self._folded_s is not None and 0 <= now_s - self._folded_s < MINUTE_S:
            return ()
        self._folded_s, minute = now_s, self._minute
        self._minute = {}
        if day is None or day < self._day:
            return ()
        self._begin_day(day)
        sent = [(name, count) for name, count in minute.items() if count >= LEAST_MINUTE and self._has_room(name, day)]
        for place, sums in enumerate(self._sums):
            sums.add(sent, now_s)
            for name, _ in sent:
                known = self._devices[name]
                known.seen_day = day
                known.today[place] = max(known.today[place], sums.totals[name])
        if self._began_day is None or day - self._began_day < KNOWN_DEPARTMENT_DAYS:
            return ()
        return [one for place in range(len(SPANS)) for name, _ in sent if (one := self._judge(place, name, day))]

    def _begin_day(self, day: int) -> None:
        if day == self._day:
            return
        self._day = day
        if self._began_day is None:
            self._began_day = day
        for name, one in [*self._devices.items()]:
            one.end_day(day)
            if day - one.seen_day > 7 * WEEKS:
                del self._devices[name]

    def _has_room(self, name: str, day: int) -> bool:
        if name not in self._devices and len(self._devices) < MOST_DEVICES:
            self._devices[name] = _Sender(day, day, day // 7, [[0] * WEEKS for _ in SPANS])
        return name in self._devices

    def _judge(self, place: int, name: str, day: int) -> Outflow | None:
        span, known = SPANS[place], self._devices[name]
        sent_bytes, own = known.today[place], max(known.weeks[place])
        if sent_bytes <= known.found[place] or sent_bytes < max(span.least_bytes, OWN_MULTIPLE * own):
            return None
        others = [max(one.weeks[place]) for other, one in self._devices.items() if other != name]
        usual = nearly_all(others)
        if day - known.first_day < KNOWN_DEVICE_DAYS or sent_bytes < OTHERS_MULTIPLE * usual:
            return None
        known.found[place] = sent_bytes
        return Outflow(name, span, sent_bytes, own, usual, len(others))


def nearly_all(amounts: Collection[int]) -> int:
    """What nearly all of these do not exceed; of four or more the largest does not count."""
    ordered = sorted(amounts)
    if not ordered:
        return 0
    place = ceil(NEARLY_ALL * len(ordered))
    return ordered[min(place, len(ordered) - 1 if len(ordered) >= 4 else place) - 1]


def outflow_evidence(sent: Sent, peers: Sequence[str], now_s: float) -> Evidence:
    """The evidence that an outflow is. `peers`: with whom the device has spoken lately."""
    found, span_s = sent.found, sent.found.span.slot_s * sent.found.span.slots
    before = f"at most {size_text(found.own_bytes)} in {found.span.words}, as in the last four weeks"
    others = f"; nearly all of {found.others} other devices send at most {size_text(found.others_bytes)}"
    return Evidence(
        kind=IncidentKind.OUTBOUND_VOLUME,
        source=sent.source,
        count=found.sent_bytes,
        details=(
            f"{sent.source} sent {size_text(found.sent_bytes)} out of the department within {found.span.words}"
            f"{f', while it spoke with {peers[0]}' if peers else ''}"
        ),
        expected=f"{before}{others if found.others else ''}",
        first_s=now_s - span_s,
        latest_s=now_s,
        peers=tuple(peers[:MOST_EXAMPLES]),
        senders={sent.mac: found.sent_bytes} if sent.mac else {},
        values={
            "bytes": found.sent_bytes,
            "seconds": round(span_s),
            "own": found.own_bytes,
            **({"others": found.others, "usual": found.others_bytes} if found.others else {}),
            **({"peer": peers[0]} if peers else {}),
        },
    )


def _restored(saved: bytes) -> tuple[int | None, dict[str, _Sender]]:
    if not saved:
        return None, {}
    try:
        began_day, rows = json.loads(saved)
        devices = {
            str(name): _Sender(first, seen, week, [[*map(int, one)] for one in weeks], outstanding=outstanding)
            for name, first, seen, week, outstanding, *weeks in rows
            if len(weeks) == len(SPANS) and all(len(one) == WEEKS for one in weeks)
        }
    except (ValueError, TypeError):
        return None, {}
    return began_day, devices
