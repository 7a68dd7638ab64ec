"""The call that reads the audit trail, and what it shows."""

import json
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
    """What `audit:get` takes. `before`: only what is older than this entry; `who`, `action`: only these."""

    before: Number | None = None
    limit: Page = 50
    who: Word | None = None
    action: Word | None = None


def read(context: Context, asked: AuditArgument) -> dict[str, Any]:
    """The newest entries, newest first. `more`: what to give as `before` for the next page; null at the end."""
    found = context.services.access_services.records.trail.read(asked.limit, asked.before, asked.who, asked.action)
    more = found[-1].number if len(found) == asked.limit else None
    return {"entries": [_shown(recorded) for recorded in found], "more": more}


def _shown(recorded: StoredEntry) -> dict[str, Any]:
    entry = recorded.entry
    return {
        "number": recorded.number,
        "at": entry.at,
        "who": entry.who,
        "role": entry.role,
        "address": entry.address,
        "action": entry.action,
        "what": json.loads(entry.what),
        "before": json.loads(entry.before),
        "after": json.loads(entry.after),
        "outcome": entry.outcome,
        "digest": recorded.digest,
    }
