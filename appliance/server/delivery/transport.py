"""Transport: python-socketio with a send path of our own, built on the seams that the libraries offer.

The libraries do the protocol: sessions, rooms, acknowledgements, long polling, the handshake. Here they get
- a queue for each session (`create_queue`): `Outbox`, which wakes a WebSocket instead of a waiting greenlet;
- a class for WebSockets (`websocket` of the driver): `Upgrade`, which takes the connection from the HTTP server and
  ends the request's greenlet;
- a client manager: `Rooms`, which gives an event that was framed once to all its receivers;
- a way to start pings (`start_background_task`): a timer instead of a sleeping greenlet;
- a class for sessions (`AnsweringSession`), by which pongs are counted;
- a handler's arguments (`DirectServer._handle_event`): the number that the client gave its packet comes first;
- a short way for a poll that is like the one before it (`EngineServer.poll_again`).
`tests/server/test_seams.py` tests each seam, so that a release that moves one fails there.
"""

import logging
import random
from collections.abc import Callable, Iterable
from enum import Enum
from time import time
from types import MethodType
from typing import Any
from weakref import ref

import eventlet
from engineio.exceptions import EngineIOError
from engineio.packet import NOOP, PONG, Packet
from engineio.server import Server as EngineIOServer
from engineio.socket import Socket as Session
from eventlet import wsgi
from eventlet.hubs import get_hub
from socketio.manager import Manager
from socketio.packet import CONNECT_ERROR
from socketio.server import Server as SocketIOServer

from appliance.core.refusal import Code
from appliance.core.text import clipped
from appliance.server.delivery import websocket_frames
from appliance.server.delivery.outbox import EventPacket, Outbox, payload
from appliance.server.delivery.websocket import WebSocket, WriteBatch

log = logging.getLogger(__name__)

NAMESPACE = "/"
UPGRADE_DEADLINE_S = 10.0  # from the WebSocket's handshake to the session's move; the clients' own limit
PINGS_SPREAD = 0.2  # of the interval, so that clients that connected together are not pinged together for ever
KEPT_OF_REQUEST = ("REMOTE_ADDR", "REMOTE_PORT", "HTTP_ORIGIN", "HTTP_USER_AGENT", "wsgi.url_scheme")
PROBE, PROBE_ANSWER, UPGRADE = "2probe", websocket_frames.text_frame(b"3probe"), "5"  # Engine.IO 4, "Upgrade"
PONG_TEXT = b"%d" % PONG
NO_ENGINE_IO = (EngineIOError, ValueError, LookupError)  # that the library raises for what is no packet


class DirectServer(SocketIOServer):  # type: ignore[misc]  # the library ships no types
    """python-socketio with these seams."""

    def __init__(self, **options: Any) -> None:
        """The options are the library's."""
        super().__init__(client_manager=Rooms(), **options)

    def _engineio_server_class(self) -> type[EngineIOServer]:
        return EngineServer

    def _handle_connect(self, eio_sid: str, namespace: str | None, data: object) -> None:
        if namespace in (None, NAMESPACE):
            super()._handle_connect(eio_sid, namespace, data)
            return
        text = f'there is no namespace "{clipped(namespace)}": connect to the address without a path'
        error = {"message": text, "data": {"code": Code.BAD_REQUEST}}
        self._send_packet(eio_sid, self.packet_class(CONNECT_ERROR, data=error, namespace=namespace))

    def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        self.eio.sockets[eio_sid].__class__ = AnsweringSession
        # A request holds on to its buffers, 30 kB; the session lives long and needs a few words of it.
        super()._handle_eio_connect(eio_sid, {key: environ[key] for key in KEPT_OF_REQUEST if key in environ})

    def _handle_event(self, eio_sid: str, namespace: str | None, number: int | None, data: list[object]) -> None:
        super()._handle_event(eio_sid, namespace, number, [data[0], number, *data[1:]])


