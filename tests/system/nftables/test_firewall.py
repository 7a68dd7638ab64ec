import json
from collections.abc import Callable, Iterator

import psutil
import pytest

from appliance.core.blocking.cover import Range
from appliance.core.blocking.sets import BlockSet, Family, mark_of
from appliance.core.kernel.nftables.block_rules import MOST_HITS
from appliance.system.nftables.firewall import NftablesFirewall
from appliance.system.nftables.libnftables import FirewallUnavailable, Nftables
from tests.lab.blocks import DEPARTMENT, bounds, firewall, pieces, place, remaining_s, targets
from tests.lab.fixtures import Until
from tests.lab.host import Host
from tests.lab.network import WEB_V4, WEB_V6, Network

ANSWERED, REFUSED = 0, 7  # exit codes of curl; 28 would be a timeout
FOREIGN = "table inet theirs { chain c { type filter hook input priority 0; tcp dport 9 drop; }; }"
PLACES = [place()]


@pytest.fixture
def filter_(gateway: Network) -> Iterator[NftablesFirewall]:
    with firewall(gateway) as made:
        assert made.install_rules(PLACES) is None
        yield made


def _enforce(made: NftablesFirewall, *targets: str, seconds: float = float("inf")) -> None:
    assert made.replace_elements(pieces(*targets, seconds=seconds), 0.0) is None


def _visits(host: Host) -> list[int]:
    return [host.fetch(address, wait_s=10).returncode for address in (WEB_V4[0], WEB_V6[0])]


@pytest.mark.parametrize("seconds", [float("inf"), 3600.0, 400 * 86_400.0])
def test_what_is_in_force_is_what_was_put(filter_: NftablesFirewall, seconds: float) -> None:
    wanted = {
        *("10.20.0.11", "255.255.255.255", "fd20::11", "02:00:5e:10:00:01"),
        *("10.0.0.0/25", "10.0.0.128/25", "10.1.0.0/32", "10.1.0.1/32", "255.255.255.0/24", "0.0.0.0/16"),
        *("2001:db8::/33", "2001:db8:8000::/33", "ffff::/16", "::/127"),
    }
    _enforce(filter_, *wanted, seconds=seconds)
    assert targets(filter_) == wanted
    remaining = remaining_s(filter_)
    if seconds == float("inf"):
        assert set(remaining) == {None}
    else:
        assert all(one is not None and seconds - 60 < one <= seconds for one in remaining)


def test_a_change_is_the_difference_and_the_rest_stays(filter_: NftablesFirewall) -> None:
    _enforce(filter_, "10.20.0.11", "10.1.0.0/16", "10.3.0.0/16")
    gone = bounds(pieces("10.20.0.11", "10.1.0.0/16"))
    assert filter_.update_elements(gone, pieces("10.20.0.12", "10.1.0.0/17"), 0.0) is None
    assert targets(filter_) == {"10.20.0.12", "10.1.0.0/17", "10.3.0.0/16"}


def test_taking_away_what_is_there_no_more_is_not_refused(filter_: NftablesFirewall, until: Until) -> None:
    _enforce(filter_, "10.20.0.11", "10.1.0.0/16", seconds=0.05)
    until(lambda: not targets(filter_))
    gone = bounds(pieces("10.20.0.11", "10.1.0.0/16"))
    assert filter_.update_elements(gone, pieces("10.20.0.11", "10.1.0.0/17"), 0.0) is None
    assert targets(filter_) == {"10.20.0.11", "10.1.0.0/17"}


def test_what_the_kernel_refuses_leaves_the_former_state_in_force(filter_: NftablesFirewall) -> None:
    _enforce(filter_, "10.20.0.11")
    overlapping = {BlockSet(Family.PREFIXES4, None): [Range(0, 100, 9.0, 1, "a"), Range(50, 150, 9.0, 1, "b")]}
    assert filter_.replace_elements(overlapping, 0.0) is not None
    assert filter_.update_elements(bounds(pieces("10.20.0.11")), overlapping, 0.0) is not None
    assert targets(filter_) == {"10.20.0.11"}


