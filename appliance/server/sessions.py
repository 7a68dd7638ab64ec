"""Sessions of clients: begin with an accepted token, and end when the client leaves or the token is no longer valid."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from eventlet.hubs import get_hub
from msgspec import Struct
from socketio import exceptions

from appliance.core.access.audit_entry import Actor
from appliance.core.alerting.journal import LARGEST_NUMBER
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.events import Audience, DepartmentEvent, Event
from appliance.server.access import Grant
from appliance.server.access.admission import TokenAdmission
from appliance.server.acknowledgement import acknowledged, error_event
from appliance.server.delivery.fanout import Fanout, room_for, room_of
from appliance.server.delivery.outbox import Outbox, Receipt
from appliance.server.delivery.transport import NAMESPACE
from appliance.server.engine_sessions import EngineSessions
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import remote_address
from appliance.server.services import Services

# A client that polls does not show what comes in one answer with the end of its session: the reason goes before it.
PARTING_S = 0.5


class ClientSession(Struct, eq=False):
    """A client that is logged in. `grant`: a renewed token replaces it; `address`: `None` where it is no IP address.

    `since`: the number of the latest alert that the client had seen when it connected; `None`: it did not say.
    `is_ending`: it was told why it is disconnected, and soon is.
    """

    sid: str
    eio_sid: str
    grant: Grant
    address: str | None
    since: int | None
    fanout: Fanout
    is_ending: bool = False

    @property
    def actor(self) -> Actor:
        """The author of this client's changes, for the audit trail."""
        return Actor(self.grant.subject, self.grant.role, self.address)

    def receipt(self) -> Receipt:
        """Tells whether the client has what is sent to it next."""
        session = self.fanout.sio.eio.sockets.get(self.eio_sid)
        outbox: Outbox = Outbox() if session is None else session.queue  # nothing reaches a client that has left
        return outbox.receipt()

    def take(self, grant: Grant, departments: Iterable[str]) -> None:
        """Go on with this grant, in the rooms of what it covers of these departments."""
        before, self.grant = self.grant, grant
        for one in departments:
            if before.may_see(one) and not grant.may_see(one):
                for audience in (Audience.DEPARTMENT, Audience.SUBSCRIBERS):
                    self.fanout.sio.leave_room(self.sid, room_of(audience, one))
        gained = {room_of(Audience.DEPARTMENT, one) for one in departments if grant.may_see(one) > before.may_see(one)}
        self.fanout.welcome(self.sid, lambda event: room_for(event) in gained, gained, None)

    def subscribe(self, department: str) -> None:
        """Send this client the department's analytics, the latest state first."""
        room = room_of(Audience.SUBSCRIBERS, department)
        since = None if room in self.fanout.sio.rooms(self.sid) else self.since
        self.fanout.welcome(self.sid, lambda event: room_for(event) == room, [room], since)

    def unsubscribe(self, department: str) -> None:
        """Stop sending this client the department's analytics."""
        self.fanout.sio.leave_room(self.sid, room_of(Audience.SUBSCRIBERS, department))


class ClientSessions:
    """Logs clients in, and disconnects those whose token has expired or was revoked."""

    def __init__(self, fanout: Fanout, services: Services, admission: TokenAdmission, engine: EngineSessions) -> None:
        self._fanout = fanout
        self._clock = services.clock
        self._departments = sorted(services.departments)
        self._authenticator = services.authenticator
        self._admission = admission
        self._engine = engine
        self._sessions: dict[str, ClientSession] = {}
        fanout.sio.on("connect", self._connect)
        fanout.sio.on("disconnect", self._disconnect)

    def __len__(self) -> int:
        """The number of clients that are logged in."""
        return len(self._sessions)

    def get(self, sid: str) -> ClientSession | None:
        """The session of this client; `None`: it has left."""
        return self._sessions.get(sid)

    def end_invalid(self, now: Moment) -> None:
        """Disconnect every client whose token is no longer valid, after an event that says why."""
        for session in [one for one in self._sessions.values() if not one.is_ending]:
            try:
                self._authenticator.require_valid(session.grant, now)
            except Refused as fault:
                self._fanout.send(error_event(fault.code, fault.message, now), session.sid)
                self._end(session, fault.code)

    def _end(self, session: ClientSession, why: Code) -> None:
        """Disconnect a client. One whose token has merely expired may come back by itself with the next one.

        Clients connect again by themselves after the loss of their transport, asking their `auth` function for a token,
        and do not after a disconnection that the server asks for: socket.io-client after Socket.IO's, python-socketio
        after Engine.IO's too.
        """
        session.is_ending = True
        if why is Code.TOKEN_EXPIRED:
            get_hub().schedule_call_global(PARTING_S, partial(self._engine.drop, session.eio_sid, silently=True))
        else:
            self._fanout.sio.disconnect(session.sid)

    def _connect(self, sid: str, environ: Environ, auth: object = None) -> None:
        answer = acknowledged(lambda: self._log_in(sid, environ, auth))
        if not answer["success"]:
            # The only exception that python-socketio answers; after another the client would wait for ever.
            raise exceptions.ConnectionRefusedError(answer["error"], {"code": answer["code"]})

    def _log_in(self, sid: str, environ: Environ, auth: object) -> dict[str, Any]:
        token = auth.get("token") if isinstance(auth, dict) else None
        grant = self._admission.admit(token, environ["REMOTE_ADDR"], self._clock())
        since = _since(auth)
        eio_sid = self._fanout.sio.manager.eio_sid_from_sid(sid, NAMESPACE)
        self._sessions[sid] = ClientSession(sid, eio_sid, grant, remote_address(environ), since, self._fanout)
        self._authenticator.last_seen.enter(self._sessions[sid])
        self._engine.log_in(eio_sid)
        rooms = [room_of(Audience.DEPARTMENT, one) for one in self._departments if grant.may_see(one)]
        self._fanout.welcome(sid, lambda event: _is_for(event, grant), rooms, since)
        return {}

    def _disconnect(self, sid: str, _reason: str) -> None:
        session = self._sessions.pop(sid, None)
        if session is not None:
            self._authenticator.last_seen.leave(session, self._clock().wall)
            self._engine.log_out(session.eio_sid)


def _since(auth: object) -> int | None:
    """The number of the latest alert that a client has seen. Raises `Refused`."""
    since = auth.get("since") if isinstance(auth, dict) else None
    if since is None or (type(since) is int and 0 <= since <= LARGEST_NUMBER):
        return since
    raise Refused(Code.BAD_REQUEST, "since: must be the alertId of the latest alert that was seen, or 0 for all")


def _is_for(event: Event, grant: Grant) -> bool:
    if event.audience is Audience.SUBSCRIBERS:
        return False
    return not isinstance(event, DepartmentEvent) or grant.may_see(event.department_id)
