"""Calls about schedules: what is blocked, let pass or not limited in a part of the week, or once for a while."""

from datetime import timedelta
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, convert

from appliance.core.blocking.targets import parse_target
from appliance.core.operations.schedule import (
    LONGEST_ONCE_S,
    Schedule,
    ScheduleEffect,
    Weekday,
    WeeklyWindow,
    facts,
    parse_window,
)
from appliance.core.refusal import Code, Refused
from appliance.events import Part
from appliance.server.calls.arguments import Argument, DepartmentId, Sentence, YesOrNo, host_of
from appliance.server.calls.blocking.blocks import Address, require_scope
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Done, Reply

EffectWord = Annotated[ScheduleEffect, Meta(description="block, allow or unlimited")]
Days = Annotated[
    list[Weekday], Meta(max_length=7, description="one of mon, tue, wed, thu, fri, sat and sun, in a list")
]
WindowText = Annotated[str, Meta(max_length=16, description='a window such as "22:00-06:00", on the local clock')]
OnceSeconds = Annotated[
    int, Meta(ge=60, le=LONGEST_ONCE_S, description="a whole number of seconds from 60 to 604800 (a minute to a week)")
]
ScheduleId = Annotated[str, Meta(min_length=1, max_length=64, description="the id of a schedule, as in schedule:list")]


class ScheduleArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `schedule:add`: `window`, on `days` or on each, or once for `duration` seconds from now on.

    `address`: as for `ip:block`; of `unlimited` a host's, and without it the whole department with each of its hosts.
    `preview`: only say what the schedule would be, and when it would begin or end.
    """

    effect: EffectWord
    address: Address | None = None
    department_id: DepartmentId | None = None
    window: WindowText | None = None
    days: Days = []
    duration: OnceSeconds | None = None
    reason: Sentence = "by schedule"
    preview: YesOrNo = False


class RemoveScheduleArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `schedule:remove`."""

    id: ScheduleId


class ScheduleFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A schedule. `address`, `department_id`: null for the whole department, and for all.

    `window` and `days` of a part of the week, or `until` of one for a while. `ends_at`: it is in force until then;
    `begins_at`: it is not, and begins then. Neither: the time is not known yet.
    """

    id: str
    effect: ScheduleEffect
    address: str | None
    department_id: str | None
    reason: str
    actor: str
    added_at: str
    window: str | UnsetType = UNSET
    days: list[Weekday] | UnsetType = UNSET
    until: str | UnsetType = UNSET
    ends_at: str | UnsetType = UNSET
    begins_at: str | UnsetType = UNSET


class ScheduleReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The schedule as it is kept, or would be."""

    schedule: ScheduleFacts


class SchedulesReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The schedules that concern the caller, the oldest first. `timezone`: of their windows."""

    schedules: list[ScheduleFacts]
    timezone: str


def list_schedules(context: Context, asked: object) -> SchedulesReply:
    """The schedules of the departments that the caller may see, and of all."""
    del asked
    watch, may_see = context.services.schedules, context.caller.grant.may_see
    concerning = [one for one in watch.schedules if one.department is None or may_see(one.department)]
    return SchedulesReply(schedules=[_shown(one, context) for one in concerning], timezone=str(watch.zone))


def add_schedule(context: Context, asked: ScheduleArgument) -> ScheduleReply:
    """Keep a schedule, and put it in force; or say what it would be."""
    require_scope(context, asked.department_id)
    schedule = _judged(context, asked)
    kept = schedule if asked.preview else context.services.schedules.add(schedule, context.now)
    return ScheduleReply(schedule=_shown(kept, context))


def remove_schedule(context: Context, asked: RemoveScheduleArgument) -> Done:
    """Forget a schedule."""
    watch = context.services.schedules
    found = watch.chosen(asked.id)
    if found is None:
        raise Refused(Code.BAD_REQUEST, "id: there is no such schedule; schedule:list shows them")
    require_scope(context, found.department)
    watch.remove(found, context.caller.grant.subject, context.now)
    return Done()


def state(context: Context, asked: ScheduleArgument | RemoveScheduleArgument) -> object:
    """The schedules, or the one, for the audit trail: the ids of all, because a new one's is not known before."""
    watch = context.services.schedules
    if isinstance(asked, ScheduleArgument):
        return [one.id for one in watch.schedules]
    found = watch.chosen(asked.id)
    return _shown(found, context) if found else None


def _judged(context: Context, asked: ScheduleArgument) -> Schedule:
    """The schedule that is asked for. Raises `Refused`."""
    if (asked.window is None) == (asked.duration is None):
        raise Refused(Code.BAD_REQUEST, "window: give either a window of the week, or a duration for once")
    if asked.days and asked.window is None:
        raise Refused(Code.BAD_REQUEST, "days: they go with a window; a duration begins now")
    until = None if asked.duration is None else context.now.wall + timedelta(seconds=asked.duration)
    return Schedule(
        effect=asked.effect,
        target=_target(context, asked),
        department=asked.department_id,
        reason=asked.reason,
        actor=context.caller.grant.subject,
        added_at=context.now.wall,
        window=_window(asked),
        until=until,
    )


def _window(asked: ScheduleArgument) -> WeeklyWindow | None:
    try:
        return None if asked.window is None else parse_window(asked.window, asked.days)
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"window: {error}") from None


def _target(context: Context, asked: ScheduleArgument) -> str | None:
    """The target in its canonical form. Raises `Refused` where there may be none of this effect."""
    if asked.effect is ScheduleEffect.UNLIMITED:
        if asked.department_id is None:
            raise Refused(Code.BAD_REQUEST, "departmentId: missing; quotas are those of a department")
        return None if asked.address is None else _host(asked.address)
    if asked.address is None:
        raise Refused(Code.BAD_REQUEST, f"address: missing; what is it that the schedule is to {asked.effect}?")
    target = parse_target(asked.address)
    if asked.effect is ScheduleEffect.BLOCK:
        _require_blockable(context, asked, target)
    return target


def _host(address: str) -> str:
    try:
        return host_of(address)
    except Refused as refused:
        raise Refused(refused.code, refused.message.replace("host:", "address:", 1)) from None


def _require_blockable(context: Context, asked: ScheduleArgument, target: str) -> None:
    if asked.window is None:
        raise Refused(Code.BAD_REQUEST, "duration: block once with ip:block, which has a duration of its own")
    enforcement, caller = context.services.enforcement, context.caller.address
    rule = enforcement.objection(target, asked.department_id, context.now, caller)
    if rule is not None:
        raise Refused(Code.PROTECTED_ADDRESS, f"{target} is protected: {rule}")


def _shown(schedule: Schedule, context: Context) -> ScheduleFacts:
    return convert(facts(schedule, context.now, context.services.schedules.zone), ScheduleFacts)
