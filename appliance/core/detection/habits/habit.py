"""Habits: what a device of the department does each day, so that an incident about the same is usual.

A monitor or an inventory looks at the same ports of the same networks each day, and some hosts are always away. Once it
has done so on three days, the same thing on another day is usual, and nobody is told. What is new about it is told: a
port, a network, half as many again.

Only what looks around may become usual, and only where it cannot hide much: within the department's own devices, by one
hardware address, and below the severity `high`. A flood, a taken address or a rogue server is never usual.
"""

from collections.abc import Collection

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.detection.evidence import TOO_MUCH, Evidence
from appliance.core.detection.incident import RANKS, Severity, severity_of
from appliance.core.detection.incident_kind import IncidentKind

KINDS = frozenset({IncidentKind.PORT_SCAN, IncidentKind.HOST_SWEEP})
LEAST_DAYS = 3  # before today: by then a person was told three times, and has not stopped it
REMEMBERED_DAYS = 28  # of which each is a bit: what happens each week has three days in it
GROWTH = 1.5  # of the most on earlier days: as many hosts are away on one day and not on the other
MOST_TRAITS = 64  # of one habit; a monitor has a few ports in a few networks
MOST_NAMED = 5  # traits in a sentence
_DAYS = (1 << REMEMBERED_DAYS) - 1


class Habit(Struct, kw_only=True):
    """What a device does, by day. `traits`: each with a bit for every day, today's the lowest; `day`: since 1970.

    `count`, `most`: the largest count of today, and of the days before; `usual_since`: the day on which it became
    usual, `None`: it is not; `is_refused`: a person has said that it must be told.
    """

    id: str
    department: str
    kind: IncidentKind
    source: str
    mac: str
    day: int
    traits: dict[str, int] = field(default_factory=dict)
    count: int = 0
    most: int = 0
    usual_since: int | None = None
    is_refused: bool = False

    def meet(self, found: Evidence, day: int) -> bool:
        """Learn that it happens on this day; returns whether anything is worth saving."""
        if day < self.day:
            return False  # the clock was set back: the days of before are not those of now
        is_changed = day > self.day
        if is_changed:
            shift = min(day - self.day, REMEMBERED_DAYS)
            aged = {one: (days << shift) & _DAYS for one, days in self.traits.items()}
            self.traits = {one: days for one, days in aged.items() if days}
            self.most, self.count, self.day = max(self.most, self.count), 0, day
        for one in found.traits:
            known = self.traits.get(one, 0)
            if not known & 1 and (known or len(self.traits) < MOST_TRAITS):
                self.traits[one] = known | 1
                is_changed = True
        self.count = max(self.count, found.count)
        return is_changed

    def is_usual(self, found: Evidence) -> bool:
        """Whether it was so on enough earlier days, and nobody wants to be told of it."""
        is_same = bool(found.traits) and all(self._days(one) >= LEAST_DAYS for one in found.traits)
        return is_same and not self.is_refused and found.count <= GROWTH * self.most

    def compared(self, found: Evidence) -> Evidence:
        """The evidence, which says how it compares with earlier days."""
        days = max(map(self._days, found.traits), default=0)
        if not days or self.is_refused:
            return found
        new = [one for one in found.traits if not self._days(one)]
        when = f"on {days} earlier day{'s' * (days > 1)}"
        if new:
            habit, words = "new", f"{when} it did so elsewhere, and new are {_listed(new)}"
        elif found.count > GROWTH * self.most:
            habit, words = "more", f"{when} it was at most {self.most}"
        else:
            habit, words = "same", f"{when} it did the same"
        values = {**found.values, "habit": habit, "days": days, "most": self.most, "new": _listed(new)}
        return replace(found, expected=f"{found.expected}; {words}", values=values)

    def sentence(self) -> str:
        """What is usual, for a person."""
        usual = [one for one in self.traits if self._days(one) >= LEAST_DAYS]
        days = max(map(self._days, usual), default=0)
        return f"usual by now: on {days} days {_listed(usual)}, by {self.mac}, at most {max(self.most, self.count)}"

    def _days(self, trait: str) -> int:
        """On how many days before today it was so."""
        return (self.traits.get(trait, 0) >> 1).bit_count()


def sender_of(found: Evidence) -> str | None:
    """The hardware address of the one who may have such a habit; `None`: nobody."""
    is_mild = RANKS.index(severity_of(found.kind, found.count)) <= RANKS.index(Severity.MEDIUM)
    is_comparable = found.traits and TOO_MUCH not in found.traits
    return (
        next(iter(found.senders))
        if found.kind in KINDS and is_mild and is_comparable and len(found.senders) == 1
        else None
    )


def _listed(traits: Collection[str]) -> str:
    first = sorted(traits)[:MOST_NAMED]
    more = len(traits) - len(first)
    return f"{', '.join(first)}{f' and {more} more' if more else ''}"
