"""Blocked names: which DNS answers give their addresses, which of these are blocked, and for how long.

A block covers the name, all names below it, or both (`targets.Scope`). The kernel refuses its look-ups. Hosts may know
the addresses all the same, so these are blocked too. They are learned from the answers that pass, because hosts connect
to just those, and another name server might answer otherwise. So answers from before a name was blocked are kept for a
while. An answer for another name gives addresses of a blocked one where it leads to it by an alias (CNAME).

The look-ups of such an alias are refused too. Not each address is blocked, because anyone may point a name anywhere:
`AddressRules` spares some.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import reduce
from ipaddress import ip_address
from itertools import chain
from operator import or_

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.blocking.answer_cache import AnswerCache, with_parents
from appliance.core.blocking.block import Block, BlockKey
from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.protection import Protections
from appliance.core.blocking.sets import mark_of
from appliance.core.blocking.targets import Network, Scope, TargetKind, covers_name, kind_of, name_and_scope
from appliance.core.traffic.dns import DnsAnswer

# An answer's own lifetime is bounded: programs go on for some minutes with an answer that has none, and an address may
# belong to another name a day later.
SHORTEST_HOLD_S = 600
LONGEST_HOLD_S = 86_400
MOST_LEARNED = 20_000  # addresses of all names; a few hundred names of large services have as many


class SharedAddresses(StrEnum):
    """What becomes of an address of a blocked name where hosts visit other names too."""

    BLOCK = "block"
    SPARE = "spare"


class LearnedAddress(Struct, frozen=True):
    """An address that a blocked name resolves to, or an alias that leads to it. `ends`: in seconds since the epoch.

    `why`: the answer that gave it, as a sentence for people. `shared`: that others need it too; empty: not known.
    """

    block: BlockKey
    address: str
    ends: float
    why: str = ""
    shared: str = ""

    @property
    def is_alias(self) -> bool:
        """Whether it is a name."""
        return kind_of(self.address) is TargetKind.NAME

    @property
    def question(self) -> Question:
        """The look-up of this alias."""
        return Question(self.address, self.block[1])


class Rule(Struct, frozen=True):
    """A reason not to block an address, as a sentence.

    `is_choice`: the configuration decides. `is_followed`: it is not blocked. `is_shielded`: the index of blocks takes
    it out of what was learned before, for as long as it is protected.
    """

    text: str
    is_choice: bool = False
    is_followed: bool = True
    is_shielded: bool = False


class SparedAddress(Struct, frozen=True):
    """An address that a blocked name resolves to, and that is not blocked by this rule."""

    learned: LearnedAddress
    rule: Rule


RuleFor = Callable[[str, Block], Rule | None]


class BlockedNames:
    """The blocked names, and the addresses that they were seen to resolve to."""

    def __init__(self) -> None:
        self._blocks: dict[str, dict[BlockKey, Block]] = {}
        self._learned: dict[BlockKey, dict[str, LearnedAddress]] = {}
        self._spared: dict[BlockKey, dict[str, SparedAddress]] = {}
        self._holders: dict[str, dict[BlockKey, None]] = {}  # by learned address
        self._count = 0  # of learned and spared addresses
        self._choices: Counter[str | None] = Counter()  # those where hosts visit other names too, by department
        self.protected: dict[tuple[BlockKey, str], SparedAddress] = {}  # spared ones that are never blocked
        self.own: tuple[str, ...] = ()  # the appliance's names, which no block covers

    def put(self, block: Block) -> None:
        """Add the block of a name."""
        self._blocks.setdefault(name_and_scope(block.target)[0], {})[block.key] = block

    def get(self, key: BlockKey) -> Block | None:
        """The block of a name with this key, or `None`."""
        return self._blocks.get(name_and_scope(key[0])[0], {}).get(key)

    def targets(self) -> frozenset[str]:
        """All blocked names, as of targets."""
        return frozenset(block.target for blocks in self._blocks.values() for block in blocks.values())

    def are_blocked(self, name: str, department: str) -> bool:
        """Whether this name, or one above it, is blocked in this department."""
        aliased = (key[1] for key in self._holders.get(name, {}))
        of_name = (block.department for block in self._blocks_of(name))
        return any(one in {None, department} for one in chain(of_name, aliased))

    def denial(self, question: Question) -> Denial | None:
        """The denial of this question, by its longest-lived block; `None`: it has no block, and is no alias of one.

        Where blocks cover different parts of it, their scopes are joined; at the end of one, this is asked again.
        """
        named = self._blocks.get(question.name, {}).values()
        blocks = [one for one in named if one.department == question.department and not self._is_own(one)]
        leading = [one for one in self.holders(question.name) if one.question == question]
        scopes = [name_and_scope(one.target)[1] for one in blocks] + [Scope.ITSELF for _ in leading]
        ends = [(one.ends_s, one) for one in blocks]
        ends += [(one.ends, block) for one in leading if (block := self.get(one.block)) is not None]
        if not ends:
            return None
        ends_s, longest = max(ends, key=lambda one: one[0])
        return Denial(question, ends_s, mark_of(longest.origin, longest.number), reduce(or_, scopes))

    def denials(self) -> list[Denial]:
        """The denials of all blocked names and their aliases."""
        return [denial for question in self.questions() if (denial := self.denial(question)) is not None]

    def questions(self) -> set[Question]:
        """The questions of all blocks of names, and of their aliases."""
        named = {Question(name, one.department) for name, blocks in self._blocks.items() for one in blocks.values()}
        return named | {one.question for one in self.all_learned() if one.is_alias}

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
        learned = self._learned.pop(block.key, {})
        for address, one in learned.items():
            self._drop_holder(address, block.key)
            self._choices[block.department] -= bool(one.shared)
        self._count -= len(learned)
        for address in [*self._spared.get(block.key, {})]:
            self._unspare(block.key, address)
        return learned

    def learned(self, block: BlockKey) -> Mapping[str, LearnedAddress]:
        """What was learned for this block and is blocked, by address."""
        return self._learned.get(block, {})

    def spared(self, block: BlockKey) -> Mapping[str, SparedAddress]:
        """What was learned for this block and is not blocked, by address."""
        return self._spared.get(block, {})

    def shared_count(self, department: str) -> int:
        """The number of addresses of the department's blocked names where hosts visit other names too."""
        return self._choices[None] + self._choices[department]

    def all_addresses(self) -> list[tuple[BlockKey, str]]:
        """All addresses with the blocks that they were learned for."""
        return [
            (key, address) for of in (self._learned, self._spared) for key, known in of.items() for address in known
        ]

    def holders(self, address: str) -> list[LearnedAddress]:
        """What was learned about this address, and is blocked."""
        return [self._learned[key][address] for key in self._holders.get(address, {})]

    def remember(self, one: LearnedAddress) -> LearnedAddress | None:
        """Add or replace a learned address; returns the former one of the same block and address."""
        self._unspare(one.block, one.address)
        known = self._learned.setdefault(one.block, {})
        before = known.get(one.address)
        self._count += before is None
        self._choices[one.block[1]] += bool(one.shared) - bool(before and before.shared)
        known[one.address] = one
        self._holders.setdefault(one.address, {})[one.block] = None
        return before

    def forget(self, one: LearnedAddress) -> None:
        """Remove a learned address."""
        former = self._learned.get(one.block, {}).pop(one.address, None)
        if former is not None:
            self._count -= 1
            self._choices[one.block[1]] -= bool(former.shared)
            self._drop_holder(one.address, one.block)

    def spare(self, one: LearnedAddress, rule: Rule) -> None:
        """Keep an address as one that is not blocked, in place of what was known of it; it must not be learned now."""
        self._unspare(one.block, one.address)
        if self._count >= MOST_LEARNED:
            return
        self._count += 1
        spared = self._spared.setdefault(one.block, {})[one.address] = SparedAddress(one, rule)
        if rule.is_choice:
            self._choices[one.block[1]] += 1
        else:
            self.protected[one.block, one.address] = spared

    def drop_spared(self, at_s: float) -> None:
        """Forget spared addresses whose blocks would have ended."""
        for one in [spared.learned for known in self._spared.values() for spared in known.values()]:
            if one.ends <= at_s:
                self._unspare(one.block, one.address)

    def note_shared(self, one: LearnedAddress, shared: str) -> None:
        """Note of a learned address that others need it too, or do not."""
        if one.shared != shared:
            self.remember(replace(one, shared=shared))

    def addresses_to_block(
        self, answer: DnsAnswer, department: str, rule_for: RuleFor, at_s: float
    ) -> Iterator[LearnedAddress]:
        """What to block because this DNS answer, to a host of this department, gave it for a blocked name.

        A known address is returned again when more than half of its time is over. An address with a rule against its
        block is not, but is spared.
        """
        for learned, block in self._given_by(answer, department, at_s):
            rule = rule_for(learned.address, block)
            known = self.learned(block.key).get(learned.address)
            if rule is not None and rule.is_followed:
                if known is None:
                    self.spare(learned, rule)
            elif (known.ends < at_s + (learned.ends - at_s) / 2) if known else self._count < MOST_LEARNED:
                yield replace(learned, shared="" if rule is None else rule.text)

    def _given_by(self, answer: DnsAnswer, department: str, at_s: float) -> Iterator[tuple[LearnedAddress, Block]]:
        """The addresses and aliases that this answer gives for blocked names, each with the block."""
        hold_s = min(max(answer.ttl_s, SHORTEST_HOLD_S), LONGEST_HOLD_S)
        names = list(dict.fromkeys((answer.name, *answer.aliases)))
        for at, name in enumerate(names):
            for block in self._blocks_of(name):
                if block.department not in {None, department}:
                    continue
                for alias in names[:at]:
                    if covers_name(block.target, alias):
                        continue  # it is blocked by itself
                    ends = min(at_s + LONGEST_HOLD_S, block.ends_s)
                    yield LearnedAddress(block.key, alias, ends, f"it leads to {name}{_said(answer)}"), block
                ends = min(at_s + hold_s, block.ends_s)
                for address in answer.addresses:
                    yield LearnedAddress(block.key, address, ends, _why(answer, name)), block

    def _blocks_of(self, name: str) -> Iterator[Block]:
        for one in with_parents(name):
            yield from (block for block in self._blocks.get(one, {}).values() if covers_name(block.target, name))

    def _unspare(self, block: BlockKey, address: str) -> None:
        known = self._spared.get(block, {})
        one = known.pop(address, None)
        if one is None:
            return
        self._count -= 1
        self._choices[block[1]] -= one.rule.is_choice
        self.protected.pop((block, address), None)
        if not known:
            del self._spared[block]

    def _drop_holder(self, address: str, block: BlockKey) -> None:
        holders = self._holders[address]
        del holders[block]
        if not holders:
            del self._holders[address]


