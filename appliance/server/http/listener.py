"""The door: which connections come in, how long they may take to say what they want, and who gives way to whom.

A connection belongs to a stranger until its request is one of a client that is logged in. When all places are taken, or
all that one address may have, the stranger who has been there longest gives way to the newcomer: so nobody can keep
others out by being many, or slow. Clients that are logged in give way to nobody.

Written against `eventlet.wsgi`'s own handling of a connection (`Server.process_request`), but not its loop: that ends
when a connection is reset before it is accepted or when descriptors run out, stops accepting at 1,024, and accepts as
long as somebody waits, without giving another greenlet its turn.
"""

import errno
import logging
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from socket import SHUT_RDWR
from typing import Any

import eventlet
from eventlet import wsgi
from eventlet.greenio import GreenSocket

from appliance.core.access.client_address import client_network
from appliance.core.text import clipped

log = logging.getLogger(__name__)

RETRY_S = 0.1  # until a descriptor may be free again
OTHER_DESCRIPTORS = 200  # what the rest of the process has open: databases, netlink and capture sockets, threads
STALL_S = 20.0  # an answer that its receiver has not taken anything of for so long is given up
KEPT_OF_REQUEST = ("appliance.session", "QUERY_STRING")  # by which `is_client` knows a session
CLOSED = {errno.EBADF, errno.EINVAL}  # what accepting on a listener that was closed gives

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Any]


@dataclass(eq=False, slots=True)
class ClientConnection:
    """A connection: its socket, whom it comes from, and its latest request.

    `forget`: gives its place free. `break_off`: how to break it, once somebody else serves it.
    """

    socket: Any
    origin: str
    environ: Environ = field(default_factory=dict)
    greenlet: Any = None
    forget: Callable[[], None] = lambda: None
    break_off: Callable[[], None] | None = None

    def close(self) -> None:
        """Break the connection, whatever is still to be sent; saying so twice changes nothing."""
        self.environ = {}  # it knows its handler, which knows this
        try:
            self.socket.shutdown(SHUT_RDWR)
        except OSError as error:
            log.debug("%s: gone already: %s", self.origin, error)
        self.socket.close()

    def release(self, break_off: Callable[[], None]) -> None:
        """Somebody else serves the connection from now on; of the request remains whose it is."""
        self.break_off = break_off
        self.environ = {key: self.environ[key] for key in KEPT_OF_REQUEST if key in self.environ}
        self.socket = self.greenlet = None

    def end(self) -> None:
        """Break the connection and whatever its greenlet waits for, be it an event for a long poll."""
        if self.break_off is not None:
            self.break_off()
            return
        self.close()
        self.greenlet.kill()


class _Released:
    """What stands for a connection that somebody else serves."""

    def shutdown(self, how: int) -> None:
        """Leave it alone."""

    def close(self) -> None:
        """Leave it alone."""


class Protocol(wsgi.HttpProtocol):  # type: ignore[misc]  # the library ships no types
    """HTTP as eventlet serves it, except that a request has a deadline and a stranger cannot fill the log.

    The deadline is for the whole exchange, whatever comes drop by drop. The application may end it
    (`appliance.take_time`), once it has what it needs and knows what it waits for.
    """

    server_version = "appliance"
    sys_version = ""
    rbufsize = wbufsize = 2048  # allocated for each connection; the library's 24 KB are of no use to a WebSocket

    def __init__(self, conn_state: list[Any], server: Any, *, request_s: float) -> None:
        """`conn_state`: eventlet's address, socket and state, and the `ClientConnection`."""
        self._request_s = request_s
        super().__init__(conn_state, server)

    def handle_one_request(self) -> None:
        """Serve one request, or give up on it. A connection that stays open is idle for no longer."""
        self._deadline = eventlet.Timeout(self._request_s, TimeoutError("the request did not arrive in time"))
        try:
            super().handle_one_request()
        finally:
            self._deadline.cancel()

    def get_environ(self) -> Environ:
        """The request, with ways to leave HTTP.

        `appliance.hang_up` closes the connection after the answer instead of reading on. `appliance.release` gives the
        socket, which then does not block, to a caller who serves it from then on: it is called with how to break the
        connection off, and returns the socket and what is to be called when that is closed.
        """
        environ: Environ = super().get_environ()
        environ["appliance.hang_up"] = partial(setattr, self, "close_connection", True)
        environ["appliance.take_time"] = self._deadline.cancel
        environ["appliance.release"] = self._release
        self.conn_state[3].environ = environ
        return environ

    def _release(self, break_off: Callable[[], None]) -> tuple[Any, Callable[[], None]]:
        taken, visit = self.request, self.conn_state[3]
        # Whatever eventlet does to a connection at its end, it does to these.
        self.connection = self.conn_state[1] = _Released()
        self.close_connection = True
        visit.release(break_off)
        taken.setblocking(False)
        # A plain socket is freed of what lets it wait for the hub; one with TLS is not to be parted from its keys.
        plain = socket.socket(fileno=taken.fd.detach()) if isinstance(taken, GreenSocket) else taken
        return plain, visit.forget

    def handle(self) -> None:
        """Serve a connection until it ends; a network that breaks it is nobody's fault."""
        try:
            super().handle()
        except OSError as error:
            log.debug("%s: connection lost: %s", self.client_address, error)

    def finish(self) -> None:
        """Close the connection for good.

        Where what is still to be sent cannot be, the library gives up before its files are closed, and the descriptor
        stays until the garbage collector comes.
        """
        try:
            super().finish()
        finally:
            for file in (self.rfile, self.wfile):
                file.raw.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """One clipped line, for whoever looks for it."""
        log.debug("%s", clipped(format % args))


