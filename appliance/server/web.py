"""HTTP around Socket.IO: a page that says what this is, a health check, and a gate before the transport.

The gate takes from a request what the transport does not survive. python-engineio never answers an oversized POST nor
one with a packet of an unknown type, and keeps its greenlet for ever; so a body is read and judged here, and what is
wrong ends the connection. `permessage-deflate` costs more than the event is worth, so the offer is not passed on.
"""

import io
import logging
from collections.abc import Callable, Iterable
from functools import partial
from html import escape
from ipaddress import IPv6Address, ip_address
from typing import Any

from eventlet import wsgi

from appliance.server import packets

log = logging.getLogger(__name__)

TRANSPORT = "/socket.io/"
SOCKET_TIMEOUT_S = (
    20.0  # a request or an answer that stalls this long is given up; long-polls do not wait in the socket
)
MOST_PACKETS = 16  # in one POST: what python-engineio takes
CLIENT_PACKETS = "134"  # Engine.IO's close, pong and message: what a client has reason to POST

# No script, style or frame has a place here, and no answer is for a cache.
HEADERS = [
    ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
]
HTML = "text/html; charset=utf-8"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<h1>{title}</h1>
{notice}<p>This appliance meters a department's network traffic, holds it to its quota, blocks addresses, and shows
all of it live to its clients.</p>
<h2>Connect</h2>
<p>With <code>socket.io-client</code> 4 and a token, which <code>appliance token --role viewer --departments '*'</code>
prints on the appliance:</p>
<pre>
const socket = io({url}, {{ auth: {{ token: 'your_jwt_token' }} }});
socket.on('connect', () =&gt; console.log('Connected with ID:', socket.id));
socket.on('connect_error', (error) =&gt; console.error(error.message, error.data?.code));
socket.on('usage:update', (data) =&gt; console.log(data));
</pre>
<p>In a terminal: <code>appliance watch</code>. Health: <a href="/healthz">/healthz</a>.</p>
</html>
"""
_SIMULATED = "<p><strong>SIMULATED: nothing that this appliance reports is real.</strong></p>\n"


class Refusal(Exception):
    """A request that is answered with this status and a closed connection."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class Site:
    """The WSGI application. `transport`: what serves `/socket.io/`; `count_clients`: how many are logged in now."""

    def __init__(self, transport: Application, count_clients: Callable[[], int], simulated: bool) -> None:
        self._transport = transport
        self._count_clients = count_clients
        self._simulated = simulated
        self._pages = {"/": (HTML, self._page), "/healthz": (JSON, self._health)}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""

        def respond(status: str, headers: list[tuple[str, str]], *rest: object) -> Any:
            return start_response(status, headers + HEADERS, *rest)

        try:
            _judge(environ)
        except Refusal as refusal:
            environ["appliance.hang_up"]()
            respond(refusal.status, [("Content-Type", TEXT)])
            return [refusal.status.encode()]
        if environ["PATH_INFO"].startswith(TRANSPORT):
            return self._transport(environ, respond)
        return self._answer(environ, respond)

    def _answer(self, environ: Environ, respond: StartResponse) -> Iterable[bytes]:
        status, kind, body = "404 Not Found", TEXT, "There is nothing here; see /"
        if environ["PATH_INFO"] in self._pages:
            kind, build = self._pages[environ["PATH_INFO"]]
            status, body = "200 OK", build(environ)
        content = body.encode()
        respond(status, [("Content-Type", kind), ("Content-Length", str(len(content)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]

    def _page(self, environ: Environ) -> str:
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return _PAGE.format(
            title=escape("Appliance" + (" (SIMULATED)" if self._simulated else "")),
            notice=_SIMULATED if self._simulated else "",
            url=escape(packets.dumps(f"{environ['wsgi.url_scheme']}://{host}")),
        )

    def _health(self, _: Environ) -> str:
        health: dict[str, Any] = {"status": "ok", "clients": self._count_clients()}
        return packets.dumps({**health, "simulated": True} if self._simulated else health)


def _judge(environ: Environ) -> None:
    """Let through what the rest survives, with its body read; raises `Refusal`."""
    is_transport = environ["PATH_INFO"].startswith(TRANSPORT)
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    if "HTTP_UPGRADE" in environ and environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        raise Refusal("400 Bad Request")  # the drafts before RFC 6455, which no client of ours speaks
    if is_transport and environ["REQUEST_METHOD"] == "POST":
        environ["wsgi.input"] = io.BytesIO(_body(environ))
    elif environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ:
        raise Refusal("413 Content Too Large")
    elif not is_transport and environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        raise Refusal("405 Method Not Allowed")


def _body(environ: Environ) -> bytes:
    """The body of a POST to the transport: as long as it says, and made of packets that a client sends."""
    if "HTTP_TRANSFER_ENCODING" in environ or "CONTENT_LENGTH" not in environ:
        raise Refusal("411 Length Required")
    length = int(environ["CONTENT_LENGTH"])  # a natural number: eventlet has judged it
    if length > packets.LARGEST_PACKET_BYTES:
        raise Refusal("413 Content Too Large")
    try:
        body: bytes = environ["wsgi.input"].read(length)
        texts = body.decode().split("\x1e")
    except (OSError, UnicodeDecodeError):
        raise Refusal("400 Bad Request") from None
    if len(body) < length or len(texts) > MOST_PACKETS or not all(text[:1] in CLIENT_PACKETS for text in texts if text):
        raise Refusal("400 Bad Request")
    return body


class Protocol(wsgi.HttpProtocol):  # type: ignore[misc]  # the library ships no types
    """HTTP as eventlet serves it, except that a request can end its connection and a stranger cannot fill the log."""

    server_version = "appliance"
    sys_version = ""

    def get_environ(self) -> Environ:
        """The request; `appliance.hang_up` closes the connection after the answer instead of reading on."""
        environ: Environ = super().get_environ()
        environ["appliance.hang_up"] = partial(setattr, self, "close_connection", True)
        return environ

    def handle(self) -> None:
        """Serve a connection until it ends; a network that breaks it is nobody's fault."""
        try:
            super().handle()
        except OSError as error:
            log.debug("%s: connection lost: %s", self.client_address, error)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """One clipped line, for whoever looks for it."""
        log.debug("%s", packets.clipped(format % args))


class Errors:
    """Where eventlet writes what went wrong with a connection: a clipped line for whoever looks for it."""

    def write(self, text: str) -> None:
        """Take a piece of text."""
        log.debug("%s", packets.clipped(text))


def remote_address(environ: Environ) -> str | None:
    """Where the request comes from; an IPv4 client of a `::` listener as IPv4. `None`: not from an IP address."""
    try:
        address = ip_address(environ["REMOTE_ADDR"].partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def serve(listener: Any, application: Application) -> None:
    """Answer requests on this listening socket until it is closed."""
    wsgi.server(
        listener,
        application,
        environ={"wsgi.errors": Errors()},
        protocol=Protocol,
        log_output=False,
        debug=False,
        socket_timeout=SOCKET_TIMEOUT_S,
    )
