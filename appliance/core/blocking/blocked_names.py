"""Blocked names: which DNS answers give their addresses, and for how long those are blocked.

A block covers the name, all names below it, or both (`targets.Scope`). The kernel refuses its look-ups. Hosts may know
the addresses all the same, so these are blocked too. They are learned from the answers that pass, because hosts connect
to just those, and another name server might answer otherwise. So answers from before a name was blocked are kept for a
while.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import reduce
from operator import or_

from appliance.core.blocking.block import Block, BlockKey
from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.protection import Protections
from appliance.core.blocking.sets import mark_of
from appliance.core.blocking.targets import covers_name, name_and_scope
from appliance.core.traffic.dns import DnsAnswer

# An answer's own lifetime is bounded: programs go on for some minutes with an answer that has none, and an address may
# belong to another name a day later.
SHORTEST_HOLD_S = 600
LONGEST_HOLD_S = 86_400
MOST_LEARNED = 20_000  # addresses of all names; a few hundred names of large services have as many

# Bounds of the answers that are kept: some hours of a department of a hundred people take 3 MB, at the worst 14.
MOST_NAMES = 4096  # pairs of department and name
MOST_ADDRESSES = 16  # of one name


@dataclass(frozen=True, slots=True)
class LearnedAddress:
    """An address that a blocked name resolves to. `ends`: end of its block, in seconds since the epoch."""

    block: BlockKey
    address: str
    ends: float


class BlockedNames:
    """The blocked names, and the addresses that they were seen to resolve to."""

    def __init__(self) -> None:
        self._blocks: dict[str, dict[BlockKey, Block]] = {}
        self._learned: dict[BlockKey, dict[str, LearnedAddress]] = {}
        self._count = 0
        self.own: tuple[str, ...] = ()  # the appliance's names, which no block covers
        self.spared: dict[str, str] = {}  # by name: a sentence about its latest address that a rule protects

    def put(self, block: Block) -> None:
        """Add the block of a name."""
        self._blocks.setdefault(name_and_scope(block.target)[0], {})[block.key] = block

    def are_blocked(self, name: str) -> bool:
        """Whether this name, or one above it, is blocked in any department."""
        return any(True for _ in self._blocks_of(name))

    def denial(self, question: Question) -> Denial | None:
        """The denial of this question, by its longest-lived block; `None`: it has no block.

        Where blocks cover different parts of it, their scopes are joined; at the end of one, this is asked again.
        """
        named = self._blocks.get(question.name, {}).values()
        blocks = [one for one in named if one.department == question.department and not self._is_own(one)]
        longest = max(blocks, key=lambda one: one.ends_s, default=None)
        if longest is None:
            return None
        scope = reduce(or_, (name_and_scope(one.target)[1] for one in blocks))
        return Denial(question, longest.ends_s, mark_of(longest.origin, longest.number), scope)

    def denials(self) -> list[Denial]:
        """The denials of all blocked names."""
        return [denial for question in self.questions() if (denial := self.denial(question)) is not None]

    def questions(self) -> set[Question]:
        """The questions of all blocks of names."""
        return {Question(name, one.department) for name, blocks in self._blocks.items() for one in blocks.values()}

    def all_learned(self) -> list[LearnedAddress]:
        """What was learned for all blocks."""
        return [one for known in self._learned.values() for one in known.values()]

    def _is_own(self, block: Block) -> bool:
        return any(covers_name(block.target, name) for name in self.own)

    def take(self, block: Block) -> Mapping[str, LearnedAddress]:
        """Remove the block of a name; returns what was learned for it, by address."""
        name, _ = name_and_scope(block.target)
        blocks = self._blocks.get(name, {})
        blocks.pop(block.key, None)
        if not blocks:
            self._blocks.pop(name, None)
            self.spared.pop(name, None)
        learned = self._learned.pop(block.key, {})
        self._count -= len(learned)
        return learned

    def learned(self, block: BlockKey) -> Mapping[str, LearnedAddress]:
        """What was learned for this block, by address."""
        return self._learned.get(block, {})

    def remember(self, one: LearnedAddress) -> LearnedAddress | None:
        """Add or replace a learned address; returns the former one of the same block and address."""
        known = self._learned.setdefault(one.block, {})
        before = known.get(one.address)
        self._count += before is None
        known[one.address] = one
        return before

    def forget(self, one: LearnedAddress) -> None:
        """Remove a learned address."""
        known = self._learned.get(one.block, {})
        if known.pop(one.address, None) is not None:
            self._count -= 1

    def addresses_to_block(
        self, answer: DnsAnswer, department: str, protections: Protections, at_s: float
    ) -> Iterator[LearnedAddress]:
        """Addresses to block because this DNS answer, to a host of this department, gave them for a blocked name.

        A known address is returned again when more than half of its time is over. A protected one is not, but is put
        into `spared`.
        """
        hold_s = min(max(answer.ttl_s, SHORTEST_HOLD_S), LONGEST_HOLD_S)
        for block in self._blocks_of(answer.name):
            if block.department not in {None, department}:
                continue
            for address in answer.addresses:
                rule = protections.rule_for(address)
                if rule is not None:
                    spared = f"the blocked {answer.name} resolves to {address}, which is not blocked: {rule}"
                    self.spared[name_and_scope(block.target)[0]] = spared
                    continue
                ends = min(at_s + hold_s, block.ends_s)
                known = self.learned(block.key).get(address)
                if (known.ends < at_s + (ends - at_s) / 2) if known else self._count < MOST_LEARNED:
                    yield LearnedAddress(block.key, address, ends)

    def _blocks_of(self, name: str) -> Iterator[Block]:
        for one in _with_parents(name):
            yield from (block for block in self._blocks.get(one, {}).values() if covers_name(block.target, name))


class AnswerCache:
    """Recent DNS answers to hosts, for blocked and other names."""

    def __init__(self) -> None:
        # By department and name: addresses, the time of the answer, and the end of its lifetime.
        self._answers: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}

    def note(self, department: str, answer: DnsAnswer, at_s: float) -> None:
        """Add an answer to a host of the department."""
        if not answer.addresses:
            return
        known = self._answers.pop((department, answer.name), {})
        for address in answer.addresses:
            known.pop(address, None)
            known[address] = at_s, at_s + answer.ttl_s
        while len(known) > MOST_ADDRESSES:
            del known[next(iter(known))]
        self._answers[department, answer.name] = known
        if len(self._answers) > MOST_NAMES:
            del self._answers[next(iter(self._answers))]

    def find(self, names: Set[str], at_s: float) -> Iterator[tuple[str, DnsAnswer]]:
        """By department, the last day's answers that these names, as of targets, cover; `ttl_s`: what is left of it."""
        by_name: dict[str, list[str]] = {}
        for target in names:
            by_name.setdefault(name_and_scope(target)[0], []).append(target)
        for (department, name), known in self._answers.items():
            if any(covers_name(target, name) for one in _with_parents(name) for target in by_name.get(one, ())):
                for address, (answered_s, kept_until_s) in known.items():
                    if at_s - answered_s < LONGEST_HOLD_S:
                        yield department, DnsAnswer("", name, (address,), max(0, int(kept_until_s - at_s)))


def _with_parents(name: str) -> Iterator[str]:
    """The name, and each name above it."""
    while name:
        yield name
        name = name.partition(".")[2]
