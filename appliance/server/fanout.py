"""Fan-out: the way of an event to the clients that may see it, and the snapshot for those that come later.

Rooms are named after the audience: `department:<id>` holds the clients that may see a department, `analytics:<id>`
those that subscribed to its analytics. Who may enter is decided elsewhere (`app`); here is no judgement.
"""

import logging
from collections.abc import Callable
from typing import Any

import socketio

from appliance.config import DEFAULT_LIMITS, LimitsSection
from appliance.events import Audience, DepartmentEvent, Event
from appliance.server import packets

log = logging.getLogger(__name__)


def room_of(audience: Audience, department: str) -> str:
    """The name of the room that holds this audience of a department."""
    return f"{audience.value}:{department}"


class Fanout:
    """Sends events to rooms and remembers the latest of each state. `simulated`: say so in every event.

    To publish neither sleeps nor blocks: the event is in every client's queue when the call returns.
    """

    def __init__(self, simulated: bool = False, limits: LimitsSection = DEFAULT_LIMITS) -> None:
        self.simulated = simulated
        self._states: dict[tuple[str, str | None], Event] = {}
        self.sio = socketio.Server(
            async_mode="eventlet",
            async_handlers=False,  # a client's calls are answered in their order, and one at a time
            serializer=packets.StrictPacket,
            json=packets.Json(limits.nesting),
            logger=packets.OneLine(logging.getLogger("socketio.server")),
            engineio_logger=packets.OneLine(logging.getLogger("engineio.server")),
            max_http_buffer_size=int(limits.message),
            # A page of any origin may connect: the token is in its hands and not in a cookie, so there is no authority
            # that another site's page could borrow.
            cors_allowed_origins="*",
            cors_credentials=False,
        )

    def publish(self, event: Event) -> None:
        """Send the event to its audience and keep it for newcomers if it is a state."""
        department = event.department_id if isinstance(event, DepartmentEvent) else None
        if event.is_state:
            self._states[event.name, department] = event
        if event.audience is Audience.EVERYONE:
            self.sio.emit(event.name, self._wire(event))
        elif department is None:
            raise ValueError(f"{event.name} is about no department, so it has no room; send it to one client")
        else:
            self.sio.emit(event.name, self._wire(event), room=room_of(event.audience, department))

    def send(self, event: Event, sid: str) -> None:
        """Send the event to one client."""
        self.sio.emit(event.name, self._wire(event), to=sid)

    def send_snapshot(self, sid: str, wanted: Callable[[Event], bool]) -> None:
        """Send a client those of the latest states that it wants, after what the caller has still to send it."""
        self.sio.start_background_task(self._send_states, sid, wanted)

    def _send_states(self, sid: str, wanted: Callable[[Event], bool]) -> None:
        for event in list(self._states.values()):
            if wanted(event):
                self.send(event, sid)

    def _wire(self, event: Event) -> dict[str, Any]:
        payload = event.payload()
        return {**payload, "simulated": True} if self.simulated else payload
