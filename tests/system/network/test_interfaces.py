import json
import sys
from collections.abc import Iterator
from ipaddress import ip_interface

import pytest

from appliance.system.network.interfaces import RtnetlinkInterfaces
from tests.lab.fixtures import Until
from tests.lab.network import Network

Watched = tuple[Network, RtnetlinkInterfaces]


@pytest.fixture
def watched(gateway: Network) -> Iterator[Watched]:
    with gateway.appliance.entered():
        interfaces = RtnetlinkInterfaces("boot")
    yield gateway, interfaces
    interfaces.close()


def test_the_counters_are_the_kernels_to_the_byte(watched: Watched, until: Until) -> None:
    gateway, interfaces = watched
    gateway.start_iperf3()
    gateway.hosts[0].run(["iperf3", "--client", gateway.uplink.ipv4, "--bytes", "20M"])
    # Once the last segments are through, no reading lies between two that differ.
    until(lambda: _carried(interfaces) == gateway.department_port_counters() == _carried(interfaces))
    assert sum(_carried(interfaces)) > 10_000_000


def _carried(interfaces: RtnetlinkInterfaces) -> tuple[int, int]:
    counters = interfaces.links()["eth1"].counters
    return counters.rx_bytes, counters.tx_bytes


def test_an_interface_is_up_only_with_a_carrier(watched: Watched, until: Until) -> None:
    gateway, interfaces = watched
    assert interfaces.links()["eth1"].up
    gateway.switch.run(["ip", "link", "set", "appliance", "down"])
    until(lambda: not interfaces.links()["eth1"].up)
    gateway.switch.run(["ip", "link", "set", "appliance", "up"])
    until(lambda: interfaces.links()["eth1"].up)
    gateway.appliance.run(["ip", "link", "set", "eth1", "down"])
    assert not interfaces.links()["eth1"].up


def test_loopback_is_up_though_its_driver_does_not_say(watched: Watched) -> None:
    assert watched[1].links()["lo"].up


def test_addresses_carry_their_networks(watched: Watched) -> None:
    addresses = watched[1].links()["eth1"].addresses
    assert ip_interface("10.20.0.1/24") in addresses
    assert ip_interface("fd20::1/64") in addresses


def test_what_changes_is_seen_at_the_next_look(watched: Watched) -> None:
    gateway, interfaces = watched
    before = interfaces.links()["eth1"]
    gateway.appliance.run(["ip", "address", "add", "10.30.0.1/24", "dev", "eth1"])
    assert {*interfaces.links()["eth1"].addresses} - {*before.addresses} == {ip_interface("10.30.0.1/24")}
    gateway.appliance.run(["ip", "address", "delete", "fd20::1/64", "dev", "eth1"])
    assert {*before.addresses} - {*interfaces.links()["eth1"].addresses} == {ip_interface("fd20::1/64")}
    gateway.appliance.run(["ip", "link", "add", "br7", "type", "bridge"])
    gateway.appliance.run(["ip", "link", "set", "eth1", "master", "br7", "address", "02:00:00:00:00:77"])
    after = interfaces.links()["eth1"]
    assert (after.master, after.mac) == ("br7", "02:00:00:00:00:77")


def test_more_changes_than_notices_fit_are_seen_too(watched: Watched) -> None:
    gateway, interfaces = watched
    interfaces.links()
    many = [f"address add 10.{40 + n // 250}.{n % 250}.1/24 dev lo" for n in range(1000)]
    gateway.appliance.run(["ip", "-batch", "-"], given="\n".join(many))
    assert len(interfaces.links()["lo"].addresses) > 1000


def test_a_cable_has_the_speed_that_its_driver_tells_and_loopback_none(watched: Watched) -> None:
    links = watched[1].links()
    assert links["eth1"].speed_bps == 10_000_000_000  # what every veth pair says of itself
    assert links["lo"].speed_bps is None


def test_a_port_names_its_bridge(bridge: Network) -> None:
    with bridge.appliance.entered():
        interfaces = RtnetlinkInterfaces("boot")
    assert interfaces.links()["eth1"].master == "br0"
    assert interfaces.links()["br0"].master is None
    interfaces.close()


def test_an_interface_that_goes_is_absent_and_another_of_its_name_is_told_apart(watched: Watched) -> None:
    gateway, interfaces = watched
    before = interfaces.links()["eth1"]
    gateway.appliance.run(["ip", "link", "delete", "eth1"])
    assert "eth1" not in interfaces.links()
    gateway.cable(gateway.appliance, "eth1", gateway.switch, "appliance")
    after = interfaces.links()["eth1"]
    assert after.identity != before.identity
    assert after.boot == before.boot


# Frames of a protocol that nobody handles (IEEE 802: 0x88b5 is for experiments): the kernel drops them whole.
UNHANDLED = """
import socket
port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
port.bind(("eth0", 0))
for _ in range(50):
    port.send(bytes.fromhex("ffffffffffff 020000000007 88b5") + bytes(60))
"""


def test_dropped_packets_are_counted_as_the_kernel_counts_them(watched: Watched, until: Until) -> None:
    gateway, interfaces = watched
    before = interfaces.links()["eth1"].counters
    gateway.hosts[0].run([sys.executable, "-c", UNHANDLED])
    until(lambda: interfaces.links()["eth1"].counters.drops >= before.drops + 50)
    [shown] = json.loads(gateway.appliance.run(["ip", "-json", "-stats", "link", "show", "eth1"]).stdout)
    counters = interfaces.links()["eth1"].counters
    received, sent = shown["stats64"]["rx"], shown["stats64"]["tx"]
    assert counters.drops == received["dropped"] + sent["dropped"]
    assert counters.errors == received["errors"] + sent["errors"] == 0
