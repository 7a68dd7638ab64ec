"""Calls about imported lists."""

from datetime import datetime
from typing import Any

from appliance.core.moment import timestamp
from appliance.monitor.blocking.list_imports import Listing
from appliance.server.access import Role
from appliance.server.calls.arguments import Nothing
from appliance.server.calls.context import Context


def listings(context: Context, _: Nothing) -> dict[str, Any]:
    """The lists of the caller's departments, with their faults.

    Only an administrator of all departments sees the text of these: a list may turn out to be another file.
    """
    found, grant = context.services.lists.listings, context.caller.grant
    seen = [one for one in found if one.known.department is None or grant.may_see(one.known.department)]
    is_shown = grant.may_act_as(Role.ADMIN) and grant.departments is None
    return {"lists": [_shown(one, is_shown) for one in seen]}


def _shown(listing: Listing, is_text_shown: bool) -> dict[str, Any]:
    known, contents, latest = listing.known, listing.contents, listing.latest
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
        "doubtedReads": listing.doubted_reads,
        "confirmReads": known.confirm_reads,
        "faults": [
            {"line": one.line, "text": one.text if is_text_shown else "", "why": one.why}
            for one in (latest.faults if latest else ())
        ],
        "faultCount": latest.fault_count if latest else 0,
        "objections": [{"address": one.target, "why": one.why} for one in listing.objections],
        "objectionCount": listing.objection_count,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