def test_a_set_that_is_not_there_is_a_reason(filter_: NftablesFirewall) -> None:
    assert (
        filter_.update_elements({}, pieces("10.0.0.1", department="nobody"), 0.0)
        == "No such file or directory (ENOENT)"
    )


def test_arranging_again_keeps_what_is_in_force(gateway: Network, filter_: NftablesFirewall) -> None:
    gateway.start_web()
    _enforce(filter_, "10.20.0.11", "fd20::11")
    assert filter_.install_rules([place(), place("eth0", "other")]) is None
    assert filter_.install_rules(PLACES) is None
    assert targets(filter_) == {"10.20.0.11", "fd20::11"}
    assert _visits(gateway.hosts[0]) == [REFUSED, REFUSED]


@pytest.mark.parametrize(
    ("region", "blocked"),
    [
        ("far_prefixes4 { 198.51.0.0 }", ["198.51.0.0/16", "10.2.0.0/17", "10.2.128.0/20", "2001:db8::/32"]),
        ("near_prefixes4 { 198.51.100.0 }", ["198.51.100.0/24", "10.2.0.0/17", "10.2.128.0/25", "2001:db8:100::/64"]),
    ],
)
def test_a_prefix_without_its_region_is_not_shown_for_it_does_not_hold(
    gateway: Network, filter_: NftablesFirewall, region: str, blocked: list[str]
) -> None:
    gateway.start_web()
    _enforce(filter_, *blocked)
    assert targets(filter_) == {*blocked}
    assert _visits(gateway.hosts[0]) == [REFUSED, REFUSED]
    gateway.appliance.run(["nft", f"delete element netdev appliance {region}"])
    assert filter_.tampered_by() is not None
    assert targets(filter_) == {blocked[-1]}
    assert _visits(gateway.hosts[0]) == [0, REFUSED]


def test_regions_are_of_what_is_in_force(gateway: Network, filter_: NftablesFirewall) -> None:
    gateway.start_web()
    _enforce(filter_, "198.51.100.0/25", "198.51.100.128/25")
    refused = filter_.update_elements(bounds(pieces("198.51.100.0/25")), pieces("10.0.0.1", department="nobody"), 0.0)
    assert refused is not None
    assert filter_.update_elements(bounds(pieces("198.51.100.128/25")), {}, 0.0) is None
    assert _visits(gateway.hosts[0]) == [REFUSED, 0]
    assert filter_.update_elements(bounds(pieces("198.51.100.0/25")), {}, 0.0) is None
    assert "198.51" not in gateway.appliance.run(["nft", "list", "ruleset"]).stdout
    assert filter_.install_rules([place(), place("eth0", "other")]) is None
    assert filter_.update_elements({}, pieces("10.3.0.0/24", department="other"), 0.0) is None
    assert targets(filter_, "other") == {"10.3.0.0/24"}


def _judging(lab: Network) -> set[str]:
    """The chains through which packets pass at the department's interface."""
    listed = json.loads(lab.appliance.run(["nft", "-j", "list", "table", "netdev", "appliance"]).stdout)["nftables"]
    names = {one["chain"]["name"] for one in listed if "chain" in one}
    return {name.removesuffix("_own") for name in names if "gress" in name}


