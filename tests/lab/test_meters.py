"""Meters on the real kernel: what they count, whom they stop, and which counts survive."""

import json
import socket
import time
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network

import pytest
from msgspec.structs import replace

from appliance.core.kernel.nftables.meter_rules import Setting
from appliance.core.machine import Facing, Vlan
from appliance.core.metering.host_room import MOST_HOSTS
from appliance.core.metering.meter import Plan, Reading
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.network import WEB_V4, WEB_V6, Network, network

REFUSED = 7  # exit code of curl; 28 would be a timeout
LARGEST_PACKET = 65_536  # as the kernel hands it on: a burst of segments (GSO)
ETHERNET = 14
MEGABYTE = 1_000_000

HOST = (ip_network("10.20.0.11/32"), ip_network("fd20::11/128"))
OTHER = (ip_network("10.20.0.12/32"), ip_network("fd20::12/128"))
DEPARTMENT = (ip_network("10.20.0.0/24"), ip_network("fd20::/64"))
EVERYTHING = Plan("radiology", "eth1", Facing.DEPARTMENT)
SUBNETS = replace(EVERYTHING, networks=DEPARTMENT)


@pytest.fixture(params=["gateway", "bridge", "mirror"])
def anywhere(request):
    with network(request.param) as lab:
        yield lab


def meters_of(lab):
    with lab.appliance.entered():
        return NftablesMeters(Nftables(), Nfnetlink(TABLE), SetElements(), "boot")


def facing(lab):
    return Facing.MIRRORED if lab.position == "mirror" else Facing.DEPARTMENT


@dataclass
class Line:
    """A host's interface: bytes of IP, without ARP, since this was made."""

    host: object
    interface: str = "eth0"

    def __post_init__(self):
        self.before = self._now()

    def carried(self):
        return tuple(now - before for now, before in zip(self._now(), self.before, strict=True))

    def _now(self):
        shown = json.loads(self.host.run(["ip", "-s", "-j", "link", "show", self.interface]).stdout)[0]["stats64"]
        return tuple(shown[way]["bytes"] - ETHERNET * shown[way]["packets"] for way in ("tx", "rx"))


def silence(lab):
    """Make all hardware addresses known, to hosts and switches, so that lines carry only IP, each packet once."""
    everyone = [(host, link) for host in (*lab.hosts, lab.appliance, lab.uplink) for link in _links(host)]
    for host, link in everyone:
        for neighbour, other in everyone:
            for network_ in _addresses(link):
                for address in _addresses(other):
                    if neighbour is not host and address.version == network_.version and address.ip in network_.network:
                        entry = [str(address.ip), "lladdr", other["address"], "dev", link["ifname"], "nud", "permanent"]
                        host.run(["ip", "neigh", "replace", *entry])
    for host in lab.hosts:
        assert host.ping(lab.uplink.ipv4)


def _links(host):
    return [link for link in json.loads(host.run(["ip", "-j", "address"]).stdout) if link["ifname"] != "lo"]


def _addresses(link):
    found = [ip_interface(f"{one['local']}/{one['prefixlen']}") for one in link["addr_info"]]
    return [one for one in found if not one.is_link_local]


def transfer(host, address, amount="5M", *, down=False, check=True):
    command = ["timeout", "10", "iperf3", "-c", address, "-n", amount, *(["-R"] if down else [])]
    return host.run(command, check=check)


def at_rest(meters):
    """The readings when no packet is under way; on a busy machine one may wait a while for its turn."""
    while True:
        before = meters.read()
        time.sleep(0.1)
        if meters.read() == before:
            return before


def carried_by(lines):
    return tuple(map(sum, zip(*(line.carried() for line in lines), strict=True)))


def both_ways(reading):
    return reading.up_bytes, reading.down_bytes


def total(reading, *others):
    return Reading(
        reading.identity,
        *(
            sum(getattr(one, name) for one in (reading, *others))
            for name in ("up_bytes", "down_bytes", "up_packets", "down_packets")
        ),
    )


