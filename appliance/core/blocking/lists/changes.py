"""Compares an imported list with its blocks: which to lift, and which to add.

A list changes only its own blocks, which it knows by their origin: a target that is also blocked by hand stays blocked
when it leaves the list, and the other way round.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.blocking.lists.block_list import ORIGIN, BlockList


class ListChanges(Struct, frozen=True):
    """Blocks to lift first, and requests to block after that."""

    lifted: tuple[Block, ...]
    requests: tuple[BlockRequest, ...]


def compare_list(known: BlockList, targets: Sequence[str], blocks: Iterable[Block], wall: datetime) -> ListChanges:
    """The changes that make this list's blocks equal to its targets. `blocks`: of all origins."""
    own = [block for block in blocks if block.origin == known.origin]
    wanted = frozenset(targets)
    lifted = {block.key: block for block in own if _is_wrong(block, known, wanted)}
    in_force = {block.target for block in own if block.key not in lifted and not _is_due(block, known, wall)}
    requests = [_request(known, target) for target in targets if target not in in_force]
    return ListChanges(tuple(lifted.values()), tuple(requests))


def find_orphans(lists: Collection[BlockList], blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks of lists that are no longer configured."""
    origins = {one.origin for one in lists}
    return tuple(block for block in blocks if block.origin.startswith(ORIGIN) and block.origin not in origins)


def _is_wrong(block: Block, known: BlockList, wanted: Collection[str]) -> bool:
    # An entry that left a list with a duration expires by itself.
    is_gone = block.target not in wanted and not (known.duration_s and block.expires_at)
    return is_gone or block.department != known.department


def _is_due(block: Block, known: BlockList, wall: datetime) -> bool:
    """Whether the block has to be renewed, because it may expire before the reading after the next."""
    remaining_s = block.remaining_s(wall)
    if remaining_s is None or not known.duration_s:
        return (remaining_s is None) != (not known.duration_s)
    return remaining_s < max(known.duration_s / 2, 2 * known.refresh_s)


def _request(known: BlockList, target: str) -> BlockRequest:
    reason = f"on the list {known.name}"
    return BlockRequest(target, reason, known.duration_s, known.department, known.origin, known.origin)