class Rooms(Manager):  # type: ignore[misc]
    """Knows the clients in each room, and gives an event to all of them."""

    given_up = 0  # clients, since the start

    def __init__(self) -> None:
        super().__init__()
        self._sessions: dict[str | None, list[Session]] = {}  # of the rooms, until a client enters or leaves any

    def deliver(self, packet: EventPacket, room: str | None) -> None:
        """Give the packet to all clients in the room; `None`: to all clients. Neither waits nor blocks."""
        for session in self._sessions.get(room) or self._find_sessions(room):
            if not session.closed and not session.queue.put(packet):
                self._give_up(session)

    def basic_enter_room(self, *arguments: Any, **options: Any) -> None:
        """Let a client enter a room, as the library does."""
        self._sessions.clear()
        super().basic_enter_room(*arguments, **options)

    def basic_leave_room(self, *arguments: Any, **options: Any) -> None:
        """Let a client leave a room, as the library does."""
        self._sessions.clear()
        super().basic_leave_room(*arguments, **options)

    def _find_sessions(self, room: str | None) -> list[Session]:
        sessions = self.server.eio.sockets
        found = [sessions[one] for _, one in self.get_participants(NAMESPACE, room) if one in sessions]
        self._sessions[room] = found
        return found

    def _give_up(self, session: Session) -> None:
        address = self.server.environ.get(session.sid, {}).get("REMOTE_ADDR", "a client")
        self.given_up += 1
        log.warning("%s does not keep up with its events and is disconnected: %s", address, session.queue)
        session.close(wait=False, abort=True, reason=EngineIOServer.reason.TRANSPORT_ERROR)


class EngineServer(EngineIOServer):  # type: ignore[misc]
    """python-engineio with these seams."""

    def __init__(self, **options: Any) -> None:
        """The options are the library's."""
        super().__init__(**options)
        self._async: dict[str, Any] = {**self._async, "websocket": Upgrade}
        self.batch = WriteBatch()

    def create_queue(self, *_: object, **__: object) -> Outbox:
        """A queue for a session."""
        return Outbox()

    def poll_again(self, sid: str, environ: dict[str, Any]) -> bytes | None:
        """The body of the answer to one more poll of this session; `None`: the library has to answer it.

        `environ`: a poll that the library has answered before.
        """
        session = self.sockets.get(sid)
        if session is None or session.closed or session.upgraded or not session.connected:
            return None
        try:
            packets = session.handle_get_request(environ, None)
        except EngineIOError:
            return None  # nothing came in time, and the session is closed
        if session.closed:
            self.sockets.pop(sid, None)
        return payload(packets)

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Start a greenlet; for a ping, which would only sleep first, a timer."""
        if not isinstance(target, MethodType) or target.__func__ is not Session._send_ping:
            return super().start_background_task(target, *args, **kwargs)
        delay_s = self.ping_interval * (1 - random.uniform(0, PINGS_SPREAD))  # noqa: S311  no secret
        return get_hub().schedule_call_global(delay_s, _ping, ref(target.__self__))


class AnsweringSession(Session):  # type: ignore[misc]
    """A session that counts the client's pongs; the library makes it as one of its own class, and offers no other."""

    def schedule_ping(self) -> None:
        """Begin the wait for the next ping, as the library does with each pong."""
        self.queue.note_pong()
        super().schedule_ping()


def _ping(reference: ref[Any]) -> None:
    session = reference()
    if session is not None and not session.closing and not session.closed:
        session.last_ping = time()
        session.queue.ping()


class Upgrade:
    """Turns a request into a WebSocket of its session."""

    def __init__(self, handler: Any, server: EngineServer) -> None:
        """`handler`: the session's own method, which would wait in a greenlet; only the session is taken from it."""
        self._session: Session = handler.__self__
        self._server = server

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer the handshake; the request ends, and the connection stays open."""
        token = websocket_frames.accept_token(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""))
        if token is None:
            environ["appliance.hang_up"]()
            start_response("400 Bad Request", [("Content-Type", "text/plain")])
            return [b"400 Bad Request"]
        carrier = Carrier(self._session, self._server, environ["REMOTE_ADDR"])
        sock, forget = environ["appliance.release"](carrier.break_off)
        carrier.begin(sock, forget, token)
        wsgi.WSGI_LOCAL.already_handled = True  # eventlet's sign that it must not answer itself
        return []


class Stage(Enum):
    """A session's stage of moving from polling to a WebSocket (Engine.IO 4, "Upgrade")."""

    AWAITS_PROBE = "the client has still to probe the WebSocket"
    AWAITS_UPGRADE = "the client has still to move its session"
    MOVED = "the session uses the WebSocket"


