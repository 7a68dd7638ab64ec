"""Calls about imported lists."""

from datetime import datetime
from typing import Any

from appliance.core.moment import timestamp
from appliance.monitor.blocking.list_imports import Listing
from appliance.server.calls.arguments import Nothing
from appliance.server.calls.context import Context


def listings(context: Context, _: Nothing) -> dict[str, Any]:
    """The lists of the caller's departments, with their faults."""
    found, may_see = context.services.lists.listings, context.caller.grant.may_see
    return {"lists": [_shown(one) for one in found if one.known.department is None or may_see(one.known.department)]}


def _shown(listing: Listing) -> dict[str, Any]:
    known, contents = listing.known, listing.contents
    return {
        "name": known.name,
        "source": known.source,
        "departmentId": known.department,
        "refresh": known.refresh_s,
        "duration": known.duration_s,
        "entries": None if contents is None else len(contents.targets),
        "pending": listing.pending,
        "readAt": _instant(listing.read_at),
        "checkedAt": _instant(listing.checked_at),
        "trouble": listing.trouble,
        "faults": [{"line": one.line, "text": one.text, "why": one.why} for one in contents.faults] if contents else [],
        "faultCount": contents.fault_count if contents else 0,
        "objections": [{"address": one.target, "why": one.why} for one in listing.objections],
        "objectionCount": listing.objection_count,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
