"""Connections that the kernel's flow table takes through a gateway: counted, held and blocked as on the long way.

`tests/kernel/test_flow_tables.py` runs these under a kernel that has flow tables.
"""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.kernel.flow_offload import carriers, probing
from appliance.core.kernel.nftables.meter_rules import Setting
from appliance.core.machine import Vlan
from appliance.core.metering.meter import Plan
from appliance.service.releasing import release_kernel
from appliance.system.network.interfaces import RtnetlinkInterfaces
from appliance.system.nftables.flow_table import FlowTable
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.end_to_end.installed import Installed
from tests.lab.blocks import firewall, pieces, place
from tests.lab.network import MASQUERADE, WEB_V4, WEB_V6, Network, network
from tests.lab.test_meters import (
    ETHERNET,
    EVERYTHING,
    LARGEST_PACKET,
    MEGABYTE,
    Line,
    at_rest,
    both_ways,
    meters_of,
    silence,
    transfer,
)

NEEDED = "this kernel has no flow tables; tests/kernel/test_flow_tables.py runs this under one that has them"
# What the long way carries. In a table of the appliance's, for another program's chain would end the offloading.
LONG_WAY = """\
table inet appliance_lab {
    counter forwarded { }
    chain forward {
        type filter hook forward priority 200
        meta l4proto tcp counter name "forwarded"
    }
}
"""
FOREIGN = "table ip lab_filter { chain forward { type filter hook forward priority filter; policy accept; }; }"
NETWORKS = (ip_network("10.20.0.0/24"), ip_network("fd20::/64"))
NEAR = replace(EVERYTHING, networks=NETWORKS, checks_sources=True, near=NETWORKS)
PORT = 7
START_S = 300  # of the service on an emulated computer
ARRIVED = """\
table inet lab {
    counter arrived { }
    chain in {
        type filter hook input priority 0
        tcp dport 80 counter name "arrived"
    }
}
"""
LEAST = 54  # bytes of a packet of TCP with its Ethernet header
# Sends back what it gets.
ECHO = """
import socket, sys, threading
def answer(one):
    while data := one.recv(65536):
        one.sendall(data)
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
"""
BOTH = pytest.mark.parametrize("address", [WEB_V4[0], WEB_V6[0]], ids=["4", "6"])


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    """Skip all of it, before a network is made for each, where the kernel lacks what it is about."""
    with network("gateway", hosts=0) as lab, lab.appliance.entered():
        _, refusal = Nftables().run(probing())
    if refusal is not None:
        pytest.skip(NEEDED)


@pytest.fixture
def table(gateway: Network) -> FlowTable:
    """The flow table of the gateway, in force for all of its interfaces."""
    gateway.appliance.run(["nft", "-f", "-"], given=LONG_WAY)
    with gateway.appliance.entered():
        made = FlowTable(Nftables())
    keep(gateway, made)
    return made


def keep(lab: Network, table: FlowTable, department: str = "eth1") -> None:
    with lab.appliance.entered():
        interfaces = RtnetlinkInterfaces("boot")
        links = interfaces.links()
        interfaces.close()
        table.keep({department}, carriers({department}, links))


def is_in_force(lab: Network) -> bool:
    return "table inet appliance_flows" in lab.appliance.run(["nft", "list", "tables"]).stdout


def forwarded(lab: Network) -> int:
    """Packets of TCP that took the long way."""
    shown = json.loads(lab.appliance.run(["nft", "-j", "list", "counters", "table", "inet", "appliance_lab"]).stdout)
    return sum(int(one["counter"]["packets"]) for one in shown["nftables"] if "counter" in one)


@contextmanager
def connection(lab: Network, address: str, port: int = PORT) -> Iterator[socket.socket]:
    """A connection that has carried something both ways."""
    lab.uplink.spawn(["python3", "-u", "-c", ECHO, str(port)], ready="ready")
    with lab.hosts[0].entered():
        one = socket.create_connection((address, port), timeout=20)
    with one:
        for _ in range(5):
            carry(one, b"established")
        yield one


def carry(one: socket.socket, data: bytes) -> None:
    """Send something there and back."""
    one.sendall(data)
    left = len(data)
    while left:
        left -= len(one.recv(left))


