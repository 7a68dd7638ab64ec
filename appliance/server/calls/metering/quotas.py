"""Calls about quotas."""

import json
from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from appliance.core.metering.account import Books
from appliance.core.metering.quota import Extension, QuotaKind
from appliance.core.moment import timestamp
from appliance.core.refusal import Code, Refused
from appliance.events import Part
from appliance.monitor.metering.device_directory import HostName
from appliance.server.calls.arguments import Argument, DepartmentId, HostAddress, Sentence, YesOrNo, host_of
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Reply

KindWord = Annotated[QuotaKind, Meta(description="daily, weekly or monthly")]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1, description="a whole number of bytes from 0 to 2^63 - 1")]
GrantedBytes = Annotated[int, Meta(ge=1, le=2**53, description="a whole number of bytes from 1 to 2^53")]


MOST_HOSTS = 100  # in an answer: some pages in a terminal, and 30 kB
MOST_SEARCHED = 100  # changes of limits, the newest, of which one may be the one that the caller has not seen
UNITS = {2**30: "GiB", 2**20: "MiB", 2**10: "KiB"}


class LimitArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `quota:set`. `limit`: bytes, `None` for no limit. `each_host`: a limit for every single host.

    `seen`: the limit that the caller saw; where it is another one now, the call is refused.
    """

    department_id: DepartmentId
    type: KindWord
    limit: Bytes | None
    each_host: YesOrNo = False
    seen: Bytes | UnsetType | None = UNSET


class ExtendArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `quota:extend`: more bytes until the running period ends. `host`: only for this one.

    `take_back`: so many bytes of those that were granted in the period are taken back instead.
    """

    department_id: DepartmentId
    type: KindWord
    bytes: GrantedBytes
    reason: Sentence
    host: HostAddress | None = None
    take_back: YesOrNo = False


class GrantFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """More bytes for one period, and who granted them, when and why; below 0 where they were taken back."""

    bytes: int
    by: str
    at: str
    reason: str


class QuotaFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A quota of the running period. `used`, `limit`, `granted` in bytes; `percentage` of the limit; null: no limit.

    `reaches_limit_at`: by the rate of the last minutes; `grants`: the latest, oldest first. `is_exceeded`: it is used
    up, though a rest may be left that no packet fits in; `exceeded_at`: since when, as far as a trusted clock told it.
    `is_paused`: it counts, and limits nobody for now.
    """

    type: QuotaKind
    used: int
    limit: int | None
    percentage: float | None
    granted: int
    started_at: str
    resets_at: str
    reaches_limit_at: str | UnsetType = UNSET
    grants: list[GrantFacts] | UnsetType = UNSET
    is_exceeded: bool | UnsetType = UNSET
    exceeded_at: str | UnsetType = UNSET
    is_paused: bool | UnsetType = UNSET


class HostQuotas(Part, frozen=True, kw_only=True, rename="camel"):
    """A host and its own quotas. `mac`, or that it is behind a router, where MAC addresses do not show."""

    address: str
    behind_router: bool | UnsetType = UNSET
    mac: str | UnsetType = UNSET
    addresses: list[str]
    quotas: list[QuotaFacts]


class QuotaReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A department's quotas. `hosts`: those that are nearest to their own limits."""

    department_id: str
    quotas: list[QuotaFacts]
    hosts: list[HostQuotas]


class DepartmentQuotas(Part, frozen=True, kw_only=True, rename="camel"):
    """A department's quotas."""

    department_id: str
    quotas: list[QuotaFacts]


class QuotasReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The quotas of all departments that the caller may see."""

    departments: list[DepartmentQuotas]


def quotas(context: Context, department: str | None) -> QuotaReply | QuotasReply:
    """The quotas of one department and of its hosts that are nearest to their limits, or of all departments."""
    if department is not None:
        return _quotas_of(context, department)
    metering, visible = context.services.metering, filter(context.caller.grant.may_see, context.services.metering.ids)
    return QuotasReply(
        departments=[
            DepartmentQuotas(department_id=one, quotas=list(map(_counted, metering.books(one, context.now))))
            for one in visible
        ]
    )


def _quotas_of(context: Context, department: str) -> QuotaReply:
    require_department(context, department)
    books = context.services.metering.books(department, context.now)
    hosts = context.services.metering.hosts.books(department, context.now)[:MOST_HOSTS]
    return QuotaReply(
        department_id=department,
        quotas=[_counted(one) for one in books],
        hosts=[_host_quotas(one.host, one.books) for one in hosts],
    )


def set_limit(context: Context, asked: LimitArgument) -> QuotaReply:
    """Set or remove the limit of a kind of quota."""
    require_department(context, asked.department_id)
    _require_seen(context, asked)
    metering = context.services.metering
    set_limit = metering.set_host_limit if asked.each_host else metering.set_limit
    set_limit(asked.department_id, asked.type, asked.limit, context.caller.grant.subject, context.now)
    return _quotas_of(context, asked.department_id)


def extend(context: Context, asked: ExtendArgument) -> QuotaReply:
    """Grant more bytes until the running period ends, or take back what was granted."""
    require_department(context, asked.department_id)
    metering, subject = context.services.metering, context.caller.grant.subject
    more_bytes = -asked.bytes if asked.take_back else asked.bytes
    grant, host = (asked.type, more_bytes, asked.reason, subject), None if asked.host is None else host_of(asked.host)
    if asked.take_back:
        _require_granted(context, asked, host)
    if host is None:
        metering.extend(asked.department_id, *grant, context.now)
    else:
        metering.extend_host(asked.department_id, host, *grant, context.now)
    if not asked.take_back:
        context.services.requests.grant(asked.department_id, host, subject, asked.reason, context.now)
    return _quotas_of(context, asked.department_id)


def state(context: Context, asked: LimitArgument | ExtendArgument) -> QuotaFacts | None:
    """The quota of this kind, for the audit trail, which has the grants as changes; `None`: there is none."""
    found = _quotas_of(context, asked.department_id).quotas
    return next((replace(one, grants=UNSET) for one in found if one.type == asked.type), None)


def _require_granted(context: Context, asked: ExtendArgument, host: str | None) -> None:
    """Raise `Refused` where more is taken back than was granted in the period."""
    metering, department = context.services.metering, asked.department_id
    if host is None:
        books = metering.books(department, context.now)
    else:
        hosts = metering.hosts.books(department, context.now)
        books = [book for one in hosts if host in {one.host.mac, *one.host.addresses} for book in one.books]
    granted_bytes = next((one.granted_bytes for one in books if one.kind is asked.type), 0)
    if asked.bytes > granted_bytes:
        raise Refused(
            Code.BAD_REQUEST, f"bytes: {granted_bytes} bytes were granted in this period; no more can be taken back"
        )


def _require_seen(context: Context, asked: LimitArgument) -> None:
    """Raise `Refused` where the limit is not the one that the caller saw; it says who changed it, if the trail does."""
    metering = context.services.metering
    books = next(one for one in metering.books(asked.department_id, context.now) if one.kind is asked.type)
    limit = metering.hosts.own_limit_bytes(asked.department_id, asked.type) if asked.each_host else books.limit_bytes
    if asked.seen is UNSET or asked.seen == limit:
        return
    latest = books.grants[-1] if books.grants and not asked.each_host else None
    if latest is not None and limit is not None and asked.seen == limit - latest.granted_bytes:
        did = "granted" if latest.granted_bytes > 0 else "took back"
        by = f"; {latest.actor} {did} {_size_text(abs(latest.granted_bytes))}"
    else:
        by = _changed_by(context, asked)
    whose = f"each host of {asked.department_id}" if asked.each_host else asked.department_id
    raise Refused(
        Code.CONFLICT,
        f"the {asked.type} limit of {whose} is {_size_text(limit)} now, and not {_size_text(asked.seen)} any more{by}",
    )


def _changed_by(context: Context, asked: LimitArgument) -> str:
    """Who set this limit last, and to what; empty: the newest changes in the trail are of other limits."""
    entries = context.services.audit.entries
    for one in entries(MOST_SEARCHED, before=None, who=None, action="quota:set", contains=asked.department_id):
        what = json.loads(one.entry.what)
        key = (what.get("departmentId"), what.get("type"), what.get("eachHost", False))
        if key == (asked.department_id, asked.type, asked.each_host):
            return f"; {one.entry.who} set it to {_size_text(what.get('limit'))}"
    return ""


def _size_text(size_bytes: int | UnsetType | None) -> str:
    """A limit as people set it: whole in its unit, else in bytes, so that none is shown as another."""
    if not isinstance(size_bytes, int):
        return "no limit"
    whole = (f"{size_bytes // unit} {name}" for unit, name in UNITS.items() if size_bytes and size_bytes % unit == 0)
    return next(whole, f"{size_bytes} bytes")


def _host_quotas(host: HostName, books: Sequence[Books]) -> HostQuotas:
    return HostQuotas(
        address=host.name,
        behind_router=True if host.mac is None else UNSET,
        mac=UNSET if host.mac is None else host.mac,
        addresses=list(host.addresses),
        quotas=[_counted(one) for one in books],
    )


def _counted(books: Books) -> QuotaFacts:
    return QuotaFacts(
        type=books.kind,
        used=books.used_bytes,
        limit=books.limit_bytes,
        percentage=books.percentage,
        granted=books.granted_bytes,
        started_at=timestamp(books.started_at),
        resets_at=timestamp(books.resets_at),
        reaches_limit_at=UNSET if books.reaches_limit_at is None else timestamp(books.reaches_limit_at),
        grants=[_grant(one) for one in books.grants] or UNSET,
        is_exceeded=UNSET if books.limit_bytes is None else books.is_exceeded,
        exceeded_at=UNSET if books.exceeded_at is None else timestamp(books.exceeded_at),
        is_paused=books.is_paused or UNSET,
    )


def _grant(one: Extension) -> GrantFacts:
    return GrantFacts(bytes=one.granted_bytes, by=one.actor, at=timestamp(one.at), reason=one.reason)
