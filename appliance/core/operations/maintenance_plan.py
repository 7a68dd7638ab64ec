"""The plan of maintenances: the one that runs, and those that are announced, in the order of their start.

A maintenance ends by itself, by the clock that never jumps too: a wall clock that is set back does not leave the
appliance read-only. While the wall clock is not trusted, none begins, because its time may be long over.

Where one is due while another runs, the one that ends later goes on: the appliance is read-only until both are over.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.moment import Moment
from appliance.core.operations import maintenance_window as window
from appliance.core.operations.maintenance_window import Maintenance, MaintenanceCause, MaintenancePhase
from appliance.core.refusal import Code, Refused

MOST_PLANNED = 16  # a person looks through them; each client gets them all with each change
# A repeated one lasts at most half of a day, so that one alone cannot keep the appliance read-only for ever.
LONGEST_REPEATED_S = 43_200


class MaintenancePlan(Struct, frozen=True):
    """`running`: `None`: none. `ends_s`: when it ends at the latest, by the monotonic clock; `None`: not known yet."""

    running: Maintenance | None = None
    planned: tuple[Maintenance, ...] = ()
    ends_s: float | None = None

    @property
    def next(self) -> Maintenance | None:
        """The one that runs, else the first that is planned; `None`: there is none."""
        return self.running or next(iter(self.planned), None)

    @property
    def saved(self) -> Sequence[Maintenance]:
        """What is to be saved: the one that runs first."""
        return [*([self.running] if self.running else []), *self.planned]


class PlanChange(Struct, frozen=True):
    """The plan after something happened, and the maintenances that changed, to be published in this order."""

    plan: MaintenancePlan
    news: tuple[Maintenance, ...] = ()


def restored(saved: Sequence[Maintenance]) -> MaintenancePlan:
    """The plan as it was saved."""
    running = next((one for one in saved if one.phase is MaintenancePhase.RUNNING), None)
    planned = [one for one in saved if one.phase is MaintenancePhase.ANNOUNCED]
    return MaintenancePlan(running, tuple(sorted(planned, key=lambda one: one.start)))


def is_read_only(plan: MaintenancePlan) -> bool:
    """Whether clients' changes are refused now."""
    return plan.running is not None


def left_s(plan: MaintenancePlan, now: Moment) -> float:
    """Seconds until the one that runs is over, by the earlier of both clocks; 0: none runs, or it is not known yet."""
    if plan.running is None or plan.ends_s is None:
        return 0.0
    left = plan.ends_s - now.monotonic_s
    return max(0.0, min(left, (plan.running.end - now.wall).total_seconds()) if now.is_trusted else left)


def with_asked(plan: MaintenancePlan, asked: Maintenance) -> PlanChange:
    """The plan with another one: it takes the place of the one that runs, or of one with the same start.

    Raises `Refused`.
    """
    if asked.phase is MaintenancePhase.RUNNING:
        if plan.running is not None:
            window.moved(plan.running.phase, MaintenanceCause.START)
        return PlanChange(replace(plan, running=asked, ends_s=None), (asked,))
    if asked.repeat is not None and asked.duration_s > LONGEST_REPEATED_S:
        raise Refused(Code.BAD_REQUEST, "duration: one that is repeated may last 12 hours at most")
    others = [one for one in plan.planned if one.id != asked.id]
    if len(others) >= MOST_PLANNED:
        raise Refused(Code.BAD_REQUEST, f"{MOST_PLANNED} maintenances are planned already; call one of them off")
    planned = sorted([*others, asked], key=lambda one: one.start)
    return PlanChange(replace(plan, planned=tuple(planned)), (asked,))


def chosen(plan: MaintenancePlan, name: str | None, verb: str) -> Maintenance:
    """The maintenance with this id; `None`: the one that runs, else the next. Raises `Refused`."""
    if name is None:
        if plan.next is None:
            advice = "; start one" if verb == "extend" else ""
            raise Refused(Code.BAD_REQUEST, f"there is no maintenance to {verb}{advice}")
        return plan.next
    one = next((one for one in plan.saved if one.id == name), None)
    if one is None:
        known = ", ".join(each.id for each in plan.saved) or "none at all"
        raise Refused(Code.BAD_REQUEST, f"id: there is no such maintenance; there is {known}")
    return one


