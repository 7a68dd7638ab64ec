"""What a client may call: one table from an event's name to its argument, the role it takes and its handler.

A handler is given an argument that was judged already, calls one method of a monitor and words the answer. Everything
that can be said of a call without knowing what it does (role, argument, read-only mode) is in the table and judged in
one place. A refusal is raised as `Refused`; how it travels to the client is `app`'s business.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Protocol

from appliance.core.blocks import Block
from appliance.core.history import Step
from appliance.core.maintenance import Maintenance
from appliance.core.moment import Moment, timestamp
from appliance.core.quota import Kind
from appliance.core.refusal import Code, Refused
from appliance.core.usage import Passed
from appliance.monitor.account import Books
from appliance.monitor.enforcement import BlockRequest
from appliance.server.access import Grant, Role
from appliance.server.arguments import (
    BlockArgument,
    DepartmentId,
    ExtendArgument,
    HistoryArgument,
    LimitArgument,
    ListArgument,
    Nothing,
    StartArgument,
    UnblockArgument,
    parse,
)
from appliance.server.packets import clipped


class Metering(Protocol):
    """What the calls need of metering."""

    def books(self, department: str, now: Moment) -> Sequence[Books]:
        """The department's quotas as they stand."""

    def set_limit(self, department: str, kind: Kind, limit_bytes: int | None, actor: str, now: Moment) -> None:
        """Limit this kind from now on, or not at all (`None`)."""

    def extend(self, department: str, kind: Kind, more_bytes: int, reason: str, actor: str, now: Moment) -> None:
        """Grant more bytes until the running period ends."""


class Enforcement(Protocol):
    """What the calls need of enforcement."""

    can_enforce: bool

    def block(self, request: BlockRequest, now: Moment) -> Block:
        """Block a target from now on."""

    def unblock(self, target: str, department: str | None, actor: str, now: Moment) -> None:
        """Lift a block."""

    def blocks(self, now: Moment) -> Sequence[Block]:
        """The blocks that should be in force."""


class Upkeep(Protocol):
    """What the calls need of upkeep."""

    def start(self, start: datetime | None, duration_s: int, impact: str, actor: str, now: Moment) -> Maintenance:
        """Begin or announce a maintenance."""

    def stop(self, actor: str, now: Moment) -> Maintenance:
        """End the maintenance."""

    def require_writable(self) -> None:
        """Refuse while the appliance is in maintenance."""


