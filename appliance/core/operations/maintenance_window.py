"""Maintenance: the read-only mode, from its announcement to its end.

    cause        nothing      announced    running      ended
    announce     announced
    start        running                   running
    notice                    announced
    extend                    announced    running
    due                       running
    stop                      ended        ended
    expiry                    ended        ended

In maintenance the appliance refuses changes by clients; metering goes on, and so does enforcement, unless the
configuration opens it (`InMaintenance`). `TRANSITIONS` is this table: what it lacks is refused. `maintenance_plan`
keeps several of them, and says which cause comes when.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.moment import timestamp


class MaintenanceKind(StrEnum):
    """The type of a maintenance in its event: planned ahead, begun by hand, or over."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    COMPLETED = "completed"


class MaintenancePhase(StrEnum):
    """How far a maintenance is."""

    ANNOUNCED = "announced"
    RUNNING = "running"
    ENDED = "ended"


class MaintenanceCause(StrEnum):
    """What happens to a maintenance: by a person the first four, by the clock the others."""

    ANNOUNCE = "announce"
    START = "start"
    EXTEND = "extend"
    STOP = "stop"
    NOTICE = "notice"  # it is announced once more, because it begins soon
    DUE = "due"  # its start has come
    EXPIRY = "expiry"  # its end has come


class InMaintenance(StrEnum):
    """What becomes of blocks and quotas while a maintenance runs: they stay enforced, or everything passes."""

    STAYS = "stays"
    OPENS = "opens"


