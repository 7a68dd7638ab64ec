"""Calls about maintenance, the read-only mode. It holds up every department, so only an admin of all may begin it."""

from typing import Annotated, Any

from msgspec import Meta

from appliance.core.operations.maintenance_window import facts
from appliance.server.calls.arguments import Argument, Instant, Nothing, Sentence
from appliance.server.calls.context import Context

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


def start(context: Context, asked: StartArgument) -> dict[str, Any]:
    """Begin, announce or extend a maintenance."""
    mode, actor = context.services.maintenance_mode, context.caller.grant.subject
    return {"maintenance": facts(mode.start(asked.start_time, asked.duration, asked.impact, actor, context.now))}


def extend(context: Context, asked: LongerArgument) -> dict[str, Any]:
    """Let the maintenance end later."""
    mode, actor = context.services.maintenance_mode, context.caller.grant.subject
    return {"maintenance": facts(mode.extend(asked.duration, actor, context.now))}


def stop(context: Context, _: Nothing) -> dict[str, Any]:
    """End the maintenance."""
    stopped = context.services.maintenance_mode.stop(context.caller.grant.subject, context.now)
    return {"maintenance": facts(stopped)}


def state(context: Context, _: object) -> object:
    """The current maintenance, for the audit trail; `None`: there is none."""
    current = context.services.maintenance_mode.current
    return facts(current) if current else None
