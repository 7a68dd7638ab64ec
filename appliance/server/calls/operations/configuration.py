"""Calls about the service as a whole: try a configuration, keep the one on trial, open everything."""

from typing import Annotated, Any

from msgspec import Meta

from appliance.core.operations.trial import Trial
from appliance.server.calls.arguments import Argument, Nothing
from appliance.server.calls.context import Context

Text = Annotated[str, Meta(min_length=1, max_length=1 << 20, description="the text of a configuration file")]


class ApplyArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `config:apply`: the whole text of the new configuration."""

    text: Text


def apply(context: Context, asked: ApplyArgument) -> dict[str, Any]:
    """Try another configuration; the service restarts with it at once."""
    trial = context.services.configuration.apply(asked.text, context.caller.grant.subject, context.now)
    return {"trial": _shown(trial, context)}


def confirm(context: Context, _: Nothing) -> dict[str, Any]:
    """Keep the configuration that is on trial."""
    context.services.configuration.confirm(context.caller.grant.subject, context.now)
    return {}


def trial(context: Context, _: Nothing) -> dict[str, Any]:
    """Whether the configuration is on trial, and for how long."""
    current = context.services.configuration.current
    return {"trial": None if current is None else _shown(current, context)}


def release(context: Context, _: Nothing) -> dict[str, Any]:
    """Open everything: the service ends at once and removes its rules from the kernel."""
    context.services.release(context.caller.grant.subject)
    return {}


def state(context: Context, _: object) -> object:
    """The trial, for the audit trail; `None`: there is none."""
    return trial(context, Nothing())["trial"]


def _shown(found: Trial, context: Context) -> dict[str, Any]:
    return {"remaining": round(found.remaining_s(context.now.monotonic_s)), "actor": found.actor}