class Repeat(StrEnum):
    """How often a maintenance is planned again: each day, or each week or month on the same day."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


TRANSITIONS: Mapping[tuple[MaintenancePhase | None, MaintenanceCause], MaintenancePhase] = {
    (None, MaintenanceCause.ANNOUNCE): MaintenancePhase.ANNOUNCED,
    (None, MaintenanceCause.START): MaintenancePhase.RUNNING,
    (MaintenancePhase.ANNOUNCED, MaintenanceCause.NOTICE): MaintenancePhase.ANNOUNCED,
    (MaintenancePhase.ANNOUNCED, MaintenanceCause.EXTEND): MaintenancePhase.ANNOUNCED,
    (MaintenancePhase.ANNOUNCED, MaintenanceCause.DUE): MaintenancePhase.RUNNING,
    (MaintenancePhase.ANNOUNCED, MaintenanceCause.STOP): MaintenancePhase.ENDED,
    (MaintenancePhase.ANNOUNCED, MaintenanceCause.EXPIRY): MaintenancePhase.ENDED,
    (MaintenancePhase.RUNNING, MaintenanceCause.START): MaintenancePhase.RUNNING,  # another one takes its place
    (MaintenancePhase.RUNNING, MaintenanceCause.EXTEND): MaintenancePhase.RUNNING,
    (MaintenancePhase.RUNNING, MaintenanceCause.STOP): MaintenancePhase.ENDED,
    (MaintenancePhase.RUNNING, MaintenanceCause.EXPIRY): MaintenancePhase.ENDED,
}
NOTICE_S = 3600  # before its start it is announced once more: time to finish what one has begun, and not to forget it
DAYS = {Repeat.DAILY: 1, Repeat.WEEKLY: 7}
OVER = "Maintenance is over; changes are accepted again"
OPENS_TEXT, CLOSED_TEXT = "blocks and quotas are not enforced meanwhile", "blocks and quotas are enforced again"


class NoTransition(Exception):
    """The table has no transition for this phase and cause: the caller has looked for another phase."""


class Maintenance(Struct, frozen=True):
    """A maintenance that is announced (`begun` is false) or under way. `impact`: a sentence for dashboard users.

    `repeat`: it is planned again when it begins, at the local time of `anchor`, its first start; `None`: it is not.
    `noticed`: it begins soon, and that has been announced.
    """

    kind: MaintenanceKind
    start: datetime
    duration_s: int
    impact: str
    actor: str
    begun: bool = False
    repeat: Repeat | None = None
    anchor: datetime | None = None
    noticed: bool = False

    @property
    def end(self) -> datetime:
        """The instant at which it ends by itself."""
        return self.start + timedelta(seconds=self.duration_s)

    @property
    def phase(self) -> MaintenancePhase:
        """How far it is."""
        if self.kind is MaintenanceKind.COMPLETED:
            return MaintenancePhase.ENDED
        return MaintenancePhase.RUNNING if self.begun else MaintenancePhase.ANNOUNCED

    @property
    def id(self) -> str:
        """Its name, by its start: a person can type it, and asking for the same time twice replaces the first."""
        start = f"{(self.anchor or self.start).astimezone(UTC):%Y%m%dT%H%M%SZ}"
        return f"{self.repeat}-{start}" if self.repeat else start


def moved(before: MaintenancePhase | None, cause: MaintenanceCause) -> MaintenancePhase:
    """The phase after this cause. Raises `NoTransition`."""
    after = TRANSITIONS.get((before, cause))
    if after is None:
        raise NoTransition(f"{cause}: nothing that is {before or 'not there'} can do that")
    return after


def asked_for(
    wall: datetime,
    start: datetime | None,
    duration_s: int,
    impact: str,
    actor: str,
    repeat: Repeat | None = None,
) -> Maintenance:
    """A requested maintenance: by hand and at once, or announced if `start` is in the future."""
    if start is not None and start > wall:
        moved(None, MaintenanceCause.ANNOUNCE)
        anchor, is_soon = start if repeat else None, is_near(start, wall)
        kind = MaintenanceKind.SCHEDULED
        return Maintenance(kind, start, duration_s, impact, actor, repeat=repeat, anchor=anchor, noticed=is_soon)
    moved(None, MaintenanceCause.START)
    return Maintenance(MaintenanceKind.MANUAL, wall, duration_s, impact, actor, begun=True)


def is_near(start: datetime, wall: datetime) -> bool:
    """Whether it begins so soon that everybody is told."""
    return (start - wall).total_seconds() <= NOTICE_S


def noticed(maintenance: Maintenance) -> Maintenance:
    """The same maintenance, of which everybody knows that it begins soon."""
    moved(maintenance.phase, MaintenanceCause.NOTICE)
    return replace(maintenance, noticed=True)


def begun(maintenance: Maintenance) -> Maintenance:
    """The announced maintenance, under way; of one that is repeated, this time alone."""
    moved(maintenance.phase, MaintenanceCause.DUE)
    return replace(maintenance, begun=True, repeat=None, anchor=None)


def extended(maintenance: Maintenance, more_s: int) -> Maintenance:
    """The same maintenance, ending so many seconds later."""
    moved(maintenance.phase, MaintenanceCause.EXTEND)
    return replace(maintenance, duration_s=maintenance.duration_s + more_s)


def completed(maintenance: Maintenance, wall: datetime, cause: MaintenanceCause = MaintenanceCause.STOP) -> Maintenance:
    """The maintenance as completed, with its real duration; 0 s if it never began."""
    moved(maintenance.phase, cause)
    took_s = max(0, round((min(wall, maintenance.end) - maintenance.start).total_seconds()))
    return replace(
        maintenance,
        kind=MaintenanceKind.COMPLETED,
        duration_s=took_s if maintenance.begun else 0,
        impact=OVER,
    )


def next_time(maintenance: Maintenance, wall: datetime, zone: ZoneInfo) -> Maintenance:
    """A repeated maintenance at its first start after `wall`, by the local clock, whatever the zone's offset is then.

    A time that a day does not have is the one an hour later; one that it has twice is the earlier.
    """
    if maintenance.repeat is None or maintenance.anchor is None:
        raise NoTransition(f"{maintenance.id} is not repeated")
    anchor = maintenance.anchor.astimezone(zone)
    day = max(maintenance.start, wall).astimezone(zone).date()
    count = max(0, _count(maintenance.repeat, anchor.date(), day) - 1)
    start = maintenance.start
    while start <= max(maintenance.start, wall):
        count += 1
        day = _day(maintenance.repeat, anchor.date(), count)
        start = datetime.combine(day, anchor.time().replace(fold=0), zone).astimezone(UTC)
    return replace(maintenance, start=start, noticed=False)


def _count(repeat: Repeat, first: date, day: date) -> int:
    """How many times it was repeated by this day, to one or two."""
    if repeat in DAYS:
        return (day - first).days // DAYS[repeat]
    return (day.year - first.year) * 12 + day.month - first.month


def _day(repeat: Repeat, first: date, count: int) -> date:
    """The day of its repetition number `count`; in a month that lacks the day, its last one."""
    if repeat in DAYS:
        return first + timedelta(days=DAYS[repeat] * count)
    month = first.year * 12 + first.month - 1 + count
    year, month = divmod(month, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return date(year, month + 1, min(first.day, last))


def facts(maintenance: Maintenance, enforcement: InMaintenance) -> dict[str, object]:
    """The maintenance in the form for clients and the audit trail. `enforcement`: what becomes of it meanwhile."""
    is_over, impact = maintenance.phase is MaintenancePhase.ENDED, maintenance.impact
    if enforcement is InMaintenance.OPENS and (maintenance.begun or not is_over):
        impact = f"{impact}; {CLOSED_TEXT if is_over else OPENS_TEXT}"
    found: dict[str, object] = {
        "type": maintenance.kind,
        "startTime": timestamp(maintenance.start),
        "duration": maintenance.duration_s,
        "impact": impact,
        "actor": maintenance.actor,
        "begun": maintenance.begun,
        "endsAt": timestamp(maintenance.end),
        "id": maintenance.id,
        "enforcement": InMaintenance.STAYS if is_over else enforcement,
    }
    return found | ({"repeat": maintenance.repeat} if maintenance.repeat else {})
