"""Maintenance: the read-only mode, from its announcement to its end.

In maintenance the appliance refuses changes by clients; metering and enforcement go on. One maintenance exists at a
time. It ends by itself, so that a forgotten one does not leave the appliance read-only.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from appliance.core.moment import timestamp


class MaintenanceKind(StrEnum):
    """The type of a maintenance in its event: planned ahead, begun by hand, or over."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A maintenance that is announced (`begun` is false) or under way. `impact`: a sentence for dashboard users."""

    kind: MaintenanceKind
    start: datetime
    duration_s: int
    impact: str
    actor: str
    begun: bool = False

    @property
    def end(self) -> datetime:
        """The instant at which it ends by itself."""
        return self.start + timedelta(seconds=self.duration_s)


def plan(wall: datetime, start: datetime | None, duration_s: int, impact: str, actor: str) -> Maintenance:
    """A requested maintenance: by hand and at once, or scheduled if `start` is in the future."""
    if start is not None and start > wall:
        return Maintenance(MaintenanceKind.SCHEDULED, start, duration_s, impact, actor)
    return Maintenance(MaintenanceKind.MANUAL, wall, duration_s, impact, actor, begun=True)


def advance(maintenance: Maintenance | None, wall: datetime) -> tuple[Maintenance | None, Maintenance | None]:
    """The maintenance after this instant, and its change to publish: begun, completed, or `None`."""
    if maintenance is None:
        return None, None
    if maintenance.end <= wall:
        return None, completed(maintenance, wall)
    if not maintenance.begun and maintenance.start <= wall:
        begun = replace(maintenance, begun=True)
        return begun, begun
    return maintenance, None


def extended(maintenance: Maintenance, more_s: int) -> Maintenance:
    """The same maintenance, ending so many seconds later."""
    return replace(maintenance, duration_s=maintenance.duration_s + more_s)


def completed(maintenance: Maintenance, wall: datetime) -> Maintenance:
    """The maintenance as completed, with its real duration; 0 s if it was called off before it began."""
    took_s = max(0, round((min(wall, maintenance.end) - maintenance.start).total_seconds()))
    return replace(
        maintenance,
        kind=MaintenanceKind.COMPLETED,
        duration_s=took_s,
        impact="Maintenance is over; changes are accepted again",
    )


def facts(maintenance: Maintenance) -> dict[str, object]:
    """The maintenance in the form for clients and the audit trail."""
    return {
        "type": maintenance.kind,
        "startTime": timestamp(maintenance.start),
        "duration": maintenance.duration_s,
        "impact": maintenance.impact,
        "actor": maintenance.actor,
        "begun": maintenance.begun,
        "endsAt": timestamp(maintenance.end),
    }


def is_read_only(maintenance: Maintenance | None) -> bool:
    """Whether clients' changes are refused now."""
    return maintenance is not None and maintenance.begun
