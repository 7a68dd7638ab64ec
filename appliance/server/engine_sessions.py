"""Serves the Engine.IO sessions under Socket.IO, and drops those that do not log in in time or send malformed packets.

A session begins with its first request and is pending until its client has logged in (`sessions`).
"""

import logging
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs

import socketio
from eventlet import wsgi

from appliance.config import LimitsSection
from appliance.core.moment import Moment
from appliance.core.text import clipped
from appliance.server.access.pending import PendingSessions
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import TEXT, StartResponse
from appliance.server.strict_json import Malformed

log = logging.getLogger(__name__)


class EngineSessions:
    """The Engine.IO sessions of this server, by their ids."""

    def __init__(self, sio: socketio.Server, limits: LimitsSection, clock: Callable[[], Moment]) -> None:
        self._sio = sio
        self._clock = clock
        self._pending = PendingSessions(limits.connections, limits.login_deadline)
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
            self._drop(_session_of(environ))
            environ["appliance.hang_up"]()
            if "HTTP_UPGRADE" in environ:
                wsgi.WSGI_LOCAL.already_handled = True  # eventlet's own sign that a WebSocket was served
                return []
            start_response("400 Bad Request", [("Content-Type", TEXT)])
            return [b"400 Bad Request"]
        return answer

    def is_logged_in(self, environ: Environ) -> bool:
        """Whether this request belongs to a session that has logged in."""
        return _session_of(environ) in self._logged_in

    def log_in(self, eio_sid: str) -> None:
        """End the login deadline of this session."""
        self._logged_in.add(eio_sid)
        self._pending.end_deadline(eio_sid)

    def log_out(self, eio_sid: str) -> None:
        """Let this session be pending again, with a new deadline."""
        self._logged_in.discard(eio_sid)

    def drop_overdue(self, now: Moment) -> None:
        """Drop the sessions that have not logged in in time."""
        for eio_sid in self._pending.overdue(self._sio.eio.sockets, self._logged_in, now.monotonic_s):
            self._drop(eio_sid)

    def close(self) -> None:
        """Drop every session."""
        for eio_sid in list(self._sio.eio.sockets):
            self._drop(eio_sid)
        self._sio.shutdown()

    def _open(self, eio_sid: str, environ: Environ) -> None:
        environ["appliance.session"] = eio_sid
        self._sio._handle_eio_connect(eio_sid, environ)  # what the library itself registers for this
        surplus = self._pending.start_deadline(eio_sid, self._clock().monotonic_s)
        if surplus is not None:
            self._drop(surplus)

    def _receive(self, eio_sid: str, data: object) -> None:
        if eio_sid not in self._sio.environ:
            return  # dropped already: what is still in its buffers must not make it a member again
        try:
            if not data:
                raise Malformed("an empty packet")  # which the library would not even decode
            self._sio._handle_eio_message(eio_sid, data)  # what the library itself registers for this
        except Malformed as fault:
            log.warning("%s sent %s", self._sio.environ[eio_sid].get("REMOTE_ADDR", "a client"), fault)
            self._drop(eio_sid)

    def _drop(self, eio_sid: str) -> None:
        self._pending.end_deadline(eio_sid)
        socket = self._sio.eio.sockets.get(eio_sid)
        if socket is not None:
            # `Server.disconnect` would wait until what is queued is fetched, for ever where nobody fetches it.
            socket.close(wait=False)


def _session_of(environ: Environ) -> str:
    """The Engine.IO session that this request opened or names; empty: none."""
    if "appliance.session" in environ:
        return str(environ["appliance.session"])
    return parse_qs(str(environ.get("QUERY_STRING", ""))).get("sid", [""])[0]
