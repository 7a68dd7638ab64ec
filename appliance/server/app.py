"""The server: who is connected, what each may hear and call, and when one has to go.

A client is a session from an accepted token until it leaves or the token runs out; whoever holds a connection without
a session is a stranger, and has seconds to change that. python-socketio is given no exception but the one it knows:
another would leave the client without an answer.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

import eventlet
from eventlet import wsgi
from socketio.exceptions import ConnectionRefusedError as Turned

from appliance.config import LimitsSection
from appliance.core.access.login_backoff import BackoffRules, LoginBackoff
from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.core.alerting.journal import LARGEST_NUMBER
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code, Refused
from appliance.core.text import clipped
from appliance.events import Audience, DepartmentEvent, ErrorEvent, Event
from appliance.server import calls
from appliance.server.access import Grant
from appliance.server.access.admission import TokenAdmission
from appliance.server.access.pending import PendingSessions
from appliance.server.calls import Caller, Context, Services
from appliance.server.delivery.fanout import Fanout, room_for, room_of
from appliance.server.delivery.packets import LONGEST_MESSAGE_BYTES
from appliance.server.http import site
from appliance.server.http.listener import Listener
from appliance.server.http.request_filter import RequestFilter
from appliance.server.http.tls import Tls
from appliance.server.pages import contract, index
from appliance.server.pages.block_exports import BlockExports
from appliance.server.pages.login import LoginPages
from appliance.server.pages.metrics import Figures, Metrics, Watched
from appliance.server.strict_json import Malformed

log = logging.getLogger(__name__)

NAMESPACE = "/"
# An address may be that of many dashboards behind one NAT: this many times what one client may call.
CALLS_OF_ADDRESS, CALLS_OF_ADDRESS_AT_ONCE = 5, 2.5
MOST_CALLERS = 10_000  # clients or addresses at once, 100 bytes each


@dataclass(frozen=True, slots=True)
class Session:
    """A client that is logged in. `address`: where it connects from, or `None` where that is no IP address.

    `since`: the number of the latest alert that it had seen when it came; `None`: it has not said so.
    """

    grant: Grant
    address: str | None
    eio_sid: str
    since: int | None


class Server:
    """Lets clients in, answers their calls and sends away those whose time is over."""

    def __init__(
        self,
        *,
        fanout: Fanout,
        services: Services,
        limits: LimitsSection,
        tls: Tls | None = None,
        hsts_max_age: int = 0,
    ) -> None:
        """`tls`: `None` where HTTP is spoken; `hsts_max_age`: seconds of `Strict-Transport-Security`, 0 for none."""
        clock = services.clock
        self._fanout = fanout
        self._authenticator = services.authenticator
        # In a greenlet of its own: who revokes his own token gets his acknowledgement first.
        self._authenticator.when_revoked = lambda: eventlet.spawn(lambda: self._dismiss(clock()))
        self._departments = services.departments
        self._services = services
        self._clock = clock
        self._limits = limits
        self._sessions: dict[str, Session] = {}
        self._at_home: set[str] = set()  # the Engine.IO sessions of `_sessions`
        self._strangers = PendingSessions(limits.connections, limits.login_deadline)
        self.logins = LoginBackoff(BackoffRules())
        self._admission = TokenAdmission(services.authenticator, self.logins)
        self._entry = LoginPages(services.people, services.pairing, services.audit, self.logins, clock)
        self._exports = BlockExports(services.enforcement, self._departments, self._admission, clock)
        calls_per_s, at_once = limits.calls_per_second, limits.calls_at_once
        self._client_calls = RateLimit(Rate(calls_per_s, at_once), MOST_CALLERS)
        self._address_calls = RateLimit(
            Rate(calls_per_s * CALLS_OF_ADDRESS, round(at_once * CALLS_OF_ADDRESS_AT_ONCE)), MOST_CALLERS
        )
        self._sio = fanout.sio
        self._sio.on("connect", self._connect)
        self._sio.on("disconnect", self._disconnect)
        self._sio.on("*", self._call)
        self._sio.eio.on("connect", self._open)
        self._sio.eio.on("message", self._receive)
        self.listener = Listener(
            site.HttpSite(self._transport, self._request_filter(), self._pages(), hsts_max_age),
            connections=limits.connections,
            connections_per_network=limits.connections_per_address,
            request_s=limits.request_deadline,
            is_client=self._is_client,
            secure=tls.secure if tls else None,
        )

    def serve(self, listening_socket: Any) -> None:
        """Answer on this listening socket until it is closed; for a greenlet of its own."""
        self.listener.serve(listening_socket)

    def expire_sessions(self, now: Moment) -> None:
        """Tell every client whose token is over or revoked, and disconnect it; drop whoever is too long a stranger."""
        self._authenticator.step(now)
        self._dismiss(now)
        for eio_sid in self._strangers.overdue(self._sio.eio.sockets, self._at_home, now.monotonic_s):
            self._drop(eio_sid)

    def _dismiss(self, now: Moment) -> None:
        for sid, session in list(self._sessions.items()):
            fault = self._authenticator.fault(session.grant, now)
            if fault is not None:
                self._fanout.send(_error_event(fault.code, fault.message, now), sid)
                self._sio.disconnect(sid)

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
        grant = self._admission.admit(token, environ["REMOTE_ADDR"], self._clock())
        since = _since(auth)
        eio_sid = self._sio.manager.eio_sid_from_sid(sid, NAMESPACE)
        self._sessions[sid] = Session(grant, site.remote_address(environ), eio_sid, since)
        self._at_home.add(eio_sid)
        self._strangers.discard(eio_sid)
        rooms = [room_of(Audience.DEPARTMENT, one) for one in sorted(self._departments) if grant.may_see(one)]
        self._fanout.welcome(sid, lambda event: _is_for(event, grant), rooms, since)
        return {}

    def _disconnect(self, sid: str, _reason: str) -> None:
        session = self._sessions.pop(sid, None)
        if session is not None:
            self._at_home.discard(session.eio_sid)

    def _open(self, eio_sid: str, environ: dict[str, Any]) -> None:
        environ["appliance.session"] = eio_sid
        self._sio._handle_eio_connect(eio_sid, environ)  # what the library itself registers for this
        gives_way = self._strangers.add(eio_sid, self._clock().monotonic_s)
        if gives_way is not None:
            self._drop(gives_way)

    def _call(self, event: str, sid: str, *arguments: object) -> dict[str, Any] | None:
        eventlet.sleep(0)  # a client that calls without pause lets the others have their turn
        session = self._sessions.get(sid)
        if session is None:
            return None  # it left meanwhile
        now = self._clock()
        caller = Caller(
            session.grant, session.address, self._subscriber(sid), self._unsubscriber(sid), self._adopter(sid)
        )
        context = Context(self._services, caller, now)
        answer = _answered(lambda: self._carry_out(event, arguments, context, sid))
        if not answer["success"]:
            self._fanout.send(_error_event(answer["code"], answer["error"], now), sid)
        return answer

    def _carry_out(self, event: str, arguments: Sequence[object], context: Context, sid: str) -> dict[str, Any]:
        now_s, address = context.now.monotonic_s, context.caller.address
        wait_s = self._client_calls.spend(sid, now_s) or self._address_calls.spend(address, now_s)
        if wait_s:
            raise Refused(Code.RATE_LIMITED, f"too many calls; wait {max(0.1, wait_s):.1f} s before the next")
        fault = self._authenticator.fault(context.caller.grant, context.now)
        if fault is not None:
            raise fault
        return calls.carry_out(event, arguments, context)

    def _subscriber(self, sid: str) -> Callable[[str], None]:
        def subscribe(department: str) -> None:
            room = room_of(Audience.SUBSCRIBERS, department)
            is_new = room not in self._sio.rooms(sid)
            since = self._sessions[sid].since if is_new and sid in self._sessions else None
            self._fanout.welcome(sid, lambda event: room_for(event) == room, [room], since)

        return subscribe

    def _unsubscriber(self, sid: str) -> Callable[[str], None]:
        return lambda department: self._sio.leave_room(sid, room_of(Audience.SUBSCRIBERS, department))

    def _adopter(self, sid: str) -> Callable[[Grant], None]:
        def adopt(grant: Grant) -> None:
            if sid in self._sessions:
                self._sessions[sid] = replace(self._sessions[sid], grant=grant)

        return adopt

    def _receive(self, eio_sid: str, data: object) -> None:
        if eio_sid not in self._sio.environ:
            return  # dropped already: what is still in its buffers must not make it a member again
        try:
            if not data:
                raise Malformed("an empty packet")  # which the library would not even decode
            self._sio._handle_eio_message(eio_sid, data)  # what the library itself registers for this
        except Malformed as fault:
            log.warning("%s sent %s", self._origin(eio_sid), fault)
            self._drop(eio_sid)

    def _transport(self, environ: dict[str, Any], start_response: site.StartResponse) -> Iterable[bytes]:
        try:
            answer: Iterable[bytes] = self._sio.handle_request(environ, start_response)
        except (ValueError, LookupError, OSError) as fault:
            # A frame that is no Engine.IO packet, or a session that ended meanwhile: the library lets these escape.
            log.warning("%s sent no Engine.IO: %s", environ["REMOTE_ADDR"], clipped(repr(fault)))
            self._drop(_session_of(environ))
            environ["appliance.hang_up"]()
            if "HTTP_UPGRADE" in environ:
                wsgi.WSGI_LOCAL.already_handled = True  # eventlet's own way to say that a WebSocket has been served
                return []
            start_response("400 Bad Request", [("Content-Type", site.TEXT)])
            return [b"400 Bad Request"]
        return answer

    def _is_client(self, environ: dict[str, Any]) -> bool:
        """Whether the request is one of a client that is logged in."""
        return _session_of(environ) in self._at_home

    def _request_filter(self) -> RequestFilter:
        # A session that was dropped may last for a while longer: as many as one may have in the time for a login.
        most = self._limits.connections_per_address
        return RequestFilter(LONGEST_MESSAGE_BYTES, Rate(most / self._limits.login_deadline, most))

    def _pages(self) -> dict[str, site.Page]:
        simulated, clock = self._fanout.simulated, self._clock
        services = self._services
        watched = services.status and Watched(services.metering, services.enforcement, services.status)
        scraped = watched and Metrics(watched, self._departments, self._admission, self._figures, simulated, clock)
        return {
            "/": lambda environ: index.welcome(environ, simulated),
            **self._exports.pages(),
            "/login": self._entry.log_in,
            "/pair": self._entry.pair,
            "/asyncapi.json": lambda _: site.Answer(site.JSON, contract.text()),
            **({"/metrics": scraped.page} if scraped else {}),
            "/healthz": lambda _: index.health(self._services.troubles, len(self._sessions), simulated),
        }

    def _figures(self) -> Figures:
        return Figures(
            clients=len(self._sessions),
            connections=len(self.listener),
            connections_refused_total=self.listener.refused,
            connections_evicted_total=self.listener.evicted,
            logins_refused_total=self.logins.refused,
            events_published_total=self._fanout.published,
            clients_given_up_total=self._fanout.given_up,
            packets_waiting=self._fanout.waiting,
        )

    def _drop(self, eio_sid: str) -> None:
        self._strangers.discard(eio_sid)
        socket = self._sio.eio.sockets.get(eio_sid)
        if socket is not None:
            # `Server.disconnect` would wait for what is queued, and so for ever where nobody fetches it.
            socket.close(wait=False)

    def _origin(self, eio_sid: str) -> str:
        return str(self._sio.environ.get(eio_sid, {}).get("REMOTE_ADDR", "a client"))


def _session_of(environ: dict[str, Any]) -> str:
    """The Engine.IO session that this request has opened, or belongs to by its own word; empty: none."""
    if "appliance.session" in environ:
        return str(environ["appliance.session"])
    return parse_qs(str(environ.get("QUERY_STRING", ""))).get("sid", [""])[0]


def _since(auth: object) -> int | None:
    """The number of the latest alert that a client has seen. Raises `Refused`."""
    since = auth.get("since") if isinstance(auth, dict) else None
    if since is None or (type(since) is int and 0 <= since <= LARGEST_NUMBER):
        return since
    raise Refused(Code.BAD_REQUEST, "since: must be the alertId of the latest alert that was seen, or 0 for all")


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


def _is_for(event: Event, grant: Grant) -> bool:
    if event.audience is Audience.SUBSCRIBERS:
        return False
    return not isinstance(event, DepartmentEvent) or grant.may_see(event.department_id)