def test_packets_are_looked_up_only_where_something_is_blocked(gateway: Network, filter_: NftablesFirewall) -> None:
    of4, of6 = ({f"ingress{v}_eth1", f"egress{v}_eth1", "ingress_eth1", "egress_eth1"} for v in (4, 6))
    assert _judging(gateway) == set()
    for target, chains in (("10.20.0.11", of4), ("10.1.0.0/16", of4), ("fd20::11", of6), ("2001:db8::/33", of6)):
        for department in (None, DEPARTMENT):
            one = pieces(target, department=department)
            assert filter_.update_elements({}, one, 0.0) is None
            assert _judging(gateway) == chains
            assert filter_.update_elements(bounds(one), {}, 0.0) is None
            assert _judging(gateway) == set()
    assert filter_.replace_elements(pieces("02:00:5e:10:00:01"), 0.0) is None
    assert _judging(gateway) == of4 | of6
    assert filter_.replace_elements({}, 0.0) is None
    assert _judging(gateway) == set()


def test_rules_go_when_the_last_element_has_expired_and_was_taken_away(
    gateway: Network, filter_: NftablesFirewall, until: Until
) -> None:
    _enforce(filter_, "10.20.0.11", "10.1.0.0/16", seconds=0.05)
    until(lambda: not targets(filter_))
    assert filter_.update_elements(bounds(pieces("10.20.0.11", "10.1.0.0/16")), {}, 0.0) is None
    assert _judging(gateway) == set()


def test_rules_stay_for_what_is_in_force_though_more_was_taken_away_than_put(
    gateway: Network, filter_: NftablesFirewall
) -> None:
    gateway.start_web()
    _enforce(filter_, "10.20.0.11", "fd20::11")
    assert filter_.update_elements(bounds(pieces("10.20.0.99", "fd20::99")), {}, 0.0) is None
    assert _visits(gateway.hosts[0]) == [REFUSED, REFUSED]


def test_a_start_keeps_in_force_what_it_finds_until_it_puts_its_own(gateway: Network) -> None:
    gateway.start_web()
    with firewall(gateway) as before:
        assert before.install_rules(PLACES) is None
        _enforce(before, "10.20.0.11", "fd20::/64")
    with firewall(gateway) as made:
        assert made.install_rules(PLACES) is None
        assert _visits(gateway.hosts[0]) == [REFUSED, REFUSED]
        _enforce(made, "fd20::11")
        assert _visits(gateway.hosts[0]) == [ANSWERED, REFUSED]
        assert _judging(gateway) == {"ingress6_eth1", "egress6_eth1", "ingress_eth1", "egress_eth1"}


def test_a_block_after_somebody_removed_the_table_is_refused_for_all_to_be_put_again(
    gateway: Network, filter_: NftablesFirewall
) -> None:
    _enforce(filter_, "10.20.0.11")
    gateway.appliance.run(["nft", "delete", "table", "netdev", "appliance"])
    assert filter_.update_elements({}, pieces("fd20::11"), 0.0) is not None
    assert not filter_.is_intact()


def test_what_others_do_is_told_with_their_name_and_what_we_do_is_not(
    gateway: Network, filter_: NftablesFirewall
) -> None:
    _enforce(filter_, "10.20.0.11", "10.1.0.0/16")
    assert filter_.tampered_by() is None
    gateway.appliance.run(["nft", "-f", "-"], given=FOREIGN)
    assert filter_.tampered_by() is None  # it is none of our tables
    gateway.appliance.run(["nft", "delete element netdev appliance hosts4 { 10.20.0.11 }"])
    assert "nft (process" in filter_.tampered_by()
    assert filter_.tampered_by() is None
    assert filter_.is_intact()


@pytest.mark.parametrize(
    "deed",
    [
        *("flush ruleset", "delete table netdev appliance", "flush table netdev appliance"),
        *("flush chain netdev appliance ingress4_eth1", "delete chain netdev appliance ingress_eth1"),
    ],
)
def test_rules_that_somebody_took_away_do_not_stand(gateway: Network, filter_: NftablesFirewall, deed: str) -> None:
    _enforce(filter_, "10.20.0.11")
    assert filter_.is_intact()
    gateway.appliance.run(["nft", *deed.split()])
    assert "nft (process" in filter_.tampered_by()
    assert not filter_.is_intact()
    assert filter_.install_rules(PLACES) is None
    assert filter_.is_intact()
    assert filter_.tampered_by() is None


