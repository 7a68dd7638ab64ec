"""Maintenance: the read-only mode, from its announcement to its end.

In maintenance nothing is changed on a client's request; metering and what is enforced go on. One maintenance exists at
a time. It ends by itself, so that a forgotten one does not leave an appliance that takes no orders.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from appliance.core.moment import timestamp


class MaintenanceKind(StrEnum):
    """What is said of a maintenance: planned ahead, begun by hand, or over."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A maintenance that is announced (`begun` false) or under way. `impact`: a sentence for the dashboards' users."""

    kind: MaintenanceKind
    start: datetime
    duration_s: int
    impact: str
    actor: str
    begun: bool = False

    @property
    def end(self) -> datetime:
        """The instant at which it is over by itself."""
        return self.start + timedelta(seconds=self.duration_s)


def plan(wall: datetime, start: datetime | None, duration_s: int, impact: str, actor: str) -> Maintenance:
    """The maintenance that somebody asks for: by hand and at once, or scheduled where `start` lies ahead."""
    if start is not None and start > wall:
        return Maintenance(MaintenanceKind.SCHEDULED, start, duration_s, impact, actor)
    return Maintenance(MaintenanceKind.MANUAL, wall, duration_s, impact, actor, begun=True)


def advance(maintenance: Maintenance | None, wall: datetime) -> tuple[Maintenance | None, Maintenance | None]:
    """The maintenance after this instant, and what of it is news to be told: it has begun, or it is completed."""
    if maintenance is None:
        return None, None
    if maintenance.end <= wall:
        return None, completed(maintenance, wall)
    if not maintenance.begun and maintenance.start <= wall:
        begun = replace(maintenance, begun=True)
        return begun, begun
    return maintenance, None


def completed(maintenance: Maintenance, wall: datetime) -> Maintenance:
    """What is told of a maintenance that is over: how long it really took; one called off before it began took 0 s."""
    took_s = max(0, round((min(wall, maintenance.end) - maintenance.start).total_seconds()))
    return replace(
        maintenance,
        kind=MaintenanceKind.COMPLETED,
        duration_s=took_s,
        impact="Maintenance is over; changes are accepted again",
    )


def facts(maintenance: Maintenance) -> dict[str, object]:
    """The maintenance as clients and the audit trail read it."""
    return {
        "type": maintenance.kind,
        "startTime": timestamp(maintenance.start),
        "duration": maintenance.duration_s,
        "impact": maintenance.impact,
    }


def is_read_only(maintenance: Maintenance | None) -> bool:
    """Whether clients' changes are refused now."""
    return maintenance is not None and maintenance.begun
