from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.blocks import Block, Protected, is_address, orders_at, protection_of
from appliance.core.refusal import Code, Refused
from appliance.core.targets import Kind, kind_of, parse_target

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def block(target: str, seconds: int | None = None, department: str | None = None) -> Block:
    expires_at = None if seconds is None else NOON + timedelta(seconds=seconds)
    return Block(target, "because", "tester", "manual", NOON, department, expires_at)


@pytest.mark.parametrize(
    ("text", "target", "kind"),
    [
        ("192.168.1.100", "192.168.1.100", Kind.ADDRESS),
        (" 10.0.0.0/8 ", "10.0.0.0/8", Kind.PREFIX),
        ("10.0.0.1/32", "10.0.0.1", Kind.ADDRESS),
        ("2001:DB8::0:1", "2001:db8::1", Kind.ADDRESS),
        ("2001:db8::/64", "2001:db8::/64", Kind.PREFIX),
        ("::ffff:10.0.0.5", "10.0.0.5", Kind.ADDRESS),
        ("02:00:5E:10:00:01", "02:00:5e:10:00:01", Kind.MAC),
        ("02-00-5e-10-00-01", "02:00:5e:10:00:01", Kind.MAC),
        ("0200.5e10.0001", "02:00:5e:10:00:01", Kind.MAC),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", Kind.ADDRESS),
        ("Example.COM.", "example.com", Kind.NAME),
        ("*.example.com", "example.com", Kind.NAME),
        ("_dmarc.xn--p1ai.example1.co", "_dmarc.xn--p1ai.example1.co", Kind.NAME),
        ("bücher.example", "xn--bcher-kva.example", Kind.NAME),
    ],
)
def test_a_target_has_one_way_to_be_written_and_shows_its_kind(text: str, target: str, kind: Kind) -> None:
    assert (parse_target(text), kind_of(target)) == (target, kind)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.1/24",
        "10.0.0.256",
        "host",
        "fe80::1%eth0",
        "1" * 500,
        "10.0.0.0/33",
        "٣.0.0.1",
        "-a.com",
        "a..com",
        "02:00:5e:10:00",
    ],
)
def test_what_is_no_address_is_refused_with_the_code_for_bad_input(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_target(text)
    assert refused.value.code is Code.BAD_REQUEST


def test_a_prefix_that_holds_a_protected_address_is_refused_with_the_rule_that_says_so() -> None:
    rules = [Protected(ip_network("192.168.1.2"), "the administrator's machine")]
    assert protection_of("192.168.1.0/24", rules) == "the administrator's machine"
    assert protection_of("192.168.1.3", rules) is None
    assert protection_of("0.0.0.0/0", []) is not None
    assert protection_of("::1", []) is not None


def test_a_block_of_one_department_holds_only_at_its_interface() -> None:
    orders = orders_at([block("10.0.0.1", department="a"), block("10.0.0.2")], {"eth1": ["a"], "eth2": ["b"]}, NOON)
    assert {one.target for one in orders["eth1"]} == {"10.0.0.1", "10.0.0.2"}
    assert {one.target for one in orders["eth2"]} == {"10.0.0.2"}


def test_a_block_that_has_run_out_is_not_ordered() -> None:
    assert orders_at([block("10.0.0.1", seconds=0)], {"eth1": []}, NOON) == {"eth1": ()}


prefixes = st.integers(24, 32).flatmap(
    lambda length: st.integers(0, 255).map(lambda low: str(ip_network((f"10.0.0.{low}", length), strict=False)))
)
targets = prefixes.map(lambda text: text.removesuffix("/32"))


@given(st.lists(st.tuples(targets, st.none() | st.integers(1, 50)), max_size=10), st.integers(0, 60))
def test_an_address_is_stopped_exactly_as_long_as_a_block_covers_it(
    wanted: list[tuple[str, int | None]], later_s: int
) -> None:
    blocks = [block(target, seconds) for target, seconds in wanted]
    orders = orders_at(blocks, {"eth1": []}, NOON)["eth1"]
    placed = [ip_network(one.target) for one in orders if not is_address(one.target)]
    assert all(not one.overlaps(other) for i, one in enumerate(placed) for other in placed[:i])
    later = NOON + timedelta(seconds=later_s)
    for low in range(0, 256, 7):
        address = ip_address(f"10.0.0.{low}")
        covered = any(one.is_live(later) and address in ip_network(one.target) for one in blocks)
        stopped = any(
            address in ip_network(one.target) and (one.remaining_s is None or one.remaining_s > later_s)
            for one in orders
        )
        assert covered == stopped
