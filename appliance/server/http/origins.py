"""Decides which web pages may use the appliance: its own, and those of the origins that `[server] origins` lists.

A browser names the origin of a page (RFC 6454) with every request that could do harm, WebSocket handshakes included. A
program that is no browser names none and is not concerned. One rule serves all paths: what is not listed is refused
before anything else is read.

Where the configuration lists nothing, a page of any origin may open the Socket.IO transport, as the contract's sample
does: it needs a token there, which the page holds itself, and no cookie gives it one. All else is for its own origin.
"""

import logging
from collections.abc import Iterable

from appliance.core.text import clipped
from appliance.server.http.request_filter import TRANSPORT, Environ
from appliance.server.http.request_head import RejectedRequest

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": "80", "https": "443"}
PREFLIGHT_S = 600  # a browser asks again; as long as Chromium remembers at least half of
READABLE_HEADERS = "ETag, Retry-After, WWW-Authenticate"  # of our answers; a page may read no others without this
LONGEST_ASKED = 1000  # characters of the header names that a preflight asks for

Headers = list[tuple[str, str]]


class AllowedOrigins:
    """The origins whose pages may use the appliance beside its own."""

    def __init__(self, origins: Iterable[str] | None) -> None:
        """`origins`: such as `https://dash.example:8443`; `None`: the configuration has no list."""
        self._allowed = None if origins is None else frozenset(canonical(one) for one in origins)

    def headers(self, environ: Environ) -> Headers:
        """What an answer to this request says to the browser. Raises `RejectedRequest` for a page of another origin."""
        origin = environ.get("HTTP_ORIGIN")
        vary = [("Vary", "Origin")]
        if origin is None or _is_own(origin, environ):
            return vary
        if canonical(origin) in (self._allowed or ()):
            shared = [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")]
        elif self._allowed is None and environ["PATH_INFO"].startswith(TRANSPORT):
            shared = [("Access-Control-Allow-Origin", "*")]
        else:
            named = clipped(origin)
            log.warning(
                "%s: a page of %s was refused: [server] origins does not list it", environ["REMOTE_ADDR"], named
            )
            why = f"pages of {named} may not use this appliance; its administrator can list it in [server] origins"
            raise RejectedRequest("403 Forbidden", why, tuple(vary))
        return [*vary, *shared, ("Access-Control-Expose-Headers", READABLE_HEADERS)]


def preflight_headers(environ: Environ, methods: str) -> Headers:
    """What the answer to a browser's preflight adds (the Fetch standard, "CORS protocol"); empty: it is none.

    Any header may be sent: none of ours gives authority that the page does not have itself.
    """
    if "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in environ:
        return []
    is_from_outside = "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK" in environ  # asks for the LAN
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")[:LONGEST_ASKED]
    return [
        ("Access-Control-Allow-Methods", methods),
        *([("Access-Control-Allow-Headers", asked)] if asked else []),
        *([("Access-Control-Allow-Private-Network", "true")] if is_from_outside else []),
        ("Access-Control-Max-Age", str(PREFLIGHT_S)),
    ]


def canonical(origin: str) -> str:
    """The origin as browsers write it: in small letters and without the scheme's own port."""
    scheme, mark, authority = origin.lower().partition("://")
    return f"{scheme}{mark}{authority.removesuffix(':' + DEFAULT_PORTS.get(scheme, ''))}"


def _is_own(origin: str, environ: Environ) -> bool:
    """Whether the page comes from the address to which this request goes.

    Where we speak no TLS, its `https` may be that of a proxy before us.
    """
    host, own = environ.get("HTTP_HOST", ""), environ["wsgi.url_scheme"]
    return bool(host) and canonical(origin) in {canonical(f"{scheme}://{host}") for scheme in (own, "https")}
