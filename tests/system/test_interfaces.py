from ipaddress import ip_interface

import pytest

from appliance.system.interfaces import RtnetlinkInterfaces


@pytest.fixture
def watched(gateway):
    with gateway.appliance.entered():
        interfaces = RtnetlinkInterfaces()
    yield gateway, interfaces
    interfaces.close()


def test_the_counters_are_the_kernels_to_the_byte(watched, until):
    gateway, interfaces = watched
    gateway.start_iperf3()
    gateway.hosts[0].run(["iperf3", "--client", gateway.uplink.ipv4, "--bytes", "20M"])
    # Once the last segments are through, no reading lies between two that differ.
    until(lambda: _carried(interfaces) == gateway.department_port_counters() == _carried(interfaces))
    assert sum(_carried(interfaces)) > 10_000_000


def _carried(interfaces):
    counters = interfaces.links()["eth1"].counters
    return counters.rx_bytes, counters.tx_bytes


def test_an_interface_is_up_only_with_a_carrier(watched):
    gateway, interfaces = watched
    assert interfaces.links()["eth1"].up
    gateway.switch.run(["ip", "link", "set", "appliance", "down"])
    assert not interfaces.links()["eth1"].up
    gateway.switch.run(["ip", "link", "set", "appliance", "up"])
    assert interfaces.links()["eth1"].up
    gateway.appliance.run(["ip", "link", "set", "eth1", "down"])
    assert not interfaces.links()["eth1"].up


def test_loopback_is_up_though_its_driver_does_not_say(watched):
    assert watched[1].links()["lo"].up


def test_addresses_carry_their_networks(watched):
    addresses = watched[1].links()["eth1"].addresses
    assert ip_interface("10.20.0.1/24") in addresses
    assert ip_interface("fd20::1/64") in addresses


def test_a_cable_has_the_speed_that_its_driver_tells_and_loopback_none(watched):
    links = watched[1].links()
    assert links["eth1"].speed_bps == 10_000_000_000  # what every veth pair says of itself
    assert links["lo"].speed_bps is None


def test_a_port_names_its_bridge(bridge):
    with bridge.appliance.entered():
        interfaces = RtnetlinkInterfaces()
    assert interfaces.links()["eth1"].master == "br0"
    assert interfaces.links()["br0"].master is None
    interfaces.close()


def test_an_interface_that_goes_is_absent_and_another_of_its_name_is_told_apart(watched):
    gateway, interfaces = watched
    before = interfaces.links()["eth1"]
    gateway.appliance.run(["ip", "link", "delete", "eth1"])
    assert "eth1" not in interfaces.links()
    gateway.cable(gateway.appliance, "eth1", gateway.switch, "appliance")
    after = interfaces.links()["eth1"]
    assert after.identity != before.identity
    assert after.boot == before.boot
