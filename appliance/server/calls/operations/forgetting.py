"""The call of the factory reset."""

from typing import Annotated

from msgspec import Meta

from appliance.core.refusal import Code, Refused
from appliance.server.calls.arguments import Argument
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Done


class ResetArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `system:reset`. `name`: the appliance's, typed by the person as a confirmation."""

    name: Annotated[str, Meta(min_length=1, max_length=255, description="the appliance's name, as in appliance:get")]


def reset(context: Context, asked: ResetArgument) -> Done:
    """Forget everything: the service ends at once, and starts as a new appliance."""
    services = context.services
    if asked.name != services.profile.name:
        raise Refused(Code.BAD_REQUEST, f"name: this appliance is {services.profile.name}; nothing is reset")
    if services.profile.is_simulated:
        raise Refused(Code.BAD_REQUEST, "a simulation has nothing to reset; its state may be a real appliance's")
    services.configuration.reset(context.caller.grant.subject)
    return Done()
