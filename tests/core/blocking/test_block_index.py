from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from appliance.core.blocking.answer_cache import MOST_NAMES, AnswerCache
from appliance.core.blocking.block import Block
from appliance.core.blocking.block_index import BlockIndex
from appliance.core.blocking.blocked_names import AddressRules, LearnedAddress, Rule, SharedAddresses
from appliance.core.blocking.protection import Protections, protected_host
from appliance.core.blocking.sets import BlockSet, Family, mark_of, number_in
from appliance.core.traffic.dns import DnsAnswer

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_S = NOON.timestamp()


def block(
    target: str, number: int, seconds: int | None = None, department: str | None = None, origin="manual"
) -> Block:
    ends = None if seconds is None else NOON + timedelta(seconds=seconds)
    return Block(target, "because", "tester", origin, NOON, department, ends, number=number)


def test_a_block_claims_its_range_in_the_set_of_its_kind_and_department() -> None:
    index = BlockIndex()
    change = index.apply(
        [block("10.0.0.1", 1), block("fd00::/64", 2, 60, "a"), block("02:00:00:00:00:01", 3, origin="list:bad")], []
    )
    assert [(claim.block_set, claim.range.ends, claim.range.mark) for claim in change.put] == [
        (BlockSet(Family.HOSTS4, None), float("inf"), mark_of("manual", 1)),
        (BlockSet(Family.PREFIXES6, "a"), NOON_S + 60, mark_of("manual", 2)),
        (BlockSet(Family.MACS, None), float("inf"), mark_of("list:bad", 3)),
    ]
    assert change.dropped == []
    assert number_in(change.put[2].range.mark) == 3
    assert index.numbered(2) == block("fd00::/64", 2, 60, "a")


def test_a_block_that_replaces_another_drops_its_claims() -> None:
    index = BlockIndex()
    before = index.apply([block("10.0.0.1", 1, 60)], []).put
    change = index.apply([block("10.0.0.1", 2, 3600)], [])
    assert (change.dropped, len(change.put), len(index)) == (before, 1, 1)
    assert index.numbered(1) is None


def test_each_department_counts_its_own_blocks_and_those_of_all() -> None:
    index = BlockIndex()
    index.apply([block("10.0.0.1", 1), block("10.0.0.1", 2, department="a"), block("10.0.0.2", 3)], [])
    index.apply([], [block("10.0.0.2", 3)])
    assert (index.count("a"), index.count("b")) == (2, 1)


def test_blocks_of_one_target_are_found_by_origin_or_of_all() -> None:
    index = BlockIndex()
    mine, listed = block("10.0.0.1", 1), block("10.0.0.1", 2, origin="list:bad")
    index.apply([mine, listed], [])
    assert index.find("10.0.0.1", None, None) == [mine, listed]
    assert index.find("10.0.0.1", None, "list:bad") == [listed]
    assert index.find("10.0.0.1", "a", None) == []


def test_an_expired_block_is_returned_once_and_by_its_latest_end() -> None:
    index = BlockIndex()
    index.apply([block("10.0.0.1", 1, 60), block("10.0.0.2", 2, 30), block("10.0.0.3", 3)], [])
    index.apply([block("10.0.0.1", 4, 90)], [])
    assert index.take_expired(NOON_S + 60) == ([block("10.0.0.2", 2, 30)], [])
    assert index.take_expired(NOON_S + 60) == ([], [])
    assert index.take_expired(NOON_S + 90) == ([block("10.0.0.1", 4, 90)], [])


def test_the_same_target_of_several_departments_may_end_at_once() -> None:
    index = BlockIndex()
    same = [block("10.0.0.1", 1, 60), block("10.0.0.1", 2, 60, "a")]
    index.apply(same, [])
    assert index.take_expired(NOON_S + 60) == (same, [])


def test_no_number_is_given_twice() -> None:
    index = BlockIndex()
    index.apply([block("10.0.0.1", 7)], [])
    assert {index.next_number() for _ in range(100)} == set(range(8, 108))


def answer(name: str, *addresses: str, ttl_s: int = 3600) -> DnsAnswer:
    return DnsAnswer("10.0.0.9", name, addresses, ttl_s)


def learned(index: BlockIndex, found: DnsAnswer, department: str = "a", protections: Protections | None = None):
    return list(index.names.addresses_to_block(found, department, rules(index, protections).rule_for, NOON_S))


def rules(
    index: BlockIndex,
    protections: Protections | None = None,
    answers: AnswerCache | None = None,
    shared: SharedAddresses = SharedAddresses.BLOCK,
) -> AddressRules:
    return AddressRules(
        protections=protections or Protections([]),
        answers=answers or AnswerCache(),
        names=index.names,
        own=[ip_network("192.168.0.0/24")],
        shared=shared,
        at_s=NOON_S,
    )


