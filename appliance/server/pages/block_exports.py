"""Exports over HTTP: the wanted blocks for other firewalls, behind a token.

    /blocks.txt  /blocks.nft  /blocks.rsc     the forms of `lists.export`; `?department=ID`: for that department only
    /v1/decisions/stream?startup=true         CrowdSec's local API, as its bouncers ask it

A firewall asks every minute and mostly nothing has changed: so the answer has a strong `ETag`, and what
is asked for at short intervals was made once. It is made beside the event loop.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs

from eventlet import tpool
from eventlet.semaphore import Semaphore

from appliance.core.blocking.block import Block
from appliance.core.blocking.lists.export import FORMS, Decisions, find_decisions, minimal_prefixes, write_stream
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.core.text import clipped
from appliance.server.access import Grant
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import JSON, TEXT, Answer, Page
from appliance.server.pages.bearer import GrantOf, token_of, turned_away

FRESH_S = 5.0  # a text is made anew no sooner; a firewall that asks every minute does not notice
MOST_KEPT = 16  # texts that are kept: a few forms of a few departments, 2 MB each at most
MOST_BOUNCERS = 4  # whose latest decisions are remembered, 100,000 each at most; others get everything each time


class Wanted(Protocol):
    """What exports need of enforcement."""

    def blocks(self, now: Moment) -> Sequence[Block]:
        """The blocks that should be in force."""


@dataclass(frozen=True, slots=True)
class _Text:
    body: str
    tag: str
    made_s: float


class BlockExports:
    """The pages of exports."""

    def __init__(
        self, wanted: Wanted, departments: Collection[str], grant_of: GrantOf, clock: Callable[[], Moment]
    ) -> None:
        self._wanted = wanted
        self._departments = departments
        self._grant_of = grant_of
        self._clock = clock
        self._texts: OrderedDict[tuple[str, str | None], _Text] = OrderedDict()
        self._told: OrderedDict[str, Decisions] = OrderedDict()
        self._making = Semaphore(1)

    def pages(self) -> dict[str, Page]:
        """By path, what is answered there."""
        forms = {f"/blocks.{form}": self._page(form) for form in FORMS}
        return {**forms, "/v1/decisions/stream": self._stream}

    def _page(self, form: str) -> Page:
        def page(environ: Environ) -> Answer:
            environ["appliance.take_time"]()  # the request is here; what follows may wait for its turn
            try:
                department = self._department(environ, self._granted(environ))
                text = self._text(form, department)
            except Refused as refused:
                return turned_away(refused)
            headers = (("ETag", text.tag),)
            if _has(environ, text.tag):
                return Answer(TEXT, "", "304 Not Modified", headers)
            return Answer(TEXT, text.body, headers=headers)

        return page

    def _stream(self, environ: Environ) -> Answer:
        environ["appliance.take_time"]()
        try:
            grant = self._granted(environ)
            department = self._department(environ, grant)
        except Refused as refused:
            return turned_away(refused)
        with self._making:
            now = self._clock()
            current = tpool.execute(find_decisions, self._of(department, now))
            startup = _query(environ, "startup") == "true"
            before: Decisions = {} if startup else self._told.get(grant.id, {})
            self._told[grant.id] = current
            self._told.move_to_end(grant.id)
            while len(self._told) > MOST_BOUNCERS:
                self._told.popitem(last=False)
            return Answer(JSON, tpool.execute(write_stream, current, before, now.wall))

    def _granted(self, environ: Environ) -> Grant:
        return self._grant_of(token_of(environ), environ, self._clock())

    def _department(self, environ: Environ, grant: Grant) -> str | None:
        """The department that is asked for; `None`: all."""
        department = _query(environ, "department")
        if department is None:
            if grant.departments is not None:
                raise Refused(Code.FORBIDDEN, "this token is not for all departments: ask with ?department=ID")
            return None
        if department not in self._departments:
            raise Refused(Code.UNKNOWN_DEPARTMENT, f'there is no department "{clipped(department)}"')
        if not grant.may_see(department):
            raise Refused(Code.FORBIDDEN, f'this token does not cover the department "{department}"')
        return department

    def _text(self, form: str, department: str | None) -> _Text:
        with self._making:
            now, key = self._clock(), (form, department)
            known = self._texts.get(key)
            if known is None or now.monotonic_s - known.made_s >= FRESH_S:
                body = tpool.execute(_made, form, self._of(department, now))
                tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
                known = self._texts[key] = _Text(body, tag, now.monotonic_s)
            self._texts.move_to_end(key)
            while len(self._texts) > MOST_KEPT:
                self._texts.popitem(last=False)
            return known

    def _of(self, department: str | None, now: Moment) -> list[Block]:
        """Blocks that concern this department, or all that there are."""
        blocks = self._wanted.blocks(now)
        return [block for block in blocks if department is None or block.department in (None, department)]


def _made(form: str, blocks: Sequence[Block]) -> str:
    return FORMS[form](minimal_prefixes(block.target for block in blocks))


def _query(environ: Environ, name: str) -> str | None:
    found: list[str] = parse_qs(environ.get("QUERY_STRING", "")).get(name, [])
    return found[0] if found else None


def _has(environ: Environ, tag: str) -> bool:
    """Whether the client has this version (RFC 9110, section 13.1.2)."""
    known = environ.get("HTTP_IF_NONE_MATCH", "")
    return known.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in known.split(",")}
