"""Pairs of addresses that have passed all blocks: they spare look-ups, and let nothing pass that a block stops."""

import json
from collections.abc import Iterator

import pytest

from appliance.core.kernel.nftables.prefilter import MOST_PAIRS
from appliance.system.nftables.firewall import TABLE, NftablesFirewall
from tests.lab.blocks import bounds, firewall, pieces, place
from tests.lab.host import Host
from tests.lab.network import DEPARTMENT_V4, WEB_V4, WEB_V6, Network

ANSWERED, REFUSED = 0, 7  # exit codes of curl
ELSEWHERE = ("203.0.113.9", "2001:db8:9::9")  # blocked, so that packets are looked up at all


@pytest.fixture
def blocks(inline: Network) -> Iterator[NftablesFirewall]:
    inline.start_web()
    with firewall(inline) as made:
        assert made.install_rules([place()]) is None
        assert made.replace_elements(pieces(*ELSEWHERE), 0.0) is None
        yield made


def visits(host: Host) -> list[int]:
    return [host.fetch(address, wait_s=10).returncode for address in (WEB_V4[0], WEB_V6[0])]


def remembered(lab: Network, version: int) -> set[tuple[str, str]]:
    """The addresses of host and server in all pairs of an IP version that are in use."""
    listed = json.loads(lab.appliance.run(["nft", "-j", "list", "ruleset"]).stdout)["nftables"]
    turns = [one["map"] for one in listed if one.get("map", {}).get("name", "").startswith("turn_")]
    in_use = {verdict["jump"]["target"] for turn in turns for _, verdict in turn["elem"]}
    assert len(in_use) == 2 * len(turns), "one chain for each IP version, which has the name of its set"
    sets = [one["set"] for one in listed if one.get("set", {}).get("name", "") in in_use]
    of_version = [one for one in sets if one["name"].startswith(f"pairs{version}_")]
    elements = [one["elem"]["val"]["concat"] for found in of_version for one in found.get("elem", ())]
    return {(host, server) for _, _, host, server in elements}


def ping_as(host: Host, source: str, server: str) -> bool:
    return host.run(["ping", "-c", "1", "-W", "5", "-I", source, server], check=False).returncode == 0


def fetch_as(host: Host, source: str) -> int:
    """What `curl` says to an attempt from one of the host's addresses."""
    ask = ["curl", "-s", "-o", "/dev/null", "--max-time", "10", "--interface", source, f"http://{WEB_V4[0]}/"]
    return host.run(ask, check=False).returncode


def test_a_new_block_holds_for_a_pair_that_has_just_passed(inline: Network, blocks: NftablesFirewall) -> None:
    host, other = inline.hosts[:2]
    own, both = [REFUSED, ANSWERED], [REFUSED, REFUSED]
    cases = [
        ((WEB_V4[0], WEB_V6[0]), None, both),
        ((host.ipv4, host.ipv6), None, own),
        (("198.51.100.0/25", "2001:db8:100::/48"), "dept", both),
        ((host.mac(),), "dept", own),
    ]
    for found, department, expected in cases:  # in turns in the one set of pairs and in the other
        assert visits(host) == [ANSWERED, ANSWERED]
        assert (host.ipv4, WEB_V4[0]) in remembered(inline, 4)
        assert (host.ipv6, WEB_V6[0]) in remembered(inline, 6)
        block = pieces(*found, department=department)
        assert blocks.update_elements({}, block, 0.0) is None
        assert remembered(inline, 4) | remembered(inline, 6) == set()
        assert [visits(one) for one in (host, other)] == [[one, one] for one in expected]
        assert blocks.update_elements(bounds(block), {}, 0.0) is None


def test_what_changes_without_a_new_block_leaves_the_pairs(inline: Network, blocks: NftablesFirewall) -> None:
    assert visits(inline.hosts[0]) == [ANSWERED, ANSWERED]
    assert blocks.update_elements(bounds(pieces(ELSEWHERE[0])), {}, 0.0) is None
    assert (inline.hosts[0].ipv6, WEB_V6[0]) in remembered(inline, 6)
    assert blocks.is_intact()