class Carrier:
    """Connects a session with its WebSocket: answers the handshake, moves the session, then passes its packets on."""

    __slots__ = ("_address", "_forget", "_server", "_session", "_stage", "_websocket")

    def __init__(self, session: Session, server: EngineServer, address: str) -> None:
        """`session`: python-engineio's socket; `address`: the client's, for the log."""
        self._session = session
        self._server = server
        self._address = address
        self._stage = Stage.AWAITS_PROBE if session.connected else Stage.MOVED
        self._websocket: WebSocket | None = None

    def begin(self, sock: Any, forget: Callable[[], None], token: bytes) -> None:
        """Answer the handshake; serve a new session at once, and another when it moves. At the end, call `forget`."""
        self._forget = forget
        websocket = self._websocket = WebSocket(sock, self, self._server.batch, self._server.max_http_buffer_size)
        websocket.reply(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n"
        )
        if self._session.connected:
            get_hub().schedule_call_global(UPGRADE_DEADLINE_S, self._give_up_moving)
        else:
            self._session.connected = True
            self._move()

    def break_off(self) -> None:
        """Close the connection, whatever is still to be sent."""
        if self._websocket is not None:
            self._websocket.end("it gives way to another", reset=True)

    def handle_at_once(self, text: bytes) -> bool:
        """Handle a pong: most packets of a client that makes no calls are pongs."""
        if text != PONG_TEXT or self._stage is not Stage.MOVED:
            return False
        self._session.receive(Packet(PONG))
        return True

    def handle(self, content: str | bytes) -> None:
        """Handle any other message."""
        try:
            _HANDLERS[self._stage](self, content)
        except NO_ENGINE_IO as fault:
            log.warning("%s sent no Engine.IO: %s", self._address, clipped(repr(fault)))
            self._end("no Engine.IO")

    def ended(self, reason: str) -> None:
        """The connection is closed: end its session too, if that had moved here."""
        log.debug("%s: %s", self._address, reason)
        self._forget()
        if self._stage is Stage.MOVED:
            self._server.sockets.pop(self._session.sid, None)
            reason_code = self._server.reason.TRANSPORT_CLOSE
            eventlet.spawn_n(self._session.close, wait=False, abort=True, reason=reason_code)
        else:
            self._session.upgrading = False
        self._websocket = None

    def _handle_probe(self, content: str | bytes) -> None:
        if content != PROBE or self._session.closed or self._session.upgrading or self._session.upgraded:
            self._end("no probe")
            return
        self._session.upgrading = True
        self._stage = Stage.AWAITS_UPGRADE
        if self._websocket is not None:
            self._websocket.reply(PROBE_ANSWER)
        self._session.queue.put(Packet(NOOP))  # ends a poll that waits

    def _handle_upgrade(self, content: str | bytes) -> None:
        if content != UPGRADE or self._session.closed:
            self._end("no upgrade")
            return
        self._move()

    def _move(self) -> None:
        self._stage = Stage.MOVED
        self._session.upgraded, self._session.upgrading = True, False
        if self._websocket is not None:
            self._websocket.attach(self._session.queue)

    def _handle_packet(self, content: str | bytes) -> None:
        self._session.receive(Packet(encoded_packet=content))

    def _give_up_moving(self) -> None:
        if self._stage is not Stage.MOVED:
            self._end("the session has not moved")

    def _end(self, reason: str) -> None:
        if self._websocket is not None:
            self._websocket.end(reason, websocket_frames.Status.PROTOCOL_ERROR)


_HANDLERS = {
    Stage.AWAITS_PROBE: Carrier._handle_probe,
    Stage.AWAITS_UPGRADE: Carrier._handle_upgrade,
    Stage.MOVED: Carrier._handle_packet,
}