def with_extended(plan: MaintenancePlan, one: Maintenance, more_s: int) -> PlanChange:
    """The plan with this one ending later. Raises `Refused`."""
    later = window.extended(one, more_s)
    if later.repeat is not None and later.duration_s > LONGEST_REPEATED_S:
        raise Refused(Code.BAD_REQUEST, "duration: one that is repeated may last 12 hours at most")
    if one == plan.running:
        ends_s = None if plan.ends_s is None else plan.ends_s + more_s
        return PlanChange(replace(plan, running=later, ends_s=ends_s), (later,))
    planned = tuple(later if each == one else each for each in plan.planned)
    return PlanChange(replace(plan, planned=planned), (later,))


def with_stopped(plan: MaintenancePlan, one: Maintenance, now: Moment) -> PlanChange:
    """The plan without this one, which is over or called off; of a repeated one, all its times."""
    over = window.completed(one, now.wall)
    if one == plan.running:
        return PlanChange(replace(plan, running=None, ends_s=None), (over,))
    return PlanChange(replace(plan, planned=tuple(each for each in plan.planned if each != one)), (over,))


def advanced(plan: MaintenancePlan, now: Moment, zone: ZoneInfo) -> PlanChange:
    """The plan at this instant: what is over has ended, what is due has begun, what begins soon is told."""
    ended = _ended(plan, now)
    plan, news = ended.plan, list(ended.news)
    if now.is_trusted:
        for one in plan.planned:
            change = _arrived(plan, one, now, zone)
            plan, news = change.plan, [*news, *change.news]
    if plan.running is not None and plan.ends_s is None:
        left_s = (plan.running.end - now.wall).total_seconds()
        plan = replace(plan, ends_s=now.monotonic_s + max(0.0, min(left_s, plan.running.duration_s)))
    return PlanChange(plan, tuple(news))


def _ended(plan: MaintenancePlan, now: Moment) -> PlanChange:
    """The plan without the one that runs, where its end has come by either clock."""
    running, is_late = plan.running, plan.ends_s is not None and now.monotonic_s >= plan.ends_s
    if running is None or not (is_late or (now.is_trusted and running.end <= now.wall)):
        return PlanChange(plan)
    over = window.completed(running, max(now.wall, running.start), MaintenanceCause.EXPIRY)
    return PlanChange(replace(plan, running=None, ends_s=None), (over,))


def _arrived(plan: MaintenancePlan, one: Maintenance, now: Moment, zone: ZoneInfo) -> PlanChange:
    """The plan after what the clock says about an announced one."""
    if one.start > now.wall:
        if one.noticed or not window.is_near(one.start, now.wall):
            return PlanChange(plan)
        told = window.noticed(one)
        return PlanChange(_with(plan, one, told), (told,))
    following = window.next_time(one, now.wall, zone) if one.repeat else None
    rest = _with(plan, one, following)
    if one.end <= now.wall:  # the power was off meanwhile; of a repeated one, nobody misses a time
        over = window.completed(one, now.wall, MaintenanceCause.EXPIRY)
        return PlanChange(rest, () if one.repeat else (over,))
    begun = window.begun(one)
    if plan.running is not None:
        window.moved(plan.running.phase, MaintenanceCause.START)
        if plan.running.end >= begun.end:
            return PlanChange(rest)
    return PlanChange(replace(rest, running=begun, ends_s=None), (begun,))


def _with(plan: MaintenancePlan, former: Maintenance, latter: Maintenance | None) -> MaintenancePlan:
    planned = [one for one in plan.planned if one != former] + ([latter] if latter else [])
    return replace(plan, planned=tuple(sorted(planned, key=lambda one: one.start)))