@pytest.mark.parametrize("addresses", [(WEB_V4[0],), (WEB_V6[0],), (WEB_V4[0], WEB_V6[0])], ids=["4", "6", "both"])
def test_meters_equal_the_hosts_own_counters_to_the_byte(anywhere: Network, addresses, until_equal) -> None:
    lab, host = anywhere, anywhere.hosts[0]
    lab.start_iperf3()
    silence(lab)
    meters = meters_of(lab)
    assert meters.apply([Plan("radiology", "eth1", facing(lab), HOST)]) is None
    line = Line(host)
    for address in addresses:
        transfer(host, address)
        transfer(host, address, down=True)
    until_equal(lambda: both_ways(meters.read()["radiology"]), line.carried)
    own = at_rest(meters)["radiology"]
    assert own.total_bytes > 5 * MEGABYTE * len(addresses)
    hosts = meters.hosts()["radiology"]
    assert total(*hosts.values()) == own
    assert hosts.keys() == {host.mac()}, "its addresses of both families are one device"


# Else the server goes on sending what was refused again, and one such packet may be the first that new room refuses.
SILENCED = "table inet lab { chain out { type filter hook output priority 0; tcp sport 5201 drop; }; }"
PROHIBITING = """\
table inet lab { chain arrived { type filter hook input priority 0; udp dport 9 reject with icmpx admin-prohibited; }; }
"""


def test_what_other_computers_refuse_is_counted_however_alike_the_refusal_is_to_our_own(
    inline: Network, until_equal
) -> None:
    host = inline.hosts[0]
    inline.uplink.run(["nft", "-f", "-"], given=PROHIBITING)
    silence(inline)
    meters = meters_of(inline)
    assert meters.apply([replace(EVERYTHING, networks=HOST)]) is None
    line = Line(host)
    for address in (WEB_V4[0], WEB_V6[0]):
        assert [host.fetch(address).returncode for _ in range(5)] == [REFUSED] * 5
        with (
            host.entered(),
            socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as one,
        ):
            one.connect((address, 9))
            one.settimeout(5)
            one.send(b"discard")
            with pytest.raises(OSError, match=r"No route|Permission"):
                one.recv(1)
    until_equal(lambda: both_ways(meters.read()["radiology"]), line.carried)


def test_a_department_without_addresses_meters_its_whole_interface(inline: Network, until_equal) -> None:
    inline.start_iperf3()
    silence(inline)
    meters = meters_of(inline)
    lines = [Line(host) for host in inline.hosts[:2]]
    assert meters.apply([EVERYTHING]) is None
    for host in inline.hosts[:2]:
        transfer(host, WEB_V4[0], down=True)
        transfer(host, WEB_V6[0])
    until_equal(lambda: both_ways(meters.read()["radiology"]), lambda: carried_by(lines))
    assert meters.hosts()["radiology"].keys() == {host.mac() for host in inline.hosts[:2]}


def test_departments_share_an_interface_by_subnets_and_the_rest_is_unclaimed(inline: Network) -> None:
    plans = [Plan("one", "eth1", Facing.DEPARTMENT, HOST), Plan("two", "eth1", Facing.DEPARTMENT, OTHER)]
    meters = meters_of(inline)
    assert meters.apply(plans) is None
    for count, host in enumerate(inline.hosts, 2):
        assert host.ping(WEB_V4[0], count=count)
    readings = at_rest(meters)
    assert readings.keys() == {"one", "two", "unclaimed:eth1"}
    sizes = [(one.up_bytes, one.down_bytes, one.up_packets) for one in readings.values()]
    assert sizes[:2] == [(2 * 84, 2 * 84, 2), (3 * 84, 3 * 84, 3)]
    assert sizes[2][2] >= 4
    assert meters.hosts() == {
        "one": {inline.hosts[0].mac(): readings["one"]},
        "two": {inline.hosts[1].mac(): readings["two"]},
    }


