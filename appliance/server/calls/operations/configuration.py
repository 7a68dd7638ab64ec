"""Calls about the service as a whole: read, try, keep and take back a configuration, open everything."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from appliance.core.operations.trial import Trial
from appliance.server.calls.arguments import Argument, Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Reply

Text = Annotated[str, Meta(min_length=1, max_length=1 << 20, description="the text of a configuration file")]
Digest = Annotated[str, Meta(min_length=1, max_length=64, description="the digest that config:read answered")]


class ApplyArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `config:apply`: the whole text of the new configuration. `digest`: of the file it was made of."""

    text: Text
    digest: Digest | None = None


class ConfigReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The configuration file. `path`: empty where the service runs without one; `obstacle`: why none can be tried."""

    text: str
    digest: str
    path: str
    obstacle: str | UnsetType = UNSET


def read(context: Context, _: Nothing) -> ConfigReply:
    """The text of the configuration file."""
    found = context.services.configuration.read()
    return ConfigReply(text=found.text, digest=found.digest, path=found.path, obstacle=found.obstacle or UNSET)


def apply(context: Context, asked: ApplyArgument) -> dict[str, Any]:
    """Try another configuration; the service restarts with it at once."""
    actor = context.caller.grant.subject
    trial = context.services.configuration.apply(asked.text, actor, context.now, asked.digest)
    return {"trial": _shown(trial, context)}


def confirm(context: Context, _: Nothing) -> dict[str, Any]:
    """Keep the configuration that is on trial."""
    context.services.configuration.confirm(context.caller.grant.subject, context.now)
    return {}


def revert(context: Context, _: Nothing) -> Reply:
    """Take the configuration on trial back; the service restarts with the former at once."""
    context.services.configuration.revert(context.caller.grant.subject)
    return Reply()


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
