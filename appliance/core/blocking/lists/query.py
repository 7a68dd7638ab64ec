"""Filters blocks by the conditions of a query."""

from datetime import datetime

from msgspec import Struct

from appliance.core.blocking.block import Block
from appliance.core.blocking.lists.address_ranges import AddressRange, address_range, is_inside


class BlockQuery(Struct, frozen=True):
    """The conditions on a block, of which all must be true; `None`: no condition.

    `origin`: as of a block. `contains`: a part of the target or of the reason, in any case. `within`: contains all of
    the target. `expiring_s`: the block ends within these seconds.
    """

    origin: str | None = None
    contains: str | None = None
    within: AddressRange | None = None
    expiring_s: int | None = None


def matches(block: Block, query: BlockQuery, wall: datetime) -> bool:
    """Whether all conditions of the query are true for this block."""
    return (
        query.origin in (None, block.origin)
        and (query.contains is None or _contains(block, query.contains.casefold()))
        and (query.within is None or _is_within(block, query.within))
        and (query.expiring_s is None or _is_expiring(block, query.expiring_s, wall))
    )


def _contains(block: Block, part: str) -> bool:
    return part in block.target or part in block.reason.casefold()


def _is_within(block: Block, within: AddressRange) -> bool:
    own = address_range(block.target)
    return own is not None and is_inside(own, within)


def _is_expiring(block: Block, within_s: int, wall: datetime) -> bool:
    remaining_s = block.remaining_s(wall)
    return remaining_s is not None and remaining_s <= within_s