def test_one_department_may_have_the_unclaimed_rest(inline: Network) -> None:
    meters = meters_of(inline)
    assert meters.apply([Plan("one", "eth1", Facing.DEPARTMENT, HOST), Plan("rest", "eth1", Facing.DEPARTMENT)]) is None
    assert inline.hosts[0].ping(WEB_V4[0])
    assert inline.hosts[1].ping(WEB_V4[0], count=2)
    readings = at_rest(meters)
    assert readings.keys() == {"one", "rest"}
    assert readings["one"].up_packets == 1
    assert meters.hosts()["rest"][inline.hosts[1].mac()].up_bytes == 2 * 84


def test_in_host_position_this_computer_is_metered(gateway: Network) -> None:
    meters = meters_of(gateway)
    assert meters.apply([Plan("self", "eth0", Facing.SELF)]) is None
    assert gateway.appliance.ping(gateway.uplink.ipv4, count=3)
    own = meters.hosts()["self"][gateway.appliance.mac()]
    assert (own.up_bytes, own.down_bytes) == (3 * 84, 3 * 84)


@pytest.mark.parametrize("address", [WEB_V4[0], WEB_V6[0]], ids=["4", "6"])
def test_the_meter_of_this_computer_equals_its_interface_s_counters_to_the_byte(
    gateway: Network, address: str, until_equal
) -> None:
    gateway.start_iperf3()
    silence(gateway)
    meters = meters_of(gateway)
    assert meters.apply([Plan("self", "eth0", Facing.SELF)]) is None
    line = Line(gateway.appliance)
    transfer(gateway.appliance, address)
    transfer(gateway.appliance, address, down=True)
    until_equal(lambda: both_ways(meters.read()["self"]), line.carried)
    assert sum(line.carried()) > 5 * MEGABYTE
    assert meters.hosts()["self"].keys() == {gateway.appliance.mac()}


def test_a_mirrored_interface_without_addresses_counts_all_as_down(mirror: Network) -> None:
    meters = meters_of(mirror)
    assert meters.apply([Plan("all", "eth1", Facing.MIRRORED)]) is None
    assert mirror.hosts[0].ping(mirror.uplink.ipv4, count=3)
    own = meters.read()["all"]
    assert own.up_bytes == 0
    assert own.down_bytes >= 6 * 84


