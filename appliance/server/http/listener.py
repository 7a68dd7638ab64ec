"""Accepts connections, gives each request a deadline, and evicts strangers when all places are taken.

A connection is a stranger's until its request belongs to a client that is logged in. When all places are taken, or all
places of one network, the oldest connection of a stranger is evicted for the new one, from the network that has the
most: so neither many connections nor slow ones keep others out. Clients that are logged in are never evicted.

Uses `eventlet.wsgi`'s own handling of a connection (`Server.process_request`), but not its loop: that ends when a
connection is reset before it is accepted or when descriptors run out, stops accepting at 1,024, and accepts as long as
connections are waiting, without giving another greenlet its turn.
"""

import errno
import logging
import resource
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR, SHUT_WR
from typing import Any

import eventlet
from eventlet import wsgi
from eventlet.greenio import GreenSocket
from msgspec import Struct, field

from appliance.core.access.client_address import client_network
from appliance.core.text import clipped
from appliance.server.http.repeated_request import RepeatedRequest
from appliance.server.http.request_filter import Environ
from appliance.server.http.request_head import LONGEST_LINE_BYTES, RejectedRequest, read_head
from appliance.server.http.site import HEADERS, TEXT, Application

log = logging.getLogger(__name__)

RETRY_S = 0.1  # until a descriptor may be free again
OTHER_DESCRIPTORS = 200  # open in the rest of the process: databases, netlink and capture sockets, threads
STALL_S = 20.0  # an answer is given up when its receiver takes nothing of it for so long
SLOWEST_BYTES_S = 1000  # and when it takes less than this on average: a tenth of a poor mobile connection (EDGE)
READ_BYTES = 4096
LINGER_S = 1.0  # an answer that comes before the body's end is lost where the connection is closed with bytes unread
LINGER_BYTES = 1 << 20  # then a client that still sends loses it after all
KEPT_OF_REQUEST = ("appliance.session", "QUERY_STRING")  # by which `is_client` knows a session
# By whether the address is of IPv6 (linux/in.h: IP_FREEBIND; linux/in6.h: IPV6_FREEBIND).
FREE_BINDS = {False: (socket.AF_INET, socket.IPPROTO_IP, 15), True: (socket.AF_INET6, socket.IPPROTO_IPV6, 78)}
CLOSED = {errno.EBADF, errno.EINVAL}  # of `accept` on a listening socket that was closed


class ClientConnection(Struct, eq=False):
    """A connection: its socket, the network it comes from, and its latest request.

    `peer`: the network of the other end, which may be a reverse proxy's. `forget`: frees its place. `attribute`: counts
    it for another network while a request of a client behind a proxy is served; false: that one has too many.
    `break_off`: breaks it, once it is released to a WebSocket; `None`: it is not.
    """

    socket: Any
    network: str  # of `client_network`: an IPv4 address, or the /64 of an IPv6 address
    peer: str
    environ: Environ = field(default_factory=dict)
    greenlet: Any = None
    forget: Callable[[], None] = lambda: None
    attribute: Callable[[str], bool] = lambda _: True
    break_off: Callable[[], None] | None = None

    def close(self) -> None:
        """Break the connection, whatever is still to be sent; a second call changes nothing."""
        self.environ = {}  # it refers to its handler, and that to this
        try:
            self.socket.shutdown(SHUT_RDWR)
        except OSError as error:
            log.debug("%s: gone already: %s", self.network, error)
        self.socket.close()

    def release(self, break_off: Callable[[], None]) -> None:
        """Leave the connection to a WebSocket. Of the request remains only what names its session."""
        self.break_off = break_off
        self.environ = {key: self.environ[key] for key in KEPT_OF_REQUEST if key in self.environ}
        self.socket = self.greenlet = None

    def evict(self) -> None:
        """Break the connection and end its greenlet, even one that waits with a long poll."""
        if self.break_off is not None:
            self.break_off()
            return
        self.close()
        self.greenlet.kill()


class _ReleasedSocket:
    """Takes the place of a socket that was released to a WebSocket, so that eventlet does not close that one."""

    def shutdown(self, how: int) -> None:
        """Leave it alone."""

    def close(self) -> None:
        """Leave it alone."""


