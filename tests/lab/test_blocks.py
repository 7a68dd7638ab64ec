"""Blocks on the wire, in each position that can enforce them: which packets pass, and how others are refused."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.blocks import firewall, pieces, place
from tests.lab.host import Host
from tests.lab.network import DEPARTMENT_V4, DEPARTMENT_V6, WEB_V4, WEB_V6, Network, network

ANSWERED, REFUSED, SILENCE = 0, 7, 28  # exit codes of curl
FAMILIES = (WEB_V4[0], WEB_V6[0])
CABLINGS = {"gateway": {}, "nat": {"nat": True}, "bridge": {}}


@contextmanager
def standing(cabling: str, hosts: int = 3) -> Iterator[Network]:
    position = "gateway" if cabling == "nat" else cabling
    with network(position, hosts=hosts, **CABLINGS[cabling]) as lab:
        lab.start_web()
        yield lab


@pytest.fixture(params=list(CABLINGS))
def lab(request: pytest.FixtureRequest) -> Iterator[Network]:
    with standing(request.param) as lab:
        yield lab


def visits(host: Host) -> list[int]:
    return [host.fetch(address, wait_s=10).returncode for address in FAMILIES]


TARGETS = {
    "host": ("10.20.0.11", "fd20::11"),
    "prefix of the department": ("10.20.0.8/30", "fd20::10/126"),
    "server": FAMILIES,
    "prefix outside": ("198.51.100.0/24", "2001:db8:100::/48"),
}


def test_blocked_targets_are_refused_at_once_in_both_families(lab: Network) -> None:
    with firewall(lab) as made:
        assert made.install_rules([place()]) is None
        for department, (what, targets) in itertools.product((None, "dept"), TARGETS.items()):
            assert visits(lab.hosts[0]) == [ANSWERED, ANSWERED]
            assert made.replace_elements(pieces(*targets, department=department), 0.0) is None
            assert visits(lab.hosts[0]) == [REFUSED, REFUSED], what
            assert made.replace_elements({}, 0.0) is None


def test_a_blocked_device_is_refused_by_its_hardware_address_whatever_address_it_takes(lab: Network) -> None:
    host, other = lab.hosts[0], lab.hosts[1]
    with firewall(lab) as made:
        assert made.install_rules([place()]) is None
        assert made.replace_elements(pieces(host.mac()), 0.0) is None
        assert (visits(host), visits(other)) == ([REFUSED, REFUSED], [ANSWERED, ANSWERED])
        host.run(["ip", "address", "flush", "dev", "eth0", "scope", "global"])
        host.address("eth0", f"{DEPARTMENT_V4}99/24", f"{DEPARTMENT_V6}99/64")
        hop = "1" if lab.position == "gateway" else "254"
        host.route_by([f"{DEPARTMENT_V4}{hop}"])  # the IPv6 route stays
        assert visits(host) == [REFUSED, REFUSED]


def test_a_blocked_ping_is_answered_with_a_prohibition_and_nothing_from_outside_arrives(inline: Network) -> None:
    host = inline.hosts[0]
    with firewall(inline) as made:
        assert made.install_rules([place()]) is None
        assert inline.uplink.ping(host.ipv4)
        assert made.replace_elements(pieces(host.ipv4, host.ipv6), 0.0) is None
        for address, said in (
            (inline.uplink.ipv4, "Packet filtered"),
            (inline.uplink.ipv6, "Administratively prohibited"),
        ):
            assert said in host.run(["ping", "-n", "-c", "1", "-W", "5", address], check=False).stdout
        before = host.counters()[0]
        assert not inline.uplink.ping(host.ipv4, wait_s=0.3)
        assert not inline.uplink.ping(host.ipv6, wait_s=0.3)
        assert made.replace_elements({}, 0.0) is None
        assert inline.uplink.ping(host.ipv4)
        assert host.counters()[0] > before  # and the counter would have shown it


@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("end", ["host", "server", "mac"])
def test_an_established_connection_is_cut_in_both_directions(lab: Network, end: str, family: int) -> None:
    lab.start_iperf3()
    host, server = lab.hosts[0], (lab.uplink.ipv4, lab.uplink.ipv6)[family]
    target = {"host": (host.ipv4, host.ipv6)[family], "server": server, "mac": host.mac()}[end]
    transfer = host.spawn(
        ["iperf3", "--client", server, "--time", "60", "--bitrate", "10M", "--forceflush"], ready="sec"
    )
    with firewall(lab) as made:
        assert made.install_rules([place()]) is None
        assert made.update_elements({}, pieces(target), 0.0) is None
        transfer.wait_for("error")
        assert transfer.process.wait(timeout=30) != 0


def test_departments_that_share_an_interface_have_their_own_blocks(lab: Network) -> None:
    first, second, _ = lab.hosts
    places = [
        place("eth1", "first", f"{first.ipv4}/32", f"{first.ipv6}/128"),
        place("eth1", "second", f"{second.ipv4}/32", f"{second.ipv6}/128"),
    ]
    with firewall(lab) as made:
        assert made.install_rules(places) is None
        assert made.replace_elements(pieces(*FAMILIES, department="first"), 0.0) is None
        assert [visits(host) for host in lab.hosts] == [[REFUSED] * 2, [ANSWERED] * 2, [ANSWERED] * 2]
        assert made.replace_elements(pieces(second.mac(), department="first"), 0.0) is None
        assert visits(second) == [ANSWERED, ANSWERED]
        assert made.replace_elements(pieces(*FAMILIES), 0.0) is None
        assert [visits(host) for host in lab.hosts] == [[REFUSED] * 2] * 3


def test_a_mirror_port_stops_nothing(mirror: Network) -> None:
    mirror.start_web()
    with firewall(mirror, tracks_connections=False) as made:
        assert made.install_rules([place()]) is None
        assert made.replace_elements(pieces(*FAMILIES), 0.0) is None
        assert visits(mirror.hosts[0]) == [ANSWERED, ANSWERED]  # so the position does not claim to enforce


def test_in_host_position_the_computer_itself_cannot_reach_blocked_targets(gateway: Network) -> None:
    # Position `host` on a computer of the lab: its only interface faces the world.
    gateway.start_web()
    host = gateway.hosts[0]
    laptop = Network("host", gateway.prefix, gateway.closing)
    laptop.appliance = host
    with firewall(laptop) as made:
        assert made.install_rules([place("eth0", "local", facing="self")]) is None
        assert made.replace_elements(pieces(*FAMILIES), 0.0) is None
        assert [host.fetch(address, wait_s=1).returncode for address in FAMILIES] == [SILENCE, SILENCE]
        assert host.fetch(WEB_V4[1]).returncode == ANSWERED
        assert made.replace_elements(pieces(*TARGETS["prefix outside"]), 0.0) is None
        assert [host.fetch(address, wait_s=1).returncode for address in FAMILIES] == [SILENCE, SILENCE]
        assert sum(made.stopped().values()) > 0


def test_neighbours_find_each_other_while_they_are_blocked(inline: Network) -> None:
    host = inline.hosts[0]
    with firewall(inline) as made:
        assert made.install_rules([place()]) is None
        assert made.replace_elements(pieces("fd20::/64", "fe80::/64", host.mac()), 0.0) is None
        host.run(["ip", "neighbour", "flush", "all"])
        assert host.fetch(WEB_V6[0]).returncode == REFUSED  # no timeout, as without neighbour discovery


def test_a_very_wide_prefix_is_not_taken_for_the_change_of_another_program(gateway: Network) -> None:
    with firewall(gateway) as made:
        assert made.install_rules([place()]) is None
        assert made.update_elements({}, pieces("8000::/2", "c000::/3", "128.0.0.0/2"), 0.0) is None
        assert (made.is_intact(), made.tampered_by()) == (True, None)
        assert made.replace_elements(pieces("8000::/2"), 0.0) is None
        assert (made.is_intact(), made.tampered_by()) == (True, None)
