"""Calls about maintenance, the read-only mode. It holds up every department, so only an admin of all may begin it."""

from typing import Annotated

from msgspec import Meta, convert

from appliance.core.operations.maintenance_window import Maintenance, facts
from appliance.events import MaintenanceFacts
from appliance.server.calls.arguments import Argument, Instant, Nothing, Sentence
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Reply

MaintenanceSeconds = Annotated[
    int, Meta(ge=60, le=86400, description="a whole number of seconds from 60 to 86400 (a minute to a day)")
]


class StartArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `maintenance:start`. `start_time`: `None` for now."""

    duration: MaintenanceSeconds = 3600  # the contract's own example
    impact: Sentence = "System is in read-only mode"
    start_time: Instant | None = None


class LongerArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `maintenance:extend`. `duration`: the seconds by which it ends later."""

    duration: MaintenanceSeconds


class MaintenanceReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The maintenance as it is now, as in its event."""

    maintenance: MaintenanceFacts


def start(context: Context, asked: StartArgument) -> MaintenanceReply:
    """Begin, announce or extend a maintenance."""
    mode, actor = context.services.maintenance_mode, context.caller.grant.subject
    return _reply(mode.start(asked.start_time, asked.duration, asked.impact, actor, context.now))


def extend(context: Context, asked: LongerArgument) -> MaintenanceReply:
    """Let the maintenance end later."""
    mode, actor = context.services.maintenance_mode, context.caller.grant.subject
    return _reply(mode.extend(asked.duration, actor, context.now))


def stop(context: Context, _: Nothing) -> MaintenanceReply:
    """End the maintenance."""
    return _reply(context.services.maintenance_mode.stop(context.caller.grant.subject, context.now))


def state(context: Context, _: object) -> object:
    """The current maintenance, for the audit trail; `None`: there is none."""
    current = context.services.maintenance_mode.current
    return facts(current) if current else None


def _reply(maintenance: Maintenance) -> MaintenanceReply:
    return MaintenanceReply(maintenance=convert(facts(maintenance), MaintenanceFacts))
