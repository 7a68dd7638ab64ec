"""Logs in with a password, and pairs the first administrator, over plain HTTP and without a token.

The body is JSON and its type must say so: a browser lets a page of another site send that only with permission, which
it does not get. There are no cookies, so a page of another site has no authority to borrow.
"""

import math
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from appliance.core.access.audit_entry import Actor
from appliance.core.access.login_backoff import LoginBackoff
from appliance.core.access.person import NAME, Person, Role
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.pairing import Pairing
from appliance.server.access.people import LOGIN_S, LONGEST_PASSWORD, SHORTEST_PASSWORD, People
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import JSON, Answer, remote_address
from appliance.server.strict_json import dumps

Name = Annotated[str, Meta(pattern=NAME)]
Password = Annotated[str, Meta(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]

S = TypeVar("S", bound=Struct)

STATUS = {
    Code.BAD_REQUEST: "400 Bad Request",
    Code.UNAUTHORIZED: "401 Unauthorized",
    Code.TOKEN_EXPIRED: "401 Unauthorized",
    Code.FORBIDDEN: "403 Forbidden",
    Code.UNKNOWN_DEPARTMENT: "404 Not Found",
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
    password: Password
    code: Annotated[str, Meta(max_length=32)] | None = None


class LoginPages:
    """The pages `/login` and `/pair`."""

    def __init__(
        self,
        people: People,
        pairing: Pairing,
        audit: AuditRecords,
        login_backoff: LoginBackoff,
        clock: Callable[[], Moment],
    ) -> None:
        self._people = people
        self._pairing = pairing
        self._audit = audit
        self._login_backoff = login_backoff
        self._clock = clock

    def log_in(self, environ: Environ) -> Answer:
        """Answer with a token for a name and a password."""

        def work() -> dict[str, object]:
            asked = _asked(environ, _Login, "{name, password}")
            return self._logged_in(asked.name, asked.password, environ)

        return self._answered(environ, work)

    def pair(self, environ: Environ) -> Answer:
        """Add the first administrator, and answer with their token."""

        def work() -> dict[str, object]:
            needs = (
                f"{{name, password, code?}}, with a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
            )
            asked = _asked(environ, _Pair, needs)
            by = self._paired_by(asked, environ)
            actor = Actor(f"pairing by {by}", address=remote_address(environ))
            self._people.add_person(Person(asked.name, Role.ADMIN, None), asked.password, actor, self._clock)
            return self._logged_in(asked.name, asked.password, environ)

        return self._answered(environ, work)

    def _paired_by(self, asked: _Pair, environ: Environ) -> str:
        now = self._clock()
        try:
            return self._pairing.admit(asked.code, now)
        except Refused as refused:
            self._audit.record_refusal(
                Actor("", address=remote_address(environ)), "pair", now, refused.code, asked.name
            )
            raise

    def _logged_in(self, name: str, password: str, environ: Environ) -> dict[str, object]:
        return {
            "token": self._people.log_in(name, password, remote_address(environ), self._clock),
            "expiresIn": LOGIN_S,
        }

    def _answered(self, environ: Environ, work: Callable[[], dict[str, object]]) -> Answer:
        environ["appliance.take_time"]()  # the request is complete; the deadline must not end what follows
        address, now_s = environ["REMOTE_ADDR"], self._clock().monotonic_s
        wait_s = math.ceil(self._login_backoff.wait_s(address, now_s))
        if wait_s:
            refused = Refused(
                Code.RATE_LIMITED, f"too many refused logins from your address; wait {wait_s} s before the next"
            )
            return refusal(refused, ("Retry-After", str(wait_s)))
        try:
            return Answer(JSON, dumps({"success": True, **work()}))
        except Refused as refused:
            if refused.code is Code.UNAUTHORIZED:
                self._login_backoff.count_refusal(address, now_s)
            return refusal(refused)


def refusal(refused: Refused, *headers: tuple[str, str]) -> Answer:
    """The answer to a request that is refused, worded as the answer to a call."""
    body = dumps({"success": False, "error": refused.message, "code": refused.code})
    return Answer(JSON, body, STATUS[refused.code], headers)


def _asked(environ: Environ, kind: type[S], needs: str) -> S:
    if environ["REQUEST_METHOD"] != "POST" or environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != JSON:
        raise Refused(Code.BAD_REQUEST, f"POST a JSON object here, {needs}, with Content-Type: {JSON}")
    try:
        return msgspec.json.decode(environ["wsgi.input"].read(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused(Code.BAD_REQUEST, f"the body must be a JSON object, {needs}") from None
