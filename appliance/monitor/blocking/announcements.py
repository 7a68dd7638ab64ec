"""The herald: tells whoever may see a department which of its blocks have begun and ended.

Thousands that begin or end at once are told in portions, a step each, so that nobody's dashboard drowns: a client that
has too much waiting for it is disconnected. What an imported list holds is not told entry by entry: it is no news to
anybody, and a list of 100,000 would be nothing else for an hour.
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
    """Tells of blocks, each once."""

    def __init__(self, departments: Sequence[str], publish: Publisher, *, can_enforce: bool) -> None:
        self._departments = tuple(departments)
        self._can_enforce = can_enforce
        self._publish = publish
        self._untold: dict[BlockKey, None] = {}
        self._ended: deque[tuple[Block, str]] = deque()

    def expect(self, blocks: Iterable[Block]) -> None:
        """These are to be told when they hold."""
        self._untold.update((one.key, None) for one in blocks if not one.announced and not _is_listed(one))

    def tell_begin(self, register: BlockIndex, is_enforced: Callable[[Block], bool], now: Moment) -> Sequence[Block]:
        """Tell a portion of what is to be told and holds, if it can hold at all; returns it."""
        self._tell_ended(now)
        told: list[Block] = []
        if self._ended:
            return told  # what has ended comes first, or the same address would seem free that was blocked anew
        for key in [*self._untold]:
            block = register.get(key)
            if block is None:
                del self._untold[key]
            elif len(told) < MOST_AT_ONCE and (not self._can_enforce or is_enforced(block)):
                del self._untold[key]
                told.append(block)
        for block in told:
            for department in self._concerned(block):
                self._publish(_blocked(block, department, now, enforced=self._can_enforce))
        return told

    def tell_end(self, blocks: Iterable[Block], reason: str, now: Moment) -> None:
        """Tell that these hold no more, and why; a portion at once, the others in the next steps."""
        self._ended.extend((block, reason) for block in blocks if not _is_listed(block))
        self._tell_ended(now)

    def _tell_ended(self, now: Moment) -> None:
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
