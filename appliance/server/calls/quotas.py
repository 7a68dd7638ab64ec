"""Calls about quotas."""

from typing import Annotated, Any

from msgspec import Meta

from appliance.core.moment import timestamp
from appliance.core.quota import Kind
from appliance.monitor.account import Books
from appliance.server.arguments import Argument, DepartmentId, Sentence
from appliance.server.calls.desk import Context, require_department

QuotaKind = Annotated[Kind, Meta(description="daily, weekly or monthly")]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1, description="a whole number of bytes from 0 to 2^63 - 1")]
GrantedBytes = Annotated[int, Meta(ge=1, le=2**53, description="a whole number of bytes from 1 to 2^53")]


class LimitArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `quota:set` takes. `limit`: bytes; null for no limit of this kind."""

    department_id: DepartmentId
    type: QuotaKind
    limit: Bytes | None


class ExtendArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `quota:extend` takes: bytes more until the running period ends, and why."""

    department_id: DepartmentId
    type: QuotaKind
    bytes: GrantedBytes
    reason: Sentence


def quotas(context: Context, department: str) -> dict[str, Any]:
    """The department's quotas as they stand."""
    require_department(context, department)
    books = context.desk.metering.books(department, context.now)
    return {"departmentId": department, "quotas": [_counted(one) for one in books]}


def set_limit(context: Context, asked: LimitArgument) -> dict[str, Any]:
    """Limit a kind of quota from now on, or not at all."""
    require_department(context, asked.department_id)
    actor = context.caller.grant.subject
    context.desk.metering.set_limit(asked.department_id, asked.type, asked.limit, actor, context.now)
    return quotas(context, asked.department_id)


def extend(context: Context, asked: ExtendArgument) -> dict[str, Any]:
    """Grant more bytes until the running period ends."""
    require_department(context, asked.department_id)
    actor = context.caller.grant.subject
    context.desk.metering.extend(asked.department_id, asked.type, asked.bytes, asked.reason, actor, context.now)
    return quotas(context, asked.department_id)


def _counted(books: Books) -> dict[str, Any]:
    return {
        "type": books.kind,
        "used": books.used_bytes,
        "limit": books.limit_bytes,
        "percentage": books.percentage,
        "granted": books.granted_bytes,
        "resetsAt": timestamp(books.resets_at),
    }