def test_a_blocked_name_claims_the_addresses_of_itself_and_all_names_below() -> None:
    index = BlockIndex()
    name = block("example.com", 1)
    assert index.apply([name], []).put == []
    assert learned(index, answer("notexample.com", "10.1.1.1")) == []
    found = learned(index, answer("www.example.com", "10.1.1.1", "fd00::1"))
    assert found == [
        LearnedAddress(name.key, "10.1.1.1", NOON_S + 3600, "www.example.com resolves to it"),
        LearnedAddress(name.key, "fd00::1", NOON_S + 3600, "www.example.com resolves to it"),
    ]
    change = index.learn(found)
    assert [claim.block_set.family for claim in change.put] == [Family.HOSTS4, Family.HOSTS6]
    assert {claim.range.owner for claim in change.put} == {name.key}
    assert index.apply([], [name]).dropped == change.put
    assert learned(index, answer("www.example.com", "10.1.1.1")) == []


def test_addresses_of_a_department_s_blocked_name_are_learned_from_its_own_answers_only() -> None:
    index = BlockIndex()
    index.apply([block("example.com", 1, department="a")], [])
    assert learned(index, answer("example.com", "10.1.1.1"), "b") == []
    assert len(learned(index, answer("example.com", "10.1.1.1"), "a")) == 1


def test_the_time_that_an_address_is_blocked_for_its_name_has_bounds() -> None:
    index = BlockIndex()
    index.apply([block("example.com", 1), block("short.com", 2, 60)], [])
    [least] = learned(index, answer("example.com", "10.1.1.1", ttl_s=0))
    [most] = learned(index, answer("example.com", "10.1.1.2", ttl_s=2**31))
    [short] = learned(index, answer("short.com", "10.1.1.3"))
    assert [one.ends - NOON_S for one in (least, most, short)] == [600, 86_400, 60]


def test_an_address_is_learned_again_only_when_most_of_its_time_is_over() -> None:
    index = BlockIndex()
    index.apply([block("example.com", 1)], [])
    index.learn(learned(index, answer("example.com", "10.1.1.1")))
    found = answer("example.com", "10.1.1.1")
    assert list(index.names.addresses_to_block(found, "a", rules(index).rule_for, NOON_S + 1000)) == []
    again = list(index.names.addresses_to_block(found, "a", rules(index).rule_for, NOON_S + 3000))
    change = index.learn(again)
    assert (len(change.dropped), len(change.put)) == (1, 1)
    assert index.take_expired(NOON_S + 3600) == ([], [])
    assert index.take_expired(NOON_S + 6600) == ([], again)
    assert index.forget(again).dropped == change.put


def test_a_protected_address_of_a_blocked_name_is_spared_and_named() -> None:
    index = BlockIndex()
    index.apply([block("example.com", 1)], [])
    protections = Protections([protected_host(ip_address("10.1.1.1"), "it is the gateway")])
    [other] = learned(index, answer("www.example.com", "10.1.1.1", "10.1.1.2"), protections=protections)
    assert other.address == "10.1.1.2"
    [spared] = index.names.protected.values()
    assert (spared.learned.address, spared.rule) == ("10.1.1.1", Rule("it is the gateway", is_shielded=True))
    assert spared.learned.why == "www.example.com resolves to it"


def test_answers_are_kept_for_a_day_and_up_to_a_bound() -> None:
    cache = AnswerCache()
    cache.note("a", answer("www.example.com", "10.1.1.1"), NOON_S)
    cache.note("b", answer("www.example.com", "10.1.1.2"), NOON_S + 10)
    cache.note("a", answer("www.example.com", "10.1.1.3"), NOON_S + 20)
    cache.note("a", answer("example.com.org", "10.2.1.1"), NOON_S)
    found = [(one, its.addresses, its.ttl_s) for one, its in cache.find({"example.com"}, NOON_S + 120)]
    assert found == [
        ("b", ("10.1.1.2",), 3490),
        ("a", ("10.1.1.1",), 3480),
        ("a", ("10.1.1.3",), 3500),
    ]
    late = [(one, its.addresses, its.ttl_s) for one, its in cache.find({"example.com"}, NOON_S + 86_400)]
    assert late == [("b", ("10.1.1.2",), 0), ("a", ("10.1.1.3",), 0)]
    for number in range(100):
        cache.note("a", answer("many.com", f"10.3.1.{number}"), NOON_S)
    many = [its.addresses for _, its in cache.find({"many.com"}, NOON_S)]
    assert many == [(f"10.3.1.{number}",) for number in range(84, 100)]
    for number in range(MOST_NAMES):
        cache.note("a", answer(f"n{number}.net", "10.4.1.1"), NOON_S)
    assert not any(cache.find({"many.com"}, NOON_S))
    assert any(cache.find({"n0.net"}, NOON_S))
