"""Serves the Engine.IO sessions under Socket.IO, and drops those that do not log in in time or send malformed packets.

A session begins with its first request and is pending until its client has logged in (`sessions`): it has seconds to
log in, and only so many are pending at once. python-engineio itself keeps any session for as long as it answers pings.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from urllib.parse import parse_qs

from eventlet import wsgi
from socketio.server import Server

from appliance.config import LimitsSection
from appliance.core.moment import Moment
from appliance.core.text import clipped
from appliance.server.http.request_body import declares_body
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import TEXT, StartResponse
from appliance.server.strict_json import Malformed

log = logging.getLogger(__name__)


class EngineSessions:
    """The Engine.IO sessions of this server, by their ids."""

    def __init__(self, sio: Server, limits: LimitsSection, clock: Callable[[], Moment]) -> None:
        self._sio = sio
        self._clock = clock
        self._most_pending = limits.connections
        self._deadline_s = limits.login_deadline
        self._pending_since_s: dict[str, float] = {}  # of the monotonic clock, the longest first
        self._logged_in: set[str] = set()
        sio.eio.on("connect", self._open)
        sio.eio.on("message", self._receive)

    def serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request to the transport; the WSGI application of `/socket.io/`."""
        try:
            answer: Iterable[bytes] = self._sio.handle_request(environ, start_response)
        except (ValueError, LookupError, OSError) as fault:
            # A frame that is no Engine.IO packet, or a session that ended meanwhile: the library lets these escape.
            log.warning("%s sent no Engine.IO: %s", environ["REMOTE_ADDR"], clipped(repr(fault)))
            self.drop(_session_of(environ))
            environ["appliance.hang_up"]()
            if "HTTP_UPGRADE" in environ:
                wsgi.WSGI_LOCAL.already_handled = True  # eventlet's own sign that a WebSocket was served
                return []
            start_response("400 Bad Request", [("Content-Type", TEXT)])
            return [b"400 Bad Request"]
        if _is_plain_poll(environ):
            environ["appliance.next_poll"] = partial(self._sio.eio.poll_again, _session_of(environ), environ)
        return answer

    def is_logged_in(self, environ: Environ) -> bool:
        """Whether this request belongs to a session that has logged in."""
        return _session_of(environ) in self._logged_in

    def log_in(self, eio_sid: str) -> None:
        """End the login deadline of this session."""
        self._logged_in.add(eio_sid)
        self._pending_since_s.pop(eio_sid, None)

    def log_out(self, eio_sid: str) -> None:
        """Let this session be pending again, with a new deadline."""
        self._logged_in.discard(eio_sid)

    def drop_overdue(self, now: Moment) -> None:
        """Drop the sessions that have not logged in in time; one that logged out gets a new deadline."""
        pending = [eio_sid for eio_sid in self._sio.eio.sockets if eio_sid not in self._logged_in]
        since_s = {eio_sid: self._pending_since_s.get(eio_sid, now.monotonic_s) for eio_sid in pending}
        self._pending_since_s = dict(sorted(since_s.items(), key=itemgetter(1)))
        for eio_sid, began_s in since_s.items():
            if now.monotonic_s - began_s >= self._deadline_s:
                self.drop(eio_sid)

    def drop(self, eio_sid: str, *, silently: bool = False) -> None:
        """Close the connection of this session, after what waits for it.

        `silently`: without Engine.IO's word that it is closed, so that the client takes it for a lost connection.
        """
        self._pending_since_s.pop(eio_sid, None)
        socket = self._sio.eio.sockets.get(eio_sid)
        if socket is not None:
            socket.close(
                wait=False, abort=silently
            )  # `Server.disconnect` would wait for a client to fetch its queue, perhaps for ever

    def close(self) -> None:
        """Drop every session."""
        for eio_sid in list(self._sio.eio.sockets):
            self.drop(eio_sid)
        self._sio.shutdown()

    def _open(self, eio_sid: str, environ: Environ) -> None:
        environ["appliance.session"] = eio_sid
        self._sio._handle_eio_connect(eio_sid, environ)  # what the library itself registers for this
        self._pending_since_s[eio_sid] = self._clock().monotonic_s
        if len(self._pending_since_s) > self._most_pending:
            self.drop(next(iter(self._pending_since_s)))

    def _receive(self, eio_sid: str, data: object) -> None:
        if eio_sid not in self._sio.environ:
            return  # dropped already: what is still in its buffers must not make it a member again
        try:
            if not data:
                raise Malformed("an empty packet")  # which the library would not even decode
            self._sio._handle_eio_message(eio_sid, data)  # what the library itself registers for this
        except Malformed as fault:
            log.warning("%s sent %s", self._sio.environ[eio_sid].get("REMOTE_ADDR", "a client"), fault)
            self.drop(eio_sid)


def _is_plain_poll(environ: Environ) -> bool:
    """Whether this request of a session waits for packets, and has nothing else in it."""
    if environ["REQUEST_METHOD"] != "GET" or {"HTTP_UPGRADE", "HTTP_EXPECT"} & environ.keys() or declares_body(environ):
        return False
    asked = parse_qs(str(environ.get("QUERY_STRING", "")))
    return asked.get("transport") == ["polling"] and "sid" in asked and "j" not in asked


def _session_of(environ: Environ) -> str:
    """The Engine.IO session that this request opened or names; empty: none."""
    if "appliance.session" in environ:
        return str(environ["appliance.session"])
    return parse_qs(str(environ.get("QUERY_STRING", ""))).get("sid", [""])[0]