def test_a_department_s_networks_change_for_a_pair_that_has_just_passed(
    inline: Network, blocks: NftablesFirewall
) -> None:
    first, second = inline.hosts[:2]
    assert blocks.install_rules([place("eth1", "dept", f"{first.ipv4}/32")]) is None
    assert blocks.update_elements({}, pieces(WEB_V4[0], department="dept"), 0.0) is None
    for held, free in ((first, second), (second, first), (first, second)):
        assert blocks.install_rules([place("eth1", "dept", f"{held.ipv4}/32")]) is None
        assert held.fetch(WEB_V4[0]).returncode == REFUSED
        assert (free.ipv4, WEB_V4[0]) not in remembered(inline, 4)
        assert blocks.is_intact()


def test_a_device_that_becomes_a_department_s_is_held_though_it_had_passed(
    inline: Network, blocks: NftablesFirewall
) -> None:
    host = inline.hosts[0]
    places = [place("eth1", "dept", f"{host.ipv4}/32"), place("eth1", "rest", "10.99.0.0/24", "fd99::/64")]
    assert blocks.install_rules(places) is None
    assert blocks.update_elements({}, pieces(WEB_V4[0], department="dept"), 0.0) is None
    stranger = f"{DEPARTMENT_V4}99"
    host.address("eth0", f"{stranger}/24")
    assert fetch_as(host, stranger) == ANSWERED
    assert ping_as(host, host.ipv4, WEB_V4[1])
    assert fetch_as(host, stranger) == REFUSED


def test_a_device_of_several_departments_stays_neither_s(inline: Network, blocks: NftablesFirewall) -> None:
    router = inline.hosts[0]
    own = [f"{DEPARTMENT_V4}101", f"{DEPARTMENT_V4}102", f"{DEPARTMENT_V4}103"]
    router.address("eth0", *(f"{one}/24" for one in own))
    places = [place("eth1", "one", f"{own[0]}/32"), place("eth1", "two", f"{own[1]}/32")]
    assert blocks.install_rules(places) is None
    assert blocks.update_elements({}, pieces(WEB_V4[0], department="one"), 0.0) is None
    for server in (WEB_V4[1], inline.uplink.ipv4):  # with each a pair that has not passed before
        assert [ping_as(router, source, server) for source in own[:2]] == [True, True]
    assert [fetch_as(router, source) for source in own] == [REFUSED, ANSWERED, ANSWERED]


def test_where_the_pairs_are_full_others_are_judged_and_pass(inline: Network, blocks: NftablesFirewall) -> None:
    index = inline.appliance.run(["cat", "/sys/class/net/eth1/ifindex"]).stdout.strip()
    names = [f"pairs4_{way}_{turn}" for way in ("in_up", "out_down") for turn in "ab"]
    for name in names:
        elements = ", ".join(
            f"{index} . 02:00:00:00:00:01 . 10.{at >> 8}.{at & 255}.1 . 10.0.0.1" for at in range(MOST_PAIRS)
        )
        inline.appliance.run(["nft", "-f", "-"], given=f"add element netdev {TABLE} {name} {{ {elements} }}")
    assert visits(inline.hosts[0]) == [ANSWERED, ANSWERED]
    assert len(remembered(inline, 4)) == MOST_PAIRS
    assert blocks.update_elements({}, pieces(WEB_V4[0], WEB_V6[0]), 0.0) is None
    assert visits(inline.hosts[0]) == [REFUSED, REFUSED]
    assert remembered(inline, 4) == set()


def test_what_no_pairs_are_in_use_for_is_judged(inline: Network, blocks: NftablesFirewall) -> None:
    assert visits(inline.hosts[0]) == [ANSWERED, ANSWERED]
    assert blocks.update_elements({}, pieces(WEB_V4[0], WEB_V6[0]), 0.0) is None
    for way in ("in_up", "out_down"):
        inline.appliance.run(["nft", "flush", "map", "netdev", TABLE, f"turn_{way}"])
    assert not blocks.is_intact()
    assert visits(inline.hosts[0]) == [REFUSED, REFUSED]


def test_a_start_forgets_what_passed_before(inline: Network, blocks: NftablesFirewall) -> None:
    assert visits(inline.hosts[0]) == [ANSWERED, ANSWERED]
    with firewall(inline) as again:
        assert again.install_rules([place()]) is None
        assert remembered(inline, 4) | remembered(inline, 6) == set()
        assert again.is_intact()
        assert again.replace_elements(pieces(WEB_V4[0], WEB_V6[0]), 0.0) is None
        assert again.is_intact()
        assert visits(inline.hosts[0]) == [REFUSED, REFUSED]
        assert again.install_rules([]) is None
        assert again.install_rules([place(facing="self")]) is None
        assert again.is_intact()
