"""Fan-out: sends an event to the clients that may see it, and the latest states to clients that come later.

Rooms are named after the audience: `department:<id>` has the clients that may see a department, `analytics:<id>` those
that subscribed to its analytics. `app` decides which client enters which room.

An event is serialised and framed once for all its receivers; `transport` brings the frame to each client.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from threading import get_ident
from typing import Protocol

import msgspec
from eventlet.hubs import get_hub
from msgspec.structs import replace

from appliance.core.alerting.journal import MOST_KEPT, AlertJournal, SentAlert
from appliance.events import AlertEvent, Audience, DepartmentEvent, Event, QuotaExceeded, SecurityIncident
from appliance.server import strict_json
from appliance.server.delivery import packets, transport
from appliance.server.delivery.outbox import EventPacket

log = logging.getLogger(__name__)

NEVER_HELD = {SecurityIncident.name}


def room_of(audience: Audience, department: str) -> str:
    """The name of the room with this audience of a department."""
    return f"{audience.value}:{department}"


def room_for(event: Event) -> str | None:
    """The room of the event's audience; `None`: all clients. Raises `ValueError` for an event of no department."""
    if event.audience is Audience.EVERYONE:
        return None
    if not isinstance(event, DepartmentEvent):
        raise ValueError(f"{event.name} is about no department, so it has no room; send it to one client")
    return room_of(event.audience, event.department_id)


class AlertLog(Protocol):
    """Keeps alerts over a restart."""

    def read(self) -> Sequence[SentAlert]:
        """The latest alerts, oldest first."""

    def append(self, alert: SentAlert) -> None:
        """Save the alert; a failure of the medium is no error here."""


class Fanout:
    """Sends events to rooms and keeps the latest of each state.

    `publish` neither sleeps nor blocks; the events of one step leave together when the step has ended.
    """

    def __init__(self, *, simulated: bool = False, alerts: AlertLog | None = None) -> None:
        """`simulated`: mark every event as such. `alerts`: where they outlive a restart; `None`: nowhere."""
        self.simulated = simulated
        self.published = 0  # events since the start
        self._thread = get_ident()
        self._held: list[Event] | None = None  # alerts that wait for `release`; `None`: none is held
        self._alerts = alerts
        self._journal = AlertJournal(alerts.read() if alerts else ())
        self._states: dict[tuple[str, str | None], tuple[Event, EventPacket]] = {}
        self.sio = transport.DirectServer(
            async_mode="eventlet",
            async_handlers=False,  # a client's calls are answered in their order, and one at a time
            serializer=packets.StrictPacket,
            json=strict_json,
            logger=packets.OneLineLogger(logging.getLogger("socketio.server")),
            engineio_logger=packets.OneLineLogger(logging.getLogger("engineio.server")),
            max_http_buffer_size=packets.LONGEST_MESSAGE_BYTES,
            http_compression=False,  # of each client's poll apart: it costs more than the events in it
            cors_allowed_origins=[],  # the library's sign to leave them alone: `http.origins` judges every request
        )
        self._deliver: Callable[[EventPacket, str | None], None] = self.sio.manager.deliver

    def hold(self) -> None:
        """Send no alerts from now on, but incidents: who sees an attack late has lost something."""
        self._held = [] if self._held is None else self._held

    def settle(self) -> None:
        """Nothing is on its way to a medium."""

    def release(self) -> None:
        """Send the alerts that were held, with the times at which they arose."""
        held, self._held = self._held or [], None
        for event in held:
            self.publish(event)

    def publish(self, event: Event) -> None:
        """Send the event to its audience, and keep it for later clients if it is a state; on the hub's thread only."""
        if self._held is not None and isinstance(event, AlertEvent | QuotaExceeded) and event.name not in NEVER_HELD:
            self._held = [*self._held, event][-MOST_KEPT:]
            return
        if get_ident() != self._thread:
            raise RuntimeError(f"{event.name} is published by a thread that is not the hub's")
        self.published += 1
        room = room_for(event)
        if isinstance(event, AlertEvent):
            event = self._journalled(event, str(room))
        key = (event.name, room) if event.is_state else None
        packet = self._packet(event, key)
        if key is not None:
            self._states[key] = event, packet
        self._deliver(packet, room)

    @property
    def given_up(self) -> int:
        """Number of clients that were disconnected since the start because they did not keep up."""
        return int(self.sio.manager.given_up)

    @property
    def waiting(self) -> int:
        """Number of packets that have not left yet."""
        return sum(len(session.queue) for session in self.sio.eio.sockets.values())

    def count_clients(self) -> int:
        """Number of clients that are logged in."""
        return len(self.sio.manager.rooms.get(transport.NAMESPACE, {}).get(None, ()))

    def sent_alerts(self, kind: type[AlertEvent], department: str) -> list[bytes]:
        """The latest alerts of this kind about a department as JSON, oldest first; they outlive a restart."""
        alerts = self._journal.since(0, [room_of(kind.audience, department)])
        return [alert.content for alert in alerts if alert.name == kind.name]

    def send(self, event: Event, sid: str) -> None:
        """Send the event to one client."""
        self._deliver(self._packet(event), sid)

    def welcome(self, sid: str, wanted: Callable[[Event], bool], rooms: Iterable[str], since: int | None) -> None:
        """Send a client the latest states that it wants and the alerts that it missed, and enter it in these rooms.

        `since`: the number of the latest alert that it has seen; `None`: it wants no missed alerts. All this leaves
        after the packets that the caller has still to send. No event comes twice or is lost: one that is published
        meanwhile is either among these or comes by the room.
        """
        get_hub().schedule_call_global(0, self._welcome, sid, wanted, list(rooms), since)

    def _welcome(self, sid: str, wanted: Callable[[Event], bool], rooms: list[str], since: int | None) -> None:
        if self.sio.manager.eio_sid_from_sid(sid, transport.NAMESPACE) is None:
            return  # it has left
        for event, packet in list(self._states.values()):
            if wanted(event):
                self._deliver(packet, sid)
        for alert in [] if since is None else self._journal.since(since, rooms):
            self._deliver(EventPacket(_content(alert.name, alert.content)), sid)
        for room in rooms:
            self.sio.enter_room(sid, room)

    def _journalled(self, event: AlertEvent, room: str) -> AlertEvent:
        """Give the alert its number, and keep it for clients that are away."""
        number = self._journal.next_number(datetime.fromisoformat(event.timestamp))
        numbered = replace(event, alert_id=number)
        alert = SentAlert(number, event.name, room, self._json(numbered))
        self._journal.append(alert)
        if self._alerts is not None:
            self._alerts.append(alert)
        return numbered

    def _packet(self, event: Event, key: object = None) -> EventPacket:
        return EventPacket(_content(event.name, self._json(event)), key)

    def _json(self, event: Event) -> bytes:
        content = msgspec.json.encode(event)
        return content[:-1] + b',"simulated":true}' if self.simulated else content


def _content(name: str, payload: bytes) -> bytes:
    """The event as a Socket.IO packet."""
    return b'2["%s",%s]' % (name.encode(), payload)