def test_a_flood_of_false_addresses_costs_the_department_no_byte(gateway: Network) -> None:
    meters = meters_of(gateway)
    assert meters.apply([EVERYTHING]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    host, number = gateway.hosts[0], MOST_HOSTS + 500
    destination = bytes.fromhex(gateway.appliance.mac("eth1").replace(":", ""))
    with host.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        for false in range(number):
            source = b"\x02\x5f\x00\x00" + false.to_bytes(2, "big")
            ip = (
                bytes.fromhex("4500001c0000000040ff0000") + b"\xac\x10" + false.to_bytes(2, "big") + b"\xc6\x33\x64\x0a"
            )
            raw.send(destination + source + b"\x08\x00" + ip + bytes(8))
    assert at_rest(meters)["radiology"].up_packets >= number + 1
    hosts = meters.hosts()["radiology"]
    assert len(hosts) == MOST_HOSTS
    assert hosts[host.mac()].up_packets == 1


@pytest.mark.parametrize("plan", [EVERYTHING, SUBNETS], ids=["interface", "subnets"])
def test_the_kernel_alone_stops_a_sending_department_at_its_limit_and_names_the_budget(inline: Network, plan) -> None:
    host, stop = inline.hosts[0], 3 * MEGABYTE
    inline.start_iperf3()
    meters = meters_of(inline)
    assert meters.apply([replace(plan, stop_at_bytes=stop, budget="may")]) is None
    assert meters.read()["radiology"].refused_budget is None
    transfer(host, WEB_V4[0], "60M", check=False)
    inline.uplink.stop_all()
    inline.start_iperf3()
    transfer(host, WEB_V6[0], "60M", check=False)
    own = at_rest(meters)["radiology"]
    # Until the next `apply` the kernel counts packets down with their Ethernet headers.
    assert stop - LARGEST_PACKET - ETHERNET * own.down_packets <= own.total_bytes <= stop
    assert own.refused_budget == "may"
    assert not host.ping(WEB_V4[0], wait_s=0.5)
    assert not host.ping(WEB_V6[0], wait_s=0.5)
    assert at_rest(meters)["radiology"] == own


@pytest.mark.parametrize("plan", [EVERYTHING, SUBNETS], ids=["interface", "subnets"])
def test_after_the_first_refusal_nothing_passes_however_small_and_whatever_is_left(inline: Network, plan) -> None:
    host, stop = inline.hosts[0], 3 * MEGABYTE
    inline.start_iperf3()
    meters = meters_of(inline)
    held = [replace(plan, stop_at_bytes=stop, budget="may")]
    assert meters.apply(held) is None
    transfer(host, WEB_V4[0], "60M", down=True, check=False)
    inline.uplink.run(["nft", "-f", "-"], given=SILENCED)
    own = at_rest(meters)["radiology"]
    assert stop - LARGEST_PACKET - ETHERNET * own.down_packets <= own.total_bytes <= stop
    assert own.refused_budget == "may"
    for again in (meters, meters_of(inline)):  # and after a restart
        assert again.apply(held) is None
        assert not host.ping(WEB_V4[0], wait_s=0.5)
        assert at_rest(again)["radiology"] == own
    assert meters.apply([replace(plan, stop_at_bytes=own.total_bytes + 2 * 84 + ETHERNET + 1, budget="june")]) is None
    assert host.ping(WEB_V4[0], wait_s=2)


def test_a_grant_is_free_at_once_and_refused_bytes_are_not_taken_from_it(inline: Network) -> None:
    host = inline.hosts[0]
    meters = meters_of(inline)
    assert meters.apply([replace(SUBNETS, stop_at_bytes=84, budget="small")]) is None
    host.ping(WEB_V4[0], wait_s=0.5, count=30)
    own = at_rest(meters)["radiology"]
    assert (
        meters.apply([replace(SUBNETS, stop_at_bytes=own.total_bytes + 10 * (2 * 84 + ETHERNET) + 1, budget="large")])
        is None
    )
    assert host.ping(WEB_V4[0], count=10)
    assert at_rest(meters)["radiology"].up_packets == own.up_packets + 10


def test_moving_a_limit_loses_no_packet(gateway: Network) -> None:
    gateway.start_iperf3()
    meters = meters_of(gateway)
    plan = replace(SUBNETS, stop_at_bytes=30 * MEGABYTE)
    assert meters.apply([plan]) is None
    running = gateway.hosts[0].spawn(["iperf3", "-c", WEB_V4[0], "-n", "20M", "-b", "100M"])
    for more in range(50):
        assert meters.apply([replace(plan, stop_at_bytes=(30 + more) * MEGABYTE)]) is None
    assert running.process.wait(timeout=30) == 0
    identity = meters.read()["radiology"].identity
    assert meters.apply([SUBNETS]) is None
    assert meters.read()["radiology"].identity == identity


def test_a_limit_that_a_restart_no_longer_has_is_removed(gateway: Network) -> None:
    assert meters_of(gateway).apply([replace(SUBNETS, stop_at_bytes=0, budget="small")]) is None
    gateway.hosts[0].ping(WEB_V4[0], wait_s=0.3, count=3)
    assert meters_of(gateway).apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])


@pytest.mark.parametrize("stop", [0, 1, 2**63, 2**70, -5])
def test_the_kernel_takes_any_limit(gateway: Network, stop) -> None:
    meters = meters_of(gateway)
    assert meters.apply([replace(SUBNETS, stop_at_bytes=stop)]) is None
    assert gateway.hosts[0].ping(WEB_V4[0], wait_s=0.3) == (stop > 1)


