"""The call that reads the audit trail."""

import json
from dataclasses import asdict
from typing import Annotated, Any

from msgspec import Meta

from appliance.core.access.audit_entry import StoredEntry
from appliance.server.calls.arguments import Argument
from appliance.server.calls.context import Context

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


def entries(context: Context, asked: AuditArgument) -> dict[str, Any]:
    """The newest entries, newest first. `more`: the `before` of the next page; null at the end."""
    trail = context.services.audit
    found = trail.entries(asked.limit, before=asked.before, who=asked.who, action=asked.action, contains=asked.contains)
    more = found[-1].number if len(found) == asked.limit else None
    is_intact = trail.is_intact() if asked.before is None else None  # once for all pages
    intact = {} if is_intact is None else {"isIntact": is_intact}
    return {"entries": [_shown(stored) for stored in found], "more": more, **intact}


def _shown(stored: StoredEntry) -> dict[str, Any]:
    entry = asdict(stored.entry)
    values = {key: _value(entry[key]) for key in ("what", "before", "after")}
    return {"number": stored.number, **entry, **values, "digest": stored.digest}


def _value(text: object) -> object:
    """The value that was recorded; what is no JSON any more, as it is: damage is shown, and hides no other entry."""
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return text
