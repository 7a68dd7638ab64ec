import socket
from collections.abc import Mapping

from appliance.core.machine import Connection
from appliance.system.network.flows import ConntrackFlows
from tests.lab.blocks import firewall
from tests.lab.network import WEB_V4, WEB_V6, Network


def track(lab: Network) -> None:
    with firewall(lab) as made:
        assert made.install_rules([]) is None


def connections(lab: Network) -> Mapping[Connection, int]:
    with lab.appliance.entered():
        return ConntrackFlows().connections()


def test_connections_that_pass_are_told_by_the_addresses_of_their_first_packet(inline: Network) -> None:
    inline.start_web()
    track(inline)
    host = inline.hosts[0]
    for address in (WEB_V4[0], WEB_V6[0]):
        assert host.fetch(address).returncode == 0
        assert host.fetch(address).returncode == 0
    found = connections(inline)
    assert found[Connection(host.ipv4, WEB_V4[0])] == 2
    assert found[Connection(host.ipv6, WEB_V6[0])] == 2


def test_thousands_of_connections_are_counted_each(gateway: Network) -> None:
    track(gateway)
    with gateway.hosts[0].entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for port in range(1, 5001):
            sending.sendto(b"x", (WEB_V4[port % 2], port))
    found = connections(gateway)
    assert [found[Connection(gateway.hosts[0].ipv4, address)] for address in WEB_V4] == [2500, 2500]


def test_where_nothing_is_tracked_there_are_no_connections(mirror: Network) -> None:
    mirror.hosts[0].ping(mirror.uplink.ipv4)
    assert connections(mirror) == {}
