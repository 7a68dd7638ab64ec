from collections.abc import Sequence
from ipaddress import ip_address

from appliance.core.machine import Sighting
from appliance.system.network.neighbours import RtnetlinkNeighbours
from tests.lab.host import Host
from tests.lab.network import Network


def _sightings(host: Host) -> Sequence[Sighting]:
    with host.entered():
        neighbours = RtnetlinkNeighbours()
    seen = neighbours.sightings()
    neighbours.close()
    return seen


def test_a_gateway_knows_its_devices_by_address_in_both_families(gateway: Network) -> None:
    host = gateway.hosts[0]
    host.ping(gateway.uplink.ipv4)
    host.ping(gateway.uplink.ipv6)
    seen = {(one.interface, one.address, one.mac) for one in _sightings(gateway.appliance)}
    assert {("eth1", ip_address(text), host.mac()) for text in (host.ipv4, host.ipv6)} <= seen


def test_a_device_that_was_just_asked_is_younger_than_five_minutes(gateway: Network) -> None:
    gateway.appliance.ping(gateway.hosts[0].ipv4)
    (sighting,) = [one for one in _sightings(gateway.appliance) if one.address == ip_address(gateway.hosts[0].ipv4)]
    assert 0 <= sighting.age_s < 300


def test_a_bridge_knows_its_devices_by_port(bridge: Network) -> None:
    for host in bridge.hosts:
        host.ping(bridge.uplink.ipv4)
    seen = {(one.interface, one.mac) for one in _sightings(bridge.appliance) if one.address is None}
    assert {("eth1", host.mac()) for host in bridge.hosts} <= seen
    assert ("eth0", bridge.uplink.mac()) in seen


def test_an_address_that_does_not_answer_is_no_device(gateway: Network) -> None:
    gateway.appliance.ping("10.20.0.99", wait_s=0.2)
    assert ip_address("10.20.0.99") not in {one.address for one in _sightings(gateway.appliance)}


def test_what_somebody_configured_and_the_machine_itself_are_no_devices(bridge: Network) -> None:
    bridge.appliance.run(["ip", "neighbour", "add", "10.20.0.77", "lladdr", "02:00:00:00:00:77", "dev", "br0"])
    macs = {one.mac for one in _sightings(bridge.appliance)}
    assert "02:00:00:00:00:77" not in macs
    assert bridge.appliance.mac("eth1") not in macs
