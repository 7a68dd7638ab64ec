"""The call about visited websites."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from appliance.core.traffic.naming import Purpose, Record
from appliance.core.traffic.script import shown
from appliance.core.traffic.sites import SITES_PER_PART, Contacts, Site
from appliance.events import Part
from appliance.server.calls.arguments import Argument, DepartmentId
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Reply

MostSites = Annotated[int, Meta(ge=1, le=SITES_PER_PART, description=f"a whole number from 1 to {SITES_PER_PART}")]


class SitesArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `site:list`. `limit`: of the sites, most visited first."""

    department_id: DepartmentId
    limit: MostSites = 100


class VisitedSite(Part, frozen=True, kw_only=True, rename="camel"):
    """A site of the last hour. `visits`: at most `error` too low; `bytes`: of its connections over TCP that ended.

    `devices`: how many visited it; `visitors`: which, where they are recorded.
    """

    domain: str
    visits: int
    error: int
    devices: int
    bytes: int | UnsetType = UNSET
    visitors: list[str] | UnsetType = UNSET


class Named(Part, frozen=True, kw_only=True, rename="camel"):
    """The connections of the last hour, by how far they have a name; and the bytes of those over TCP that ended.

    `hidden`: the name is encrypted; `encrypted_dns`: look-ups; `unread`: packets that came too fast to be read, of all
    departments since the start.
    """

    connections: int
    unnamed: int
    hidden: int
    encrypted_dns: int
    bytes: int
    unnamed_bytes: int
    unread: int


class SitesReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A department's websites. `background`: what programs do by themselves, by name."""

    department_id: str
    record: Record
    sites: list[VisitedSite]
    background: list[VisitedSite]
    named: Named


def sites(context: Context, asked: SitesArgument) -> SitesReply:
    """The websites of the last hour."""
    require_department(context, asked.department_id)
    found = context.services.insight.sites(asked.department_id, asked.limit, context.now)
    return SitesReply(
        department_id=asked.department_id,
        record=found.record,
        sites=_rows(found.sites, found.record),
        background=_rows(found.background, found.record),
        named=_named(found.contacts, found.unread),
    )


def _rows(found: Sequence[Site], record: Record) -> list[VisitedSite]:
    return [
        VisitedSite(
            domain=shown(one.domain),
            visits=one.visits,
            error=one.error,
            devices=len(one.devices),
            bytes=UNSET if one.bytes is None else one.bytes,
            visitors=[*one.devices] if record is Record.DEVICE else UNSET,
        )
        for one in found
    ]


def _named(contacts: Contacts, unread: int) -> Named:
    count = contacts.by_purpose.get
    return Named(
        connections=sum(contacts.by_purpose.values()),
        unnamed=count(Purpose.UNNAMED, 0),
        hidden=count(Purpose.HIDDEN, 0),
        encrypted_dns=count(Purpose.ENCRYPTED_DNS, 0),
        bytes=contacts.bytes,
        unnamed_bytes=contacts.unnamed_bytes,
        unread=unread,
    )
