"""Blocked names: which answers of name servers concern them, and for how long their addresses are blocked.

A blocked name stands for itself and all below it. Its look-ups are refused. What it resolves to, which a host may know
all the same, is learned from the answers that pass, because that is what the department's hosts will connect to; no
other name server would answer them the same. So those that passed before a name was blocked are remembered for a while.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from appliance.core.blocking.block import Block, BlockKey
from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.protection import Protections
from appliance.core.blocking.sets import mark_of
from appliance.core.traffic.dns import DnsAnswer

# An answer's own time is bounded: programs go on for some minutes with what they were told for none, and an address
# that was a name's a day ago may be another's today.
SHORTEST_HOLD_S = 600
LONGEST_HOLD_S = 86_400
MOST_LEARNED = 20_000  # addresses of all names; a few hundred names of large services have as many

# What is remembered of all answers: some hours of a department of a hundred people, in 3 MB, and at the worst in 14.
MOST_TOLD = 4096  # names, for each department that was told them
MOST_TOLD_OF_ONE = 16  # addresses


@dataclass(frozen=True, slots=True)
class LearnedAddress:
    """An address that a blocked name resolves to. `ends`: until when it is blocked for that, in seconds."""

    block: BlockKey
    address: str
    ends: float


@dataclass(frozen=True, slots=True)
class SparedAddress:
    """An address that a blocked name resolves to, and the rule by which it is not blocked."""

    name: str
    address: str
    rule: str

    @property
    def text(self) -> str:
        """For a person."""
        return f"the blocked {self.name} resolves to {self.address}, which is not blocked: {self.rule}"


class BlockedNames:
    """The blocked names and what they were seen to resolve to."""

    def __init__(self) -> None:
        self._blocks: dict[str, dict[BlockKey, Block]] = {}
        self._learned: dict[BlockKey, dict[str, LearnedAddress]] = {}
        self._count = 0
        self.spared: dict[str, SparedAddress] = {}  # by name: the latest

    def put(self, block: Block) -> None:
        """From now on, this name is blocked."""
        self._blocks.setdefault(block.target, {})[block.key] = block

    def are_blocked(self, name: str) -> bool:
        """Whether this name is blocked anywhere, or one that it is below."""
        return any(True for _ in self._blocks_of(name))

    def denial(self, question: Question) -> Denial | None:
        """How long this is to be refused, by the block of it that lives longest; `None`: it is not."""
        blocks = [one for one in self._blocks.get(question.name, {}).values() if one.department == question.department]
        longest = max(blocks, key=lambda one: one.ends_s, default=None)
        return None if longest is None else Denial(question, longest.ends_s, mark_of(longest.origin, longest.number))

    def denials(self) -> list[Denial]:
        """All that is to be refused."""
        questions = {Question(name, one.department) for name, blocks in self._blocks.items() for one in blocks.values()}
        return [denial for question in questions if (denial := self.denial(question)) is not None]

    def take(self, block: Block) -> Mapping[str, LearnedAddress]:
        """From now on, this block is gone; returns what was learned for it, by address."""
        blocks = self._blocks.get(block.target, {})
        blocks.pop(block.key, None)
        if not blocks:
            self._blocks.pop(block.target, None)
            self.spared.pop(block.target, None)
        learned = self._learned.pop(block.key, {})
        self._count -= len(learned)
        return learned

    def learned(self, block: BlockKey) -> Mapping[str, LearnedAddress]:
        """By address, what was learned for this block."""
        return self._learned.get(block, {})

    def remember(self, one: LearnedAddress) -> LearnedAddress | None:
        """Note an address; returns what was known of it before."""
        known = self._learned.setdefault(one.block, {})
        before = known.get(one.address)
        self._count += before is None
        known[one.address] = one
        return before

    def forget(self, one: LearnedAddress) -> None:
        """The address is no longer blocked for its name."""
        known = self._learned.get(one.block, {})
        if known.pop(one.address, None) is not None:
            self._count -= 1

    def addresses_to_block(
        self, answer: DnsAnswer, department: str, protections: Protections, at_s: float
    ) -> Iterator[LearnedAddress]:
        """What is to be learned from an answer that a host of this department was given.

        An address whose time is more than half over is learned again; what is protected is spared, and told.
        """
        hold_s = min(max(answer.ttl_s, SHORTEST_HOLD_S), LONGEST_HOLD_S)
        for block in self._blocks_of(answer.name):
            if block.department not in {None, department}:
                continue
            for address in answer.addresses:
                rule = protections.rule_for(address)
                if rule is not None:
                    self.spared[block.target] = SparedAddress(answer.name, address, rule)
                    continue
                ends = at_s + hold_s
                if block.expires_at is not None:
                    ends = min(ends, block.expires_at.timestamp())
                known = self.learned(block.key).get(address)
                if (known.ends < at_s + (ends - at_s) / 2) if known else self._count < MOST_LEARNED:
                    yield LearnedAddress(block.key, address, ends)

    def _blocks_of(self, name: str) -> Iterator[Block]:
        for one in _from(name):
            yield from self._blocks.get(one, {}).values()


class AnswerCache:
    """What hosts were told lately that names resolve to, blocked or not."""

    def __init__(self) -> None:
        # By department and name: addresses, when they were told, and until when that may be kept.
        self._told: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}

    def note(self, department: str, answer: DnsAnswer, at_s: float) -> None:
        """A host of the department was told this."""
        if not answer.addresses:
            return
        known = self._told.pop((department, answer.name), {})
        for address in answer.addresses:
            known.pop(address, None)
            known[address] = at_s, at_s + answer.ttl_s
        while len(known) > MOST_TOLD_OF_ONE:
            del known[next(iter(known))]
        self._told[department, answer.name] = known
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]

    def find(self, names: Set[str], at_s: float) -> Iterator[tuple[str, DnsAnswer]]:
        """Who was told what of these names and those below them in the last day, and how long he may still keep it."""
        for (department, name), known in self._told.items():
            if any(one in names for one in _from(name)):
                for address, (told_s, kept_until_s) in known.items():
                    if at_s - told_s < LONGEST_HOLD_S:
                        yield department, DnsAnswer("", name, (address,), max(0, int(kept_until_s - at_s)))


def _from(name: str) -> Iterator[str]:
    """The name, and each that it is below."""
    while name:
        yield name
        name = name.partition(".")[2]
