"""The call that reads the audit trail."""

import json
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from appliance.core.access.audit_entry import StoredEntry
from appliance.events import Part
from appliance.server.calls.arguments import Argument
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Reply

LONGEST_PAGE = 200  # 100 kB of usual entries; a person reads fewer

Word = Annotated[str, Meta(min_length=1, max_length=200, description="a text of 1 to 200 characters")]
Page = Annotated[int, Meta(ge=1, le=LONGEST_PAGE, description=f"a whole number from 1 to {LONGEST_PAGE}")]
Number = Annotated[int, Meta(ge=1, le=2**53, description="the number of an entry")]


class AuditArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `audit:get`. `before`: only older entries than this one; `who`, `action`: only theirs.

    `contains`: only those in which this text stands anywhere.
    """

    before: Number | None = None
    limit: Page = 50
    who: Word | None = None
    action: Word | None = None
    contains: Word | None = None


class EntryFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A change. `what`, `before`, `after`: the call's argument, and what it changed; `outcome`: done, or a code.

    `role`: empty, and `address`: null, where the change came from the appliance itself; `digest`: of this entry and
    the digest before it.
    """

    number: int
    at: str
    who: str
    role: str
    address: str | None
    action: str
    what: Any
    before: Any
    after: Any
    outcome: str
    digest: str


class AuditReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The newest entries, newest first. `more`: the `before` of the next page; null at the end.

    `is_intact`: whether each entry of the trail follows from the one before; with the first page, where it can be told.
    """

    entries: list[EntryFacts]
    more: int | None
    is_intact: bool | UnsetType = UNSET


def entries(context: Context, asked: AuditArgument) -> AuditReply:
    """The newest entries, newest first."""
    trail = context.services.audit
    found = trail.entries(asked.limit, before=asked.before, who=asked.who, action=asked.action, contains=asked.contains)
    more = found[-1].number if len(found) == asked.limit else None
    is_intact = trail.is_intact() if asked.before is None else None  # once for all pages
    shown = [_shown(stored) for stored in found]
    return AuditReply(entries=shown, more=more, is_intact=UNSET if is_intact is None else is_intact)


def _shown(stored: StoredEntry) -> EntryFacts:
    entry = stored.entry
    return EntryFacts(
        number=stored.number,
        at=entry.at,
        who=entry.who,
        role=entry.role,
        address=entry.address,
        action=entry.action,
        what=_value(entry.what),
        before=_value(entry.before),
        after=_value(entry.after),
        outcome=entry.outcome,
        digest=stored.digest,
    )


def _value(text: object) -> object:
    """The value that was recorded; what is no JSON any more, as it is: damage is shown, and hides no other entry."""
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return text
