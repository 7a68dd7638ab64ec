"""Calls about the service as a whole: read, try, keep and take back a configuration, open everything."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from appliance.events import Part, TrialFacts
from appliance.monitor.operations.trial_events import trial_facts
from appliance.server.calls.arguments import Argument, Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Done, Reply

Text = Annotated[str, Meta(min_length=1, max_length=1 << 20, description="the text of a configuration file")]
Digest = Annotated[str, Meta(min_length=1, max_length=64, description="the digest that config:read answered")]


class ApplyArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `config:apply`: the whole text of the new configuration. `digest`: of the file it was made of."""

    text: Text
    digest: Digest | None = None


class CheckArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `config:check`: the whole text of a new configuration."""

    text: Text


class ConfigFault(Part, frozen=True, kw_only=True, rename="camel"):
    """What is wrong with a text. `line`: from 1; null where it is at no one line."""

    line: int | None
    message: str


class CheckReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The faults of a text, or without any, a sentence for each change of what runs."""

    faults: list[ConfigFault]
    changes: list[str]


class ConfigReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The configuration file. `path`: empty where the service runs without one; `obstacle`: why none can be tried."""

    text: str
    digest: str
    path: str
    obstacle: str | UnsetType = UNSET


class ApplyReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The trial that begins."""

    trial: TrialFacts


class ReloadReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A sentence for each change; empty where the file has none."""

    changes: list[str]


class TrialReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The trial; null where the configuration is not on trial."""

    trial: TrialFacts | None


def read(context: Context, _: Nothing) -> ConfigReply:
    """The text of the configuration file."""
    found = context.services.configuration.read()
    return ConfigReply(text=found.text, digest=found.digest, path=found.path, obstacle=found.obstacle or UNSET)


def check(context: Context, asked: CheckArgument) -> CheckReply:
    """Judge a new configuration without trying it."""
    by_hand = context.services.metering.limits_by_hand()
    found = context.services.configuration.review(asked.text, by_hand)
    faults = [ConfigFault(line=one.line, message=one.message) for one in found.faults]
    return CheckReply(faults=faults, changes=list(found.changes))


def apply(context: Context, asked: ApplyArgument) -> ApplyReply:
    """Try another configuration; the service restarts with it at once."""
    context.services.updates.require_no_trial()
    actor = context.caller.grant.subject
    trial = context.services.configuration.apply(asked.text, actor, context.now, asked.digest)
    return ApplyReply(trial=trial_facts(trial, context.now))


def confirm(context: Context, _: Nothing) -> Done:
    """Keep the configuration that is on trial."""
    context.services.configuration.confirm(context.caller.grant.subject, context.now)
    return Done()


def reload(context: Context, _: Nothing) -> ReloadReply:
    """Take what the configuration file has now; the service restarts with it at once."""
    context.services.updates.require_no_trial()
    return ReloadReply(changes=list(context.services.configuration.reload(context.caller.grant.subject)))


def revert(context: Context, _: Nothing) -> Done:
    """Take the configuration on trial back; the service restarts with the former at once."""
    context.services.configuration.revert(context.caller.grant.subject)
    return Done()


def trial(context: Context, _: Nothing) -> TrialReply:
    """Whether the configuration is on trial, and for how long."""
    current = context.services.configuration.current
    return TrialReply(trial=None if current is None else trial_facts(current, context.now))


def release(context: Context, _: Nothing) -> Done:
    """Open everything: the service ends at once and removes its rules from the kernel."""
    context.services.release(context.caller.grant.subject)
    return Done()


def state(context: Context, _: object) -> object:
    """The trial, for the audit trail; `None`: there is none."""
    return trial(context, Nothing()).trial
