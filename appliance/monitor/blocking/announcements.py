"""Announcements: `ip:blocked` and `ip:unblocked` for the departments that a block concerns.

Thousands of blocks that begin or end at once are published in portions, one each step, so that no client drowns: the
server disconnects one that has too much waiting for it. A portion is counted in events, because a block of all
departments is one for each. A person's few blocks go before thousands that wait. Entries of imported lists are not
published: they are no news to people, and a list of 100,000 would fill an hour.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import UNSET

from appliance.core.blocking.block import Block, BlockKey, BlockOrigin
from appliance.core.blocking.block_index import BlockIndex
from appliance.core.moment import Moment, timestamp
from appliance.events import BlockedIp, IpBlocked, IpUnblocked, UnblockedIp
from appliance.ports import Publisher

T = TypeVar("T")

# Events of each kind in one step: 60 kB, and with the longest reasons still less than the 256 kB that may wait for a
# client which takes nothing for that second.
MOST_AT_ONCE = 200
FEW = 10  # blocks of one order that go before all that wait


class BlockAnnouncer:
    """Publishes the begin and the end of each block once."""

    def __init__(self, departments: Sequence[str], publish: Publisher, *, can_enforce: bool) -> None:
        self._departments = tuple(departments)
        self._can_enforce = can_enforce
        self._publish = publish
        self._pending: dict[BlockKey, None] = {}
        self._ended: dict[BlockKey, tuple[Block, str]] = {}

    def expect(self, blocks: Iterable[Block]) -> None:
        """Queue these blocks, to be announced when they are in force."""
        new = {one.key: None for one in blocks if not one.announced and not _is_listed(one)}
        self._pending = _queued(new, self._pending)

    def forget(self, blocks: Iterable[Block]) -> None:
        """Take these blocks out of the queue, because they are lifted."""
        for one in blocks:
            self._pending.pop(one.key, None)

    def announce_begun(
        self,
        index: BlockIndex,
        is_enforced: Callable[[Block], bool],
        now: Moment,
        most_blocks: int = MOST_AT_ONCE,
    ) -> Sequence[Block]:
        """Publish and return a portion of the queued blocks that are in force, or cannot be in this position.

        One whose end is still to be published waits for that, or it would seem free. `most_blocks`: of the portion.
        """
        self._publish_ended(now, most_blocks)
        begun: list[Block] = []
        events = 0
        for key in [*self._pending]:
            block = index.get(key)
            if block is None:
                del self._pending[key]
            elif key not in self._ended and (not self._can_enforce or is_enforced(block)):
                del self._pending[key]
                begun.append(block)
                events += len(self._concerned(block))
            if events >= MOST_AT_ONCE or len(begun) >= most_blocks:
                break
        for block in begun:
            for department in self._concerned(block):
                self._publish(_blocked(block, department, now, enforced=self._can_enforce))
        return begun

    def announce_ended(self, blocks: Collection[Block], reason: str, now: Moment) -> None:
        """Publish that these blocks ended, and why: one portion now, the rest in the next steps."""
        new = {block.key: (block, reason) for block in blocks if not _is_listed(block)}
        self._ended = _queued(new, self._ended)
        self._publish_ended(now, len(new))

    def _publish_ended(self, now: Moment, most_blocks: int) -> None:
        events = 0
        for key in [*self._ended][:most_blocks]:
            block, reason = self._ended.pop(key)
            for department in self._concerned(block):
                ended = UnblockedIp(address=block.target, reason=reason)
                self._publish(IpUnblocked(timestamp=timestamp(now.wall), department_id=department, ip=ended))
                events += 1
            if events >= MOST_AT_ONCE:
                break

    def _concerned(self, block: Block) -> Sequence[str]:
        return self._departments if block.department is None else [block.department]


def _queued(new: Mapping[BlockKey, T], waiting: dict[BlockKey, T]) -> dict[BlockKey, T]:
    """The queue with these, in front if they are few."""
    if len(new) <= FEW and waiting:
        return {**new, **{key: one for key, one in waiting.items() if key not in new}}
    waiting.update(new)
    return waiting


def _is_listed(block: Block) -> bool:
    return block.origin.startswith(f"{BlockOrigin.LIST}:")


def _blocked(block: Block, department: str, now: Moment, *, enforced: bool) -> IpBlocked:
    remaining_s = block.remaining_s(now.wall)
    return IpBlocked(
        timestamp=timestamp(now.wall),
        department_id=department,
        ip=BlockedIp(
            address=block.target,
            reason=block.reason,
            duration=0 if remaining_s is None else max(1, round(remaining_s)),
            enforced=UNSET if enforced else False,
        ),
    )
