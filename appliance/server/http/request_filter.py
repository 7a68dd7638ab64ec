"""Makes each request what pages and python-engineio can work with, and rejects what would harm them.

- python-engineio never answers a POST that is too large or has a packet of an unknown type, and keeps the greenlet for
  ever: so bodies are read and checked here, for every path alike.
- `permessage-deflate` costs more CPU than an event is worth and lets a stranger have megabytes inflated: so the
  client's offer is removed, as is the offer of any protocol but WebSocket, which a server may ignore.
- An Engine.IO session outlives the connection that opened it by most of a minute: so a network may open only so many.
"""

import io
from time import monotonic
from typing import Any

from appliance.core.access.client_address import client_network
from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.server.http.request_body import read_body
from appliance.server.http.request_head import RejectedRequest

TRANSPORT = "/socket.io/"
# The only pages that take a body. At `/login` the dashboard asks for a name and a password.
FORMS = {"/login": ("GET", "HEAD", "POST"), "/pair": ("POST",)}
LARGEST_FORM_BYTES = 4096  # a name and a password are a few hundred; of a body that means nothing, as much is read
MOST_PACKETS = 16  # in one POST; python-engineio takes no more
CLIENT_PACKETS = "134"  # Engine.IO's close, pong and message: all that a client has reason to POST
MOST_NETWORKS = 10_000  # that are counted at once, 100 bytes each

Environ = dict[str, Any]


def methods_of(path: str) -> tuple[str, ...]:
    """The methods that a known path takes, beside OPTIONS."""
    if path.startswith(TRANSPORT):
        return ("GET", "POST")
    return FORMS.get(path, ("GET", "HEAD"))


class RequestFilter:
    """Checks requests before any page or session gets them."""

    def __init__(self, message_bytes: int, sessions: Rate) -> None:
        """`message_bytes`: longest body of a POST to the transport; `sessions`: that one network may open."""
        self._message_bytes = message_bytes
        self._sessions = RateLimit(sessions, MOST_NETWORKS)

    def check(self, environ: Environ) -> None:
        """Read the request's body and remove the offers that are not taken. Raises `RejectedRequest`."""
        is_transport = environ["PATH_INFO"].startswith(TRANSPORT)
        opens_session = is_transport and "sid=" not in environ.get("QUERY_STRING", "")
        _take_offers(environ, is_transport)
        is_post = environ["REQUEST_METHOD"] == "POST"
        if is_post and "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" not in environ:
            raise RejectedRequest("411 Length Required", "a POST needs Content-Length, or Transfer-Encoding: chunked")
        body = read_body(environ, self._message_bytes if is_post and is_transport else LARGEST_FORM_BYTES)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))  # of a chunked one too: python-engineio reads so much
        if is_post and is_transport:
            _check_packets(body)
        elif opens_session and self._sessions.spend(client_network(environ["REMOTE_ADDR"]), monotonic()):
            raise RejectedRequest("429 Too Many Requests")


def _take_offers(environ: Environ, is_transport: bool) -> None:
    """Leave of the client's offers only a WebSocket of RFC 6455, for the transport. Raises `RejectedRequest`."""
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    offers = {one.strip().lower() for one in environ.pop("HTTP_UPGRADE", "").split(",")}
    if not is_transport or environ["REQUEST_METHOD"] != "GET" or "websocket" not in offers:
        return
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":  # the drafts before it, which no client of ours speaks
        raise RejectedRequest("400 Bad Request", "WebSocket has version 13 here", (("Sec-WebSocket-Version", "13"),))
    environ["HTTP_UPGRADE"] = "websocket"


def _check_packets(body: bytes) -> None:
    """Reject a body that is not made of packets that a client sends."""
    try:
        texts = body.decode().split("\x1e")
    except UnicodeDecodeError:
        raise RejectedRequest("400 Bad Request") from None
    if len(texts) > MOST_PACKETS or not all(text[:1] in CLIENT_PACKETS for text in texts if text):
        raise RejectedRequest("400 Bad Request")
