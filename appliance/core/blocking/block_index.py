"""The register of blocks: which there are, what they claim of the kernel, and which have come to their end.

A block claims a range in one of the kernel's sets; a name's claims a range for each address that it was seen to resolve
to. Nothing here walks all blocks but what says so.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from appliance.core.blocking.block import Block, BlockKey
from appliance.core.blocking.blocked_names import BlockedNames, LearnedAddress
from appliance.core.blocking.cover import Range
from appliance.core.blocking.denials import Question
from appliance.core.blocking.sets import MOST_NUMBERS, BlockSet, block_set, mark_of, set_and_range
from appliance.core.blocking.targets import TargetKind


class Claim(NamedTuple):
    """A range that must not pass, and in which set it stands."""

    block_set: BlockSet
    range: Range


class IndexChange(NamedTuple):
    """Claims that go and claims that come, and the questions that may be answered otherwise from now on."""

    dropped: Sequence[Claim]
    put: Sequence[Claim]
    questions: Collection[Question] = ()


class BlockIndex:
    """All blocks that were not lifted and have not run out."""

    def __init__(self) -> None:
        self.names = BlockedNames()
        self._blocks: dict[Hashable, Block] = {}
        self._by_number: dict[int, BlockKey] = {}
        self._counts: Counter[str | None] = Counter()  # by department
        self._origins: Counter[str] = Counter()
        # A heap, by end and order of arrival; of a learned address with it, of a block without.
        self._ends: list[tuple[float, int, BlockKey, str]] = []
        self._arrivals = count()
        self._number = 0

    def __len__(self) -> int:
        """How many blocks there are."""
        return len(self._blocks)

    def __contains__(self, key: object) -> bool:
        """Whether this block is here."""
        return key in self._blocks

    def __iter__(self) -> Iterator[Block]:
        """All of them."""
        return iter(self._blocks.values())

    def __getitem__(self, key: BlockKey) -> Block:
        """The block as it stands."""
        return self._blocks[key]

    def get(self, key: Hashable) -> Block | None:
        """The block as it stands, or `None`."""
        return self._blocks.get(key)

    def count(self, department: str) -> int:
        """How many concern this department."""
        return self._counts[None] + self._counts[department]

    def find(self, target: str, department: str | None, origin: str | None) -> list[Block]:
        """The blocks of this target there; `origin`: `None` for those of every one."""
        origins = [*self._origins] if origin is None else [origin]
        keys = [(target, department, one) for one in origins]
        return [self._blocks[key] for key in keys if key in self._blocks]

    def numbered(self, number: int) -> Block | None:
        """The block that the kernel knows by this number."""
        key = self._by_number.get(number)
        return None if key is None else self._blocks[key]

    def next_number(self) -> int:
        """A number that no block has."""
        self._number = self._number % (MOST_NUMBERS - 1) + 1
        while self._number in self._by_number:
            self._number = self._number % (MOST_NUMBERS - 1) + 1
        return self._number

    def apply(self, put: Sequence[Block], taken: Sequence[Block]) -> IndexChange:
        """Put some blocks, in place of those with their keys, and take others away."""
        questions = {Question(one.target, one.department) for one in (*taken, *put) if one.kind is TargetKind.NAME}
        dropped = [claim for one in taken for claim in self._take(one)]
        dropped += [claim for one in put if one.key in self._blocks for claim in self._take(self._blocks[one.key])]
        return IndexChange(dropped, [claim for one in put for claim in self._put(one)], questions)

    def update(self, block: Block) -> None:
        """The same block, of which something is known that changes no claim."""
        self._blocks[block.key] = block

    def learn(self, learned: Iterable[LearnedAddress]) -> IndexChange:
        """Note what names resolve to; of blocks that are gone, nothing."""
        dropped, put = [], []
        for one in learned:
            if one.block in self._blocks:
                before = self.names.remember(one)
                dropped += [self._address_claim(before)] if before else []
                put.append(self._address_claim(one))
                heapq.heappush(self._ends, (one.ends, next(self._arrivals), one.block, one.address))
        return IndexChange(dropped, put)

    def forget(self, learned: Iterable[LearnedAddress]) -> IndexChange:
        """Names do not resolve to these any more."""
        dropped = []
        for one in learned:
            dropped.append(self._address_claim(one))
            self.names.forget(one)
        return IndexChange(dropped, [])

    def take_expired(self, at_s: float) -> tuple[list[Block], list[LearnedAddress]]:
        """The blocks and the learned addresses that have come to their end; each is told once."""
        blocks, learned = [], []
        while self._ends and self._ends[0][0] <= at_s:
            ends, _, key, address = heapq.heappop(self._ends)
            known: Mapping[str, LearnedAddress] = self.names.learned(key)
            if address and address in known and known[address].ends == ends:
                learned.append(known[address])
            elif not address and key in self._blocks and self._blocks[key].ends_s == ends:
                blocks.append(self._blocks[key])
        return blocks, learned

    def _put(self, block: Block) -> Iterator[Claim]:
        self._blocks[block.key] = block
        self._by_number[block.number] = block.key
        self._number = max(self._number, block.number)
        self._counts[block.department] += 1
        self._origins[block.origin] += 1
        if block.expires_at is not None:
            heapq.heappush(self._ends, (block.ends_s, next(self._arrivals), block.key, ""))
        if block.kind is TargetKind.NAME:
            self.names.put(block)
        else:
            yield _claim(block, block.target, block.ends_s)

    def _take(self, block: Block) -> Iterator[Claim]:
        known = self._blocks.pop(block.key)
        self._by_number.pop(known.number, None)
        self._counts[known.department] -= 1
        self._origins[known.origin] -= 1
        self._origins += Counter()  # without what nobody has
        if known.kind is TargetKind.NAME:
            yield from [_claim(known, one.address, one.ends) for one in self.names.take(known).values()]
        else:
            yield _claim(known, known.target, known.ends_s)

    def _address_claim(self, one: LearnedAddress) -> Claim:
        return _claim(self._blocks[one.block], one.address, one.ends)


def _claim(block: Block, target: str, ends: float) -> Claim:
    family, first, last = set_and_range(target)
    return Claim(
        block_set(family, block.department), Range(first, last, ends, mark_of(block.origin, block.number), block.key)
    )