class AddressRules:
    """Which addresses a block of a name must not include, at one instant."""

    def __init__(
        self,
        *,
        protections: Protections,
        answers: AnswerCache,
        names: BlockedNames,
        own: Sequence[Network],
        shared: SharedAddresses,
        at_s: float,
    ) -> None:
        """`own`: the networks of the departments."""
        self._protections, self._answers, self._names = protections, answers, names
        self._own, self._shared, self._at_s = own, shared, at_s

    def rule_for(self, address: str, block: Block) -> Rule | None:
        """The rule against blocking this address for this block, followed or not; `None`: there is none."""
        protection = self._protections.rule_for(address)
        if protection is not None:
            return Rule(protection, is_shielded=True)
        if kind_of(address) is TargetKind.NAME:
            return None
        if self._answers.is_server(address, self._at_s):
            return Rule("hosts use the name server there")
        one = ip_address(address)
        if any(one in network for network in self._own):
            return Rule("it is in a department's own network")
        other = self._visited_name(address, block.department)
        if other is None:
            return None
        is_spared = self._shared is SharedAddresses.SPARE
        return Rule(f"hosts visit {other} there too", is_choice=True, is_followed=is_spared)

    def _visited_name(self, address: str, department: str | None) -> str | None:
        """A name there that is not blocked, and that a host of the department has looked up in the last day."""
        for one in self._answers.names_at(address, department, self._at_s):
            if not any(self._names.are_blocked(name, one.department) for name in one.names):
                return one.name
        return None


def _why(answer: DnsAnswer, blocked: str) -> str:
    """The answer in words for people."""
    leads = "" if blocked == answer.name else f", which leads to {blocked},"
    return f"{answer.name}{leads} resolves to it{_said(answer)}"


def _said(answer: DnsAnswer) -> str:
    return f", as the name server {answer.server} said" if answer.server else ""
