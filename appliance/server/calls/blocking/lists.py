"""Calls about imported lists."""

from datetime import datetime

from appliance.core.moment import timestamp
from appliance.events import Part
from appliance.monitor.blocking.list_imports import Listing
from appliance.server.access import Role
from appliance.server.calls.arguments import Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Reply


class ListFault(Part, frozen=True, kw_only=True, rename="camel"):
    """A line of a list that is no entry. `text`: empty for who may not see it."""

    line: int
    text: str
    why: str


class ListObjection(Part, frozen=True, kw_only=True, rename="camel"):
    """An entry that is not blocked, as a whole or in part, because the address is protected."""

    address: str
    why: str


class ListFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A list and its state. `refresh`, `duration`: seconds; `entries`: null before it was read.

    `pending`: blocks yet to be lifted or added; `doubted_reads`: readings in a row that were not believed.
    """

    name: str
    source: str
    department_id: str | None
    refresh: float
    duration: int
    entries: int | None
    pending: int
    read_at: str | None
    checked_at: str | None
    trouble: str | None
    doubted_reads: int
    confirm_reads: int
    faults: list[ListFault]
    fault_count: int
    objections: list[ListObjection]
    objection_count: int


class ListReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The lists of the caller's departments."""

    lists: list[ListFacts]


def listings(context: Context, _: Nothing) -> ListReply:
    """The lists of the caller's departments, with their faults.

    Only an administrator of all departments sees the text of these: a list may turn out to be another file.
    """
    found, grant = context.services.lists.listings, context.caller.grant
    seen = [one for one in found if one.known.department is None or grant.may_see(one.known.department)]
    is_shown = grant.may_act_as(Role.ADMIN) and grant.departments is None
    return ListReply(lists=[_shown(one, is_shown) for one in seen])


def _shown(listing: Listing, is_text_shown: bool) -> ListFacts:
    known, contents, latest = listing.known, listing.contents, listing.latest
    return ListFacts(
        name=known.name,
        source=known.source,
        department_id=known.department,
        refresh=known.refresh_s,
        duration=known.duration_s,
        entries=None if contents is None else len(contents.targets),
        pending=listing.pending,
        read_at=_instant(listing.read_at),
        checked_at=_instant(listing.checked_at),
        trouble=listing.trouble,
        doubted_reads=listing.doubted_reads,
        confirm_reads=known.confirm_reads,
        faults=[
            ListFault(line=one.line, text=one.text if is_text_shown else "", why=one.why)
            for one in (latest.faults if latest else ())
        ],
        fault_count=latest.fault_count if latest else 0,
        objections=[ListObjection(address=one.target, why=one.why) for one in listing.objections],
        objection_count=listing.objection_count,
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