class Errors:
    """Where eventlet writes what went wrong with a connection: a clipped line for whoever looks for it."""

    def write(self, text: str) -> None:
        """Take a piece of text."""
        log.debug("%s", clipped(text))


class Listener:
    """Accepts connections and has them served."""

    def __init__(
        self,
        application: Application,
        connections: int,
        connections_per_origin: int,
        request_s: float,
        is_client: Callable[[Environ], bool] = lambda _: False,
        secure: Callable[[Any], Any] | None = None,
    ) -> None:
        """`is_client`: whether a request is one of a client that is logged in. `secure`: makes TLS of a connection."""
        self._application = application
        self._most = connections
        self._most_of_one = connections_per_origin
        self._request_s = request_s
        self._is_client = is_client
        self._secure = secure
        self._strangers: dict[ClientConnection, None] = {}  # in the order in which they came
        self._clients: set[ClientConnection] = set()
        self._by_origin: dict[str, int] = {}
        self.refused = 0  # connections, since the start
        self.evicted = 0

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._strangers) + len(self._clients)

    def serve(self, listener: Any) -> None:
        """Answer requests on this listening socket until it is closed."""
        self._most = min(self._most, room_for(self._most))
        server = wsgi.Server(
            listener,
            listener.getsockname(),
            self._application,
            environ={"wsgi.errors": Errors(), **({"wsgi.url_scheme": "https", "HTTPS": "on"} if self._secure else {})},
            protocol=partial(Protocol, request_s=self._request_s),
            log_output=False,
            debug=False,
            socket_timeout=STALL_S,
        )
        while True:
            try:
                connection, address = listener.accept()
            except OSError as error:
                if error.errno in CLOSED:
                    return
                self._recover(error)
                continue
            self._admit(server, connection, address)
            eventlet.sleep(0)  # however many are waiting: others have their turn between two of them

    def _recover(self, error: OSError) -> None:
        """Somebody reset before being accepted, or there is no descriptor for the next: make room, and go on."""
        log.warning("a connection could not be accepted: %s", error.strerror)
        has_room = error.errno == errno.ECONNABORTED or self._evict(None)
        eventlet.sleep(0 if has_room else RETRY_S)

    def _admit(self, server: Any, connection: Any, address: Any) -> None:
        origin = client_network(str(address[0]))
        if not self._make_room(origin):
            self.refused += 1
            log.warning("%s: too many connections of clients; one more was refused", origin)
            connection.close()
            return
        connection.settimeout(STALL_S)
        visit = ClientConnection(connection, origin)
        visit.forget = partial(self._forget, visit)
        self._strangers[visit] = None
        self._by_origin[origin] = self._by_origin.get(origin, 0) + 1
        visit.greenlet = eventlet.spawn(self._attend, server, visit, address)

    def _make_room(self, origin: str) -> bool:
        """Whether there is a place for one more of this origin, be it that of a stranger who gives way."""
        if self._by_origin.get(origin, 0) >= self._most_of_one and not self._evict(origin):
            return False
        return len(self) < self._most or self._evict(None)

    def _evict(self, origin: str | None) -> bool:
        """Break the oldest connection of a stranger, of this origin or of any (`None`); whether there was one."""
        for visit in list(self._strangers):
            if origin not in (None, visit.origin):
                continue
            if self._is_client(visit.environ):
                del self._strangers[visit]
                self._clients.add(visit)
                continue
            self._forget(visit)
            visit.end()
            self.evicted += 1
            return True
        return False

    def _attend(self, server: Any, visit: ClientConnection, address: Any) -> None:
        try:
            if self._secure is not None:
                with eventlet.Timeout(self._request_s, TimeoutError("the handshake did not end in time")):
                    visit.socket = self._secure(visit.socket)
            server.process_request([address, visit.socket, wsgi.STATE_IDLE, visit])
        except OSError as error:  # TLS errors are some of these
            log.debug("%s: connection lost: %s", visit.origin, error)
        except Exception:  # one connection's bug must not fill the log with eventlet's tracebacks, nor end others
            log.exception("%s: a connection failed", visit.origin)
        finally:
            if visit.break_off is None:
                self._forget(visit)
                visit.close()

    def _forget(self, visit: ClientConnection) -> None:
        """The connection takes no place any more; saying so twice changes nothing."""
        if visit not in self._strangers and visit not in self._clients:
            return
        self._strangers.pop(visit, None)
        self._clients.discard(visit)
        self._by_origin[visit.origin] -= 1
        if not self._by_origin[visit.origin]:
            del self._by_origin[visit.origin]


def room_for(connections: int) -> int:
    """For how many connections there are descriptors, after asking the kernel for as many as needed."""
    needed = connections + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        soft = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < needed:
        log.warning(
            "there are descriptors for %d connections only; raise LimitNOFILE to %d", soft - OTHER_DESCRIPTORS, needed
        )
    return max(1, min(connections, soft - OTHER_DESCRIPTORS))
