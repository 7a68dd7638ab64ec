"""Exports the wanted blocks over HTTP to other firewalls, for requests with a token.

    /blocks.txt  /blocks.nft  /blocks.rsc     the forms of `lists.export`; `?department=ID`: for that department only
    /v1/decisions/stream?startup=true         CrowdSec's local API, as its bouncers ask it

A firewall asks every minute, and mostly nothing has changed. So the answer has a strong `ETag`, and a text is made at
most every `FRESH_S` seconds, beside the event loop.
"""

import hashlib
from collections import OrderedDict
from urllib.parse import parse_qs

from eventlet import tpool
from eventlet.semaphore import Semaphore
from msgspec import Struct

from appliance.core.blocking.block import Block
from appliance.core.blocking.lists.export import FORMS, Decisions, find_decisions, minimal_prefixes, write_stream
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server.access import Grant
from appliance.server.access.admission import TokenAdmission
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import JSON, NOT_MODIFIED, TEXT, Answer, Page
from appliance.server.pages.bearer import grant_of, unauthorized
from appliance.server.services import Services

FRESH_S = 5.0  # the age of a text before it is made again; too short to matter to a firewall that asks every minute
MOST_KEPT = 16  # texts: a few forms of a few departments, 2 MB each at most
MOST_BOUNCERS = 4  # with remembered decisions, 100,000 each at most; the others get everything each time


class _Text(Struct, frozen=True):
    """An export that was made. `tag`: of its content."""

    body: str
    tag: str
    made_s: float


class BlockExports:
    """The pages of exports."""

    def __init__(self, services: Services, admission: TokenAdmission) -> None:
        self._services = services
        self._admission = admission
        self._texts: OrderedDict[tuple[str, str | None], _Text] = OrderedDict()
        self._sent_decisions: OrderedDict[str, Decisions] = OrderedDict()
        self._making = Semaphore(1)

    def pages(self) -> dict[str, Page]:
        """The pages, by their paths."""
        forms = {f"/blocks.{form}": self._page(form) for form in FORMS}
        return {**forms, "/v1/decisions/stream": self._stream}

    def _page(self, form: str) -> Page:
        def page(environ: Environ) -> Answer:
            try:
                text = self._text(form, self._asked(environ)[1])
            except Refused as refused:
                return unauthorized(refused)
            body, status = ("", NOT_MODIFIED) if _has(environ, text.tag) else (text.body, "200 OK")
            return Answer(TEXT, body, status, (("ETag", text.tag),))

        return page

    def _stream(self, environ: Environ) -> Answer:
        try:
            grant, department = self._asked(environ)
        except Refused as refused:
            return unauthorized(refused)
        with self._making:
            now = self._services.clock()
            current = tpool.execute(find_decisions, self._of(department, now))
            startup = _query(environ, "startup") == "true"
            before: Decisions = {} if startup else self._sent_decisions.get(grant.id, {})
            self._sent_decisions[grant.id] = current
            self._sent_decisions.move_to_end(grant.id)
            while len(self._sent_decisions) > MOST_BOUNCERS:
                self._sent_decisions.popitem(last=False)
            return Answer(JSON, tpool.execute(write_stream, current, before, now.wall))

    def _asked(self, environ: Environ) -> tuple[Grant, str | None]:
        """The grant of the request, and the department that it names; `None`: all. Raises `Refused`."""
        environ["appliance.take_time"]()  # the request is complete; the deadline must not end what follows
        grant = grant_of(environ, self._admission, self._services.clock())
        department = _query(environ, "department")
        if department is not None:
            self._services.require_department(department, grant)
        elif grant.departments is not None:
            raise Refused(Code.FORBIDDEN, "this token is not for all departments: ask with ?department=ID")
        return grant, department

    def _text(self, form: str, department: str | None) -> _Text:
        with self._making:
            now, key = self._services.clock(), (form, department)
            known = self._texts.get(key)
            if known is None or now.monotonic_s - known.made_s >= FRESH_S:
                blocks = self._of(department, now)
                body = tpool.execute(lambda: FORMS[form](minimal_prefixes(block.target for block in blocks)))
                tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
                known = self._texts[key] = _Text(body, tag, now.monotonic_s)
            self._texts.move_to_end(key)
            while len(self._texts) > MOST_KEPT:
                self._texts.popitem(last=False)
            return known

    def _of(self, department: str | None, now: Moment) -> list[Block]:
        """The blocks of this department and of all departments; `None`: every block."""
        blocks = self._services.enforcement.blocks(now)
        return [block for block in blocks if department is None or block.department in (None, department)]


def _query(environ: Environ, name: str) -> str | None:
    found: list[str] = parse_qs(environ.get("QUERY_STRING", "")).get(name, [])
    return found[0] if found else None


def _has(environ: Environ, tag: str) -> bool:
    """Whether the client has this version already (RFC 9110, section 13.1.2)."""
    known = environ.get("HTTP_IF_NONE_MATCH", "")
    return known.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in known.split(",")}
