"""What a handler works with beside its argument: the caller and the services."""

from dataclasses import dataclass

import eventlet

from appliance.core.moment import Moment
from appliance.server.services import Services
from appliance.server.sessions import ClientSession

PAUSE_S = 0.002  # an order of 5,000 has two hundred of them


@dataclass(frozen=True, slots=True)
class Context:
    """One call. `now`: when it came."""

    services: Services
    caller: ClientSession
    now: Moment


def require_department(context: Context, department: str) -> None:
    """Raise `Refused` for a department that is not configured or that the caller's token does not cover."""
    context.services.require_department(department, context.caller.grant)


def give_way() -> None:
    """Give other clients their turn; an answer takes several rounds of the event loop."""
    eventlet.sleep(PAUSE_S)