@BOTH
def test_every_byte_of_an_offloaded_connection_is_counted(
    gateway: Network, table: FlowTable, address: str, until_equal
) -> None:
    host = gateway.hosts[0]
    gateway.start_iperf3()
    silence(gateway)
    meters = meters_of(gateway)
    assert meters.apply([replace(NEAR, stop_at_bytes=1 << 50, host_limit_bytes=1 << 50)]) is None
    line = Line(host)
    transfer(host, address)
    transfer(host, address, down=True)
    until_equal(lambda: both_ways(meters.read()["radiology"]), line.carried)
    own = at_rest(meters)["radiology"]
    assert own.total_bytes > 5 * MEGABYTE  # what iperf3 had not sent at its end is not sent at all
    assert meters.hosts()["radiology"] == {host.mac(): own}
    packets = own.up_packets + own.down_packets
    assert forwarded(gateway) < packets / 4, "few went the long way"


def test_translated_connections_are_counted_as_well(gateway: Network, table: FlowTable, until_equal) -> None:
    gateway.appliance.run(["nft", "-f", "-"], given=MASQUERADE)
    keep(gateway, table)
    assert is_in_force(gateway), "a chain that translates sees a connection's first packet alone"
    silence(gateway)
    meters = meters_of(gateway)
    assert meters.apply([NEAR]) is None
    line = Line(gateway.hosts[0])
    with connection(gateway, WEB_V4[0]) as one:
        before = forwarded(gateway)
        for _ in range(20):
            carry(one, bytes(1000))
        assert forwarded(gateway) == before
    until_equal(lambda: both_ways(meters.read()["radiology"]), line.carried)


@BOTH
@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
def test_the_quota_holds_an_offloaded_connection_to_the_packet(
    gateway: Network, table: FlowTable, address: str, down: bool
) -> None:
    stop = 3 * MEGABYTE
    gateway.start_iperf3()
    meters = meters_of(gateway)
    assert meters.apply([replace(NEAR, stop_at_bytes=stop, budget="may")]) is None
    transfer(gateway.hosts[0], address, "60M", down=down, check=False)
    own = at_rest(meters)["radiology"]
    # Until the next `apply` the kernel counts packets down with their Ethernet headers.
    assert stop - LARGEST_PACKET - ETHERNET * own.down_packets <= own.total_bytes <= stop
    assert own.refused_budget == "may"
    assert forwarded(gateway) < (own.up_packets + own.down_packets) / 4


@BOTH
def test_a_block_ends_an_offloaded_connection_at_once(gateway: Network, table: FlowTable, address: str, until) -> None:
    meters = meters_of(gateway)
    assert meters.apply([NEAR]) is None
    with firewall(gateway) as blocks, connection(gateway, address) as one:
        assert blocks.install_rules([place("eth1", "radiology", *map(str, NETWORKS))]) is None
        keep(gateway, table)
        before = forwarded(gateway)
        carry(one, b"still open")
        assert forwarded(gateway) == before, "it is offloaded"
        assert blocks.replace_elements(pieces(address), 0.0) is None
        passed = at_rest(meters)["radiology"]
        one.sendall(b"closed")
        until(lambda: sum(blocks.stopped().values()) > 0)
        assert at_rest(meters)["radiology"] == passed, "nothing of it passed"


def test_plain_http_stays_on_the_long_way_so_that_a_used_up_quota_leads_it_to_the_notice(
    gateway: Network, table: FlowTable, until
) -> None:
    with gateway.appliance.entered():
        parts = Nftables(), Nfnetlink(TABLE), SetElements()
        meters = NftablesMeters(*parts, "boot", Setting(notice_port=5080, server_port=5001))
    plan = replace(NEAR, stop_at_bytes=1 << 50, budget="may")
    assert meters.apply([plan]) is None
    with connection(gateway, WEB_V4[0], 80) as one:
        before = forwarded(gateway)
        carry(one, b"long")
        assert forwarded(gateway) > before
        assert meters.apply([replace(plan, stop_at_bytes=0, budget="june")]) is None
        gateway.uplink.run(["nft", "-f", "-"], given=ARRIVED)
        _, sent = gateway.hosts[0].counters()
        one.sendall(b"none of this arrives")
        until(lambda: gateway.hosts[0].counters()[1] > sent + 3 * LEAST)  # it is sent again and again
        assert "packets 0 " in gateway.uplink.run(["nft", "list", "counters"]).stdout


