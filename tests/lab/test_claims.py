"""Whose a packet is: by its port, else by its address, else by the device that sends or gets it."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from msgspec.structs import replace

from appliance.core.kernel.nftables.meter_rules import Setting
from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.blocks import firewall, pieces, place
from tests.lab.network import WEB_V4, WEB_V6, Network, network
from tests.lab.test_meters import at_rest, facing

ONE, TWO = ip_network("10.20.0.11/32"), ip_network("10.20.0.12/32")  # IPv4 alone; the hosts have IPv6 too
UNCLAIMED = "unclaimed:eth1"
ANSWERED, REFUSED = 0, 7


@pytest.fixture(params=["gateway", "bridge", "mirror"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Network]:
    with network(request.param) as made:
        yield made


def meters_of(lab: Network, *, blocks_unclaimed: bool = False) -> NftablesMeters:
    with lab.appliance.entered():
        parts = Nftables(), Nfnetlink(TABLE), SetElements()
        return NftablesMeters(*parts, "boot", Setting(blocks_unclaimed=blocks_unclaimed))


def plans_of(lab: Network) -> list[Plan]:
    return [Plan(name, "eth1", facing(lab), (subnet,)) for name, subnet in (("one", ONE), ("two", TWO))]


def test_what_has_no_address_of_a_department_is_its_device_s(anywhere: Network) -> None:
    meters = meters_of(anywhere)
    assert meters.apply(plans_of(anywhere)) is None
    for host in anywhere.hosts:
        assert host.ping(WEB_V4[0])
    before = at_rest(meters)
    for host, count in zip(anywhere.hosts, (10, 20, 30), strict=True):
        assert host.ping(WEB_V6[0], count=count)
    after = at_rest(meters)
    # Echo requests and answers of 104 bytes, and neighbour discovery.
    passed = {name: after[name].total_bytes - before[name].total_bytes for name in after}
    for name, count in (("one", 10), ("two", 20), (UNCLAIMED, 30)):
        assert passed[name] == pytest.approx(count * 2 * 104, abs=900), name


def test_a_device_with_addresses_of_two_departments_is_neither_s(bridge: Network) -> None:
    meters = meters_of(bridge)
    assert meters.apply(plans_of(bridge)) is None
    router = bridge.hosts[0]
    router.address("eth0", f"{TWO.network_address}/24")
    bridge.hosts[1].run(["ip", "link", "set", "eth0", "down"])
    for source in (ONE, TWO):
        router.run(["ping", "-c", "1", "-W", "2", "-I", str(source.network_address), WEB_V4[0]])
    before = at_rest(meters)
    assert router.ping(WEB_V6[0], count=10)
    after = at_rest(meters)
    assert after[UNCLAIMED].total_bytes - before[UNCLAIMED].total_bytes >= 10 * 2 * 104
    assert [after[name] for name in ("one", "two")] == [before[name] for name in ("one", "two")]


def test_a_department_s_block_holds_for_its_device_and_for_what_nobody_claims(inline: Network) -> None:
    inline.start_web()
    meters = meters_of(inline)
    assert meters.apply(plans_of(inline)) is None  # which know the devices when the first block comes
    with firewall(inline) as blocks:
        assert blocks.install_rules([place("eth1", "one", str(ONE)), place("eth1", "two", str(TWO))]) is None
        assert [host.fetch(WEB_V4[0]).returncode for host in inline.hosts] == [ANSWERED] * 3
        assert blocks.replace_elements(pieces(WEB_V6[0], department="one"), 0.0) is None
        assert [host.fetch(WEB_V6[0]).returncode for host in inline.hosts] == [REFUSED, ANSWERED, REFUSED]
        assert [host.fetch(WEB_V6[1]).returncode for host in inline.hosts] == [ANSWERED] * 3


def test_a_quota_holds_a_device_s_other_addresses(inline: Network) -> None:
    one, two = plans_of(inline)
    meters = meters_of(inline)
    assert meters.apply([one, two]) is None
    assert [host.ping(WEB_V4[0]) for host in inline.hosts] == [True] * 3
    assert meters.apply([replace(one, stop_at_bytes=0, budget="none"), two]) is None
    for address in (WEB_V4[0], WEB_V6[0]):
        assert [host.ping(address, wait_s=0.5) for host in inline.hosts] == [False, True, True]


def test_what_nobody_claims_can_be_refused(inline: Network) -> None:
    inline.start_web()
    meters = meters_of(inline, blocks_unclaimed=True)
    assert meters.apply(plans_of(inline)) is None
    for address in (WEB_V4[0], WEB_V6[0]):
        assert [host.fetch(address).returncode for host in inline.hosts] == [ANSWERED, ANSWERED, REFUSED]
    assert meters.read()[UNCLAIMED].up_packets > 0
    assert inline.hosts[2].ping(inline.appliance.ipv6), "but this computer stays in reach"


def test_a_port_of_one_department_needs_no_subnets(inline: Network) -> None:
    inline.start_web()
    meters = meters_of(inline)
    plan = Plan("radiology", "eth1", Facing.DEPARTMENT, stop_at_bytes=0, budget="none")
    assert meters.apply([plan]) is None
    for address in (WEB_V4[0], WEB_V6[0]):
        assert [host.ping(address, wait_s=0.3) for host in inline.hosts] == [False] * 3


def test_many_departments_share_a_port(gateway: Network) -> None:
    """More than a rule could name: each of its look-ups is an expression, of which the kernel takes 128 in a rule."""
    subnets = [ip_network(f"10.21.{at}.0/24") for at in range(100)]
    others = [Plan(f"d{at}", "eth1", Facing.DEPARTMENT, (subnet,)) for at, subnet in enumerate(subnets)]
    meters = meters_of(gateway)
    assert meters.apply([*plans_of(gateway), *others]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    before = at_rest(meters)
    assert gateway.hosts[0].ping(WEB_V6[0], count=10)
    assert at_rest(meters)["one"].total_bytes - before["one"].total_bytes >= 10 * 2 * 104
    with firewall(gateway) as blocks:
        places = [place("eth1", f"d{at}", str(subnet)) for at, subnet in enumerate(subnets)]
        assert blocks.install_rules(places) is None
