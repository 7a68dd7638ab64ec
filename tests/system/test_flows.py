from pathlib import Path

import pytest

from appliance.core.machine import Connection
from appliance.system.firewall import NftablesFirewall
from appliance.system.flows import ConntrackFlows
from appliance.system.nftables import Nftables
from tests.lab.network import WEB_V4, WEB_V6

ABSENT = Path("/proc/net/no-such-table")


def _tracked(lab, **arguments):
    """What is tracked of a visit to both web addresses, read in the appliance's namespace."""
    lab.start_web()
    with lab.appliance.entered():
        firewall = NftablesFirewall(Nftables().run)
        assert firewall.sync({}) is None
        for address in (WEB_V4[0], WEB_V6[0]):
            assert lab.hosts[0].fetch(address).returncode == 0
        flows = ConntrackFlows(**arguments)
        connections = list(flows.connections())
        flows.close()
    return connections


@pytest.mark.parametrize("arguments", [{}, {"table": ABSENT}], ids=["file", "netlink"])
def test_connections_that_pass_are_told_by_the_addresses_of_their_first_packet(inline, arguments):
    connections = _tracked(inline, **arguments)
    host = inline.hosts[0]
    assert Connection(host.ipv4, WEB_V4[0]) in connections
    assert Connection(host.ipv6, WEB_V6[0]) in connections


def test_where_nothing_is_tracked_there_are_no_connections(mirror):
    mirror.hosts[0].ping(mirror.uplink.ipv4)
    with mirror.appliance.entered():
        flows = [ConntrackFlows(), ConntrackFlows(ABSENT)]
        assert [list(one.connections()) for one in flows] == [[], []]
    for one in flows:
        one.close()
