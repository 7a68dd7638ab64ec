"""The schedules: keeps them, and has blocks and quotas follow them in every second.

The schedules alone are saved. What they block is taken from them and the time at a boot and in each step, so that it is
right whatever the clock was before; a limit that pauses is in force again after every start, until the step says more.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from appliance.core.blocking.block import Block, BlockOrigin
from appliance.core.moment import Moment
from appliance.core.operations.schedule import MOST_SCHEDULES, Schedule, ScheduledBlock, WantedNow, in_force
from appliance.core.refusal import Code, Refused
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.metering.departments import Metering
from appliance.ports import Store

log = logging.getLogger(__name__)

UNKNOWN_TIME = (
    "the time is not known yet: until then all is blocked that schedules ever block, and they allow nothing;"
    " a time server or a clock with a battery ends this"
)


class ScheduleWatch:
    """Keeps the schedules. `departments`: the configured ones; those of others are kept, and not in force."""

    def __init__(
        self,
        store: Store,
        *,
        departments: Collection[str],
        zone: ZoneInfo,
        enforcement: Enforcement,
        metering: Metering,
    ) -> None:
        self.zone, self.schedules = zone, tuple(store.schedules())
        self._store, self._departments = store, frozenset(departments)
        self._enforcement, self._metering = enforcement, metering
        self._ends_s: dict[str, float] = {}  # by the clock that nobody sets: a pause does not last longer

    def add(self, asked: Schedule, now: Moment) -> Schedule:
        """Keep a schedule, and put it in force. Raises `Refused`."""
        if len(self.schedules) >= MOST_SCHEDULES:
            raise Refused(Code.BAD_REQUEST, f"there are {MOST_SCHEDULES} schedules already; remove one")
        if asked.until is not None and not now.is_trusted:
            raise Refused(Code.BAD_REQUEST, "the time is not known yet, so nothing can end in time; try again later")
        ids = {one.id for one in self.schedules}
        asked = next(one for number in range(1, len(ids) + 2) if (one := replace(asked, number=number)).id not in ids)
        self._store.save_schedules([asked], [])
        log.info("%s adds the schedule %s", asked.actor, asked.id)
        self._follow((*self.schedules, asked), now)
        self._store.sync()
        return asked

    def remove(self, schedule: Schedule, actor: str, now: Moment) -> None:
        """Forget a schedule; what it did ends at once. Raises `Refused`."""
        self._store.save_schedules([], [schedule.id])
        log.info("%s removes the schedule %s", actor, schedule.id)
        self._follow(tuple(one for one in self.schedules if one != schedule), now)
        self._store.sync()

    def chosen(self, name: str) -> Schedule | None:
        """The schedule with this id; `None`: there is none."""
        return next((one for one in self.schedules if one.id == name), None)

    def step(self, now: Moment) -> None:
        """Have the kernel do what the schedules say at this instant; forget what is over for ever."""
        over = [one for one in self.schedules if self._is_over(one, now)]
        if over:
            try:
                self._store.save_schedules([], [one.id for one in over])
            except Refused as refused:  # it is over after the next start, too
                log.warning("schedules that are over are not deleted: %s", refused.message)
        self._follow(tuple(one for one in self.schedules if one not in over), now)

    def troubles(self, now: Moment) -> Sequence[str]:
        """A sentence while the time is not known that the schedules need."""
        return [] if now.is_trusted or not self.schedules else [UNKNOWN_TIME]

    def _follow(self, schedules: tuple[Schedule, ...], now: Moment) -> None:
        self.schedules = schedules
        wanted = in_force(_known(schedules, self._departments), now, self.zone)
        self._enforcement.hold_scheduled(_blocks(wanted, now.wall), now)
        self._enforcement.suspend(wanted.allowed, now)
        self._metering.pause_limits(wanted.unlimited, now)

    def _is_over(self, schedule: Schedule, now: Moment) -> bool:
        if schedule.until is None or not now.is_trusted:
            return False
        left_s = (schedule.until - now.wall).total_seconds()
        ends_s = self._ends_s.setdefault(schedule.id, now.monotonic_s + left_s)
        return schedule.is_over(now.wall) or now.monotonic_s >= ends_s


def scheduled_blocks(store: Store, departments: Collection[str], now: Moment, zone: ZoneInfo) -> Sequence[Block]:
    """What is to be blocked at this instant, for the restore: blocks without numbers."""
    return _blocks(in_force(_known(store.schedules(), departments), now, zone), now.wall)


def _known(schedules: Sequence[Schedule], departments: Collection[str]) -> Sequence[Schedule]:
    return [one for one in schedules if one.department in {None, *departments}]


def _blocks(wanted: WantedNow, wall: datetime) -> Sequence[Block]:
    return [_block(target, department, one, wall) for (target, department), one in wanted.blocks.items()]


def _block(target: str, department: str | None, wanted: ScheduledBlock, wall: datetime) -> Block:
    return Block(
        target=target,
        reason=wanted.schedule.reason,
        actor=wanted.schedule.actor,
        origin=BlockOrigin.SCHEDULE,
        started_at=wall,
        department=department,
        expires_at=wanted.ends_at,
    )