def test_more_notices_than_are_held_count_as_a_disturbance(gateway: Network, filter_: NftablesFirewall) -> None:
    addresses = ", ".join(f"10.9.{high}.{low}" for high in range(200) for low in range(100))
    table = f"table inet theirs {{ set s {{ type ipv4_addr; elements = {{ {addresses} }}; }}; }}"
    gateway.appliance.run(["nft", "-f", "-"], given=table)
    assert filter_.tampered_by() is not None
    assert filter_.tampered_by() is None


def test_many_at_once_are_one_transaction_that_does_not_drown_its_own_notices(filter_: NftablesFirewall) -> None:
    many = [f"10.{high}.{low}.1" for high in range(40) for low in range(250)]
    _enforce(filter_, *many)
    assert filter_.tampered_by() is None


def test_the_sets_of_many_departments_are_emptied_at_once(gateway: Network) -> None:
    places = [place("eth1", f"d{number}", f"10.21.{number}.0/24") for number in range(100)]
    with firewall(gateway) as made:
        assert made.install_rules(places) is None
        assert made.replace_elements(pieces("10.20.0.11", department="d99"), 0.0) is None
        assert targets(made, "d99") == {"10.20.0.11"}
        assert made.replace_elements({}, 0.0) is None
        assert targets(made, "d99") == set()


def test_what_is_asked_and_changed_during_a_look_does_not_disturb_it(filter_: NftablesFirewall, until: Until) -> None:
    wanted = [f"10.30.{number >> 8}.{number & 255}" for number in range(5000)]
    hosts = BlockSet(Family.HOSTS4, None)
    _enforce(filter_, *wanted)
    seen, portions = set(), 0
    for points in filter_.list_elements(hosts):
        seen |= {number for number, _ in points}
        portions += 1
        assert filter_.is_intact()
        if portions < 5:  # what is new comes last: one for each portion would be a look without an end
            assert filter_.update_elements({}, pieces(f"10.31.0.{portions}"), 0.0) is None
    assert portions > 5
    missed = {one.first for one in pieces(*wanted)[hosts]} - seen  # some, where the set grew during the look
    until(lambda: missed <= {number for points in filter_.list_elements(hosts) for number, _ in points})


def test_other_tables_are_left_alone_and_release_takes_only_ours(gateway: Network) -> None:
    gateway.appliance.run(["nft", "-f", "-"], given=FOREIGN)
    theirs = gateway.appliance.run(["nft", "list", "ruleset"]).stdout
    with firewall(gateway) as made:
        assert made.install_rules(PLACES) is None
        _enforce(made, "10.20.0.11")
        assert gateway.appliance.run(["nft", "list", "table", "inet", "theirs"]).stdout == theirs
        with gateway.appliance.entered():
            Nftables().release()
            Nftables().release()
        assert gateway.appliance.run(["nft", "list", "ruleset"]).stdout == theirs
        assert not made.is_intact()


def test_a_closed_packet_filter_keeps_no_descriptor(gateway: Network) -> None:
    with gateway.appliance.entered():
        Nftables().close()  # which loads the library
        before = psutil.Process().num_fds()
        for _ in range(10):
            Nftables().close()
        assert psutil.Process().num_fds() == before


def test_an_interface_that_was_made_anew_is_blocked_again_after_arranging(gateway: Network) -> None:
    gateway.start_web()
    with firewall(gateway) as made:
        assert made.install_rules(PLACES) is None
        _enforce(made, "10.20.0.11", "fd20::11")
        gateway.appliance.run(["ip", "link", "delete", "eth1"])
        assert made.install_rules(PLACES) is None
        gateway.cable_department()
        assert made.install_rules(PLACES) is None
        assert _visits(gateway.hosts[0]) == [REFUSED, REFUSED]
        assert made.replace_elements({}, 0.0) is None
        assert _visits(gateway.hosts[0]) == [ANSWERED, ANSWERED]


