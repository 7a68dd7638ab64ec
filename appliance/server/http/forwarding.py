"""Gives each request that came through a trusted reverse proxy the address and scheme of its client.

Everything behind it takes the request as if the client had connected by itself: limits, delays after wrong passwords,
the audit trail, and the address that a command comes from. From anyone else these headers are removed unread.
"""

import logging
from collections.abc import Iterable, Sequence

from appliance.core.access.client_address import client_network
from appliance.core.access.forwarded import client_of, is_trusted, scheme_of
from appliance.core.machine import Network
from appliance.core.text import clipped
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import HEADERS, TEXT, Application, StartResponse

log = logging.getLogger(__name__)

LISTED, FORWARDED, PROTOCOL = "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_FORWARDED_PROTO"
# Also those that nothing here reads, but a library may: they say the same of the client in other words.
NAMES = (LISTED, FORWARDED, PROTOCOL, "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_REAL_IP")


class BehindProxies:
    """The WSGI application in front of another."""

    def __init__(self, application: Application, trusted: Sequence[Network]) -> None:
        """`trusted`: addresses of the reverse proxies; empty: there is none, and no header is believed."""
        self._application = application
        self._trusted = tuple(trusted)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or refuse it where its client cannot be told, or has too many connections."""
        said = {name: environ.pop(name, None) for name in NAMES}
        peer = environ["REMOTE_ADDR"]
        if not is_trusted(peer, self._trusted):
            return self._application(environ, start_response)
        try:
            client = client_of(peer, said[LISTED], said[FORWARDED], self._trusted)
            scheme = scheme_of(said[PROTOCOL], said[FORWARDED])
        except ValueError as error:
            log.warning("a request from the proxy %s is refused: %s", peer, clipped(str(error)))
            return _refused(environ, start_response, "400 Bad Request", str(error))
        if not environ["appliance.attribute"](client_network(client)):
            return _refused(environ, start_response, "429 Too Many Requests", "too many connections from your address")
        environ["REMOTE_ADDR"] = client
        environ["wsgi.url_scheme"] = scheme or environ["wsgi.url_scheme"]
        return self._application(environ, start_response)


def _refused(environ: Environ, start_response: StartResponse, status: str, reason: str) -> Iterable[bytes]:
    environ["appliance.hang_up"]()
    content = f"{status}: {reason}\n".encode()
    start_response(status, [("Content-Type", TEXT), ("Content-Length", str(len(content))), *HEADERS])
    return [content]
