"""HTTP around Socket.IO: a table of pages, and the way to the transport, both behind the gate."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.core.access.client_address import plain_address
from appliance.server.http.request_filter import TRANSPORT, Environ, RejectedRequest, RequestFilter

# No script, style or frame has a place here, and no answer is for a cache.
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
    """What a page answers. `headers`: beside those that all have."""

    kind: str
    body: str
    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = ()


Page = Callable[[Environ], Answer]
NOTHING = Answer(TEXT, "There is nothing here; see /", "404 Not Found")


class HttpSite:
    """The WSGI application. `transport`: what serves `/socket.io/`; `pages`: by path, whose query is not looked at."""

    def __init__(
        self, transport: Application, gate: RequestFilter, pages: Mapping[str, Page], hsts_max_age: int = 0
    ) -> None:
        """`hsts_max_age`: seconds for which browsers are told to use nothing but HTTPS; 0 does not tell them."""
        self._headers = [*HEADERS, *([(HSTS, f"max-age={hsts_max_age}")] if hsts_max_age else [])]
        self._transport = transport
        self._gate = gate
        self._pages = pages

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""

        def respond(status: str, headers: list[tuple[str, str]], *rest: object) -> Any:
            return start_response(status, headers + self._headers, *rest)

        try:
            self._gate.judge(environ)
        except RejectedRequest as refusal:
            environ["appliance.hang_up"]()
            respond(refusal.status, [("Content-Type", TEXT)])
            return [refusal.status.encode()]
        if environ["PATH_INFO"].startswith(TRANSPORT):
            environ["appliance.take_time"]()  # the request is here; what follows may wait for events
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
    """Where the request comes from; an IPv4 client of a `::` listener as IPv4. `None`: not from an IP address."""
    return plain_address(environ["REMOTE_ADDR"])
