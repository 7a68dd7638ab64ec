"""What a blocked name holds: addresses, and aliases that lead to it; and what it must not hold."""

from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from appliance.core.blocking.answer_cache import (
    MOST_NAMES,
    MOST_SAVED,
    MOST_SERVERS,
    RESAVED_S,
    AnswerCache,
    HeardAddress,
)
from appliance.core.blocking.block import Block
from appliance.core.blocking.blocked_names import AddressRules, BlockedNames, Rule, SharedAddresses
from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.protection import Protections
from appliance.core.blocking.sets import mark_of
from appliance.core.blocking.targets import WHOLE_NAME, Scope
from appliance.core.traffic.dns import DnsAnswer

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_S = NOON.timestamp()
DAY_S = 86_400.0
RESOLVER = "192.0.2.53"


def block(target: str, department: str | None = None) -> Block:
    return Block(target, "because", "tester", "manual", NOON, department, None, number=7)


def answer(name: str, *addresses: str, aliases: tuple[str, ...] = (), server: str = RESOLVER) -> DnsAnswer:
    return DnsAnswer("10.0.0.9", name, addresses, 3600, aliases, server)


class Learner:
    """Blocked names, and what hosts were told."""

    def __init__(self, *blocks: Block, shared: SharedAddresses = SharedAddresses.BLOCK) -> None:
        self.names, self.answers, self.shared = BlockedNames(), AnswerCache(), shared
        for one in blocks:
            self.names.put(one)

    def hear(self, found: DnsAnswer, department: str = "a", at_s: float = NOON_S) -> dict[str, str]:
        """What is blocked because of this answer, each with the reason."""
        self.answers.note(department, found, at_s)
        learned = list(self.names.addresses_to_block(found, department, self.rule_for(at_s), at_s))
        for one in learned:
            self.names.remember(one)
        return {one.address: one.why for one in learned}

    def rule_for(self, at_s: float = NOON_S):
        rules = AddressRules(
            protections=Protections([], names=["pi.example.org"]),
            answers=self.answers,
            names=self.names,
            own=[ip_network("10.0.0.0/24"), ip_network("fd00::/64")],
            shared=self.shared,
            at_s=at_s,
        )
        return rules.rule_for

    def spared(self, target: str) -> dict[str, str]:
        return {address: one.rule.text for address, one in self.names.spared(block(target).key).items()}


def test_an_alias_of_a_blocked_name_gives_its_addresses_and_is_denied_by_itself_without_names_below() -> None:
    learner = Learner(block("ads.test"))
    found = learner.hear(answer("shop.test", "203.0.113.1", aliases=("eu.ads.test", "cdn.test")))
    assert found == {
        "shop.test": f"it leads to eu.ads.test, as the name server {RESOLVER} said",
        "203.0.113.1": f"shop.test, which leads to eu.ads.test, resolves to it, as the name server {RESOLVER} said",
    }
    alias = Question("shop.test", None)
    assert learner.names.denial(alias) == Denial(alias, NOON_S + DAY_S, mark_of("manual", 7), Scope.ITSELF)
    assert {one.question.name: one.scope for one in learner.names.denials()} == {
        "ads.test": WHOLE_NAME,
        "shop.test": Scope.ITSELF,
    }
    assert learner.names.are_blocked("shop.test", "a")
    assert not learner.names.are_blocked("www.shop.test", "a")
    learner.names.take(block("ads.test"))
    assert learner.names.denials() == []


def test_names_behind_a_blocked_one_and_the_appliance_s_own_are_no_aliases_of_it() -> None:
    learner = Learner(block("ads.test"))
    assert [*learner.hear(answer("ads.test", "203.0.113.1", aliases=("cdn.test",)))] == ["203.0.113.1"]
    assert [*learner.hear(answer("a.ads.test", "203.0.113.2", aliases=("b.ads.test",)))] == ["203.0.113.2"]
    assert [*learner.hear(answer("pi.example.org", "203.0.113.3", aliases=("ads.test",)))] == ["203.0.113.3"]
    assert "own name" in learner.spared("ads.test")["pi.example.org"]


def test_a_department_s_block_takes_aliases_from_its_own_answers_only() -> None:
    learner = Learner(block("ads.test", "a"))
    assert learner.hear(answer("shop.test", "203.0.113.1", aliases=("ads.test",)), "b") == {}
    assert len(learner.hear(answer("shop.test", "203.0.113.1", aliases=("ads.test",)), "a")) == 2
    assert learner.names.denial(Question("shop.test", "a")) is not None
    assert learner.names.denial(Question("shop.test", None)) is None


def test_the_name_server_that_hosts_use_is_never_blocked() -> None:
    for shared in SharedAddresses:
        learner = Learner(block("evil.test"), shared=shared)
        assert learner.hear(answer("evil.test", RESOLVER)) == {}
        assert learner.spared("evil.test") == {RESOLVER: "hosts use the name server there"}
        assert learner.names.shared_count("a") == 0
        assert [*learner.names.protected] == [(block("evil.test").key, RESOLVER)]


@pytest.mark.parametrize("address", ["10.0.0.80", "fd00::80"])
def test_a_department_s_own_server_is_never_blocked(address: str) -> None:
    for shared in SharedAddresses:
        learner = Learner(block("evil.test"), shared=shared)
        assert learner.hear(answer("evil.test", address)) == {}
        assert learner.spared("evil.test") == {address: "it is in a department's own network"}


