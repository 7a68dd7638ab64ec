"""Rejects requests that would harm python-engineio, with an answer and a closed connection.

- It never answers a POST that is too large or has a packet of an unknown type, and keeps the greenlet for ever: so
  bodies are read and checked here.
- `permessage-deflate` costs more CPU than an event is worth and lets a stranger have megabytes inflated: so the
  client's offer is removed.
- An Engine.IO session outlives the connection that opened it by most of a minute: so a network may open only so many.
"""

import io
from time import monotonic
from typing import Any

from appliance.core.access.client_address import client_network
from appliance.core.access.rate_limit import Rate, RateLimit

TRANSPORT = "/socket.io/"
FORMS = frozenset({"/login", "/pair"})  # the only pages that take a body
LARGEST_FORM_BYTES = 4096  # a name and a password are a few hundred
MOST_PACKETS = 16  # in one POST; python-engineio takes no more
CLIENT_PACKETS = "134"  # Engine.IO's close, pong and message: all that a client has reason to POST
MOST_NETWORKS = 10_000  # that are counted at once, 100 bytes each

Environ = dict[str, Any]


class RejectedRequest(Exception):
    """The request gets this status and a closed connection. `status`: such as `400 Bad Request`."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class RequestFilter:
    """Checks requests before any page or session gets them."""

    def __init__(self, message_bytes: int, sessions: Rate) -> None:
        """`message_bytes`: longest body of a POST to the transport; `sessions`: that one network may open."""
        self._message_bytes = message_bytes
        self._sessions = RateLimit(sessions, MOST_NETWORKS)

    def check(self, environ: Environ) -> None:
        """Read the request's body and remove the offer of compression. Raises `RejectedRequest`."""
        is_transport = environ["PATH_INFO"].startswith(TRANSPORT)
        opens_session = is_transport and "sid=" not in environ.get("QUERY_STRING", "")
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        if "HTTP_UPGRADE" in environ and environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
            raise RejectedRequest("400 Bad Request")  # the drafts before RFC 6455, which no client of ours speaks
        if environ["REQUEST_METHOD"] == "POST" and (is_transport or environ["PATH_INFO"] in FORMS):
            body = self._packets(environ) if is_transport else _body(environ, LARGEST_FORM_BYTES)
            environ["wsgi.input"] = io.BytesIO(body)
        elif environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ:
            raise RejectedRequest("413 Content Too Large")
        elif not is_transport and environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            raise RejectedRequest("405 Method Not Allowed")
        elif opens_session and self._sessions.spend(client_network(environ["REMOTE_ADDR"]), monotonic()):
            raise RejectedRequest("429 Too Many Requests")

    def _packets(self, environ: Environ) -> bytes:
        """The body of a POST to the transport, made of packets that a client sends."""
        body = _body(environ, self._message_bytes)
        try:
            texts = body.decode().split("\x1e")
        except UnicodeDecodeError:
            raise RejectedRequest("400 Bad Request") from None
        if len(texts) > MOST_PACKETS or not all(text[:1] in CLIENT_PACKETS for text in texts if text):
            raise RejectedRequest("400 Bad Request")
        return body


def _body(environ: Environ, most_bytes: int) -> bytes:
    """The body of this request, of exactly the length that it declares. Raises `RejectedRequest`."""
    if "HTTP_TRANSFER_ENCODING" in environ or "CONTENT_LENGTH" not in environ:
        raise RejectedRequest("411 Length Required")
    length = int(environ["CONTENT_LENGTH"])  # a natural number: eventlet has checked that
    if length > most_bytes:
        raise RejectedRequest("413 Content Too Large")
    try:
        body: bytes = environ["wsgi.input"].read(length)
    except TimeoutError:
        raise RejectedRequest("408 Request Timeout") from None
    except OSError:
        raise RejectedRequest("400 Bad Request") from None
    if len(body) != length:
        raise RejectedRequest("400 Bad Request")
    return body
