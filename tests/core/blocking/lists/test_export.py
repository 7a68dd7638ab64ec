import json
from datetime import UTC, datetime, timedelta
from ipaddress import collapse_addresses, ip_network

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.blocking.block import Block
from appliance.core.blocking.lists.export import (
    MinimalPrefixes,
    find_decisions,
    minimal_prefixes,
    write_mikrotik,
    write_nftables,
    write_plain,
    write_stream,
)
from appliance.core.blocking.lists.parser import parse_list

WALL = datetime(2024, 12, 15, 4, 49, 29, tzinfo=UTC)
TARGETS = ["10.0.0.5", "10.0.0.0/24", "192.0.2.1", "2001:db8::1", "02:00:5e:10:00:01", "bad.example", "192.0.2.1"]
COVERED = MinimalPrefixes(("10.0.0.0/24", "192.0.2.1"), ("2001:db8::1",), 2)


def block(target: str, left_s: float | None = None, origin: str = "manual") -> Block:
    return Block(
        target, "Port scan", "", origin, WALL, None, None if left_s is None else WALL + timedelta(seconds=left_s)
    )


def test_targets_inside_others_and_of_other_kinds_are_left_out() -> None:
    assert minimal_prefixes(TARGETS) == COVERED


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32))))
def test_minimal_prefixes_are_disjoint_and_cover_all_targets(drawn) -> None:
    networks = [ip_network((f"10.0.0.{last}", length), strict=False) for last, length in drawn]
    covered = [ip_network(one) for one in minimal_prefixes(str(one) for one in networks).v4]
    assert not any(one.overlaps(other) for one in covered for other in covered if one is not other)
    assert list(collapse_addresses(covered)) == list(collapse_addresses(networks))


def test_our_parser_reads_the_plain_export() -> None:
    assert parse_list(write_plain(COVERED).encode()).targets == ("10.0.0.0/24", "192.0.2.1", "2001:db8::1")
    assert write_plain(COVERED).startswith(
        "# 3 addresses and prefixes are to be blocked; 2 MAC addresses and names are not"
    )


def test_our_parser_reads_the_nftables_export() -> None:
    assert parse_list(write_nftables(COVERED).split("chain")[0].encode()).targets == (
        "10.0.0.0/24",
        "192.0.2.1",
        "2001:db8::1",
    )


def test_the_mikrotik_script_replaces_the_address_list() -> None:
    assert write_mikrotik(COVERED).splitlines()[1:] == [
        "/ip firewall address-list",
        "remove [find list=appliance_blocks]",
        "add list=appliance_blocks address=10.0.0.0/24",
        "add list=appliance_blocks address=192.0.2.1",
        "/ipv6 firewall address-list",
        "remove [find list=appliance_blocks]",
        "add list=appliance_blocks address=2001:db8::1",
    ]


def test_a_stream_has_new_and_deleted_decisions() -> None:
    before = find_decisions([block("10.0.0.1"), block("10.0.0.2", 60), block("10.0.0.4")])
    now = find_decisions([block("10.0.0.2", 90), block("10.0.0.3/32"), block("10.1.0.0/16", 30), block("10.0.0.4")])
    told = json.loads(write_stream(now, before, WALL))
    assert {(one["value"], one["scope"], one["duration"]) for one in told["new"]} == {
        ("10.0.0.2", "Ip", "90s"),
        ("10.0.0.3/32", "Range", "315360000s"),
        ("10.1.0.0/16", "Range", "30s"),
    }
    assert [one["value"] for one in told["deleted"]] == ["10.0.0.1"]
    assert json.loads(write_stream(now, now, WALL)) == {"new": [], "deleted": []}


def test_a_decision_is_the_longest_lived_block_of_its_target() -> None:
    for pair in ([60, None], [None, 60]):
        found = find_decisions([block("10.0.0.1", left_s, f"list:{left_s}") for left_s in pair])
        assert found["10.0.0.1"].expires_at is None
    assert find_decisions([block("bad.example"), block("02:00:5e:10:00:01")]) == {}