def test_a_stopped_department_is_refused_at_once(inline: Network) -> None:
    inline.start_web()
    assert meters_of(inline).apply([replace(SUBNETS, stop_at_bytes=0)]) is None
    host = inline.hosts[0]
    assert [host.fetch(address).returncode for address in (WEB_V4[0], WEB_V6[0])] == [REFUSED, REFUSED]
    for address, said in ((WEB_V4[0], "Packet filtered"), (WEB_V6[0], "Administratively prohibited")):
        assert said in host.run(["ping", "-n", "-c", "1", "-W", "5", address], check=False).stdout


def test_another_department_goes_on_when_one_is_stopped(inline: Network) -> None:
    meters = meters_of(inline)
    plans = [Plan("one", "eth1", Facing.DEPARTMENT, HOST, 0), Plan("two", "eth1", Facing.DEPARTMENT, OTHER)]
    assert meters.apply(plans) is None
    inline.hosts[0].ping(WEB_V4[0], wait_s=0.2)
    assert not inline.hosts[0].ping(WEB_V4[0], wait_s=0.2)
    assert inline.hosts[1].ping(WEB_V4[0])
    assert inline.hosts[2].ping(WEB_V4[0])


def test_exempt_traffic_passes_a_stopped_department_and_is_not_counted(inline: Network) -> None:
    meters = meters_of(inline)
    free = tuple(map(ip_network, (f"{WEB_V4[0]}/32", f"{WEB_V6[0]}/128")))
    assert meters.apply([replace(SUBNETS, stop_at_bytes=0, exempt=free)]) is None
    inline.hosts[1].ping(WEB_V4[1], wait_s=0.2)
    before = at_rest(meters)["radiology"]
    assert not inline.hosts[1].ping(WEB_V4[1], wait_s=0.2)
    assert inline.hosts[0].ping(WEB_V4[0])
    assert inline.hosts[0].ping(WEB_V6[0])
    assert at_rest(meters)["radiology"] == before
    assert inline.hosts[0].mac() not in meters.hosts()["radiology"]


def test_a_mirror_port_holds_no_department(mirror: Network) -> None:
    meters = meters_of(mirror)
    plan = Plan("radiology", "eth1", Facing.MIRRORED, HOST, stop_at_bytes=0, throttle_bytes_s=1)
    assert meters.apply([plan]) is None
    assert mirror.hosts[0].ping(mirror.uplink.ipv4, count=3)
    assert at_rest(meters)["radiology"].up_packets >= 3


def test_a_restart_finds_the_counts_and_goes_on(gateway: Network) -> None:
    host, plan = gateway.hosts[0], replace(SUBNETS, stop_at_bytes=20 * 84)
    assert meters_of(gateway).apply([plan]) is None
    assert host.ping(WEB_V4[0], count=3)
    restarted = meters_of(gateway)
    before = restarted.read()
    assert before["radiology"].total_bytes == 6 * 84
    assert restarted.apply([plan]) is None
    assert restarted.read() == before
    assert host.ping(WEB_V4[0], count=2)
    after = restarted.read()["radiology"]
    assert (after.total_bytes, after.identity) == (10 * 84, before["radiology"].identity)
    assert restarted.hosts()["radiology"][host.mac()].total_bytes == 10 * 84
    host.ping(WEB_V4[0], count=30, wait_s=0.2)
    assert 20 * 84 - 14 * 10 <= at_rest(restarted)["radiology"].total_bytes <= 21 * 84


