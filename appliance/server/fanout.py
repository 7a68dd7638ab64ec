"""Fan-out: the way of an event to the clients that may see it, and the snapshot for those that come later.

Rooms are named after the audience: `department:<id>` holds the clients that may see a department, `analytics:<id>`
those that subscribed to its analytics. Who may enter is decided elsewhere (`app`); here is no judgement.

An event is serialised and framed once, whoever receives it; how the frame reaches a client is `transport`'s business.
The libraries' own send path, which does it anew for each client, can be had instead (`plain`).
"""

import logging
from collections.abc import Callable
from threading import get_ident

import msgspec
import socketio
from eventlet.hubs import get_hub

from appliance.config import DEFAULT_LIMITS, LimitsSection
from appliance.events import Audience, DepartmentEvent, Event
from appliance.server import packets, transport
from appliance.server.outbox import EventPacket

log = logging.getLogger(__name__)


def room_of(audience: Audience, department: str) -> str:
    """The name of the room that holds this audience of a department."""
    return f"{audience.value}:{department}"


class Fanout:
    """Sends events to rooms and remembers the latest of each state.

    To publish neither sleeps nor blocks; what one step publishes leaves together when the step has ended.
    """

    def __init__(self, simulated: bool = False, limits: LimitsSection = DEFAULT_LIMITS, *, plain: bool = False) -> None:
        """`simulated`: say so in every event. `plain`: send as python-socketio does, each client by itself."""
        self.simulated = simulated
        self._thread = get_ident()
        self._states: dict[tuple[str, str | None], tuple[Event, EventPacket]] = {}
        self.sio: socketio.Server = (socketio.Server if plain else transport.Server)(
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
        self._deliver: Callable[[EventPacket, str | None], None] = (
            self._deliver_plainly if plain else self.sio.manager.deliver
        )

    def publish(self, event: Event) -> None:
        """Send the event to its audience and keep it for newcomers if it is a state; on the hub's thread only."""
        if get_ident() != self._thread:
            raise RuntimeError(f"{event.name} is published by a thread that is not the hub's")
        department = event.department_id if isinstance(event, DepartmentEvent) else None
        packet = self._packet(event, (event.name, department) if event.is_state else None)
        if event.is_state:
            self._states[event.name, department] = event, packet
        if event.audience is Audience.EVERYONE:
            self._deliver(packet, None)
        elif department is None:
            raise ValueError(f"{event.name} is about no department, so it has no room; send it to one client")
        else:
            self._deliver(packet, room_of(event.audience, department))

    def send(self, event: Event, sid: str) -> None:
        """Send the event to one client."""
        self._deliver(self._packet(event), sid)

    def send_snapshot(self, sid: str, wanted: Callable[[Event], bool]) -> None:
        """Send a client those of the latest states that it wants, after what the caller has still to send it."""
        get_hub().schedule_call_global(0, self._send_states, sid, wanted)

    def _send_states(self, sid: str, wanted: Callable[[Event], bool]) -> None:
        for event, packet in list(self._states.values()):
            if wanted(event):
                self._deliver(packet, sid)

    def _packet(self, event: Event, key: object = None) -> EventPacket:
        content = msgspec.json.encode(event)
        if self.simulated:
            content = content[:-1] + b',"simulated":true}'
        return EventPacket(b'2["%s",%s]' % (event.name.encode(), content), key)

    def _deliver_plainly(self, packet: EventPacket, room: str | None) -> None:
        name, payload = msgspec.json.decode(packet.content[1:])
        self.sio.emit(name, payload, room=room)
