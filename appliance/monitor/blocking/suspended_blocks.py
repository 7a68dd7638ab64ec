"""Suspended blocks: they are saved and not in force, because a schedule allows their target for a while.

A block that is made during the allowance holds: who orders it then, a person or detection, wants it now. So does an
entry of a list, which is taken in again with each look at the list; an exception belongs into the list.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from appliance.core.blocking.block import Block, BlockKey, BlockOrigin
from appliance.core.blocking.block_index import BlockIndex
from appliance.core.blocking.lists.block_list import ORIGIN

Allowed = Mapping[tuple[str, str | None], datetime]  # since when, by target and department


class SuspendedBlocks:
    """Keeps the blocks that an allowance has taken out of the index."""

    def __init__(self, index: BlockIndex) -> None:
        self._index = index
        self._blocks: dict[BlockKey, Block] = {}

    def suspend(self, allowed: Allowed) -> Sequence[Block]:
        """Keep, and return, what is in the index and was blocked before its allowance began."""
        found = (
            one
            for (target, department), since in allowed.items()
            for one in self._index.find(target, department, None)
            if one.started_at < since and one.origin != BlockOrigin.SCHEDULE and not one.origin.startswith(ORIGIN)
        )
        passing = {one.key: one for one in found}
        self._blocks |= passing
        return list(passing.values())

    def take_back(self, allowed: Allowed, wall: datetime) -> tuple[Sequence[Block], Sequence[Block]]:
        """Give back what is no longer allowed, and apart from it what has ended meanwhile."""
        ended = [one for one in self._blocks.values() if not one.is_live(wall)]
        over = [one for one in self._blocks.values() if one.key[:2] not in allowed and one.is_live(wall)]
        self.forget([*ended, *over])
        return over, ended

    def forget(self, blocks: Iterable[Block]) -> None:
        """Drop blocks that are lifted, or blocked again."""
        for one in blocks:
            self._blocks.pop(one.key, None)

    def find(self, target: str, department: str | None, origin: str | None) -> list[Block]:
        """The suspended blocks of this target in this department; `origin`: `None` for every origin."""
        key = (target, department)
        return [one for one in self._blocks.values() if one.key[:2] == key and origin in {None, one.origin}]
