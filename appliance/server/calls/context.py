"""What a handler works with beside its argument: the caller and the services."""

from time import thread_time

import eventlet
from msgspec import Struct, field

from appliance.core.moment import Moment
from appliance.core.pause import Pause
from appliance.server.services import Services
from appliance.server.sessions import ClientSession

SLICE_S = 0.005  # of computing; no client waits longer for its turn, whatever the computer
PAUSE_S = 0.002  # an answer takes several rounds of the event loop; an order of 5,000 has a hundred such pauses


class TimeSlice:
    """Gives other clients their turn each time that this call has computed for a slice of time.

    Computed, because a slice of time alone would be over at once on a computer that is busy with other programs, and
    each pause there lasts for many times what it should.
    """

    def __init__(self) -> None:
        self._began_s = thread_time()

    def __call__(self) -> None:
        """Pause if the slice is over; cheap, so that it may be called often."""
        if thread_time() - self._began_s >= SLICE_S:
            eventlet.sleep(PAUSE_S)
            self._began_s = thread_time()


class Context(Struct, frozen=True):
    """One call. `now`: when it came; `give_way`: gives others their turn, to be called between pieces of long work."""

    services: Services
    caller: ClientSession
    now: Moment
    give_way: Pause = field(default_factory=TimeSlice)


def require_department(context: Context, department: str) -> None:
    """Raise `Refused` for a department that is not configured or that the caller's token does not cover."""
    context.services.require_department(department, context.caller.grant)
