"""Watches for issues of the appliance itself: looks at the signs of the machine, and asks each part what fails.

A look compares with the looks before it: an issue keeps the time at which it was first found, and one that comes and
goes is shown for a while after it was last found.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from appliance.core.machine import Link, MachineSigns
from appliance.core.moment import Moment
from appliance.core.operations.issues.checks import CHECKS, Check, Signs, unread
from appliance.core.operations.issues.courses import PortCourses, WrittenCourse
from appliance.core.operations.issues.issue import SOURCES, TROUBLES, Issue, IssueSource, kind_of
from appliance.core.operations.update import Update

TroubleSource = Callable[[Moment], Sequence[str]]  # a sentence for each thing that does not work now
MOST_ISSUES = 32  # in an event; more of them would hide one another

_Key = tuple[str, str]  # of an issue: its id, and its sentence without numbers


class _Sighting(NamedTuple):
    """An issue, and when it was last found by the monotonic clock."""

    issue: Issue
    found_s: float


class IssueWatch:
    """Owns the list of issues. `sources`: what does not work, by the part that tells it.

    `update`: the latest update. `unchecked`: the checks whose signs could not be read at the latest look.
    """

    def __init__(
        self, sources: Mapping[IssueSource, TroubleSource], update: Callable[[], Update | None] = lambda: None
    ) -> None:
        self._sources = {one: sources[one] for one in IssueSource if one in sources}
        self._update = update
        self._ports, self._written = PortCourses(), WrittenCourse()
        self._lost: int | None = None
        self._found: dict[_Key, _Sighting] = {}
        self._since: dict[_Key, datetime] = {}  # of what the sources tell
        self.unchecked: Sequence[str] = [one.id for one in CHECKS]

    def look(self, machine: MachineSigns, ports: Sequence[Link], frames_lost: int, now: Moment) -> None:
        """Make each check. `ports`: the computer's; `frames_lost`: by the capture, since it began."""
        before, self._lost = self._lost, frames_lost
        signs = Signs(
            wall=now.wall,
            uptime_s=now.monotonic_s,
            machine=machine,
            written_a_day_bytes=self._written.look(machine.card_written_bytes, now.monotonic_s),
            ports=self._ports.look(ports, now.monotonic_s),
            frames_lost=None if before is None else frames_lost - before,
            update=self._update(),
        )
        self.unchecked = unread(signs)
        former, self._found = self._found, {}
        for check in CHECKS:
            for key, sighting in self._sightings(check, signs, former, now):
                self._found[key] = sighting

    def issues(self, now: Moment) -> list[Issue]:
        """All issues, as the checks have found them at the latest look and as each part tells it now."""
        found = [one.issue for one in self._found.values()]
        told = [(one, text) for one, source in self._sources.items() for text in source(now)]
        keys = [(source.value, kind_of(text)) for source, text in told]
        self._since = {key: self._since.get(key, now.wall) for key in keys}
        for (source, text), key in zip(told, keys, strict=True):
            severity, suggestion = SOURCES[source]
            found.append(Issue(source.value, severity, text, suggestion, self._since[key]))
        return found[:MOST_ISSUES]

    def troubles(self, now: Moment) -> list[str]:
        """What does not work, a sentence each: of the checks first, then of each part in order."""
        found = [one.issue.sentence for one in self._found.values() if one.issue.severity in TROUBLES]
        told = [one for one in self._sources if SOURCES[one].severity in TROUBLES]
        return [*found, *(text for one in told for text in self._sources[one](now))]

    def _sightings(
        self, check: Check, signs: Signs, former: Mapping[_Key, _Sighting], now: Moment
    ) -> Iterator[tuple[_Key, _Sighting]]:
        present = {(check.id, kind_of(found.cause)): found for found in check.find(signs) or ()}
        for key, (cause, values) in present.items():
            since = former[key].issue.since if key in former else now.wall
            issue = Issue(check.id, check.severity, cause, check.suggestion, since, values)
            yield key, _Sighting(issue, now.monotonic_s)
        for key, sighting in former.items():
            is_held = key[0] == check.id and now.monotonic_s - sighting.found_s < check.hold_s
            if is_held and key not in present:
                yield key, sighting