@pytest.mark.parametrize(
    ("other", "department", "is_spared"),
    [
        (answer("good.test", "203.0.113.1"), "a", True),
        (answer("test", "203.0.113.1"), "a", True),  # above the blocked name
        (answer("good.test", "203.0.113.1"), "b", True),
        (answer("www.evil.test", "203.0.113.1"), "a", False),
        (answer("shop.test", "203.0.113.1", aliases=("evil.test",)), "a", False),
        (answer("good.test", "203.0.113.2"), "a", False),
    ],
)
def test_an_address_where_other_names_are_visited_is_blocked_only_where_the_configuration_wants_it(
    other: DnsAnswer, department: str, is_spared: bool
) -> None:
    for shared in SharedAddresses:
        learner = Learner(block("evil.test"), shared=shared)
        learner.hear(other, department)
        learner.hear(answer("evil.test", "203.0.113.1"))
        held = learner.names.learned(block("evil.test").key).get("203.0.113.1")
        assert (held is None) is (is_spared and shared is SharedAddresses.SPARE)
        assert learner.names.shared_count("a") == is_spared
        assert held is None or bool(held.shared) is is_spared


def test_for_a_department_s_block_only_its_own_visits_count() -> None:
    learner = Learner(block("evil.test", "a"), shared=SharedAddresses.SPARE)
    learner.hear(answer("good.test", "203.0.113.1"), "b")
    assert [*learner.hear(answer("evil.test", "203.0.113.1"), "a")] == ["203.0.113.1"]
    learner.hear(answer("good.test", "203.0.113.2"), "a")
    assert learner.hear(answer("evil.test", "203.0.113.2"), "a") == {}
    assert (learner.names.shared_count("a"), learner.names.shared_count("b")) == (1, 0)


def test_a_visit_counts_for_a_day() -> None:
    learner = Learner(block("evil.test"))
    learner.hear(answer("good.test", "203.0.113.1"))
    assert learner.rule_for(NOON_S + DAY_S - 1)("203.0.113.1", block("evil.test")) == Rule(
        "hosts visit good.test there too", is_choice=True, is_followed=False
    )
    assert learner.rule_for(NOON_S + DAY_S)("203.0.113.1", block("evil.test")) is None


def test_a_spared_address_is_forgotten_when_its_block_would_have_ended_or_with_the_name() -> None:
    learner = Learner(block("evil.test"), block("bad.test"))
    for name in ("evil.test", "bad.test"):
        learner.hear(answer(name, "10.0.0.80"))
    learner.names.drop_spared(NOON_S + 3599)
    learner.names.take(block("bad.test"))
    assert [learner.spared(name) != {} for name in ("evil.test", "bad.test")] == [True, False]
    learner.names.drop_spared(NOON_S + 3600)
    assert learner.spared("evil.test") == {}
    assert learner.names.protected == {}


def test_each_answer_is_saved_once_an_hour_and_comes_back_with_its_server() -> None:
    cache, again = AnswerCache(), AnswerCache()
    cache.note("a", answer("good.test", "203.0.113.1", aliases=("cdn.test",)), NOON_S)
    saved = cache.take_unsaved()
    one = HeardAddress("a", "good.test", "203.0.113.1", NOON_S, NOON_S + 3600, ("cdn.test",), RESOLVER)
    assert saved == [one]
    cache.note("a", answer("good.test", "203.0.113.1"), NOON_S + RESAVED_S - 1)
    assert cache.take_unsaved() == []
    cache.note("a", answer("good.test", "203.0.113.1"), NOON_S + RESAVED_S)
    assert len(cache.take_unsaved()) == 1
    again.note("a", answer("good.test", "203.0.113.1"), NOON_S + 10)
    again.restore([one, HeardAddress("a", "old.test", "203.0.113.2", NOON_S - DAY_S, NOON_S)], NOON_S + 20)
    assert [one.answered_s for one in again.names_at("203.0.113.1", "a", NOON_S)] == [NOON_S + 10]
    assert [*again.names_at("203.0.113.2", "a", NOON_S)] == []
    fresh = AnswerCache()
    fresh.restore([one], NOON_S + 20)
    assert fresh.is_server(RESOLVER, NOON_S)
    assert [department for department, _ in fresh.find({"cdn.test"}, NOON_S + 20)] == ["a"]
    fresh.note("a", answer("good.test", "203.0.113.1"), NOON_S + 30)
    assert fresh.take_unsaved() == []


def test_a_flood_of_names_and_servers_is_bounded_in_memory_and_on_the_medium() -> None:
    cache = AnswerCache()
    for number in range(MOST_NAMES + 10):
        cache.note("a", answer(f"n{number}.test", "203.0.113.1", server=f"10.9.{number >> 8}.{number & 255}"), NOON_S)
    assert len([*cache.names_at("203.0.113.1", "a", NOON_S)]) == MOST_NAMES
    batches = []
    while batch := cache.take_unsaved():
        batches.append(len(batch))
    assert (max(batches), sum(batches)) == (MOST_SAVED, MOST_NAMES)
    used = [cache.is_server(f"10.9.{number >> 8}.{number & 255}", NOON_S) for number in range(MOST_NAMES + 10)]
    assert (sum(used), used[-1], used[0]) == (MOST_SERVERS, True, False)
