"""The server: who is connected, what each may hear and call, and when one has to go.

A client is a session from an accepted token until it leaves or the token runs out; whoever holds a connection without
a session is a stranger, and has seconds to change that. python-socketio is given no exception but the one it knows:
another would leave the client without an answer.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import eventlet
from eventlet import wsgi
from socketio.exceptions import ConnectionRefusedError as Turned

from appliance.core.allowance import Allowance, Rate
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code, Refused
from appliance.events import Audience, DepartmentEvent, ErrorEvent, Event
from appliance.server import access, calls, web
from appliance.server.access import Grant
from appliance.server.calls import Caller, Context, Desk
from appliance.server.fanout import Fanout, room_of
from appliance.server.packets import Malformed, clipped

log = logging.getLogger(__name__)

LOGIN_DEADLINE_S = 10.0  # a client sends its token at once; the slowest link needs a few round trips
NAMESPACE = "/"
# A dashboard of 64 departments asks for two things of each when it opens, and a person clicks twice in a second. The
# address may be that of many dashboards behind one NAT.
CLIENT_CALLS = Rate(rate_per_s=20, burst=200)
ADDRESS_CALLS = Rate(rate_per_s=100, burst=500)
MOST_CALLERS = 10_000  # clients or addresses at once, 100 bytes each


@dataclass(frozen=True, slots=True)
class Session:
    """A client that is logged in. `address`: where it connects from, or `None` where that is no IP address."""

    grant: Grant
    address: str | None


class Server:
    """Lets clients in, answers their calls and sends away those whose time is over."""

    def __init__(
        self, fanout: Fanout, secret: bytes, departments: Iterable[str], desk: Desk, clock: Callable[[], Moment]
    ) -> None:
        """`secret`: signs the tokens; `departments`: the ids that are configured; `clock`: the time of a call."""
        self._fanout = fanout
        self._secret = secret
        self._departments = frozenset(departments)
        self._desk = desk
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._strangers: dict[str, float] = {}
        self._client_calls = Allowance(CLIENT_CALLS, MOST_CALLERS)
        self._address_calls = Allowance(ADDRESS_CALLS, MOST_CALLERS)
        self._sio = fanout.sio
        self._sio.on("connect", self._connect)
        self._sio.on("disconnect", self._disconnect)
        self._sio.on("*", self._call)
        self._sio.eio.on("message", self._receive)
        self.site = web.Site(self._transport, lambda: len(self._sessions), fanout.simulated)

    def serve(self, listener: Any) -> None:
        """Answer on this listening socket until it is closed; for a greenlet of its own."""
        web.serve(listener, self.site)

    def expire_sessions(self, now: Moment) -> None:
        """Tell every client whose token has expired, and disconnect it; drop whoever has not logged in for too long."""
        for sid, session in list(self._sessions.items()):
            if session.grant.is_expired(now.wall):
                text = "the token has expired; connect again with a new one"
                self._fanout.send(_error_event(Code.TOKEN_EXPIRED, text, now), sid)
                self._sio.disconnect(sid)
        at_home = {self._sio.manager.eio_sid_from_sid(sid, NAMESPACE) for sid in self._sessions}
        strangers = [eio_sid for eio_sid in self._sio.eio.sockets if eio_sid not in at_home]
        self._strangers = {eio_sid: self._strangers.get(eio_sid, now.monotonic_s) for eio_sid in strangers}
        for eio_sid, since_s in self._strangers.items():
            if now.monotonic_s - since_s >= LOGIN_DEADLINE_S:
                self._drop(eio_sid)

    def close(self) -> None:
        """Hang up on everybody."""
        for eio_sid in list(self._sio.eio.sockets):
            self._drop(eio_sid)
        self._sio.shutdown()

    def _connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        answer = _answered(lambda: self._admit(sid, environ, auth))
        if not answer["success"]:
            raise Turned(answer["error"], {"code": answer["code"]})

    def _admit(self, sid: str, environ: dict[str, Any], auth: object) -> dict[str, Any]:
        token = auth.get("token") if isinstance(auth, dict) else None
        grant = access.check(self._secret, token, self._clock().wall)
        for department in sorted(self._departments):
            if grant.may_see(department):
                self._sio.enter_room(sid, room_of(Audience.DEPARTMENT, department))
        self._sessions[sid] = Session(grant, web.remote_address(environ))
        self._fanout.send_snapshot(sid, lambda event: _is_for(event, grant))
        return {}

    def _disconnect(self, sid: str, _reason: str) -> None:
        self._sessions.pop(sid, None)

    def _call(self, event: str, sid: str, *arguments: object) -> dict[str, Any] | None:
        eventlet.sleep(0)  # a client that calls without pause lets the others have their turn
        session = self._sessions.get(sid)
        if session is None:
            return None  # it left meanwhile
        now = self._clock()
        caller = Caller(session.grant, session.address, self._subscriber(sid), self._unsubscriber(sid))
        context = Context(self._desk, self._departments, caller, now)
        answer = _answered(lambda: self._carry_out(event, arguments, context, sid))
        if not answer["success"]:
            self._fanout.send(_error_event(answer["code"], answer["error"], now), sid)
        return answer

    def _carry_out(self, event: str, arguments: Sequence[object], context: Context, sid: str) -> dict[str, Any]:
        now_s, address = context.now.monotonic_s, context.caller.address
        wait_s = self._client_calls.take(sid, now_s) or self._address_calls.take(address, now_s)
        if wait_s:
            raise Refused(Code.RATE_LIMITED, f"too many calls; wait {max(0.1, wait_s):.1f} s before the next")
        return calls.carry_out(event, arguments, context)

    def _subscriber(self, sid: str) -> Callable[[str], None]:
        def subscribe(department: str) -> None:
            room = room_of(Audience.SUBSCRIBERS, department)
            self._sio.enter_room(sid, room)
            self._fanout.send_snapshot(sid, lambda event: _room(event) == room)

        return subscribe

    def _unsubscriber(self, sid: str) -> Callable[[str], None]:
        return lambda department: self._sio.leave_room(sid, room_of(Audience.SUBSCRIBERS, department))

    def _receive(self, eio_sid: str, data: object) -> None:
        if eio_sid not in self._sio.environ:
            return  # dropped already: what is still in its buffers must not make it a member again
        try:
            if not data:
                raise Malformed("an empty packet")  # which the library would not even decode
            self._sio._handle_eio_message(eio_sid, data)  # what the library itself registers for this
        except Malformed as fault:
            log.warning("%s sent %s: dropped", self._origin(eio_sid), fault)
            self._drop(eio_sid)

    def _transport(self, environ: dict[str, Any], start_response: web.StartResponse) -> Iterable[bytes]:
        try:
            answer: Iterable[bytes] = self._sio.handle_request(environ, start_response)
        except (ValueError, LookupError, OSError) as fault:
            # A frame that is no Engine.IO packet, or a session that ended meanwhile: the library lets these escape.
            log.warning("%s sent no Engine.IO: %s", environ["REMOTE_ADDR"], clipped(repr(fault)))
            for eio_sid in self._sockets_of(environ):
                self._drop(eio_sid)
            environ["appliance.hang_up"]()
            if "HTTP_UPGRADE" in environ:
                wsgi.WSGI_LOCAL.already_handled = True  # eventlet's own way to say that a WebSocket has been served
                return []
            start_response("400 Bad Request", [("Content-Type", web.TEXT)])
            return [b"400 Bad Request"]
        return answer

    def _sockets_of(self, environ: dict[str, Any]) -> list[str]:
        opened = [eio_sid for eio_sid, opener in self._sio.environ.items() if opener is environ]
        return opened + parse_qs(environ.get("QUERY_STRING", "")).get("sid", [])

    def _drop(self, eio_sid: str) -> None:
        socket = self._sio.eio.sockets.get(eio_sid)
        if socket is not None:
            # `Server.disconnect` would wait for what is queued, and so for ever where nobody fetches it.
            socket.close(wait=False)

    def _origin(self, eio_sid: str) -> str:
        return str(self._sio.environ.get(eio_sid, {}).get("REMOTE_ADDR", "a client"))


def _answered(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The acknowledgement of this work, whatever becomes of it: a client is never left without one."""
    try:
        return {"success": True, **work()}
    except Refused as refused:
        return {"success": False, "error": refused.message, "code": refused.code}
    except Exception:  # one call's bug must neither hang its client nor end metering
        log.exception("a client's request failed")
        text = "the appliance failed to do this; its log says why"
        return {"success": False, "error": text, "code": Code.INTERNAL}


def _error_event(code: Code, message: str, now: Moment) -> ErrorEvent:
    return ErrorEvent(timestamp=timestamp(now.wall), code=code, message=message)


def _room(event: Event) -> str | None:
    return room_of(event.audience, event.department_id) if isinstance(event, DepartmentEvent) else None


def _is_for(event: Event, grant: Grant) -> bool:
    if event.audience is Audience.SUBSCRIBERS:
        return False
    return not isinstance(event, DepartmentEvent) or grant.may_see(event.department_id)
