"""The index of blocks: finds them by key, number and end, and knows the ranges that they claim in the kernel's sets.

A block claims a range in one set; the block of a name claims one for each address that the name was seen to resolve to.
No method here walks all blocks, except for `__iter__`.
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
from appliance.core.blocking.protection import Difference, Protections
from appliance.core.blocking.sets import MOST_NUMBERS, BlockSet, block_set, mark_of
from appliance.core.blocking.shield import Claimed, Shield
from appliance.core.blocking.targets import TargetKind, name_and_scope


class Claim(NamedTuple):
    """A range that must not pass, and its set."""

    block_set: BlockSet
    range: Range


class IndexChange(NamedTuple):
    """Claims that go, claims that come, and the questions to name servers whose denial may have changed."""

    dropped: Sequence[Claim]
    put: Sequence[Claim]
    questions: Collection[Question] = ()

    def then(self, other: "IndexChange") -> "IndexChange":
        """Both changes as one: a claim that this one puts and the other drops is in neither."""
        passing = {*self.put} & {*other.dropped} if other.dropped else set()
        return IndexChange(
            [*self.dropped, *(one for one in other.dropped if one not in passing)],
            [*(one for one in self.put if one not in passing), *other.put],
            {*self.questions, *other.questions},
        )


class BlockIndex:
    """All blocks that are neither lifted nor expired."""

    def __init__(self) -> None:
        self.names = BlockedNames()
        self.shield = Shield()
        self._blocks: dict[Hashable, Block] = {}
        self._by_number: dict[int, BlockKey] = {}
        self._counts: Counter[str | None] = Counter()  # by department
        self._origins: Counter[str] = Counter()
        # A heap by end and order of arrival; with the address for a learned address, with "" for a block.
        self._ends: list[tuple[float, int, BlockKey, str]] = []
        self._arrivals = count()
        self._number = 0

    def __len__(self) -> int:
        """The number of blocks."""
        return len(self._blocks)

    def __contains__(self, key: object) -> bool:
        """Whether there is a block with this key."""
        return key in self._blocks

    def __iter__(self) -> Iterator[Block]:
        """All blocks."""
        return iter(self._blocks.values())

    def __getitem__(self, key: BlockKey) -> Block:
        """The block with this key."""
        return self._blocks[key]

    def get(self, key: Hashable) -> Block | None:
        """The block with this key, or `None`."""
        return self._blocks.get(key)

    def count(self, department: str) -> int:
        """The number of blocks that concern this department."""
        return self._counts[None] + self._counts[department]

    def find(self, target: str, department: str | None, origin: str | None) -> list[Block]:
        """The blocks of this target in this department; `origin`: `None` for every origin."""
        origins = [*self._origins] if origin is None else [origin]
        keys = [(target, department, one) for one in origins]
        return [self._blocks[key] for key in keys if key in self._blocks]

    def numbered(self, number: int) -> Block | None:
        """The block with this number in the kernel."""
        key = self._by_number.get(number)
        return None if key is None else self._blocks[key]

    def next_number(self) -> int:
        """A number that no block has, for a new one."""
        self._number = self._number % (MOST_NUMBERS - 1) + 1
        while self._number in self._by_number:
            self._number = self._number % (MOST_NUMBERS - 1) + 1
        return self._number

    def apply(self, put: Sequence[Block], taken: Sequence[Block]) -> IndexChange:
        """Put some blocks, in place of those with the same keys, and take others away."""
        named = [one for one in (*taken, *put) if one.kind is TargetKind.NAME]
        questions = {Question(name_and_scope(one.target)[0], one.department) for one in named}
        for one in named:
            questions |= {known.question for known in self.names.learned(one.key).values() if known.is_alias}
        dropped = [claim for one in taken for claim in self._take(one)]
        dropped += [claim for one in put if one.key in self._blocks for claim in self._take(self._blocks[one.key])]
        names = {one.key for one in named}
        return IndexChange(dropped, [claim for one in put for claim in self._put(one, names)], questions)

    def update(self, block: Block) -> None:
        """Replace a block by one with the same key and the same claims."""
        self._blocks[block.key] = block

    def learn(self, learned: Iterable[LearnedAddress]) -> IndexChange:
        """Add addresses and aliases of names, if the blocks of the names still exist."""
        dropped: list[Claim] = []
        put: list[Claim] = []
        questions: set[Question] = set()
        for one in learned:
            if one.block in self._blocks:
                before = self.names.remember(one)
                heapq.heappush(self._ends, (one.ends, next(self._arrivals), one.block, one.address))
                if one.is_alias:
                    questions.add(one.question)
                    continue
                dropped += self._dropped(before) if before else []
                put += _claims(self._blocks[one.block], one.ends, self.shield.cut(one.block, one.address))
        return IndexChange(dropped, put, questions)

    def forget(self, learned: Iterable[LearnedAddress]) -> IndexChange:
        """Remove addresses that names do not resolve to any more, and aliases that do not lead to them."""
        forgotten = list(learned)
        dropped: list[Claim] = []
        for one in forgotten:
            dropped += [] if one.is_alias else self._dropped(one)
            self.names.forget(one)
        return IndexChange(dropped, [], {one.question for one in forgotten if one.is_alias})

    def protect(self, protections: Protections) -> IndexChange:
        """Take what is protected now out of all claims, and put what is no longer protected back into them."""
        before, self.shield.protections = self.shield.protections, protections
        self.names.own = protections.names
        questions: set[Question] = set()
        if before.names != protections.names:
            questions = self.names.questions()
        return self._cut_again(self._touched(protections.differences(before)))._replace(questions=questions)

    def settle(self, departments: Iterable[str | None]) -> IndexChange:
        """Withhold the widest prefixes where prefixes fill a space together."""
        keys = self.shield.withhold(departments)
        return self._cut_again([(self._blocks[key], key[0], self._blocks[key].ends_s) for key in keys])

    def _cut_again(self, claimed: Iterable[tuple[Block, str, float]]) -> IndexChange:
        dropped: list[Claim] = []
        put: list[Claim] = []
        for block, target, ends in [one for one in claimed if self.shield.is_stale(one[0].key, one[1])]:
            dropped += _claims(block, ends, self.shield.drop(block.key, target))
            put += _claims(block, ends, self.shield.cut(block.key, target))
        return IndexChange(dropped, put)

    def _touched(self, changed: Difference) -> Iterator[tuple[Block, str, float]]:
        """The claims that a change of what is protected may touch, each with its end."""
        if changed.is_wide:
            blocks: Iterable[Block] = [one for one in self._blocks.values() if one.kind is not TargetKind.NAME]
        else:
            single = [
                one for target in changed.targets for where in self._counts for one in self.find(target, where, None)
            ]
            blocks = [*single, *(self._blocks[key] for key in self.shield.prefixes_around(changed.spans))]
        if changed.is_wide or changed.targets:
            yield from ((one, one.target, one.ends_s) for one in blocks)
            for one in self.names.all_learned():
                if not one.is_alias:
                    yield self._blocks[one.block], one.address, one.ends

    def take_expired(self, at_s: float) -> tuple[list[Block], list[LearnedAddress]]:
        """Blocks and learned addresses that have expired; each is returned once."""
        blocks, learned = [], []
        while self._ends and self._ends[0][0] <= at_s:
            ends, _, key, address = heapq.heappop(self._ends)
            known: Mapping[str, LearnedAddress] = self.names.learned(key)
            if address and address in known and known[address].ends == ends:
                learned.append(known[address])
            elif not address and key in self._blocks and self._blocks[key].ends_s == ends:
                blocks.append(self._blocks[key])
        return blocks, learned

    def _put(self, block: Block, names: Collection[BlockKey]) -> list[Claim]:
        """Put a block; `names`: the keys of those that block names. Each property is asked for once: 100,000 do so."""
        key, ends_s = block.key, block.ends_s
        self._blocks[key] = block
        self._by_number[block.number] = key
        self._number = max(self._number, block.number)
        self._counts[block.department] += 1
        self._origins[block.origin] += 1
        if block.expires_at is not None:
            heapq.heappush(self._ends, (ends_s, next(self._arrivals), key, ""))
        if key in names:
            self.names.put(block)
            return []
        return _claims(block, ends_s, self.shield.cut(key, block.target))

    def _take(self, block: Block) -> Iterator[Claim]:
        known = self._blocks.pop(block.key)
        self._by_number.pop(known.number, None)
        self._counts[known.department] -= 1
        self._origins[known.origin] -= 1
        self._origins += Counter()  # drops origins without blocks
        if known.kind is TargetKind.NAME:
            for one in self.names.take(known).values():
                if not one.is_alias:
                    yield from _claims(known, one.ends, self.shield.drop(known.key, one.address))
        else:
            yield from _claims(known, known.ends_s, self.shield.drop(known.key, known.target))

    def _dropped(self, one: LearnedAddress) -> list[Claim]:
        return _claims(self._blocks[one.block], one.ends, self.shield.drop(one.block, one.address))


def _claims(block: Block, ends: float, claimed: Claimed) -> list[Claim]:
    """The claims of a block in the ranges of a set."""
    family, pieces = claimed
    where, mark, key = block_set(family, block.department), mark_of(block.origin, block.number), block.key
    return [Claim(where, Range(first, last, ends, mark, key)) for first, last in pieces]
