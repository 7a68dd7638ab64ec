"""Calls about blocks."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from itertools import islice
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from appliance.core.blocking.block import Block, BlockOrigin, BlockRequest
from appliance.core.blocking.lists.address_ranges import AddressRange, address_range
from appliance.core.blocking.lists.query import BlockQuery, matches
from appliance.core.blocking.targets import TargetKind, kind_of, parse_target
from appliance.core.moment import timestamp
from appliance.core.pause import Pause
from appliance.core.refusal import Code, Refused
from appliance.core.text import visible
from appliance.events import Part
from appliance.server.calls.arguments import Argument, DepartmentId, Sentence, YesOrNo
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Done, Reply

MOST_AT_ONCE = 5000  # targets of one call: they take some tenths of a second, in slices between others' work
PARSED_AT_ONCE = 100  # domain names, which take longest: some milliseconds
SEARCHED_AT_ONCE = 10_000  # blocks: of 200,000, the search of a prefix takes ten milliseconds for so many
MOST_RECORDED = 10  # blocks in an entry of the audit trail, which also has the whole argument
LARGEST_PAGE = 1000  # blocks in one answer: 250 kB
MOST_RESOLVED = 16  # addresses of a blocked name in an answer, as far as the answer's blocks have no more than
MOST_ADDRESSES = 1000  # together: as much as the blocks themselves

Address = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="an address such as 192.168.1.100, a prefix such as 10.1.0.0/16, a MAC address or a domain name",
    ),
]
Addresses = Annotated[
    list[Address],
    Meta(min_length=1, max_length=MOST_AT_ONCE, description=f"a list of 1 to {MOST_AT_ONCE} addresses, each a text"),
]
Page = Annotated[int, Meta(ge=1, le=1_000_000, description="a page's number from 1 on")]
PageSize = Annotated[int, Meta(ge=1, le=LARGEST_PAGE, description=f"a number of blocks from 1 to {LARGEST_PAGE}")]
Fragment = Annotated[str, Meta(min_length=1, max_length=255, description="a text of 1 to 255 characters")]
BlockSeconds = Annotated[
    int,
    Meta(ge=0, le=31536000 * 10, description="a whole number of seconds up to 10 years, or 0 for until it is lifted"),
]


class BlockArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `ip:block`: `address`, or `addresses`, which are blocked all or none.

    `department_id`: `None` for all departments. `preview`: only say what the block of `address` would do.
    """

    address: Address | None = None
    addresses: Addresses | None = None
    preview: YesOrNo = False
    reason: Sentence = "blocked by hand"
    duration: BlockSeconds = 0
    department_id: DepartmentId | None = None


class UnblockArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `ip:unblock`: address or addresses, and department, as they were blocked.

    `origin`: only blocks of this origin; `None` for every origin.
    """

    address: Address | None = None
    addresses: Addresses | None = None
    department_id: DepartmentId | None = None
    origin: Fragment | None = None


class ListArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `ip:list`; each key narrows the list.

    `contains`: part of the address or of the reason. `within`: a prefix that contains the address. `expiring`: the
    block ends within so many seconds.
    """

    department_id: DepartmentId | None = None
    origin: Fragment | None = None
    contains: Fragment | None = None
    within: Fragment | None = None
    expiring: BlockSeconds | None = None
    page: Page = 1
    limit: PageSize = LARGEST_PAGE


class ResolvedAddress(Part, frozen=True, kw_only=True, rename="camel"):
    """An address or alias of a blocked name. `why`: the answer that gave it; `spared`: why it is not blocked.

    `shared`: that others need it too.
    """

    address: str
    why: str
    expires_at: str
    spared: str | UnsetType = UNSET
    shared: str | UnsetType = UNSET


class ResolvedName(Part, frozen=True, kw_only=True, rename="camel"):
    """What a blocked name resolves to: how many addresses are blocked and spared, and some of them."""

    blocked: int
    spared: int
    addresses: list[ResolvedAddress]


class BlockFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A block. `department_id`: null for all departments; `duration`: seconds left, 0 until it is lifted.

    `resolved`: of a domain name; `enforced` is sent, as false, where the position cannot enforce. `refused`: packets
    in the last hour, in `ip:list` and where that can be told.
    """

    address: str
    reason: str
    actor: str
    origin: str
    department_id: str | None
    started_at: str
    expires_at: str | None
    duration: int
    resolved: ResolvedName | UnsetType = UNSET
    enforced: bool | UnsetType = UNSET
    refused: int | UnsetType = UNSET


class PreviewFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """What a block would do. `device`: its MAC address and addresses, null where it is not known.

    `connections`: open now, null where that cannot be told; `objection`: why the block would be refused;
    `departments`: in which it would be in force.
    """

    address: str
    device: str | None
    connections: int | None
    objection: str | None
    departments: list[str]


class PreviewReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """What the block would do, where `preview` was asked for; nothing was done."""

    preview: PreviewFacts


class BlockReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The block, where `address` was given."""

    block: BlockFacts


class BlocksReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """How many blocks were made, where `addresses` were given; `enforced` as of a block."""

    count: int
    enforced: bool | UnsetType = UNSET


class UnblockedReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """How many blocks were lifted, where `addresses` were given."""

    count: int


class BlockListReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A page of blocks. `total`: how many match on all pages; `next`: the next page; null on the last.

    `origins`: by origin, how many match all of the query but its origin.
    """

    blocks: list[BlockFacts]
    total: int
    next: int | None
    origins: dict[str, int]


def block(context: Context, asked: BlockArgument) -> BlockReply | BlocksReply | PreviewReply:
    """Block a target, or many in one transaction, or say what a block would do."""
    require_scope(context, asked.department_id)
    if asked.preview:
        return PreviewReply(preview=_preview(context, asked))
    enforcement, subject, caller = context.services.enforcement, context.caller.grant.subject, context.caller.address
    targets = _targets(asked, context.give_way)
    objections = (
        {} if asked.addresses is None else enforcement.objections(targets, context.now, caller, context.give_way)
    )
    for index, target in enumerate(targets):
        if target in objections:
            text = f"addresses[{index}]: {target} is protected: {objections[target]}; none is blocked"
            raise Refused(Code.PROTECTED_ADDRESS, text)
    requests = [
        BlockRequest(target, asked.reason, asked.duration, asked.department_id, subject, BlockOrigin.MANUAL, caller)
        for target in targets
    ]
    made = enforcement.block(requests, context.now, context.give_way)
    if asked.addresses is None:
        return BlockReply(block=_shown(made[0], context))
    return BlocksReply(count=len(made), enforced=UNSET if all(map(enforcement.is_enforced, made)) else False)


def unblock(context: Context, asked: UnblockArgument) -> Done | UnblockedReply:
    """Lift a block, or many in one transaction."""
    require_scope(context, asked.department_id)
    targets = _targets(asked, context.give_way)
    enforcement, subject = context.services.enforcement, context.caller.grant.subject
    lifted = enforcement.unblock(
        targets, asked.department_id, subject, context.now, origin=asked.origin, pause=context.give_way
    )
    return Done() if asked.addresses is None else UnblockedReply(count=len(lifted))


def state(context: Context, asked: BlockArgument | UnblockArgument) -> list[BlockFacts]:
    """The blocks of these targets and this department, for the audit trail: the first `MOST_RECORDED`."""
    find = context.services.enforcement.find
    found = (block for target in _targets(asked, context.give_way) for block in find(target, asked.department_id))
    return [_shown(block, context, 0) for block in islice(found, MOST_RECORDED)]


def list_blocks(context: Context, asked: ListArgument) -> BlockListReply:
    """A page of the blocks that concern the caller."""
    if asked.department_id is not None:
        require_department(context, asked.department_id)
    query = BlockQuery(None, asked.contains, _prefix(asked.within), asked.expiring)
    blocks, found, origins = context.services.enforcement.blocks(context.now), list[Block](), Counter[str]()
    for at in range(0, len(blocks), SEARCHED_AT_ONCE):
        if at > 0:
            context.give_way()
        of_any = [
            block
            for block in blocks[at : at + SEARCHED_AT_ONCE]
            if _concerns(block, asked.department_id, context) and matches(block, query, context.now.wall)
        ]
        origins.update(one.origin for one in of_any)
        found += of_any if asked.origin is None else (one for one in of_any if one.origin == asked.origin)
    stopped = context.services.enforcement.stopped_last_hour()
    end = asked.page * asked.limit
    page = found[end - asked.limit : end]
    most = min(MOST_RESOLVED, MOST_ADDRESSES // max(1, len(page)))
    return BlockListReply(
        blocks=[_with_refused(_shown(one, context, most), one, stopped, context) for one in page],
        total=len(found),
        next=asked.page + 1 if end < len(found) else None,
        origins=dict(origins),
    )


def _preview(context: Context, asked: BlockArgument) -> PreviewFacts:
    if asked.address is None or asked.addresses is not None:
        raise Refused(Code.BAD_REQUEST, "address: missing; a preview is of one address")
    target, kind = parse_target(asked.address), kind_of(parse_target(asked.address))
    services, grant = context.services, context.caller.grant
    concerned = [one for one in services.metering.ids if asked.department_id in {None, one} and grant.may_see(one)]
    device = services.metering.devices.neighbour(concerned, target) or _registered(context, concerned, target)
    addresses = [target] if kind in {TargetKind.ADDRESS, TargetKind.PREFIX} else list(device[1] if device else ())
    is_counted = bool(addresses) and kind is not TargetKind.NAME
    return PreviewFacts(
        address=target,
        device=None if device is None else _device_text(context, concerned, *device),
        connections=services.metering.open_connections(list(map(ip_network, addresses)), concerned, context.give_way)
        if is_counted
        else None,
        objection=services.enforcement.objection(target, asked.department_id, context.now, context.caller.address),
        departments=list(services.enforcement.holds_in(asked.department_id)),
    )


def _registered(context: Context, departments: Sequence[str], target: str) -> tuple[str, tuple[str, ...]] | None:
    """The hardware address and addresses of a device that has just come: the neighbour tables are read now and then."""
    known = context.services.devices.known(departments, target)
    return (known.mac, tuple(known.current_addresses)) if known and known.current_addresses else None


def _device_text(context: Context, departments: Sequence[str], mac: str, addresses: Sequence[str]) -> str:
    """A device as people know it: its name, hardware address and addresses."""
    name = visible(context.services.devices.name_of(departments, mac))
    return f"{name}, {mac} ({', '.join(addresses)})" if name else f"{mac} ({', '.join(addresses)})"


def _with_refused(facts: BlockFacts, block: Block, stopped: Mapping[int, int] | None, context: Context) -> BlockFacts:
    """With the packets that the block refused; of all departments, only who may see all of them reads it."""
    if stopped is None or (block.department is None and context.caller.grant.departments is not None):
        return facts
    return replace(facts, refused=stopped.get(block.number, 0))


def _targets(asked: BlockArgument | UnblockArgument, give_way: Pause) -> list[str]:
    """The targets in their canonical form. Raises `Refused`, which names the index of a bad one among many."""
    if asked.addresses is None and asked.address is not None:
        return [parse_target(asked.address)]
    if asked.addresses is None or asked.address is not None:
        raise Refused(Code.BAD_REQUEST, "address: missing; give either address, or addresses for a list of them")
    targets = []
    for index, text in enumerate(asked.addresses):
        if index % PARSED_AT_ONCE == PARSED_AT_ONCE - 1:
            give_way()
        try:
            targets.append(parse_target(text))
        except Refused as refused:
            fault = refused.message.removeprefix("address: ")
            raise Refused(refused.code, f"addresses[{index}]: {fault}") from None
    return targets


def _prefix(text: str | None) -> AddressRange | None:
    if text is None:
        return None
    span = address_range(parse_target(text))
    if span is None:
        raise Refused(Code.BAD_REQUEST, "within: must be a prefix such as 10.1.0.0/16")
    return span


def require_scope(context: Context, department: str | None) -> None:
    """Raise `Refused` where the caller may not change this department, or not all of them (`None`)."""
    if department is not None:
        require_department(context, department)
    elif context.caller.grant.departments is not None:
        raise Refused(Code.FORBIDDEN, "departmentId: give one; for all departments at once a token for all is needed")


def _concerns(block: Block, department: str | None, context: Context) -> bool:
    if block.department is None or department is not None:
        return block.department in (None, department)
    return context.caller.grant.may_see(block.department)


def _shown(block: Block, context: Context, most_resolved: int = MOST_RESOLVED) -> BlockFacts:
    enforcement = context.services.enforcement
    remaining_s = enforcement.remaining_s(block, context.now)
    return BlockFacts(
        address=block.target,
        reason=block.reason,
        actor=block.actor,
        origin=block.origin,
        department_id=block.department,
        started_at=timestamp(block.started_at),
        expires_at=None if block.expires_at is None else timestamp(block.expires_at),
        duration=0 if remaining_s is None else max(1, math.ceil(remaining_s)),  # seconds left; 0: until lifted
        resolved=_resolved(block, context, most_resolved) if block.kind is TargetKind.NAME else UNSET,
        enforced=UNSET if enforcement.is_enforced(block) else False,
    )


def _resolved(block: Block, context: Context, most: int) -> ResolvedName:
    """The addresses and aliases of a blocked name: how many are blocked and spared, and some with the reason.

    A reason names what hosts visit: of all departments, only who may see all of them reads it.
    """
    if block.department is None and context.caller.grant.departments is not None:
        most = 0
    learned, spared = context.services.enforcement.resolved(block)
    spares = {one.learned.address: one.rule.text for one in spared}
    told = sorted(learned, key=lambda one: not one.shared)
    found = [*(one.learned for one in spared), *told][:most]  # those first that people ask about
    return ResolvedName(
        blocked=len(learned),
        spared=len(spared),
        addresses=[
            ResolvedAddress(
                address=one.address,
                why=one.why,
                expires_at=timestamp(datetime.fromtimestamp(one.ends, UTC)),
                spared=spares.get(one.address, UNSET),
                shared=one.shared if one.shared and one.address not in spares else UNSET,
            )
            for one in found
        ],
    )
