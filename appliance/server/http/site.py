"""The WSGI application: one rule of HTTP for every path, a table of pages, and Socket.IO beside them.

A row of the table is a path. `*` in it is any one segment, behind the first: `/departments/*`.

The order of the rule: may the page that asks do so (`origins`), is there such a path, does it take the method, and only
then the body.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from appliance.core.access.client_address import plain_address
from appliance.server.http.origins import AllowedOrigins, preflight_headers
from appliance.server.http.request_body import declares_body
from appliance.server.http.request_filter import TRANSPORT, Environ, RequestFilter, methods_of
from appliance.server.http.request_head import RejectedRequest

# Most pages need no script, style or frame, and most answers may not be cached; a page's own header comes in place of
# the one here.
HEADERS = [
    ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Cache-Control", "no-store"),
]
HSTS = "Strict-Transport-Security"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class Answer(Struct, frozen=True):
    """A page's answer. `headers`: beside those of every answer, or in their place."""

    kind: str
    body: str | bytes
    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = ()


Page = Callable[[Environ], Answer]
NOT_MODIFIED = "304 Not Modified"


class HttpSite:
    """The WSGI application. `transport`: serves `/socket.io/`; `pages`: by path, without its query."""

    def __init__(
        self,
        transport: Application,
        request_filter: RequestFilter,
        pages: Mapping[str, Page],
        *,
        origins: AllowedOrigins,
        hsts_max_age: int = 0,
    ) -> None:
        """`hsts_max_age`: seconds during which browsers shall use nothing but HTTPS; 0: no such header."""
        self._headers = [*HEADERS, *([(HSTS, f"max-age={hsts_max_age}")] if hsts_max_age else [])]
        self._transport = transport
        self._request_filter = request_filter
        self._pages = pages
        self._origins = origins

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        shared: list[tuple[str, str]] = []
        answered: list[tuple[str, str]] = []

        def respond(status: str, headers: list[tuple[str, str]], *rest: object) -> Any:
            own = {name for name, _ in headers}
            answered[:] = headers + shared + [one for one in self._headers if one[0] not in own]
            return start_response(status, [*answered], *rest)

        try:
            shared += self._origins.headers(environ)
            self._require_method(environ)
            if environ["REQUEST_METHOD"] == "OPTIONS":
                return _options(environ, respond)
            self._request_filter.check(environ)
        except RejectedRequest as rejected:
            environ["appliance.hang_up"]()
            return _content(environ, Answer(TEXT, rejected.body, rejected.status, rejected.headers), respond)
        if environ["PATH_INFO"].startswith(TRANSPORT):
            environ["appliance.take_time"]()  # the request is complete; its answer may wait for events
            answer = self._transport(environ, respond)
            if "appliance.next_poll" in environ:
                environ["appliance.repeat"](answered, environ["appliance.next_poll"])
            return answer
        return _content(environ, self._find(environ["PATH_INFO"])(environ), respond)

    def _find(self, path: str) -> Page:
        """The page at this path. Raises `RejectedRequest` where there is none."""
        page = next((self._pages[row] for row in _rows_of(path) if row in self._pages), None)
        if page is None:
            raise RejectedRequest("404 Not Found", "there is nothing here; see /")
        return page

    def _require_method(self, environ: Environ) -> None:
        """Raise `RejectedRequest` for a path that does not exist, or a method that it does not take."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "*" and method == "OPTIONS":
            return  # of the server as a whole (RFC 9110, section 9.3.7)
        if path != "*" and not path.startswith(TRANSPORT):
            self._find(path)
        if method != "OPTIONS" and method not in methods_of(path):
            allowed = allowed_methods(path)
            raise RejectedRequest("405 Method Not Allowed", f"allowed are {allowed}", (("Allow", allowed),))


def _rows_of(path: str) -> tuple[str, ...]:
    """The rows of the table that a path may be, the most exact first."""
    match path.split("/", 4):
        case ["", first, one] if one:
            return path, f"/{first}/*"
        case ["", first, one, other] if one and other:
            return path, f"/{first}/*/{other}", f"/{first}/*/*"
    return (path,)


def allowed_methods(path: str) -> str:
    """The methods of a path, as the header `Allow` has them."""
    return ", ".join([*methods_of(path), "OPTIONS"])


def _options(environ: Environ, respond: StartResponse) -> Iterable[bytes]:
    allowed = allowed_methods(environ["PATH_INFO"])
    if declares_body(environ):
        environ["appliance.hang_up"]()  # nobody reads it
    respond("204 No Content", [("Allow", allowed), *preflight_headers(environ, allowed)])
    return []


def _content(environ: Environ, answer: Answer, respond: StartResponse) -> Iterable[bytes]:
    content = answer.body if isinstance(answer.body, bytes) else answer.body.encode()
    environ["appliance.begin_answer"](len(content))
    # What 304 has no body for is longer than nothing (RFC 9110, section 8.6).
    length = [] if answer.status == NOT_MODIFIED else [("Content-Length", str(len(content)))]
    respond(answer.status, [("Content-Type", answer.kind), *length, *answer.headers])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]


def remote_address(environ: Environ) -> str | None:
    """The client's IP address; an IPv4 client of a `::` socket has its IPv4 address. `None`: it has no IP address."""
    return plain_address(environ["REMOTE_ADDR"])