def test_a_restart_during_traffic_loses_no_byte_and_counts_none_twice(gateway: Network, until_equal) -> None:
    host = gateway.hosts[0]
    gateway.start_iperf3()
    silence(gateway)
    assert meters_of(gateway).apply([EVERYTHING]) is None
    line, before = Line(host), both_ways(meters_of(gateway).read()["radiology"])
    running = host.spawn(["iperf3", "-c", WEB_V4[0], "-n", "400M", "--bidir"])
    while running.process.poll() is None:
        assert meters_of(gateway).apply([EVERYTHING, Plan("two", "eth1", Facing.DEPARTMENT, OTHER)]) is None
        assert meters_of(gateway).apply([EVERYTHING]) is None
    meters = meters_of(gateway)

    def metered():
        return tuple(now - then for now, then in zip(both_ways(meters.read()["radiology"]), before, strict=True))

    until_equal(metered, line.carried)


def test_another_program_s_flush_makes_new_meters(gateway: Network) -> None:
    meters = meters_of(gateway)
    assert meters.apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    before = meters.read()["radiology"]
    gateway.appliance.run(["nft", "flush", "ruleset"])
    assert meters.read() == {}
    assert meters.hosts() == {}
    assert meters.apply([SUBNETS]) is None
    after = meters.read()["radiology"]
    assert after.identity != before.identity
    assert after.total_bytes == 0


@pytest.mark.parametrize("chain", ["ingress_eth1", "egress_eth1", "from_radiology", "to_radiology"])
def test_removed_rules_are_put_back_and_the_count_goes_on(gateway: Network, chain) -> None:
    meters = meters_of(gateway)
    assert meters.apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    gateway.appliance.run(["nft", "flush", "chain", "netdev", TABLE, chain])
    assert gateway.hosts[0].ping(WEB_V4[0])
    between = meters.read()["radiology"]
    assert between.total_bytes < 4 * 84
    assert meters.apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    after = meters.read()["radiology"]
    assert (after.total_bytes, after.identity) == (between.total_bytes + 2 * 84, between.identity)


def test_a_recreated_interface_is_metered_again_by_the_same_meter(gateway: Network) -> None:
    meters = meters_of(gateway)
    assert meters.apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    before = meters.read()["radiology"]
    gateway.appliance.run(["ip", "link", "delete", "eth1"])
    assert meters.apply([SUBNETS]) is None
    assert meters.read()["radiology"] == before
    gateway.cable_department()
    gateway.hosts[0].run(["ip", "neigh", "flush", "all"])
    assert meters.apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    after = meters.read()["radiology"]
    assert (after.identity, after.total_bytes) == (before.identity, before.total_bytes + 2 * 84)


def test_an_interface_that_is_renamed_and_back_loses_no_count_and_invents_none(gateway: Network) -> None:
    meters = meters_of(gateway)
    rename = "ip link set {0} down && ip link set {0} name {1} && ip link set {1} up"
    assert meters.apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    before = meters.read()["radiology"]
    gateway.appliance.run(["sh", "-c", rename.format("eth1", "lan0")])
    assert meters.apply([SUBNETS]) is None
    gateway.hosts[0].ping(WEB_V4[0], wait_s=5)  # counted or not: the configuration has no such name
    meanwhile = meters.read()["radiology"]
    assert before.total_bytes <= meanwhile.total_bytes <= before.total_bytes + 2 * 84
    gateway.appliance.run(["sh", "-c", rename.format("lan0", "eth1")])
    assert meters.apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0], wait_s=5)
    after = meters.read()["radiology"]
    assert (after.identity, after.total_bytes) == (before.identity, meanwhile.total_bytes + 2 * 84)


