"""A ruleset that `nft` has listed: it loads again, as distributions do at a boot, and brings back no bytes."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

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
from tests.lab.test_meters import at_rest, transfer

STRANGE = ("list", "up", "5g", "a.b-c_d", "table", "Radiology_5f", "x" * 64)
WHOLE = Plan(
    "list",
    "eth1",
    Facing.DEPARTMENT,
    stop_at_bytes=10**9,
    throttle_bytes_s=10**8,
    exempt=(ip_network("192.0.2.9/32"),),
    host_limit_bytes=10**8,
)


@pytest.fixture
def lab() -> Iterator[Network]:
    with network("gateway", hosts=1) as made:
        yield made


def meters_of(lab: Network) -> NftablesMeters:
    with lab.appliance.entered():
        return NftablesMeters(Nftables(), Nfnetlink(TABLE), SetElements(), "boot", Setting(notice_port=8080))


def reload(lab: Network) -> None:
    """What `nft list ruleset > file` and the next boot's `nft -f file` do."""
    listed = lab.appliance.run(["nft", "list", "ruleset"]).stdout
    lab.appliance.run(["nft", "-f", "-"], given=f"flush ruleset\n{listed}")


def test_a_listing_of_all_tables_loads_again_whatever_departments_and_interfaces_are_called(lab: Network) -> None:
    interfaces = ["eth1", "list", "eth1.20", "a-b", "x@y"]
    for name in interfaces[1:]:
        lab.appliance.run(["ip", "link", "add", "name", name, "type", "bridge"])
    subnets = {name: ip_network(f"10.{at}.0.0/16") for at, name in enumerate(STRANGE)}
    shared = [replace(WHOLE, department=name, networks=(subnet,)) for name, subnet in subnets.items()]
    alone = [replace(WHOLE, department=f"of{at}", interface=name) for at, name in enumerate(interfaces[1:])]
    slow = [replace(shared[0], host_bytes_s=1000), *shared[1:]]
    meters = meters_of(lab)
    for plans in (slow, [*shared, *alone]):
        assert meters.apply(plans) is None
        reload(lab)
    with firewall(lab) as blocks:
        places = [*(place("eth1", name, str(subnet)) for name, subnet in subnets.items()), place("a-b", "other")]
        assert blocks.install_rules(places) is None
        for department in (None, *STRANGE):
            targets = pieces("192.0.2.1", "2001:db8::1", "203.0.113.0/24", "02:00:00:00:00:01", department=department)
            assert blocks.replace_elements(targets, 0.0) is None
        reload(lab)


def test_a_listing_with_hosts_that_were_stopped_loads_again(lab: Network) -> None:
    host = lab.hosts[0]
    with firewall(lab) as blocks:
        assert blocks.install_rules([place()]) is None
        assert blocks.replace_elements(pieces(*WEB_V4, *WEB_V6), 0.0) is None
        assert not any(host.ping(one, wait_s=0.2) for one in (WEB_V4[0], WEB_V6[0]))
        stopped = blocks.hit_counts()
        assert {one.host for one in stopped} == {host.ipv4, host.ipv6}
        reload(lab)
        assert blocks.hit_counts() == stopped
        assert not any(host.ping(one, wait_s=0.2) for one in (WEB_V4[0], WEB_V6[0]))


def test_a_loaded_listing_charges_no_byte_a_second_time(lab: Network, until: Any) -> None:
    lab.start_iperf3()
    plan = Plan("radiology", "eth1", Facing.DEPARTMENT)
    meters = meters_of(lab)
    assert meters.apply([plan]) is None
    transfer(lab.hosts[0], WEB_V4[0])
    until(lambda: meters.read()["radiology"].total_bytes > 1_000_000)
    before = at_rest(meters)["radiology"]
    reload(lab)
    assert "radiology" not in meters.read()
    assert meters.apply([plan]) is None
    after = meters.read()["radiology"]
    assert after.identity != before.identity
    assert after.total_bytes < 10_000  # of packets that came meanwhile
    assert meters_of(lab).read()["radiology"].identity == after.identity


def test_a_table_that_was_loaded_while_the_program_was_dead_is_made_again(lab: Network) -> None:
    lab.start_iperf3()
    plan = Plan("radiology", "eth1", Facing.DEPARTMENT)
    assert meters_of(lab).apply([plan]) is None
    transfer(lab.hosts[0], WEB_V4[0])
    reload(lab)
    meters = meters_of(lab)
    assert meters.read() == {}
    assert meters.apply([plan]) is None
    assert meters.read()["radiology"].total_bytes < 10_000
