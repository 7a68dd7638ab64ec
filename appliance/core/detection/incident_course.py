"""The course of incidents, from the alerts about them: each opens, may grow worse, and closes."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.detection.incident import Severity
from appliance.core.text import Values

RANKS = list(Severity)


class IncidentCourse(Struct, frozen=True):
    """An incident as its alerts tell it. `until`: when it closed; `None`: it is open, or a restart forgot it.

    `severity`: the worst; `details`, `values`: the latest; `id`: of the incident, `None` where an older alert does not
    tell it.
    """

    kind: str
    source: str
    severity: Severity
    details: str
    since: datetime
    until: datetime | None = None
    id: str | None = None
    values: Values = field(default_factory=dict)


def courses_of(alerts: Iterable[tuple[IncidentCourse, bool]]) -> list[IncidentCourse]:
    """The incidents, oldest first. `alerts`: oldest first, each as an incident by itself, and whether it closes one.

    An alert that closes none is a new incident, or what became of one: it has the same id, or it is worse.
    """
    found: list[IncidentCourse] = []
    places: dict[tuple[str, str], int] = {}  # of the open incidents
    for one, closes in alerts:
        key = one.kind, one.source
        place = places.get(key)
        if place is None or not (closes or _goes_on(one, found[place])):
            places[key] = len(found)
            found.append(replace(one, until=one.since if closes else None))
        elif closes:
            found[place] = replace(found[place], details=one.details, values=one.values, until=one.since)
        else:
            worst = max(found[place].severity, one.severity, key=RANKS.index)
            found[place] = replace(found[place], details=one.details, values=one.values, severity=worst)
        if closes:
            del places[key]
    return found


def _goes_on(one: IncidentCourse, known: IncidentCourse) -> bool:
    is_same = one.id is not None and one.id == known.id
    return is_same or RANKS.index(one.severity) > RANKS.index(known.severity)