def test_an_interface_that_comes_later_is_metered_when_it_exists(gateway: Network) -> None:
    gateway.appliance.run(["ip", "link", "delete", "eth1"])
    meters = meters_of(gateway)
    assert meters.apply([SUBNETS, Plan("other", "eth7", Facing.DEPARTMENT)]) is None
    assert meters.read().keys() == {"radiology", "unclaimed:eth1", "other"}
    gateway.cable_department()
    assert meters.apply([SUBNETS, Plan("other", "eth7", Facing.DEPARTMENT)]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    assert meters.read()["radiology"].total_bytes == 2 * 84


def test_departments_come_and_go_without_touching_the_others_counts(gateway: Network) -> None:
    meters = meters_of(gateway)
    one, two = (Plan(name, "eth1", Facing.DEPARTMENT, own) for name, own in (("one", HOST), ("two", OTHER)))
    assert meters.apply([one]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    before = meters.read()["one"]
    for plans in ([one, two], [two, one], [one]):
        assert meters.apply(plans) is None
        assert meters.read().keys() == {*(plan.department for plan in plans), "unclaimed:eth1"}
        assert meters.read()["one"] == before
    assert meters.apply([]) is None
    assert meters.read() == {}
    assert meters.apply([one]) is None
    assert meters.read()["one"].identity != before.identity


def test_changed_addresses_make_a_new_meter(gateway: Network) -> None:
    meters = meters_of(gateway)
    assert meters.apply([replace(SUBNETS, networks=HOST)]) is None
    before = meters.read()["radiology"]
    assert meters.apply([replace(SUBNETS, networks=OTHER)]) is None
    assert meters.read()["radiology"].identity != before.identity


def test_refused_plans_leave_the_former_ones_in_force(gateway: Network) -> None:
    meters = meters_of(gateway)
    assert meters.apply([SUBNETS]) is None
    assert gateway.hosts[0].ping(WEB_V4[0])
    before = meters.read()
    assert "conflicting intervals" in meters.apply([SUBNETS, Plan("two", "eth1", Facing.DEPARTMENT, OTHER)])
    assert meters.read() == before
    assert gateway.hosts[0].ping(WEB_V4[0])
    assert meters.read()["radiology"].total_bytes == 4 * 84
    assert meters.apply([SUBNETS]) is None
    assert meters.read()["radiology"].identity == before["radiology"].identity


def test_the_same_plans_again_change_nothing(gateway: Network) -> None:
    meters = meters_of(gateway)
    plans = [replace(SUBNETS, stop_at_bytes=MEGABYTE)]
    assert meters.apply(plans) is None
    shown = gateway.appliance.run(["nft", "-a", "-s", "list", "ruleset"]).stdout
    assert meters.apply(plans) is None
    assert gateway.appliance.run(["nft", "-a", "-s", "list", "ruleset"]).stdout == shown


def test_blocked_packets_are_not_counted(gateway: Network) -> None:
    meters = meters_of(gateway)
    assert meters.apply([SUBNETS]) is None
    block = "table netdev b { chain c { type filter hook ingress device eth1 priority 0; ip saddr 10.20.0.11 drop; }; }"
    gateway.appliance.run(["nft", "-f", "-"], given=block)
    assert not gateway.hosts[0].ping(WEB_V4[0], wait_s=0.2)
    assert meters.read()["radiology"].up_bytes == 0


def test_a_throttled_department_is_held_to_its_rate_and_its_drops_are_not_counted(inline: Network) -> None:
    inline.start_iperf3()
    host, rate = inline.hosts[0], 2 * MEGABYTE
    meters = meters_of(inline)
    assert meters.apply([replace(SUBNETS, throttle_bytes_s=rate)]) is None
    line = Line(host)
    shown = json.loads(host.run(["iperf3", "-c", WEB_V4[0], "-t", "4", "-J", "-R"]).stdout)["end"]["sum_received"]
    assert shown["bytes"] / shown["seconds"] < 2 * rate  # the first second may use what was saved up
    assert shown["bytes"] > MEGABYTE
    metered = at_rest(meters)["radiology"].down_bytes  # read before the line: a packet under way is in neither
    assert metered <= line.carried()[1]
    assert meters.apply([SUBNETS]) is None
    assert host.run(["iperf3", "-c", WEB_V4[0], "-n", "20M", "-R"]).returncode == 0


def test_hosts_share_a_throttled_department_however_many_connections_one_opens(gateway: Network) -> None:
    for port in ("5201", "5202"):
        gateway.uplink.spawn(["iperf3", "--server", "--forceflush", "--port", port], ready="Server listening")
    meters, plan = meters_of(gateway), replace(SUBNETS, throttle_bytes_s=2 * MEGABYTE)
    assert meters.apply([plan]) is None
    load = ["iperf3", "-c", WEB_V4[0], "-t", "8", "-R"]
    greedy = gateway.hosts[0].spawn([*load, "-P", "16"])
    modest = gateway.hosts[1].spawn([*load, "-p", "5202"])
    while greedy.process.poll() is None:
        time.sleep(0.5)  # as the service does, from time to time
        assert meters.apply([plan]) is None
    modest.process.wait(timeout=30)
    hosts = meters.hosts()["radiology"]
    assert hosts[gateway.hosts[1].mac()].down_bytes > hosts[gateway.hosts[0].mac()].down_bytes / 2
    assert meters.read()["radiology"].down_bytes < 8 * 4 * MEGABYTE


def test_tagged_frames_are_metered_at_their_subinterface_alone(gateway: Network) -> None:
    meters, host = meters_of(gateway), gateway.hosts[0]
    plans = [EVERYTHING, Plan("other", "eth1.20", Facing.DEPARTMENT, vlan=Vlan("eth1", 20))]
    ends = bytes.fromhex((gateway.appliance.mac("eth1") + host.mac()).replace(":", ""))
    ip = bytes.fromhex("4500001c0000000040ff0000") + b"\x0a\x14\x00\x0b" + b"\xc6\x33\x64\x0a" + bytes(8)
    for given, counted in ((plans, 0), ([EVERYTHING], 1)):
        assert meters.apply(given) is None
        before = at_rest(meters)["radiology"].up_packets
        with host.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            raw.send(ends + bytes.fromhex("81000014") + b"\x08\x00" + ip)
        assert host.ping(gateway.appliance.ipv4)  # which comes after it on the same cable
        assert at_rest(meters)["radiology"].up_packets == before + counted + 1


def test_a_connection_from_before_the_cut_does_not_pass_on_the_way_to_the_notice(inline: Network) -> None:
    with inline.appliance.entered():
        meters = NftablesMeters(Nftables(), Nfnetlink(TABLE), SetElements(), "boot", Setting(notice_port=5080))
    assert meters.apply([SUBNETS]) is None
    with inline.uplink.entered():
        listening = socket.create_server((WEB_V4[0], 80))
    with listening, inline.hosts[0].entered():
        client = socket.create_connection((WEB_V4[0], 80), timeout=5)
        server, _ = listening.accept()
    with client, server:
        client.send(b"before")
        assert server.recv(100) == b"before"
        assert meters.apply([replace(SUBNETS, stop_at_bytes=0)]) is None
        inline.hosts[1].ping(WEB_V4[0], wait_s=0.2)  # the one packet that still passes
        client.send(b"after")
        server.settimeout(1)
        with pytest.raises(TimeoutError):
            server.recv(100)


def test_a_rate_does_not_use_up_a_quota_that_is_extended_later(gateway: Network) -> None:
    meters, host = meters_of(gateway), gateway.hosts[0]
    assert meters.apply([replace(SUBNETS, throttle_bytes_s=1000, stop_at_bytes=MEGABYTE)]) is None
    host.run(["ping", "-q", "-f", "-c", "1000", "-s", "1400", WEB_V4[0]], check=False)
    own = at_rest(meters)["radiology"]
    assert own.total_bytes < MEGABYTE / 2  # of 2.8 MB
    assert (
        meters.apply([replace(SUBNETS, stop_at_bytes=own.total_bytes + 10 * (2 * 84 + ETHERNET) + 1, budget="large")])
        is None
    )
    assert host.ping(WEB_V4[0], count=10)
    assert at_rest(meters)["radiology"].up_packets == own.up_packets + 10
