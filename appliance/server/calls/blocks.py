"""Calls about blocks."""

import math
from typing import Annotated, Any

from msgspec import Meta

from appliance.core.blocks import Block, BlockRequest
from appliance.core.moment import timestamp
from appliance.core.refusal import Code, Refused
from appliance.server.arguments import Argument, DepartmentId, Sentence
from appliance.server.calls.desk import Context, require_department

Address = Annotated[
    str, Meta(min_length=1, max_length=64, description="an address or prefix, such as 192.168.1.100 or 10.1.0.0/16")
]
BlockSeconds = Annotated[
    int,
    Meta(ge=0, le=31536000 * 10, description="a whole number of seconds up to 10 years, or 0 for until it is lifted"),
]


class BlockArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `ip:block` takes. `department_id`: left out for all departments."""

    address: Address
    reason: Sentence = "blocked by hand"
    duration: BlockSeconds = 0
    department_id: DepartmentId | None = None


class UnblockArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `ip:unblock` takes: the block's address and department, as it was made."""

    address: Address
    department_id: DepartmentId | None = None


class ListArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `ip:list` takes. `department_id`: left out for all that the caller may see."""

    department_id: DepartmentId | None = None


def block(context: Context, asked: BlockArgument) -> dict[str, Any]:
    """Block a target."""
    _require_scope(context, asked.department_id)
    grant, address = context.caller.grant, context.caller.address
    request = BlockRequest(
        asked.address, asked.reason, asked.duration, asked.department_id, grant.subject, "manual", address
    )
    [made] = context.desk.enforcement.block([request], context.now)
    return {"block": _shown(made, context)}


def unblock(context: Context, asked: UnblockArgument) -> dict[str, Any]:
    """Lift a block."""
    _require_scope(context, asked.department_id)
    context.desk.enforcement.unblock([asked.address], asked.department_id, context.caller.grant.subject, context.now)
    return {}


def list_blocks(context: Context, asked: ListArgument) -> dict[str, Any]:
    """The blocks that concern the caller."""
    if asked.department_id is not None:
        require_department(context, asked.department_id)
    blocks = context.desk.enforcement.blocks(context.now)
    return {"blocks": [_shown(block, context) for block in blocks if _concerns(block, asked.department_id, context)]}


def _require_scope(context: Context, department: str | None) -> None:
    if department is not None:
        require_department(context, department)
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