def test_another_program_s_chains_see_each_packet(gateway: Network, table: FlowTable) -> None:
    with connection(gateway, WEB_V4[0]) as one:
        gateway.appliance.run(["nft", "-f", "-"], given=FOREIGN)
        keep(gateway, table)
        assert not is_in_force(gateway)
        before = forwarded(gateway)
        carry(one, b"long")
        assert forwarded(gateway) > before
        gateway.appliance.run(["nft", "delete", "table", "ip", "lab_filter"])
        keep(gateway, table)
        assert is_in_force(gateway)
        carry(one, b"for the last time")
        before = forwarded(gateway)
        carry(one, b"short again")
        assert forwarded(gateway) == before


def test_a_flush_and_an_interface_that_is_made_again_are_mended(gateway: Network, table: FlowTable) -> None:
    gateway.appliance.run(["nft", "delete", "table", "inet", "appliance_flows"])
    keep(gateway, table)
    assert is_in_force(gateway)
    gateway.appliance.run(["ip", "link", "del", "eth1"])
    keep(gateway, table)
    assert not is_in_force(gateway), "no department is left"
    gateway.cable_department()
    keep(gateway, table)
    with connection(gateway, WEB_V4[0]) as one:
        before = forwarded(gateway)
        carry(one, b"short")
        assert forwarded(gateway) == before


def test_the_ruleset_can_be_loaded_again_and_release_leaves_nothing(gateway: Network, table: FlowTable) -> None:
    assert meters_of(gateway).apply([NEAR]) is None
    listed = gateway.appliance.run(["nft", "list", "ruleset"]).stdout
    gateway.appliance.run(["nft", "-f", "-"], given=f"flush ruleset\n{listed}")
    assert gateway.appliance.run(["nft", "list", "ruleset"]).stdout == listed
    with gateway.appliance.entered():
        released, refusal = release_kernel()
    assert refusal is None
    assert "inet appliance_flows" in released
    assert gateway.appliance.run(["nft", "list", "ruleset"]).stdout == ""


def test_the_service_of_a_gateway_keeps_it_and_leaves_it_in_force(
    gateway: Network, table: FlowTable, tmp_path: Path
) -> None:
    gateway.appliance.run(["nft", "flush", "ruleset"])
    appliance = Installed(gateway, tmp_path)
    program = appliance.launch()
    deadline_s = time.monotonic() + START_S
    while not is_in_force(gateway):
        assert program.process.poll() is None, program.output
        assert time.monotonic() < deadline_s, program.output
        time.sleep(0.5)
    assert appliance.stop() == 0
    assert is_in_force(gateway)
    assert "flow" not in program.output


def test_the_trunk_of_a_department_s_vlan_takes_none_of_its_packets_past_its_meter(
    gateway: Network, table: FlowTable, until_equal
) -> None:
    host, appliance = gateway.hosts[0], gateway.appliance
    for computer, trunk in ((host, "eth0"), (appliance, "eth1")):
        tagged = ["link", trunk, "name", f"{trunk}.20", "type", "vlan", "id", "20"]
        if computer.run(["ip", "link", "add", *tagged], check=False).returncode != 0:
            pytest.skip("this kernel has no VLANs; tests/kernel/test_flow_tables.py runs this under one that has them")
        computer.run(["ip", "address", "flush", "dev", trunk, "scope", "global"])
        computer.run(["ip", "link", "set", f"{trunk}.20", "up"])
        computer.address(f"{trunk}.20", f"{computer.ipv4}/24", f"{computer.ipv6}/64")
    host.run(["ip", "-6", "route", "flush", "default"])
    host.route_by((appliance.ipv4, appliance.ipv6))
    keep(gateway, table, "eth1.20")
    meters = meters_of(gateway)
    plans = [
        Plan("radiology", "eth1.20", EVERYTHING.facing, vlan=Vlan("eth1", 20)),
        Plan("trunk", "eth1", EVERYTHING.facing),
    ]
    gateway.start_iperf3()
    assert host.ping(WEB_V4[0])
    assert meters.apply(plans) is None
    line = Line(host, "eth0.20")
    transfer(host, WEB_V4[0])
    transfer(host, WEB_V4[0], down=True)

    def carried() -> tuple[int, int]:
        up, down = line.carried()
        # The kernel counts what a VLAN's subinterface gets without headers (net/8021q/vlan_core.c).
        return up, down + ETHERNET * at_rest(meters)["radiology"].down_packets

    until_equal(lambda: both_ways(meters.read()["radiology"]), carried)
    own = at_rest(meters)
    assert own["radiology"].total_bytes > 5 * MEGABYTE
    assert own["trunk"].total_bytes < 10_000
    assert forwarded(gateway) < (own["radiology"].up_packets + own["radiology"].down_packets) / 4
