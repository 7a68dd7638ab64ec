"""Calls about quotas."""

from typing import Annotated, Any

from msgspec import Meta

from appliance.core.metering.account import Books
from appliance.core.metering.quota import QuotaKind
from appliance.core.moment import timestamp
from appliance.monitor.metering.device_directory import HostName
from appliance.server.calls.arguments import Argument, DepartmentId, HostAddress, Sentence, YesOrNo, host_of
from appliance.server.calls.context import Context, require_department

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


def quotas(context: Context, department: str) -> dict[str, Any]:
    """The department's quotas, and those of the hosts that are nearest to their own limits."""
    require_department(context, department)
    books = context.services.metering.books(department, context.now)
    hosts = context.services.metering.hosts.books(department, context.now)[:MOST_HOSTS]
    return {
        "departmentId": department,
        "quotas": [_counted(one) for one in books],
        "hosts": [{**_named(one.host), "quotas": [_counted(quota) for quota in one.books]} for one in hosts],
    }


def set_limit(context: Context, asked: LimitArgument) -> dict[str, Any]:
    """Set or remove the limit of a kind of quota."""
    require_department(context, asked.department_id)
    metering = context.services.metering
    set_limit = metering.set_host_limit if asked.each_host else metering.set_limit
    set_limit(asked.department_id, asked.type, asked.limit, context.caller.grant.subject, context.now)
    return quotas(context, asked.department_id)


def extend(context: Context, asked: ExtendArgument) -> dict[str, Any]:
    """Grant more bytes until the running period ends."""
    require_department(context, asked.department_id)
    metering, grant = context.services.metering, (asked.type, asked.bytes, asked.reason, context.caller.grant.subject)
    if asked.host is None:
        metering.extend(asked.department_id, *grant, context.now)
    else:
        metering.extend_host(asked.department_id, host_of(asked.host), *grant, context.now)
    return quotas(context, asked.department_id)


def state(context: Context, asked: LimitArgument | ExtendArgument) -> dict[str, Any] | None:
    """The quota of this kind, for the audit trail; `None`: there is none."""
    found = quotas(context, asked.department_id)["quotas"]
    return next((one for one in found if one["type"] == asked.type), None)


def _named(host: HostName) -> dict[str, Any]:
    device = {"behindRouter": True} if host.mac is None else {"mac": host.mac}
    return {"address": host.name, **device, "addresses": list(host.addresses)}


def _counted(books: Books) -> dict[str, Any]:
    return {
        "type": books.kind,
        "used": books.used_bytes,
        "limit": books.limit_bytes,
        "percentage": books.percentage,
        "granted": books.granted_bytes,
        "resetsAt": timestamp(books.resets_at),
    }
