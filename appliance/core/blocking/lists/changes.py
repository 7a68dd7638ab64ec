"""Imported lists: what has to change for the blocks to be what a list says.

A list's blocks are its own, told from all others by their origin: what somebody blocked by hand stays when it leaves
the list, and the other way round.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.blocking.lists.parser import ORIGIN, BlockList


@dataclass(frozen=True, slots=True)
class ListChanges:
    """What is to be lifted first, and what is to be blocked then."""

    lifted: tuple[Block, ...]
    requests: tuple[BlockRequest, ...]


def list_changes(known: BlockList, targets: Sequence[str], blocks: Iterable[Block], wall: datetime) -> ListChanges:
    """What makes this list's blocks those of its targets. `blocks`: all that there are."""
    own = [block for block in blocks if block.origin == known.origin]
    wanted = frozenset(targets)
    lifted = [block for block in own if _is_wrong(block, known, wanted)]
    in_force = {
        block.target for block in own if not _is_wrong(block, known, wanted) and not _is_due(block, known, wall)
    }
    requests = [_request(known, target) for target in targets if target not in in_force]
    return ListChanges(tuple(lifted), tuple(requests))


def orphans(lists: Collection[BlockList], blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks of lists that are not configured any more."""
    origins = {one.origin for one in lists}
    return tuple(block for block in blocks if block.origin.startswith(ORIGIN) and block.origin not in origins)


def _is_wrong(block: Block, known: BlockList, wanted: Collection[str]) -> bool:
    # What has left a list with a duration runs out by itself.
    is_gone = block.target not in wanted and not (known.duration_s and block.expires_at)
    return is_gone or block.department != known.department


def _is_due(block: Block, known: BlockList, wall: datetime) -> bool:
    """Whether the block has to be made anew: else it may run out before the look after the next one."""
    remaining_s = block.remaining_s(wall)
    if remaining_s is None or not known.duration_s:
        return (remaining_s is None) != (not known.duration_s)
    return remaining_s < max(known.duration_s / 2, 2 * known.refresh_s)


def _request(known: BlockList, target: str) -> BlockRequest:
    reason = f"on the list {known.name}"
    return BlockRequest(target, reason, known.duration_s, known.department, known.origin, known.origin)
