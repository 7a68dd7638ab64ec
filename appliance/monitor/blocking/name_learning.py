"""Name learning: hosts' DNS answers become blocks of the addresses and aliases that blocked names have.

Each change is returned as what the reconcilers put in force. What is right now may be wrong later: an address gets
protected, a name server moves there, hosts begin to visit another name there. So a step judges some addresses again,
all of them within a minute or two, and an answer for another name judges its own addresses at once.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from appliance.core.blocking.answer_cache import AnswerCache
from appliance.core.blocking.block import Block, BlockKey
from appliance.core.blocking.block_index import BlockIndex, IndexChange
from appliance.core.blocking.blocked_names import (
    MOST_LEARNED,
    AddressRules,
    LearnedAddress,
    Rule,
    SharedAddresses,
    SparedAddress,
)
from appliance.core.blocking.targets import TargetKind
from appliance.core.metering.department import Department
from appliance.core.moment import Moment
from appliance.core.refusal import Refused
from appliance.core.traffic.dns import DnsAnswer
from appliance.monitor.blocking.protections import ProtectedAddresses
from appliance.ports import Store

log = logging.getLogger(__name__)

NO_CHANGE = IndexChange([], [])
# What a crash may lose. The answers of a hundred people write 14 MB a day so, and 23 if they were saved each minute.
SAVED_S = 300.0
JUDGED_AT_ONCE = 200  # addresses, at 5 to 10 us each
MOST_TOLD = 3  # spared addresses in sentences; `ip:list` has the others


class NameLearning:
    """What hosts were told about names, and what of it is blocked."""

    def __init__(
        self,
        index: BlockIndex,
        departments: Sequence[Department],
        protected: ProtectedAddresses,
        store: Store,
        shared: SharedAddresses,
    ) -> None:
        self._index, self._names, self._answers = index, index.names, AnswerCache()
        self._departments, self._protected, self._store, self._shared = tuple(departments), protected, store, shared
        self._to_judge: deque[tuple[BlockKey, str]] = deque()
        self._saved_s = 0.0

    def troubles(self) -> Sequence[str]:
        """Sentences about addresses of blocked names that must not be blocked, the first of them."""
        found = self._names.protected.values()
        more = [f"{len(found) - MOST_TOLD} more addresses of blocked names are not blocked; ip:list has them"]
        return [_told(one) for one in islice(found, MOST_TOLD)] + (more if len(found) > MOST_TOLD else [])

    def notes(self, department: str) -> Sequence[str]:
        """A sentence about the addresses of the department's blocked names where hosts visit other names too."""
        count = self._names.shared_count(department)
        number = "1 address" if count == 1 else f"{count} addresses"
        deed = "blocked" if self._shared is SharedAddresses.BLOCK else "spared"
        return [f"hosts visit other names at {number} of blocked names, {deed} as configured"] if count else []

    def resolved(self, block: Block) -> tuple[Sequence[LearnedAddress], Sequence[SparedAddress]]:
        """The addresses and aliases that the block of a name holds, and those that are spared."""
        return [*self._names.learned(block.key).values()], [*self._names.spared(block.key).values()]

    def hear(self, department: str, answer: DnsAnswer, now: Moment) -> IndexChange:
        """Take note of a DNS answer to a host of the department."""
        self._answers.note(department, answer, now.wall.timestamp())
        if any(self._names.are_blocked(one, department) for one in (answer.name, *answer.aliases)):
            return self._learned([(department, answer)], now)
        held = [learned for one in answer.addresses for learned in self._names.holders(one)]
        return self._judged([(one.block, one.address) for one in held], now)

    def recall(self, blocks: Iterable[Block], now: Moment) -> IndexChange:
        """Block the addresses that hosts already know of these blocked names, which cuts open connections too."""
        names = {block.target for block in blocks if block.kind is TargetKind.NAME}
        return self._learned(self._answers.find(names, now.wall.timestamp()), now) if names else NO_CHANGE

    def restore(self, now: Moment) -> IndexChange:
        """Read what an earlier run has saved; takes some tenths of a second for a busy day."""
        at_s = now.wall.timestamp()
        self._answers.restore(self._store.answers(at_s), at_s)
        return self._learned(self._answers.find(self._names.targets(), at_s), now)

    def step(self, now: Moment) -> IndexChange:
        """Save what is new, and judge some addresses again."""
        if now.monotonic_s - self._saved_s >= SAVED_S:
            self._saved_s = now.monotonic_s
            self.save()
            self._names.drop_spared(now.wall.timestamp())
        if not self._to_judge:
            self._to_judge.extend(self._names.all_addresses())
        some = [self._to_judge.popleft() for _ in range(min(JUDGED_AT_ONCE, len(self._to_judge)))]
        return self._judged(some, now)

    def save(self) -> None:
        """Save the latest answers, to remember them after a restart."""
        unsaved = self._answers.take_unsaved()
        if unsaved:
            _note(lambda: self._store.save_answers(unsaved))

    def forget(self, learned: Sequence[LearnedAddress]) -> IndexChange:
        """Drop learned addresses and aliases, from the store too."""
        if not learned:
            return NO_CHANGE
        _note(lambda: self._store.save_learned([], learned))
        return self._index.forget(learned)

    def _learned(self, answers: Iterable[tuple[str, DnsAnswer]], now: Moment) -> IndexChange:
        names, rules, at_s = self._names, self._rules(now), now.wall.timestamp()
        found = (one for to, answer in answers for one in names.addresses_to_block(answer, to, rules.rule_for, at_s))
        return self._put(list({(one.block, one.address): one for one in islice(found, MOST_LEARNED)}.values()))

    def _judged(self, addresses: Sequence[tuple[BlockKey, str]], now: Moment) -> IndexChange:
        """Judge these addresses again: spare blocked ones that a rule protects now, and block those that none does."""
        if not addresses:
            return NO_CHANGE
        rules, at_s = self._rules(now), now.wall.timestamp()
        freed: list[tuple[LearnedAddress, Rule]] = []
        blocked: list[LearnedAddress] = []
        for key, address in addresses:
            learned, spared = self._names.learned(key).get(address), self._names.spared(key).get(address)
            block = self._names.get(key)
            rule = rules.rule_for(address, block) if block is not None else None
            if learned is not None:
                freed += self._judged_learned(learned, rule)
            elif spared is not None and rule is None and spared.learned.ends > at_s:
                blocked.append(spared.learned)
        change = self.forget([one for one, _ in freed])
        for learned, rule in freed:
            self._names.spare(learned, rule)
            log.info("%s is not blocked any more for %s: %s", learned.address, learned.block[0], rule.text)
        put = self._put(blocked)
        return IndexChange([*change.dropped, *put.dropped], put.put, {*change.questions, *put.questions})

    def _judged_learned(self, learned: LearnedAddress, rule: Rule | None) -> list[tuple[LearnedAddress, Rule]]:
        """The address with the rule by which it is to be freed, if there is one."""
        if rule is None or not rule.is_followed:
            self._names.note_shared(learned, "" if rule is None else rule.text)
            return []
        return [] if rule.is_shielded else [(learned, rule)]

    def _put(self, learned: Sequence[LearnedAddress]) -> IndexChange:
        if not learned:
            return NO_CHANGE
        _note(lambda: self._store.save_learned(learned, []))
        return self._index.learn(learned)

    def _rules(self, now: Moment) -> AddressRules:
        return AddressRules(
            protections=self._protected.protections(now),
            answers=self._answers,
            names=self._names,
            own=self._protected.own_networks(self._departments, now),
            shared=self._shared,
            at_s=now.wall.timestamp(),
        )


def _told(one: SparedAddress) -> str:
    return (
        f"the blocked {one.learned.block[0]} resolves to {one.learned.address}, which is not blocked: {one.rule.text}"
    )


def _note(save: Callable[[], None]) -> None:
    """Save what was learned; where that fails, it will be learned again."""
    try:
        save()
    except Refused as refused:
        log.warning("what names resolve to is not saved: %s", refused.message)
