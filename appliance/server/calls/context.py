"""What a handler works with beside its argument: the caller and the services."""

from dataclasses import dataclass

from appliance.core.moment import Moment
from appliance.server.services import Services
from appliance.server.sessions import ClientSession


@dataclass(frozen=True, slots=True)
class Context:
    """One call. `now`: when it came."""

    services: Services
    caller: ClientSession
    now: Moment


def require_department(context: Context, department: str) -> None:
    """Raise `Refused` for a department that is not configured or that the caller's token does not cover."""
    context.services.require_department(department, context.caller.grant)
