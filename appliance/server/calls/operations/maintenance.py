"""Calls about maintenance, the read-only mode. It holds up every department, so only an admin of all may begin it."""

from typing import Annotated

from msgspec import Meta

from appliance.core.operations.maintenance_window import Repeat
from appliance.events import MaintenanceFacts
from appliance.server.calls.arguments import Argument, Instant, Sentence
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Reply

MaintenanceSeconds = Annotated[
    int, Meta(ge=60, le=86400, description="a whole number of seconds from 60 to 86400 (a minute to a day)")
]
MaintenanceId = Annotated[
    str, Meta(min_length=1, max_length=32, description="the id of a maintenance, such as 20261216T020000Z")
]
Repeating = Annotated[Repeat, Meta(description="daily, weekly or monthly")]


class StartArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `maintenance:start`. `start_time`: `None` for now. `repeat`: how often it is planned again."""

    duration: MaintenanceSeconds = 3600  # the contract's own example
    impact: Sentence = "System is in read-only mode"
    start_time: Instant | None = None
    repeat: Repeating | None = None


class LongerArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `maintenance:extend`. `duration`: the seconds by which it ends later.

    `id`: `None` for the one that runs, else the next.
    """

    duration: MaintenanceSeconds
    id: MaintenanceId | None = None


class StopArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `maintenance:stop`. `id`: as for `maintenance:extend`."""

    id: MaintenanceId | None = None


class MaintenanceReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The maintenance as it is now, as in its event."""

    maintenance: MaintenanceFacts


def start(context: Context, asked: StartArgument) -> MaintenanceReply:
    """Begin or announce a maintenance."""
    mode, actor, start_time = context.services.maintenance_mode, context.caller.grant.subject, asked.start_time
    found = mode.start(start_time, asked.duration, asked.impact, actor, context.now, asked.repeat)
    return MaintenanceReply(maintenance=mode.facts_of(found))


def extend(context: Context, asked: LongerArgument) -> MaintenanceReply:
    """Let a maintenance end later."""
    mode, actor = context.services.maintenance_mode, context.caller.grant.subject
    return MaintenanceReply(maintenance=mode.facts_of(mode.extend(asked.duration, actor, context.now, asked.id)))


def stop(context: Context, asked: StopArgument) -> MaintenanceReply:
    """End a maintenance, or call it off."""
    mode, actor = context.services.maintenance_mode, context.caller.grant.subject
    return MaintenanceReply(maintenance=mode.facts_of(mode.stop(actor, context.now, asked.id)))


def state(context: Context, asked: StartArgument | LongerArgument | StopArgument) -> object:
    """The maintenance that is asked for, for the audit trail; `None`: there is none."""
    mode = context.services.maintenance_mode
    plan = mode.plan
    if isinstance(asked, StartArgument):
        found = next((one for one in plan.planned if one.start == asked.start_time), plan.running)
    elif asked.id is not None:
        found = next((one for one in plan.saved if one.id == asked.id), None)
    else:  # the next one only where nothing else could be meant
        found = plan.running if len(plan.saved) > 1 else plan.next
    return mode.record_of(found) if found else None