class History(Protocol):
    """What the calls need of history."""

    def query(
        self, department: str, host: str | None, since: datetime, until: datetime, step: Step
    ) -> Mapping[datetime, Passed]:
        """What passed, by the beginning of each bucket, oldest first."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The monitors that carry out what clients ask for."""

    metering: Metering
    enforcement: Enforcement
    upkeep: Upkeep
    history: History


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: what the token grants, from which address, and the way into and out of a department's analytics."""

    grant: Grant
    address: str | None
    subscribe: Callable[[str], None]
    unsubscribe: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler has to work with, beside its argument. `departments`: the ids that are configured."""

    desk: Desk
    departments: frozenset[str]
    caller: Caller
    now: Moment


def _subscribe(context: Context, department: str) -> dict[str, Any]:
    _require_department(context, department)
    context.caller.subscribe(department)
    return {}


def _unsubscribe(context: Context, department: str) -> dict[str, Any]:
    _require_department(context, department)
    context.caller.unsubscribe(department)
    return {}


def _block(context: Context, asked: BlockArgument) -> dict[str, Any]:
    _require_scope(context, asked.department_id)
    grant, address = context.caller.grant, context.caller.address
    request = BlockRequest(
        asked.address, asked.reason, asked.duration, asked.department_id, grant.subject, "manual", address
    )
    return {"block": _shown(context.desk.enforcement.block(request, context.now), context)}


def _unblock(context: Context, asked: UnblockArgument) -> dict[str, Any]:
    _require_scope(context, asked.department_id)
    context.desk.enforcement.unblock(asked.address, asked.department_id, context.caller.grant.subject, context.now)
    return {}


def _list(context: Context, asked: ListArgument) -> dict[str, Any]:
    if asked.department_id is not None:
        _require_department(context, asked.department_id)
    blocks = context.desk.enforcement.blocks(context.now)
    return {"blocks": [_shown(block, context) for block in blocks if _concerns(block, asked.department_id, context)]}


def _quotas(context: Context, department: str) -> dict[str, Any]:
    _require_department(context, department)
    books = context.desk.metering.books(department, context.now)
    return {"departmentId": department, "quotas": [_counted(one) for one in books]}


def _set_limit(context: Context, asked: LimitArgument) -> dict[str, Any]:
    _require_department(context, asked.department_id)
    actor = context.caller.grant.subject
    context.desk.metering.set_limit(asked.department_id, asked.type, asked.limit, actor, context.now)
    return _quotas(context, asked.department_id)


def _extend(context: Context, asked: ExtendArgument) -> dict[str, Any]:
    _require_department(context, asked.department_id)
    actor = context.caller.grant.subject
    context.desk.metering.extend(asked.department_id, asked.type, asked.bytes, asked.reason, actor, context.now)
    return _quotas(context, asked.department_id)


def _history(context: Context, asked: HistoryArgument) -> dict[str, Any]:
    _require_department(context, asked.department_id)
    host = None if asked.host is None else _host(asked.host)
    found = context.desk.history.query(asked.department_id, host, asked.since, asked.until, asked.step)
    return {
        "departmentId": asked.department_id,
        "host": host,
        "step": asked.step,
        "points": [[_start_text(start), passed.up_bytes, passed.down_bytes] for start, passed in found.items()],
    }


def _host(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise Refused(Code.BAD_REQUEST, "host: must be a host's address, such as 192.168.1.100") from None


@lru_cache(maxsize=8192)  # all departments of a page ask for the same buckets
def _start_text(start: datetime) -> str:
    return timestamp(start)


def _start(context: Context, asked: StartArgument) -> dict[str, Any]:
    actor = context.caller.grant.subject
    return _told(context.desk.upkeep.start(asked.start_time, asked.duration, asked.impact, actor, context.now))


def _stop(context: Context, _: Nothing) -> dict[str, Any]:
    return _told(context.desk.upkeep.stop(context.caller.grant.subject, context.now))


def _require_department(context: Context, department: str) -> None:
    if department not in context.departments:
        raise Refused(Code.UNKNOWN_DEPARTMENT, f'there is no department "{clipped(department)}"')
    if not context.caller.grant.may_see(department):
        raise Refused(Code.FORBIDDEN, f'this token does not cover the department "{department}"')


def _require_scope(context: Context, department: str | None) -> None:
    if department is not None:
        _require_department(context, department)
    elif context.caller.grant.departments is not None:
        raise Refused(Code.FORBIDDEN, "departmentId: give one; for all departments at once a token for all is needed")


def _concerns(block: Block, department: str | None, context: Context) -> bool:
    if block.department is None:
        return True
    if department is not None:
        return block.department == department
    return context.caller.grant.may_see(block.department)


def _shown(block: Block, context: Context) -> dict[str, Any]:
    remaining_s = block.remaining_s(context.now.wall)
    shown = {
        "address": block.target,
        "reason": block.reason,
        "actor": block.actor,
        "origin": block.origin,
        "departmentId": block.department,
        "startedAt": timestamp(block.started_at),
        "expiresAt": None if block.expires_at is None else timestamp(block.expires_at),
        "duration": 0 if remaining_s is None else max(1, math.ceil(remaining_s)),  # seconds left; 0: until lifted
    }
    is_enforced = context.desk.enforcement.can_enforce and block.announced
    return shown if is_enforced else {**shown, "enforced": False}


def _counted(books: Books) -> dict[str, Any]:
    return {
        "type": books.kind,
        "used": books.used_bytes,
        "limit": books.limit_bytes,
        "percentage": books.percentage,
        "granted": books.granted_bytes,
        "resetsAt": timestamp(books.resets_at),
    }


def _told(maintenance: Maintenance) -> dict[str, Any]:
    return {
        "maintenance": {
            "type": maintenance.kind,
            "startTime": timestamp(maintenance.start),
            "duration": maintenance.duration_s,
            "impact": maintenance.impact,
        }
    }


@dataclass(frozen=True, slots=True)
class Call:
    """A row of the table. `argument`: an `Argument`, which may be left out if no key of it is required, or a text.

    `changes`: it is refused in the read-only mode. Maintenance itself can be extended and ended in it.
    """

    argument: Any
    role: Role
    changes: bool
    handler: Callable[[Context, Any], dict[str, Any]]


CALLS = {
    "analytics:subscribe": Call(DepartmentId, Role.VIEWER, False, _subscribe),
    "analytics:unsubscribe": Call(DepartmentId, Role.VIEWER, False, _unsubscribe),
    "ip:block": Call(BlockArgument, Role.OPERATOR, True, _block),
    "ip:unblock": Call(UnblockArgument, Role.OPERATOR, True, _unblock),
    "ip:list": Call(ListArgument, Role.VIEWER, False, _list),
    "quota:get": Call(DepartmentId, Role.VIEWER, False, _quotas),
    "quota:set": Call(LimitArgument, Role.ADMIN, True, _set_limit),
    "quota:extend": Call(ExtendArgument, Role.OPERATOR, True, _extend),
    "history:get": Call(HistoryArgument, Role.VIEWER, False, _history),
    "maintenance:start": Call(StartArgument, Role.ADMIN, False, _start),
    "maintenance:stop": Call(Nothing, Role.ADMIN, False, _stop),
}


def carry_out(event: str, arguments: Sequence[object], context: Context) -> dict[str, Any]:
    """Do what the client asks for and return what to answer beside `success`. Raises `Refused`."""
    grant = context.caller.grant
    if grant.is_expired(context.now.wall):
        raise Refused(Code.TOKEN_EXPIRED, "the token has expired; ask the appliance's administrator for a new one")
    call = CALLS.get(event)
    if call is None:
        raise Refused(Code.BAD_REQUEST, f'there is no call "{clipped(event)}"; there are {", ".join(CALLS)}')
    if not grant.may_act_as(call.role):
        raise Refused(Code.FORBIDDEN, f"{event} takes a token with the role {call.role}; this one has {grant.role}")
    if len(arguments) > 1:
        raise Refused(Code.BAD_REQUEST, f"{event} takes one argument at most, and was given {len(arguments)}")
    argument = parse(call.argument, arguments[0] if arguments else None)
    if call.changes:
        context.desk.upkeep.require_writable()
    return call.handler(context, argument)
