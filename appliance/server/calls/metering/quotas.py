"""Calls about quotas."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from appliance.core.metering.account import Books
from appliance.core.metering.quota import QuotaKind
from appliance.core.moment import timestamp
from appliance.events import Part
from appliance.monitor.metering.device_directory import HostName
from appliance.server.calls.arguments import Argument, DepartmentId, HostAddress, Sentence, YesOrNo, host_of
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Reply

KindWord = Annotated[QuotaKind, Meta(description="daily, weekly or monthly")]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1, description="a whole number of bytes from 0 to 2^63 - 1")]
GrantedBytes = Annotated[int, Meta(ge=1, le=2**53, description="a whole number of bytes from 1 to 2^53")]


MOST_HOSTS = 100  # in an answer: some pages in a terminal, and 30 kB


class LimitArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `quota:set`. `limit`: bytes, `None` for no limit. `each_host`: a limit for every single host."""

    department_id: DepartmentId
    type: KindWord
    limit: Bytes | None
    each_host: YesOrNo = False


class ExtendArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `quota:extend`: more bytes until the running period ends. `host`: only for this one."""

    department_id: DepartmentId
    type: KindWord
    bytes: GrantedBytes
    reason: Sentence
    host: HostAddress | None = None


class QuotaFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A quota of the running period. `used`, `limit`, `granted` in bytes; `percentage` of the limit; null: no limit."""

    type: QuotaKind
    used: int
    limit: int | None
    percentage: float | None
    granted: int
    resets_at: str


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


def quotas(context: Context, department: str) -> QuotaReply:
    """The department's quotas, and those of the hosts that are nearest to their own limits."""
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
    metering = context.services.metering
    set_limit = metering.set_host_limit if asked.each_host else metering.set_limit
    set_limit(asked.department_id, asked.type, asked.limit, context.caller.grant.subject, context.now)
    return quotas(context, asked.department_id)


def extend(context: Context, asked: ExtendArgument) -> QuotaReply:
    """Grant more bytes until the running period ends."""
    require_department(context, asked.department_id)
    metering, grant = context.services.metering, (asked.type, asked.bytes, asked.reason, context.caller.grant.subject)
    if asked.host is None:
        metering.extend(asked.department_id, *grant, context.now)
    else:
        metering.extend_host(asked.department_id, host_of(asked.host), *grant, context.now)
    return quotas(context, asked.department_id)


def state(context: Context, asked: LimitArgument | ExtendArgument) -> QuotaFacts | None:
    """The quota of this kind, for the audit trail; `None`: there is none."""
    found = quotas(context, asked.department_id).quotas
    return next((one for one in found if one.type == asked.type), None)


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
        resets_at=timestamp(books.resets_at),
    )