class Protocol(wsgi.HttpProtocol):  # type: ignore[misc]  # the library ships no types
    """HTTP as eventlet serves it, except that a request has a deadline and a stranger cannot fill the log.

    A request that repeats the latest one takes a short way (`appliance.repeat`), because that is what polling is.
    The deadline is for the whole request, even where bytes keep coming one by one. The application may lift it
    (`appliance.take_time`), once the request is complete and the answer has to wait for an event. An answer has a
    deadline of its own, by its length (`appliance.begin_answer`).
    """

    server_version = "appliance"
    sys_version = ""
    rbufsize = wbufsize = 2048  # allocated for each connection; the library's 24 KB are of no use to a WebSocket

    def __init__(self, conn_state: list[Any], server: Any, *, request_s: float) -> None:
        """`conn_state`: eventlet's address, socket and state, and the `ClientConnection`."""
        self._request_s = request_s
        self._read_lines: list[bytes] = []  # of the headers of the current request
        self._lines_ahead: list[bytes] = []  # that were read to compare them, and are still to be served
        self._repeated: RepeatedRequest | None = None
        super().__init__(conn_state, server)

    def handle_one_request(self) -> None:
        """Serve one request before its deadline, or give up; a connection that idles meets the same deadline."""
        self._deadline = eventlet.Timeout(self._request_s, TimeoutError("the request did not arrive in time"))
        try:
            if self._repeated is not None and self._answer_again(self._repeated):
                return
            super().handle_one_request()
            if self.close_connection and _has_unread_body(getattr(self, "environ", {})):
                self._linger()
        finally:
            self._deadline.cancel()
            if self.conn_state[3].break_off is None:  # the next request through a proxy may be another client's
                self.conn_state[3].attribute(self.conn_state[3].peer)

    def parse_request(self) -> bool:
        """Read the head of a request; false: it was refused, and the connection ends."""
        self.command, self.close_connection = "", True
        self._read_lines = []
        try:
            head = read_head(self.raw_requestline, self._read_header_line)
        except RejectedRequest as rejected:
            self._refuse(rejected)
            return False
        self.requestline = f"{head.method} {head.target} {head.version}"
        self.command, self.path, self.request_version = head.method, head.target, head.version
        self.headers, self.close_connection = head.headers, not head.keeps
        return True

    def _answer_again(self, repeated: RepeatedRequest) -> bool:
        """Answer the next request, if it is the same again; false: its lines were read, and are still to be served."""
        line = self._read_request_line()
        self._lines_ahead = [line]
        if not line or not repeated.begins_with(line):
            return False
        for expected in repeated.header_lines:
            line = self.rfile.readline(LONGEST_LINE_BYTES)
            self._lines_ahead.append(line)
            if line != expected:
                return False
        self._deadline.cancel()  # the request is complete; its answer may wait for events
        self.conn_state[2], self.conn_state[3].environ = wsgi.STATE_REQUEST, repeated.environ
        body = repeated.answer()
        if body is None:
            self._repeated = None
            return False
        self._lines_ahead = []
        self.wfile.write(repeated.whole_answer(body))
        self.wfile.flush()
        return True

    def _read_header_line(self, most_bytes: int) -> bytes:
        line: bytes = self._lines_ahead.pop(0) if self._lines_ahead else self.rfile.fp.readline(most_bytes)
        self._read_lines.append(line)
        return line

    def _read_request_line(self) -> bytes:
        """The first line of a request, after one empty line at most (RFC 9112, section 2.2)."""
        if self._lines_ahead:
            return self._lines_ahead.pop(0)
        line: bytes = super()._read_request_line()
        return super()._read_request_line() if line in {b"\r\n", b"\n"} else line

    def _refuse(self, rejected: RejectedRequest) -> None:
        content = rejected.body.encode()
        length, kind = ("Content-Length", str(len(content))), ("Content-Type", TEXT)
        lines = [f"HTTP/1.1 {rejected.status}", *(f"{name}: {value}" for name, value in (kind, length, *HEADERS))]
        self.wfile.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + content)
        self._linger()

    def _linger(self) -> None:
        """Let the client read the answer, although it may still be sending."""
        left = LINGER_BYTES
        with eventlet.Timeout(LINGER_S, False), suppress(OSError):  # the client is gone
            self.wfile.flush()
            self.request.shutdown(SHUT_WR)
            while left > 0 and (data := self.request.recv(READ_BYTES)):
                left -= len(data)

    def get_environ(self) -> Environ:
        """The request, with six functions for the application.

        `appliance.hang_up()` closes the connection after the answer instead of reading on. `appliance.take_time()`
        lifts the deadline. `appliance.begin_answer(length)` sets one by which an answer of so many bytes must be taken.
        `appliance.release(break_off)` takes the connection out of HTTP: it returns the socket,
        which does not block, and a function to call when that socket is closed; `break_off` must break the connection.
        `appliance.attribute(network)` counts the connection for this network until the request ends; false: it has too
        many. `appliance.repeat(headers, answer)` lets the same request be answered with these headers and the body that
        `answer` makes, when it comes again on this connection.
        """
        environ: Environ = super().get_environ()
        environ["appliance.hang_up"] = partial(setattr, self, "close_connection", True)
        environ["appliance.take_time"] = self._deadline.cancel
        environ["appliance.begin_answer"] = self._begin_answer
        environ["appliance.release"] = self._release
        environ["appliance.attribute"] = self.conn_state[3].attribute
        environ["appliance.repeat"] = self._repeat
        self.conn_state[3].environ = environ
        return environ

    def _repeat(self, headers: Sequence[tuple[str, str]], answer: Callable[[], bytes | None]) -> None:
        """Remember the current request, unless it ends the connection or is attributed to another network."""
        connection = self.conn_state[3]
        if self.request_version == "HTTP/1.1" and not self.close_connection and connection.network == connection.peer:
            self._repeated = RepeatedRequest(
                self.raw_requestline, self._read_lines, connection.environ, headers, answer
            )

    def _begin_answer(self, length: int) -> None:
        self._deadline.cancel()
        late = TimeoutError("the answer was not taken in time")
        self._deadline = eventlet.Timeout(self._request_s + length / SLOWEST_BYTES_S, late)

    def _release(self, break_off: Callable[[], None]) -> tuple[Any, Callable[[], None]]:
        released, client_connection = self.request, self.conn_state[3]
        self.connection = self.conn_state[1] = _ReleasedSocket()  # eventlet shuts these down at the end
        self.close_connection = True
        client_connection.release(break_off)
        released.setblocking(False)
        # A green socket gives its descriptor to a plain one; a TLS socket must be kept, because it has the keys.
        plain = socket.socket(fileno=released.fd.detach()) if isinstance(released, GreenSocket) else released
        return plain, client_connection.forget

    def handle(self) -> None:
        """Serve a connection until it ends; one that the network breaks is worth a debug line only."""
        try:
            super().handle()
        except OSError as error:
            log.debug("%s: connection lost: %s", self.client_address, error)

    def finish(self) -> None:
        """Close the connection and its files.

        Where the rest of an answer cannot be sent, the library fails before it closes its files, and the descriptor
        would stay open until the garbage collector comes.
        """
        try:
            super().finish()
        finally:
            for file in (self.rfile, self.wfile):
                file.raw.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Write one clipped line, at debug level."""
        log.debug("%s", clipped(format % args))


def _has_unread_body(environ: Environ) -> bool:
    source = environ.get("eventlet.input")
    if source is None:
        return False
    if source.chunked_input:
        return bool(source.chunk_length != 0)
    return bool(source.position < (source.content_length or 0))


class DebugLog:
    """The file to which eventlet writes the errors of connections."""

    def write(self, text: str) -> None:
        """Write one clipped line, at debug level."""
        log.debug("%s", clipped(text))


class Listener:
    """Accepts connections and has an application serve their requests."""

    def __init__(
        self,
        application: Application,
        *,
        connections: int,
        connections_per_network: int,
        request_s: float,
        is_client: Callable[[Environ], bool] = lambda _: False,
        is_proxy: Callable[[str], bool] = lambda _: False,
        secure: Callable[[Any], Any] | None = None,
    ) -> None:
        """`request_s`: deadline of a request. `is_client`: whether a request belongs to a client that is logged in.

        `is_proxy`: whether an address is that of a trusted reverse proxy, whose own connections have no limit.
        `secure`: does the TLS handshake of an accepted socket, returns the protected one; `None`: HTTP without TLS.
        """
        self._application = application
        self._most, self._most_per_network = connections, connections_per_network
        self._request_s = request_s
        self._is_client, self._is_proxy = is_client, is_proxy
        self._secure = secure
        self._strangers: dict[ClientConnection, None] = {}  # oldest first
        self._clients: set[ClientConnection] = set()
        self._counts: dict[str, int] = {}  # of the connections of each network
        self.refused = self.evicted = 0  # connections, since the start

    def __len__(self) -> int:
        """Number of open connections."""
        return len(self._strangers) + len(self._clients)

    def serve(self, listening_socket: Any) -> None:
        """Answer requests on this listening socket until it is closed."""
        self._most = min(self._most, room_for(self._most))
        server = self._http_server(listening_socket)
        while True:
            try:
                accepted, address = listening_socket.accept()
            except OSError as error:
                if error.errno in CLOSED:
                    return
                self._recover(error)
                continue
            self._admit(server, accepted, address)
            eventlet.sleep(0)  # between two connections, other greenlets have their turn

    def _http_server(self, listening_socket: Any) -> Any:
        scheme = {"wsgi.url_scheme": "https", "HTTPS": "on"} if self._secure else {}
        return wsgi.Server(
            listening_socket,
            listening_socket.getsockname(),
            self._application,
            environ={"wsgi.errors": DebugLog(), **scheme},
            protocol=partial(Protocol, request_s=self._request_s),
            log_output=False,
            debug=False,
            socket_timeout=STALL_S,
        )

    def _recover(self, error: OSError) -> None:
        """Go on after a connection that was reset before it was accepted; where descriptors lack, evict or wait."""
        log.warning("a connection could not be accepted: %s", error.strerror)
        has_room = error.errno == errno.ECONNABORTED or self._evict(None)
        eventlet.sleep(0 if has_room else RETRY_S)

    def _admit(self, server: Any, accepted: Any, address: Any) -> None:
        network = client_network(str(address[0]))
        most = self._most if self._is_proxy(str(address[0])) else self._most_per_network
        if not self._make_room(network, most):
            self.refused += 1
            log.warning("%s: too many connections of clients; one more was refused", network)
            accepted.close()
            return
        accepted.settimeout(STALL_S)
        connection = ClientConnection(accepted, network, network)
        connection.forget = partial(self._forget, connection)
        connection.attribute = partial(self._attribute, connection)
        self._count(connection, network)
        connection.greenlet = eventlet.spawn(self._serve_one, server, connection, address)

    def _make_room(self, network: str, most: int) -> bool:
        """Whether there is a place for one more connection of this network, if need be after an eviction."""
        if self._counts.get(network, 0) >= most and not self._evict(network):
            return False
        return len(self) < self._most or self._evict(None)

    def _attribute(self, connection: ClientConnection, network: str) -> bool:
        """Count an open connection as a stranger's of this network; false: it has too many already."""
        if network == connection.network:
            return True
        if connection not in self._strangers and connection not in self._clients:
            return False  # it was evicted meanwhile
        is_of_client = network != connection.peer
        if is_of_client and self._counts.get(network, 0) >= self._most_per_network and not self._evict(network):
            return False
        self._forget(connection)
        self._count(connection, network)
        return True

    def _count(self, connection: ClientConnection, network: str) -> None:
        connection.network = network
        self._strangers[connection] = None
        self._counts[network] = self._counts.get(network, 0) + 1

    def _evict(self, network: str | None) -> bool:
        """Evict the oldest connection of a stranger, of this network or of any (`None`); false: there is none.

        Of any, those of the network with the most connections are the first, so that each keeps its share. A
        connection that the application asks to keep (`appliance.keep`) is passed over.
        """
        while (connection := self._next_to_go(network)) is not None:
            if self._is_client(connection.environ):
                del self._strangers[connection]
                self._clients.add(connection)
                continue
            self._forget(connection)
            connection.evict()
            self.evicted += 1
            return True
        return False

    def _next_to_go(self, network: str | None) -> ClientConnection | None:
        strangers = Counter(one.network for one in self._strangers)
        found = (one for one in self._strangers if network in (None, one.network))
        found = (one for one in found if not one.environ.get("appliance.keep"))
        return max(found, key=lambda one: strangers[one.network], default=None)  # the oldest of the most

    def _serve_one(self, server: Any, connection: ClientConnection, address: Any) -> None:
        try:
            if self._secure is not None:
                with eventlet.Timeout(self._request_s, TimeoutError("the handshake did not end in time")):
                    connection.socket = self._secure(connection.socket)
            server.process_request([address, connection.socket, wsgi.STATE_IDLE, connection])
        except OSError as error:  # TLS errors are some of these
            log.debug("%s: connection lost: %s", connection.network, error)
        except Exception:  # a bug in one must neither fill the log with eventlet's tracebacks nor end the others
            log.exception("%s: a connection failed", connection.network)
        finally:
            if connection.break_off is None:
                self._forget(connection)
                connection.close()

    def _forget(self, connection: ClientConnection) -> None:
        """Free the connection's place; a second call changes nothing."""
        if connection not in self._strangers and connection not in self._clients:
            return
        self._strangers.pop(connection, None)
        self._clients.discard(connection)
        self._counts[connection.network] -= 1
        if not self._counts[connection.network]:
            del self._counts[connection.network]


def listen(host: str, port: int, backlog: int) -> Any:
    """A listening socket for `Listener`, of this process alone. Raises `OSError`.

    The computer may get the address later (ip(7): IP_FREEBIND), from DHCP for instance.
    """
    family, level, free_bind = FREE_BINDS[":" in host]
    listening_socket = GreenSocket(family, socket.SOCK_STREAM)
    try:
        listening_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening_socket.setsockopt(level, free_bind, 1)
        listening_socket.bind((host, port))
        listening_socket.listen(backlog)
    except OSError:
        listening_socket.close()
        raise
    return listening_socket


def room_for(connections: int) -> int:
    """Number of connections for which there are descriptors, after asking the kernel for as many as needed."""
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
