"""The kernel's meters, in the lab: what they show is what the hosts' own interfaces counted."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network

import pytest

from appliance.core.meter import Facing, Plan
from appliance.core.usage import ETHERNET_BYTES
from appliance.system.meters import TABLE, NftablesMeters
from appliance.system.nfnetlink import Nfnetlink
from appliance.system.nftables import Nftables
from tests.lab.host import Host
from tests.lab.network import WEB_V4, WEB_V6, Network, network

DEPARTMENT = (ip_network("10.20.0.0/24"), ip_network("fd20::/64"), ip_network("fe80::/10"))
ATTEMPTS = 3  # a neighbour that announces itself meanwhile reaches a host and not the appliance
FIRST, REST = (ip_network("10.20.0.11/32"),), (ip_network("10.20.0.12/31"),)
PLAN = Plan("dept", "eth1", Facing.DEPARTMENT, DEPARTMENT)


class Metered:
    """A network whose appliance meters, and whose hosts say nothing of themselves."""

    def __init__(self, lab: Network) -> None:
        self.lab = lab
        self.plan = replace(PLAN, facing=Facing.MIRRORED) if lab.position == "mirror" else PLAN
        with lab.appliance.entered():
            self.shown = Nfnetlink(TABLE)
            self.nftables = Nftables()
        self.meters = self.restarted()

    def apply(self, *plans: Plan) -> str | None:
        """As the service does: on the appliance."""
        with self.lab.appliance.entered():
            return self.meters.apply(plans)

    def around(self, work: Callable[[], None], *hosts: Host) -> tuple[list[int], list[int]]:
        """What passed meanwhile, up and down, of the department and then of each host: by meters, and by the hosts."""
        before = self._shown(hosts), self._counted(hosts)
        work()
        after = self._shown(hosts), self._counted(hosts)
        shown, counted = (
            [now - then for then, now in zip(*pair, strict=True)] for pair in zip(before, after, strict=True)
        )
        return shown, counted

    def _shown(self, hosts: Sequence[Host]) -> list[int]:
        whole, each = self.meters.read()["dept"], self.meters.hosts()["dept"]
        figures = [whole.up_bytes, whole.down_bytes]
        for host in hosts:
            own = [each[address] for address in addresses(host) if address in each]
            figures += [sum(one.up_bytes for one in own), sum(one.down_bytes for one in own)]
        return figures

    def _counted(self, hosts: Sequence[Host]) -> list[int]:
        each = [ip_bytes(host) for host in hosts]
        return [sum(up for up, _ in each), sum(down for _, down in each), *(figure for pair in each for figure in pair)]

    def restarted(self) -> NftablesMeters:
        """What a new start of the service makes of the table that it finds."""
        return NftablesMeters(self.nftables.run, self.shown)


@pytest.fixture(params=["gateway", "bridge", "mirror"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Metered]:
    with network(request.param) as lab:
        yield Metered(lab)


@pytest.fixture
def metered(gateway: Network) -> Metered:
    return Metered(gateway)


def _differences(before: Sequence[int], after: Sequence[int]) -> list[int]:
    return [now - then for then, now in zip(before, after, strict=True)]


def ip_bytes(host: Host) -> tuple[int, int]:
    """Bytes of IP that a host has sent and received: its interface's own count without headers."""
    stats = json.loads(host.run(["ip", "-s", "-j", "link", "show", "eth0"]).stdout)[0]["stats64"]
    sent, received = (stats[way]["bytes"] - ETHERNET_BYTES * stats[way]["packets"] for way in ("tx", "rx"))
    return sent, received


def addresses(host: Host) -> list[str]:
    """All of a host's addresses, the one of its link too."""
    [shown] = json.loads(host.run(["ip", "-j", "address", "show", "eth0"]).stdout)
    return [one["local"] for one in shown["addr_info"]]


# Every neighbour that is known stays known, so that nobody asks for it by ARP or discovery.
FIX_NEIGHBOURS = """
ip neigh show | while read -r address _ interface _ mac _; do
    [ -n "$mac" ] && ip neigh replace "$address" lladdr "$mac" dev "$interface" nud permanent
done
"""


