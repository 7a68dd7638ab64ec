"""The lab itself works as described, in each position."""

import subprocess

import pytest

from tests.lab.host import Host, LabError
from tests.lab.network import WEB_V4, WEB_V6, Network, network

POSITIONS = ["gateway", "bridge", "mirror"]


@pytest.mark.parametrize("position", POSITIONS)
def test_a_departments_host_reaches_the_servers_in_both_families(position: str) -> None:
    with network(position, hosts=1) as lab:
        host = lab.hosts[0]
        lab.start_web()
        lab.start_dns()
        assert [host.fetch(address).returncode for address in (WEB_V4[0], WEB_V6[1])] == [0, 0]
        assert host.resolve("www.example.com", lab.uplink.ipv4) == WEB_V4[0]
        assert host.resolve("www.example.com", lab.uplink.ipv6, "AAAA") == WEB_V6[0]


@pytest.mark.parametrize("position", POSITIONS)
def test_the_appliance_is_reached_from_the_department(position: str) -> None:
    with network(position, hosts=1) as lab:
        assert lab.hosts[0].ping(lab.appliance.ipv4)
        assert lab.hosts[0].ping(lab.appliance.ipv6)


def test_with_nat_the_uplink_sees_only_the_appliance() -> None:
    with network("gateway", hosts=1, nat=True) as lab:
        lab.start_web()
        lab.hosts[0].fetch(WEB_V4[0])
        tracked = lab.appliance.run(["cat", "/proc/net/nf_conntrack"]).stdout
        assert f"src={WEB_V4[0]} dst=10.30.0.1" in tracked


def test_a_mirror_port_gets_packets_of_both_directions(mirror: Network) -> None:
    unmirrored, passed_before = _passed_beside_the_mirror(mirror)
    assert mirror.hosts[0].ping(mirror.uplink.ipv4, count=3)
    unmirrored_since, passed = _passed_beside_the_mirror(mirror)
    assert passed > passed_before
    assert unmirrored_since == unmirrored


def _passed_beside_the_mirror(lab: Network) -> tuple[int, int]:
    """Bytes of the uplink's port that the mirror port lacks, and those bytes, read while nothing passes."""
    while True:
        before = sum(lab.uplink.counters())
        mirrored = lab.appliance.counters("eth1")[0]
        after = sum(lab.uplink.counters())
        if before == after:
            return after - mirrored, after


def test_a_department_s_host_sends_nothing_by_itself(gateway: Network, until) -> None:
    host = gateway.hosts[0]
    until(lambda: _kept_back(host))
    assert host.counters()[1] == 0


def _kept_back(host: Host) -> int:
    """The number of packets that the host's own filter dropped."""
    shown = host.run(["cat", "/proc/net/dev_snmp6/eth0"]).stdout
    return int(dict(map(str.split, shown.splitlines()))["Ip6OutDiscards"])


def test_a_network_leaves_nothing_behind() -> None:
    with network("gateway", hosts=1) as lab:
        lab.start_web()
        web = lab.uplink.spawn(["sleep", "1000"])
        assert lab.prefix in _namespaces()
    assert lab.prefix not in _namespaces()
    assert web.process.poll() is not None


def test_a_program_that_never_gets_ready_is_reported_with_its_output(gateway: Network) -> None:
    with pytest.raises(LabError, match="something else"):
        gateway.uplink.spawn(["echo", "something else"], ready="ready")


def _namespaces() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
