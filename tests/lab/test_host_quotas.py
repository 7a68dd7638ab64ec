"""Quotas of single hosts on the real kernel: which are held, and how figures are corrected."""

import pytest
from msgspec.structs import replace

from appliance.core.machine import Facing
from tests.lab.network import WEB_V4, WEB_V6, Network
from tests.lab.test_meters import MEGABYTE, REFUSED, SUBNETS, at_rest, meters_of, transfer

LIMIT = MEGABYTE
LIMITED = replace(SUBNETS, host_limit_bytes=LIMIT)
PACKET = 1428  # of a ping with 1,400 bytes in it


def used(meters, host):
    at_rest(meters)
    return meters.hosts()["radiology"][host.mac()].total_bytes


def hold(meters, host, left_bytes):
    return meters.hold_hosts({"radiology": {host.mac(): left_bytes}})


def ping(host, amount, address=WEB_V4[0]):
    """Send and receive this many bytes by ping, or as many of them as may pass."""
    host.run(["ping", "-q", "-f", "-w", "4", "-c", str(int(amount) // 2 // PACKET), "-s", "1400", address], check=False)


def test_each_unknown_host_is_stopped_at_its_limit(inline: Network) -> None:
    meters = meters_of(inline)
    assert meters.apply([LIMITED]) is None
    for host in inline.hosts[:2]:
        ping(host, 2 * LIMIT)
        # The kernel counts the header of each packet to the host, so it stops it too early by as much.
        assert LIMIT * 0.99 < used(meters, host) <= LIMIT + PACKET


@pytest.mark.parametrize("way", [[], ["-R"]], ids=["up", "down"])
@pytest.mark.parametrize("address", [WEB_V4[0], WEB_V6[0]])
def test_tcp_is_stopped_in_both_directions_and_each_ip_version(inline: Network, address: str, way: str) -> None:
    inline.start_iperf3()
    meters = meters_of(inline)
    assert meters.apply([LIMITED]) is None
    transfer(inline.hosts[0], address, "5M", down=bool(way), check=False)
    assert LIMIT * 0.9 < used(meters, inline.hosts[0]) < LIMIT + 65_536


def test_a_host_that_is_stopped_early_gets_the_rest_to_the_last_packet(inline: Network) -> None:
    meters, host = meters_of(inline), inline.hosts[0]
    assert meters.apply([LIMITED]) is None
    ping(host, 2 * LIMIT)
    looks = 0
    while (left := LIMIT - used(meters, host)) >= PACKET:
        assert hold(meters, host, left) is None
        ping(host, 2 * left + 10 * PACKET)
        looks += 1
        assert looks < 10
    assert used(meters, host) <= LIMIT
    assert meters.refused_hosts() == {"radiology": {host.mac()}}
    assert not host.ping(WEB_V4[0], wait_s=0.2)


def test_other_hosts_and_the_department_go_on_when_one_host_is_stopped(inline: Network) -> None:
    inline.start_iperf3()
    meters = meters_of(inline)
    assert meters.apply([LIMITED]) is None
    assert hold(meters, inline.hosts[0], 0) is None
    inline.hosts[0].ping(WEB_V4[0], wait_s=0.2)  # the one packet that still passes
    assert not inline.hosts[0].ping(WEB_V4[0], wait_s=0.2)
    curl = ["curl", "-s", "-m", "5", f"http://{WEB_V4[0]}:5201"]
    assert inline.hosts[0].run(curl, check=False).returncode == REFUSED
    assert transfer(inline.hosts[1], WEB_V4[0], "500k").returncode == 0


def test_a_grant_and_a_new_period_let_a_host_pass_at_once(inline: Network) -> None:
    meters, host = meters_of(inline), inline.hosts[0]
    assert meters.apply([LIMITED]) is None
    assert hold(meters, host, 0) is None
    host.ping(WEB_V4[0], count=2, wait_s=0.2)
    assert not host.ping(WEB_V4[0], wait_s=0.2)
    assert host.mac() not in meters.hosts()["radiology"], "nothing has passed"
    assert hold(meters, host, 3 * LIMIT) is None
    ping(host, 2 * LIMIT)
    assert used(meters, host) > 1.9 * LIMIT


def test_a_restart_leaves_hosts_held_and_knows_their_remaining_bytes(inline: Network) -> None:
    meters, host = meters_of(inline), inline.hosts[0]
    assert meters.apply([LIMITED]) is None
    ping(host, LIMIT * 0.7)
    before = used(meters, host)
    again = meters_of(inline)
    assert again.apply([LIMITED]) is None
    assert hold(again, host, LIMIT - before) is None
    assert used(again, host) == before
    ping(host, 2 * LIMIT)
    assert used(again, host) <= LIMIT + PACKET


def test_after_a_flush_a_host_gets_only_the_bytes_of_its_books(inline: Network) -> None:
    meters, host = meters_of(inline), inline.hosts[0]
    assert meters.apply([LIMITED]) is None
    inline.appliance.run(["nft", "flush", "ruleset"])
    assert meters.apply([LIMITED]) is None
    assert hold(meters, host, LIMIT // 2) is None
    ping(host, 2 * LIMIT)
    assert used(meters, host) <= LIMIT // 2 + PACKET


def test_a_host_beyond_its_limit_may_be_slow_instead(inline: Network) -> None:
    inline.start_iperf3()
    meters, host = meters_of(inline), inline.hosts[0]
    assert meters.apply([replace(LIMITED, host_bytes_s=MEGABYTE)]) is None
    assert hold(meters, host, 0) is None
    assert host.ping(WEB_V4[0], count=3)
    host.run(["timeout", "10", "iperf3", "-c", WEB_V4[0], "-t", "3"])
    assert LIMIT < used(meters, host) < 8 * MEGABYTE


def test_a_mirror_port_holds_no_host(mirror: Network) -> None:
    mirror.start_iperf3()
    meters = meters_of(mirror)
    assert meters.apply([replace(LIMITED, facing=Facing.MIRRORED)]) is None
    assert hold(meters, mirror.hosts[0], 0) is None
    assert transfer(mirror.hosts[0], WEB_V4[0], "5M").returncode == 0
