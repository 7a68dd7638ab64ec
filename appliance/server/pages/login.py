"""Logs in with a password, and pairs the first administrator, over plain HTTP and without a token.

The body is JSON and its type must say so: a browser lets a page of another site send that only with permission, which
only the listed origins get. There are no cookies, so a page of another site has no authority to borrow.
"""

import math
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from appliance.core.access.audit_entry import Actor
from appliance.core.access.person import Person, Role
from appliance.core.refusal import Code, MustWait, Refused
from appliance.server.access.people import LOGIN_S, LONGEST_PASSWORD, SHORTEST_PASSWORD
from appliance.server.calls.access.people import Name, NewPassword
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import JSON, Answer, remote_address
from appliance.server.services import Services
from appliance.server.strict_json import dumps

S = TypeVar("S", bound=Struct)

STATUS = {
    Code.BAD_REQUEST: "400 Bad Request",
    Code.UNAUTHORIZED: "401 Unauthorized",
    Code.TOKEN_EXPIRED: "401 Unauthorized",
    Code.FORBIDDEN: "403 Forbidden",
    Code.UNKNOWN_DEPARTMENT: "404 Not Found",
    Code.CONFLICT: "409 Conflict",
    Code.RATE_LIMITED: "429 Too Many Requests",
    Code.MAINTENANCE: "503 Service Unavailable",
    Code.INTERNAL: "500 Internal Server Error",
}


class _Login(Struct, frozen=True):
    """The body of `POST /login`. A wrong name gets the same answer as a wrong password."""

    name: Annotated[str, Meta(max_length=64)]
    password: Annotated[str, Meta(max_length=LONGEST_PASSWORD)]


class _Pair(Struct, frozen=True):
    """The body of `POST /pair`. `code`: `None` while the window is open that the button opens."""

    name: Name
    password: NewPassword
    code: Annotated[str, Meta(max_length=32)] | None = None


class LoginPages:
    """The pages `/login` and `/pair`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def log_in(self, environ: Environ) -> Answer:
        """Answer with a token for a name and a password."""
        return self._answered(environ, lambda: _asked(environ, _Login, "{name, password}"))

    def pair(self, environ: Environ) -> Answer:
        """Add the first administrator, and answer with their token."""
        return self._answered(environ, lambda: self._paired(environ))

    def _paired(self, environ: Environ) -> _Pair:
        """The person whom the code or the button has made the administrator. Raises `Refused`."""
        needs = f"{{name, password, code?}}, with a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
        asked, services, address = _asked(environ, _Pair, needs), self._services, remote_address(environ)
        person, now, is_admitted = Person(asked.name, Role.ADMIN, None), services.clock(), False
        try:
            with services.pairing.admitted(asked.code, environ["REMOTE_ADDR"], now) as by:
                is_admitted = True
                actor = Actor(f"pairing by {by}", address=address)
                services.people.add_person(person, asked.password, actor, services.clock)
        except Refused as refused:
            if not is_admitted:
                services.audit.record_refusal(Actor("", address=address), "pair", now, refused.code, asked.name)
            raise
        services.people.passwords.vouch_for(asked.name, address)
        return asked

    def _answered(self, environ: Environ, ask: Callable[[], _Login | _Pair]) -> Answer:
        """Log in with the name and password that `ask` returns."""
        environ["appliance.take_time"]()  # the request is complete; the deadline must not end what follows
        people, address = self._services.people, remote_address(environ)
        try:
            asked = ask()
            environ["appliance.keep"] = people.passwords.is_known(asked.name, address)
            token = people.log_in(asked.name, asked.password, address, self._services.clock)
            return Answer(JSON, dumps({"success": True, "token": token, "expiresIn": LOGIN_S}))
        except MustWait as refused:
            return refusal(refused, ("Retry-After", str(math.ceil(refused.wait_s))))
        except Refused as refused:
            return refusal(refused)
        finally:
            environ["appliance.keep"] = False


def refusal(refused: Refused, *headers: tuple[str, str]) -> Answer:
    """The answer to a request that is refused, worded as the answer to a call."""
    body = dumps({"success": False, "error": refused.message, "code": refused.code})
    return Answer(JSON, body, STATUS[refused.code], headers)


def _asked(environ: Environ, kind: type[S], needs: str) -> S:
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != JSON:
        raise Refused(Code.BAD_REQUEST, f"POST a JSON object here, {needs}, with Content-Type: {JSON}")
    try:
        return msgspec.json.decode(environ["wsgi.input"].read(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused(Code.BAD_REQUEST, f"the body must be a JSON object, {needs}") from None