@pytest.mark.parametrize("name", ["eth0.20", "br-lan", "in-out", '"};{', "@x", "-", "µ1"])
def test_any_name_that_an_interface_can_have_will_do(gateway: Network, name: str) -> None:
    gateway.appliance.run(["ip", "link", "set", "eth1", "down"])
    gateway.appliance.run(["ip", "link", "set", "eth1", "name", name])
    with firewall(gateway) as made:
        assert made.install_rules([place(name)]) is None
        _enforce(made, "10.20.0.11", "10.9.0.0/16", seconds=60.0)
        assert targets(made) == {"10.20.0.11", "10.9.0.0/16"}


def test_what_is_stopped_is_counted_by_origin_and_by_block_and_host(
    gateway: Network, filter_: NftablesFirewall
) -> None:
    mark = mark_of("list:bad", 7)
    web = {BlockSet(Family.HOSTS4, DEPARTMENT): [Range(0xC633640A, 0xC633640A, 9e9, mark, "web")]}
    assert filter_.update_elements({}, web, 0.0) is None
    for host in gateway.hosts[:2]:
        assert host.fetch(WEB_V4[0]).returncode == REFUSED
    assert filter_.stopped() == {"manual": 0, "detection": 0, "list": 2, "schedule": 0}
    assert {(hit.mark, hit.host, hit.packets) for hit in filter_.hit_counts()} == {
        (mark, host.ipv4, 1) for host in gateway.hosts[:2]
    }


def test_a_host_that_floods_is_not_answered_without_pause(gateway: Network, filter_: NftablesFirewall) -> None:
    _enforce(filter_, "10.20.0.11")
    host = gateway.hosts[0]
    host.run(["ping", "-n", "-q", "-l", "2000", "-c", "2000", "-W", "1", gateway.uplink.ipv4], check=False)
    [hit] = filter_.hit_counts()
    assert hit.packets >= 2000
    answered = int(host.run(["sh", "-c", "grep -h ^Icmp: /proc/net/snmp | tail -1 | cut -d' ' -f5"]).stdout)
    assert answered < 1000


def test_hosts_that_are_not_counted_for_want_of_room_get_no_answer(gateway: Network, filter_: NftablesFirewall) -> None:
    _enforce(filter_, "10.20.0.11")
    strangers = ", ".join(f"1 . 10.9.{number >> 8}.{number & 255}" for number in range(MOST_HITS))
    gateway.appliance.run(["nft", "add element netdev appliance hits_up4 {", strangers, "}"])
    gateway.hosts[0].run(["ping", "-n", "-q", "-i", "0.01", "-c", "5", "-W", "1", gateway.uplink.ipv4], check=False)
    received = gateway.hosts[0].run(["sh", "-c", "grep -h ^Icmp: /proc/net/snmp | tail -1 | cut -d' ' -f5"]).stdout
    assert (filter_.stopped()["manual"], int(received)) == (5, 0)


def test_connections_are_tracked_only_where_that_is_asked_for(gateway: Network) -> None:
    with firewall(gateway, tracks_connections=False) as made:
        assert made.install_rules(PLACES) is None
    assert "table inet" not in gateway.appliance.run(["nft", "list", "ruleset"]).stdout
    with firewall(gateway) as made:
        assert made.install_rules(PLACES) is None
    assert "ct state new" in gateway.appliance.run(["nft", "list", "ruleset"]).stdout


def test_without_the_right_to_change_the_packet_filter_it_says_what_is_missing(
    run_unprivileged: Callable[[str], str],
) -> None:
    said = run_unprivileged("from appliance.system.nftables.libnftables import Nftables; Nftables()")
    assert FirewallUnavailable.__name__ in said
    assert "needs root (CAP_NET_ADMIN)" in said
