"""Schedules: what is blocked, let pass or not limited in a part of the week, or once for a while.

    effect       in a window of the week, on the local clock       once, until an instant
    block        "22:00-06:00" on school nights                    (a block with a duration)
    allow        blocks of a target hold except at lunch           a block pauses for 30 minutes
    unlimited    a quota cuts nobody off at night                  a quota pauses for 30 minutes

A window begins at the first instant at which the local clock shows its begin, or more where the clock jumps over that,
and ends at the last one at which it shows its end: an hour that a day has twice is inside with both. The named day is
the one on which the window begins.

An appliance that does not know the time cannot know whether a window is open. So until then everything is blocked that
is ever blocked by a schedule, and nothing is allowed or unlimited.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct

from appliance.core.moment import Moment, timestamp

MOST_SCHEDULES = 64  # a person looks through them, and each is judged in every second
LONGEST_ONCE_S = 604_800  # a week: what is to last longer is a change of the block or of the quota
FOLLOWING = 16  # windows that meet are one, as far as two weeks ahead: a block in force is renewed long before that
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
WINDOW_ADVICE = 'must be a window such as "22:00-06:00"; "00:00-24:00" is a whole day'

Scope = tuple[str, str | None]  # a target as blocks have it, and its department; `None`: all


class ScheduleEffect(StrEnum):
    """What a schedule does in its window."""

    BLOCK = "block"
    ALLOW = "allow"  # blocks of the same target and department pause
    UNLIMITED = "unlimited"  # the quotas of a department, or of one host, count and do not limit


class Weekday(StrEnum):
    """A day on which a window begins, in the order of `date.weekday`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class WeeklyWindow(Struct, frozen=True):
    """From `begin` to `end` on the local clock, on the next day where that is no later, beginning on these days."""

    begin: time
    end: time
    days: tuple[Weekday, ...] = tuple(Weekday)

    def occurrence(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """The instants, in UTC, between which the window of this local day is open; `None`: it has none."""
        if list(Weekday)[day.weekday()] not in self.days:
            return None
        last = day if self.end > self.begin else day + DAY
        begin, end = _instant(day, self.begin, zone, fold=0), _instant(last, self.end, zone, fold=1)
        return (begin, end) if begin < end else None


class Schedule(Struct, frozen=True):
    """A person's order for a part of the week (`window`), or once `until` an instant, from `added_at` on.

    `target`: as a block has it; of `unlimited` a host, or `None` for the whole department and each of its hosts.
    `department`: `None` for all. `number`: tells those of one second apart.
    """

    effect: ScheduleEffect
    target: str | None
    department: str | None
    reason: str
    actor: str
    added_at: datetime
    window: WeeklyWindow | None = None
    until: datetime | None = None
    number: int = 1

    @property
    def id(self) -> str:
        """Its name, which a person can type."""
        name = f"{self.effect}-{self.added_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        return name if self.number == 1 else f"{name}-{self.number}"

    def open_since(self, wall: datetime, zone: ZoneInfo) -> datetime | None:
        """Since when it is in force at this instant; `None`: it is not."""
        return next((begin for begin, end in self._around(wall, zone) if begin <= wall < end), None)

    def open_until(self, wall: datetime, zone: ZoneInfo) -> datetime | None:
        """When it ends that is in force at this instant; `None`: it is not in force."""
        return next((end for begin, end in self._around(wall, zone) if begin <= wall < end), None)

    def next_open(self, wall: datetime, zone: ZoneInfo) -> datetime | None:
        """When it is in force next, after this instant; `None`: never again within a week."""
        return min((begin for begin, _ in self._around(wall, zone, days=8) if begin > wall), default=None)

    def is_over(self, wall: datetime) -> bool:
        """Whether it has ended for ever."""
        return self.until is not None and self.until <= wall

    def _around(self, wall: datetime, zone: ZoneInfo, days: int = 1) -> Iterator[tuple[datetime, datetime]]:
        """The times for which it is in force, of the days around an instant; a window lasts for a day at most."""
        if self.until is not None:
            yield self.added_at, self.until
        if self.window is not None:
            today = wall.astimezone(zone).date()
            around = (self.window.occurrence(today + DAY * offset, zone) for offset in range(-2, days + 1))
            yield from (one for one in around if one is not None)


class ScheduledBlock(Struct, frozen=True):
    """A target that is to be blocked now. `ends_at`: `None`: not before the time is known."""

    schedule: Schedule
    ends_at: datetime | None


class WantedNow(Struct, frozen=True):
    """What the schedules want at one instant. `allowed`: since when. `unlimited`: departments, each with a host.

    Of the latter, `None` as the host is the department itself with all of its hosts.
    """

    blocks: Mapping[Scope, ScheduledBlock]
    allowed: Mapping[Scope, datetime]
    unlimited: frozenset[tuple[str, str | None]]


def in_force(schedules: Sequence[Schedule], now: Moment, zone: ZoneInfo) -> WantedNow:
    """What these schedules want at this instant; of a time that is not known, the safe side."""
    blocking = [one for one in schedules if one.effect is ScheduleEffect.BLOCK and one.target is not None]
    if not now.is_trusted:
        return WantedNow({_scope(one): ScheduledBlock(one, None) for one in reversed(blocking)}, {}, frozenset())
    since = {one.id: begun for one in schedules if (begun := one.open_since(now.wall, zone)) is not None}
    open_now = [one for one in schedules if one.id in since]
    allowed = {_scope(one): since[one.id] for one in open_now if one.effect is ScheduleEffect.ALLOW}
    blocks: dict[Scope, ScheduledBlock] = {}
    for one in open_now:
        scope = _scope(one)
        if one.effect is ScheduleEffect.BLOCK and scope not in allowed and scope not in blocks:
            alike = [other for other in blocking if _scope(other) == scope]
            blocks[scope] = ScheduledBlock(one, _end(alike, now.wall, zone))
    unlimited = [one for one in open_now if one.effect is ScheduleEffect.UNLIMITED and one.department is not None]
    return WantedNow(blocks, allowed, frozenset((str(one.department), one.target) for one in unlimited))


def parse_window(text: str, days: Sequence[Weekday]) -> WeeklyWindow:
    """The window of a text such as `22:00-06:00`, on these days; no days: on each. Raises `ValueError`, with advice."""
    begin, _, end = text.partition("-")
    try:
        if len(begin) != 5 or len(end) != 5:
            raise ValueError(text)
        last = time() if end == "24:00" else time.fromisoformat(end)
        window = WeeklyWindow(
            time.fromisoformat(begin), last, tuple(one for one in Weekday if one in (days or Weekday))
        )
    except ValueError:
        raise ValueError(WINDOW_ADVICE) from None
    if window.begin == window.end and end != "24:00":
        raise ValueError(WINDOW_ADVICE)
    return window


def window_text(window: WeeklyWindow) -> str:
    """The window as `parse_window` reads it, without its days."""
    return f"{window.begin:%H:%M}-{'24:00' if window.end == time() else format(window.end, '%H:%M')}"


def facts(schedule: Schedule, now: Moment, zone: ZoneInfo) -> dict[str, object]:
    """The schedule in the form for clients and the audit trail; `endsAt` and `beginsAt` once the time is known."""
    found: dict[str, object] = {
        "id": schedule.id,
        "effect": schedule.effect,
        "address": schedule.target,
        "departmentId": schedule.department,
        "reason": schedule.reason,
        "actor": schedule.actor,
        "addedAt": timestamp(schedule.added_at),
    }
    if schedule.window is not None:
        found |= {"window": window_text(schedule.window), "days": list(schedule.window.days)}
    if schedule.until is not None:
        found["until"] = timestamp(schedule.until)
    if now.is_trusted:
        ends, begins = schedule.open_until(now.wall, zone), schedule.next_open(now.wall, zone)
        found |= {"endsAt": timestamp(ends)} if ends is not None else {}
        found |= {"beginsAt": timestamp(begins)} if ends is None and begins is not None else {}
    return found


def _scope(schedule: Schedule) -> Scope:
    return schedule.target or "", schedule.department


def _end(alike: Sequence[Schedule], wall: datetime, zone: ZoneInfo) -> datetime:
    """When none of these schedules is in force any more that follow one another without a pause."""
    end = wall
    for _ in range(FOLLOWING):
        later = max((until for one in alike if (until := one.open_until(end, zone)) is not None), default=None)
        if later is None:
            break
        end = later
    return end


def _instant(day: date, at: time, zone: ZoneInfo, *, fold: int) -> datetime:
    """The instant, in UTC, of a local time; `fold`: which of two. Of a time that the day lacks, the first after it."""
    local = datetime.combine(day, at)
    while _is_lacking(local, zone):
        local += MINUTE
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _is_lacking(local: datetime, zone: ZoneInfo) -> bool:
    """Whether the local clock jumps over this time. A zone may lack a whole day, as Apia did on 2011-12-30."""
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local