def be_still(lab: Network, *hosts: Host) -> None:
    """Only what the test itself sends passes these hosts from now on."""
    for host in hosts:
        for address in (WEB_V4[0], WEB_V6[0]):
            assert host.ping(address)
    for one in (*hosts, lab.appliance, lab.uplink):
        one.run(["bash", "-c", FIX_NEIGHBOURS], check=False)


def test_department_and_host_meters_equal_the_hosts_own_counters_over_both_ip_versions(anywhere: Metered) -> None:
    lab = anywhere.lab
    lab.start_iperf3()
    pc, other = lab.hosts[0], lab.hosts[1]
    be_still(lab, pc, other)
    assert anywhere.apply(anywhere.plan) is None
    for _ in range(ATTEMPTS):
        shown, counted = anywhere.around(lambda: transfer(pc, other), pc, other)
        if shown == counted:
            break
    assert shown == counted


def transfer(pc: Host, other: Host) -> None:
    for server in (WEB_V4[0], WEB_V6[0]):
        pc.run(["iperf3", "-c", server, "-n", "5M"])
        pc.run(["iperf3", "-c", server, "-n", "5M", "-R"])
        other.run(["iperf3", "-c", server, "-n", "1M"])


def test_a_restart_finds_the_same_meters_with_their_counts(metered: Metered) -> None:
    metered.apply(metered.plan)
    metered.lab.hosts[0].ping(WEB_V4[0])
    before = metered.meters.read()["dept"]
    assert before.total_bytes > 0
    metered.meters = metered.restarted()
    assert metered.apply(metered.plan) is None
    assert metered.meters.read()["dept"] == before


def test_a_flush_by_another_program_makes_another_meter(metered: Metered) -> None:
    metered.apply(metered.plan)
    before = metered.meters.read()["dept"]
    metered.lab.appliance.run(["nft", "flush", "ruleset"])
    assert metered.meters.read() == {}
    assert metered.apply(metered.plan) is None
    assert metered.meters.read()["dept"].identity != before.identity


def test_an_interface_that_is_made_again_is_metered_by_the_same_meter(metered: Metered) -> None:
    lab, meters = metered.lab, metered.meters
    metered.apply(metered.plan)
    lab.hosts[0].ping(lab.appliance.ipv4)
    before = meters.read()["dept"]
    lab.appliance.run(["ip", "link", "delete", "eth1"])
    assert metered.apply(metered.plan) is None
    lab.cable_department()
    assert metered.apply(metered.plan) is None
    lab.hosts[0].run(["ip", "neigh", "flush", "all"])  # the new interface has another hardware address
    assert lab.hosts[0].ping(lab.appliance.ipv4)
    after = meters.read()["dept"]
    assert after.identity == before.identity
    assert after.total_bytes > before.total_bytes


def test_departments_of_one_interface_are_told_apart_and_the_rest_is_unclaimed(metered: Metered) -> None:
    plans = [replace(PLAN, department="a", networks=FIRST), replace(PLAN, department="b", networks=REST)]
    assert metered.apply(*plans) is None
    sizes = {metered.lab.hosts[0]: 100, metered.lab.hosts[1]: 200}
    for host, size in sizes.items():
        host.run(["ping", "-c", "1", "-s", str(size), metered.lab.appliance.ipv4])
    metered.lab.hosts[0].ping(metered.lab.appliance.ipv6)
    readings = metered.meters.read()
    assert (readings["a"].up_bytes, readings["a"].down_bytes) == (128, 128)
    assert (readings["b"].up_bytes, readings["b"].down_bytes) == (228, 228)
    assert readings["unclaimed:eth1"].total_bytes > 0


def test_who_is_exempt_passes_and_is_not_counted(metered: Metered) -> None:
    free = (ip_network("198.51.100.20/32"),)
    metered.apply(replace(PLAN, stop_at_bytes=1, exempt=free))
    pc = metered.lab.hosts[0]
    pc.ping(WEB_V4[0], wait_s=0.3)  # the one packet that may pass beyond the limit
    before = metered.meters.read()["dept"].total_bytes
    assert not pc.ping(WEB_V4[0], wait_s=0.3)
    assert pc.ping(WEB_V4[1])
    assert metered.meters.read()["dept"].total_bytes == before


def test_a_department_that_is_planned_no_more_leaves_nothing_behind(metered: Metered) -> None:
    metered.apply(PLAN)
    assert metered.apply() is None
    assert metered.meters.read() == {}
    assert metered.shown.objects() == {}
