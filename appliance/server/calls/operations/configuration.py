"""Calls about the service as a whole: try a configuration, keep the one on trial, open everything."""

from typing import Annotated

from msgspec import Meta

from appliance.core.operations.trial import Trial
from appliance.events import Part
from appliance.server.calls.arguments import Argument, Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Done, Reply

Text = Annotated[str, Meta(min_length=1, max_length=1 << 20, description="the text of a configuration file")]


class ApplyArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `config:apply`: the whole text of the new configuration."""

    text: Text


class TrialFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A configuration on trial. `remaining`: seconds left to confirm it; `actor` began it."""

    remaining: int
    actor: str


class ApplyReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The trial that begins."""

    trial: TrialFacts


class TrialReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The trial; null where the configuration is not on trial."""

    trial: TrialFacts | None


def apply(context: Context, asked: ApplyArgument) -> ApplyReply:
    """Try another configuration; the service restarts with it at once."""
    trial = context.services.configuration.apply(asked.text, context.caller.grant.subject, context.now)
    return ApplyReply(trial=_shown(trial, context))


def confirm(context: Context, _: Nothing) -> Done:
    """Keep the configuration that is on trial."""
    context.services.configuration.confirm(context.caller.grant.subject, context.now)
    return Done()


def trial(context: Context, _: Nothing) -> TrialReply:
    """Whether the configuration is on trial, and for how long."""
    current = context.services.configuration.current
    return TrialReply(trial=None if current is None else _shown(current, context))


def release(context: Context, _: Nothing) -> Done:
    """Open everything: the service ends at once and removes its rules from the kernel."""
    context.services.release(context.caller.grant.subject)
    return Done()


def state(context: Context, _: object) -> object:
    """The trial, for the audit trail; `None`: there is none."""
    return trial(context, Nothing()).trial


def _shown(found: Trial, context: Context) -> TrialFacts:
    return TrialFacts(remaining=round(found.remaining_s(context.now.monotonic_s)), actor=found.actor)
