"""The WSGI application: a request filter, a table of pages, and Socket.IO beside them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.core.access.client_address import plain_address
from appliance.server.http.request_filter import TRANSPORT, Environ, RejectedRequest, RequestFilter

# The pages need no script, style or frame, and no answer may be cached.
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


@dataclass(frozen=True, slots=True)
class Answer:
    """A page's answer. `headers`: beside those of every answer."""

    kind: str
    body: str
    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = ()


Page = Callable[[Environ], Answer]
NOTHING = Answer(TEXT, "There is nothing here; see /", "404 Not Found")


class HttpSite:
    """The WSGI application. `transport`: serves `/socket.io/`; `pages`: by path, without its query."""

    def __init__(
        self, transport: Application, request_filter: RequestFilter, pages: Mapping[str, Page], hsts_max_age: int = 0
    ) -> None:
        """`hsts_max_age`: seconds during which browsers shall use nothing but HTTPS; 0: no such header."""
        self._headers = [*HEADERS, *([(HSTS, f"max-age={hsts_max_age}")] if hsts_max_age else [])]
        self._transport = transport
        self._request_filter = request_filter
        self._pages = pages

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""

        def respond(status: str, headers: list[tuple[str, str]], *rest: object) -> Any:
            return start_response(status, headers + self._headers, *rest)

        try:
            self._request_filter.check(environ)
        except RejectedRequest as rejected:
            environ["appliance.hang_up"]()
            respond(rejected.status, [("Content-Type", TEXT)])
            return [rejected.status.encode()]
        if environ["PATH_INFO"].startswith(TRANSPORT):
            environ["appliance.take_time"]()  # the request is complete; its answer may wait for events
            return self._transport(environ, respond)
        return self._answer(environ, respond)

    def _answer(self, environ: Environ, respond: StartResponse) -> Iterable[bytes]:
        page = self._pages.get(environ["PATH_INFO"])
        answer = page(environ) if page else NOTHING
        content = answer.body.encode()
        length = ("Content-Length", str(len(content)))
        respond(answer.status, [("Content-Type", answer.kind), length, *answer.headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]


def remote_address(environ: Environ) -> str | None:
    """The client's IP address; an IPv4 client of a `::` socket has its IPv4 address. `None`: it has no IP address."""
    return plain_address(environ["REMOTE_ADDR"])
