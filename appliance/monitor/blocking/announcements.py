"""Announcements: `ip:blocked` and `ip:unblocked` for the departments that a block concerns.

Thousands of blocks that begin or end at once are published in portions, one each step, so that no dashboard drowns: the
server disconnects a client that has too much waiting for it. Entries of imported lists are not published: they are no
news to people, and a list of 100,000 would fill an hour.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from msgspec import UNSET

from appliance.core.blocking.block import Block, BlockKey, BlockOrigin
from appliance.core.blocking.block_index import BlockIndex
from appliance.core.moment import Moment, timestamp
from appliance.events import BlockedIp, IpBlocked, IpUnblocked, UnblockedIp
from appliance.ports import Publisher

MOST_AT_ONCE = 200  # in one step; a second's worth for a page that shows each


class BlockAnnouncer:
    """Publishes the begin and the end of each block once."""

    def __init__(self, departments: Sequence[str], publish: Publisher, *, can_enforce: bool) -> None:
        self._departments = tuple(departments)
        self._can_enforce = can_enforce
        self._publish = publish
        self._pending: dict[BlockKey, None] = {}
        self._ended: deque[tuple[Block, str]] = deque()

    def expect(self, blocks: Iterable[Block]) -> None:
        """Queue these blocks, to be announced when they are in force."""
        self._pending.update((one.key, None) for one in blocks if not one.announced and not _is_listed(one))

    def forget(self, blocks: Iterable[Block]) -> None:
        """Take these blocks out of the queue, because they are lifted."""
        for one in blocks:
            self._pending.pop(one.key, None)

    def announce_begun(self, index: BlockIndex, is_enforced: Callable[[Block], bool], now: Moment) -> Sequence[Block]:
        """Publish and return a portion of the queued blocks that are in force, or cannot be in this position."""
        self._publish_ended(now)
        begun: list[Block] = []
        if self._ended:
            return begun  # ends go first, or an address that was blocked again would seem free
        for key in [*self._pending]:
            block = index.get(key)
            if block is None:
                del self._pending[key]
            elif len(begun) < MOST_AT_ONCE and (not self._can_enforce or is_enforced(block)):
                del self._pending[key]
                begun.append(block)
        for block in begun:
            for department in self._concerned(block):
                self._publish(_blocked(block, department, now, enforced=self._can_enforce))
        return begun

    def announce_ended(self, blocks: Iterable[Block], reason: str, now: Moment) -> None:
        """Publish that these blocks ended, and why: one portion now, the rest in the next steps."""
        self._ended.extend((block, reason) for block in blocks if not _is_listed(block))
        self._publish_ended(now)

    def _publish_ended(self, now: Moment) -> None:
        for _ in range(min(len(self._ended), MOST_AT_ONCE)):
            block, reason = self._ended.popleft()
            for department in self._concerned(block):
                ended = UnblockedIp(address=block.target, reason=reason)
                self._publish(IpUnblocked(timestamp=timestamp(now.wall), department_id=department, ip=ended))

    def _concerned(self, block: Block) -> Sequence[str]:
        return self._departments if block.department is None else [block.department]


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
