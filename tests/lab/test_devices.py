"""Hosts as devices on the real kernel: what is one host's, what is nobody's, and what a full table does.

Each test sends packets of a known size and counts those that arrive beyond the appliance.
"""

import json
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from appliance.core.machine import Connection, Facing, Position
from appliance.core.metering.department import Department
from appliance.core.metering.host_room import COMFORTABLE, CROWDED, MOST_HOSTS
from appliance.core.metering.meter import NEWCOMERS, Plan
from appliance.core.metering.quota import Action, Limits, QuotaKind
from appliance.core.moment import Moment
from appliance.core.pause import Pause, no_pause
from appliance.events import Event, HostQuota
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.device_directory import DeviceDirectory
from appliance.simulator.firewall import SimulatedUpstream
from appliance.system.network.interfaces import RtnetlinkInterfaces
from appliance.system.network.neighbours import RtnetlinkNeighbours
from appliance.system.storage.store import SqliteStore
from tests.lab.fixtures import PATIENCE_S, Until
from tests.lab.host import Host
from tests.lab.network import WEB_V4, WEB_V6, Network, network
from tests.lab.test_meters import DEPARTMENT, EVERYTHING, SUBNETS, at_rest, meters_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LIMIT = 100_000
PAYLOAD = 972  # bytes, so that an IPv4 packet has 1,000
SENT = 300  # three times what a host may send
MOST = 95  # packets that a host may send at least, beside what it asks its neighbours
PORT = 4040
LIMITED = replace(SUBNETS, host_limit_bytes=LIMIT)
BROADCAST = b"\xff" * 6

TALLY = f"""table netdev tally {{
    counter seen {{ }}
    chain in {{ type filter hook ingress device eth0 priority 0; udp dport {PORT} counter name seen drop; }}
}}
"""


class NoFlows:
    """`ports.Flows` without connections."""

    def connections(self, _: Pause = no_pause) -> Mapping[Connection, int]:
        return {}


class Tally:
    """Counts the test's packets that arrive at a host, which drops them: each answer would be counted to its sender."""

    def __init__(self, host: Host) -> None:
        self._host = host
        assert host.ping("10.20.0.11")  # for a neighbour that is not known only a hundred packets wait
        host.run(["nft", "-f", "-"], given=TALLY)

    def arrived(self, least: int = 0) -> int:
        """Packets since the previous call, once no more come. `least`: what to wait for, on a busy machine for long."""
        before, deadline = -1, time.monotonic() + PATIENCE_S
        while (found := self._packets("list")) != before or (found < least and time.monotonic() < deadline):
            before = found
        return self._packets("reset")

    def _packets(self, command: str) -> int:
        shown = self._host.run(["nft", "-j", command, "counter", "netdev", "tally", "seen"]).stdout
        return next(int(one["counter"]["packets"]) for one in json.loads(shown)["nftables"] if "counter" in one)


def datagram(source: str, destination: str, payload: int = PAYLOAD) -> bytes:
    """An IP packet with a UDP datagram of so many zeros; IPv4 needs no checksum of it, IPv6 does."""
    udp = PORT.to_bytes(2, "big") * 2 + (8 + payload).to_bytes(2, "big")
    ends = ip_address(source).packed + ip_address(destination).packed
    if ":" in source:
        whole = udp + bytes(2 + payload)
        words = ends + len(whole).to_bytes(4, "big") + (17).to_bytes(4, "big") + whole
        return b"\x60\0\0\0" + len(whole).to_bytes(2, "big") + b"\x11\x40" + ends + udp + _sum(words) + bytes(payload)
    header = b"\x45\0" + (28 + payload).to_bytes(2, "big") + b"\0\0\0\0\x40\x11"
    return header + _sum(header + ends) + ends + udp + bytes(2 + payload)


def _sum(data: bytes) -> bytes:
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF).to_bytes(2, "big")


def packed(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def send(host: Host, frames: Iterable[bytes]) -> None:
    with host.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        for frame in frames:
            raw.send(frame)


def frames(
    lab: Network, host: Host, source: str, destination: str, number: int = SENT, payload: int = PAYLOAD
) -> Iterator[bytes]:
    """Frames from a host to the appliance, or on a bridge to the uplink."""
    next_hop = lab.uplink.mac() if lab.position == "bridge" else lab.appliance.mac("eth1")
    kind = b"\x86\xdd" if ":" in source else b"\x08\0"
    packet = datagram(source, destination, payload)
    return (packed(next_hop) + packed(host.mac()) + kind + packet for _ in range(number))


def strangers(lab: Network, host: Host, number: int) -> Iterator[bytes]:
    """A small packet from each of so many devices that do not exist."""
    [frame] = frames(lab, host, "10.20.0.99", WEB_V4[0], 1, payload=0)
    return (frame[:6] + b"\x02\x5f" + one.to_bytes(4, "big") + frame[12:] for one in range(number))


def test_another_address_of_either_family_is_no_new_quota(inline: Network) -> None:
    meters, tally, host = meters_of(inline), Tally(inline.uplink), inline.hosts[0]
    assert meters.apply([LIMITED]) is None
    pairs = [("10.20.0.11", WEB_V4[0]), ("fd20::11", WEB_V6[0])]
    pairs += [(f"fd20::{number}", WEB_V6[0]) for number in range(101, 106)]
    pairs += [(f"10.20.0.{number}", WEB_V4[0]) for number in range(101, 104)]
    arrived = []
    for source, destination in pairs:
        send(host, frames(inline, host, source, destination))
        arrived.append(tally.arrived(0 if arrived else MOST))
    assert LIMIT * 0.95 <= arrived[0] * 1000 <= LIMIT + 1000
    assert sum(arrived[1:]) == 0
    assert meters.hosts()["radiology"].keys() == {host.mac()}


def test_the_next_holder_of_an_address_inherits_nothing(inline: Network) -> None:
    meters, tally = meters_of(inline), Tally(inline.uplink)
    assert meters.apply([LIMITED]) is None
    for host in inline.hosts[:2]:
        send(host, frames(inline, host, "10.20.0.77", WEB_V4[0]))
        assert LIMIT * 0.95 <= tally.arrived(MOST) * 1000 <= LIMIT + 1000


def test_a_device_that_writes_a_neighbour_s_address_burns_its_own_quota(inline: Network) -> None:
    meters, tally, (victim, spoofer) = meters_of(inline), Tally(inline.uplink), inline.hosts[:2]
    assert meters.apply([LIMITED]) is None
    send(spoofer, frames(inline, spoofer, "10.20.0.11", WEB_V4[0]))
    assert tally.arrived() * 1000 <= LIMIT + 1000
    send(victim, frames(inline, victim, "10.20.0.11", WEB_V4[0], 50))
    assert tally.arrived(50) == 50


@pytest.mark.parametrize("source", ["0.0.0.0", "10.20.0.11"])
def test_a_quota_is_each_device_s_own_where_all_write_the_same_source(bridge: Network, source: str) -> None:
    meters, tally = meters_of(bridge), Tally(bridge.uplink)
    assert meters.apply([replace(LIMITED, networks=())]) is None
    for host in bridge.hosts:  # as DHCP does, to everybody
        [frame] = frames(bridge, host, source, "255.255.255.255", 1)
        send(host, [BROADCAST + frame[6:]] * 50)
        assert tally.arrived(50) == 50


@pytest.mark.parametrize(
    ("mac", "group"), [("ff:ff:ff:ff:ff:ff", "255.255.255.255"), ("01:00:5e:00:00:fb", "224.0.0.251")]
)
def test_groups_and_everybody_are_no_host_that_a_quota_could_stop(bridge: Network, mac: str, group: str) -> None:
    meters, host = meters_of(bridge), bridge.hosts[0]
    assert meters.apply([replace(LIMITED, networks=())]) is None
    tally = Tally(host)
    frame = packed(mac) + packed(bridge.uplink.mac()) + b"\x08\0" + datagram("10.20.0.254", group)
    send(bridge.uplink, [frame] * SENT)
    at_rest(meters)
    assert tally.arrived(SENT) == SENT
    assert meters.hosts()["radiology"] == {}
    assert meters.read()["radiology"].down_packets == SENT, "they are the department's all the same"


def test_newcomers_share_one_allowance_where_the_table_is_full(gateway: Network) -> None:
    meters, tally, plan = meters_of(gateway), Tally(gateway.uplink), replace(LIMITED, networks=())
    assert meters.apply([plan]) is None
    flooder, known, newcomer = gateway.hosts
    send(known, frames(gateway, known, "10.20.0.12", WEB_V4[0], 10))
    send(flooder, strangers(gateway, flooder, MOST_HOSTS))
    before = tally.arrived(MOST_HOSTS)
    assert before >= MOST_HOSTS
    for host in (newcomer, flooder):
        send(host, frames(gateway, host, host.ipv4, WEB_V4[0]))
    shared = tally.arrived()
    assert shared * 1000 <= LIMIT + 2000, "two newcomers together have one host's limit"
    send(known, frames(gateway, known, "10.20.0.12", WEB_V4[0]))
    assert LIMIT * 0.75 <= tally.arrived(75) * 1000 <= LIMIT, "a device with a place of its own has the rest of its own"
    meters.read()
    passed, refused = meters.newcomers()["radiology"]
    assert passed == pytest.approx(LIMIT, rel=0.05)
    assert refused >= 2 * SENT - LIMIT // 1000 - 5


def test_a_full_table_makes_room_by_use_and_takes_changed_limits(gateway: Network) -> None:
    meters, tally, plan = meters_of(gateway), Tally(gateway.uplink), replace(LIMITED, networks=())
    assert meters.apply([plan]) is None
    flooder, known, newcomer = gateway.hosts
    send(known, frames(gateway, known, "10.20.0.12", WEB_V4[0]))
    send(flooder, strangers(gateway, flooder, MOST_HOSTS))
    assert len(meters.hosts()["radiology"].keys() - {NEWCOMERS}) == MOST_HOSTS
    assert meters.hold_hosts({"radiology": {known.mac(): LIMIT}}) is None, "a limit changes while the table is full"
    tally.arrived()
    send(known, frames(gateway, known, "10.20.0.12", WEB_V4[0]))
    assert LIMIT * 0.95 <= tally.arrived(MOST) * 1000 <= LIMIT
    removed = meters.make_room({})["radiology"]
    assert len(removed) == len({*removed}) >= MOST_HOSTS - COMFORTABLE
    assert known.mac() not in removed
    assert len(meters.hosts()["radiology"].keys() - {NEWCOMERS}) <= COMFORTABLE
    assert meters.make_room({}) == {}
    send(newcomer, frames(gateway, newcomer, "10.20.0.13", WEB_V4[0]))
    assert LIMIT * 0.95 <= tally.arrived(MOST) * 1000 <= LIMIT, "a newcomer has a quota of its own again"
    assert newcomer.mac() in meters.hosts()["radiology"]


def test_books_fill_the_table_only_as_far_as_room_is_left_for_newcomers(gateway: Network) -> None:
    meters = meters_of(gateway)
    assert meters.apply([LIMITED]) is None
    left = {f"02:5f:00:00:{number >> 8:02x}:{number & 255:02x}": number for number in range(MOST_HOSTS + 500)}
    for _ in range(2):
        assert meters.hold_hosts({"radiology": left}) is None
    shown = gateway.appliance.run(["nft", "-j", "list", "ruleset"]).stdout
    sets = [one["set"] for one in json.loads(shown)["nftables"] if "set" in one]
    assert [len(one["elem"]) for one in sets if one["name"].startswith("left")] == [CROWDED]


def test_the_allowance_of_newcomers_begins_again_with_their_books(gateway: Network) -> None:
    meters, tally, plan = meters_of(gateway), Tally(gateway.uplink), replace(LIMITED, networks=())
    assert meters.apply([plan]) is None
    flooder, _, newcomer = gateway.hosts
    send(flooder, strangers(gateway, flooder, MOST_HOSTS))
    for left, passes in ((None, True), (0, False), (LIMIT // 2, True)):
        if left is not None:
            assert meters.hold_hosts({"radiology": {NEWCOMERS: left}}) is None
        tally.arrived()
        send(newcomer, frames(gateway, newcomer, "10.20.0.13", WEB_V4[0]))
        assert (tally.arrived(int(passes)) > 0) is passes


def test_behind_a_router_each_address_is_a_host_and_the_router_is_none(gateway: Network) -> None:
    meters, tally, (router, other) = meters_of(gateway), Tally(gateway.uplink), gateway.hosts[:2]
    gateway.appliance.run(["ip", "route", "add", "10.50.0.0/24", "via", router.ipv4])
    plan = replace(LIMITED, networks=(), routers=(router.mac(),), checks_sources=True)
    assert meters.apply([plan]) is None
    for source in ("10.50.0.1", "10.50.0.2"):
        send(router, frames(gateway, router, source, WEB_V4[0]))
        assert LIMIT * 0.95 <= tally.arrived(MOST) * 1000 <= LIMIT + 1000
    send(other, frames(gateway, other, other.ipv4, WEB_V4[0]))
    assert LIMIT * 0.95 <= tally.arrived(MOST) * 1000 <= LIMIT + 1000
    assert meters.hosts()["radiology"].keys() == {"10.50.0.1", "10.50.0.2", other.mac()}
    assert meters.hold_hosts({"radiology": {"10.50.0.1": 5000}}) is None
    send(router, frames(gateway, router, "10.50.0.1", WEB_V4[0]))
    assert 3 <= tally.arrived(3) <= 5


@pytest.mark.parametrize("near", [(), DEPARTMENT], ids=["by its routes", "by its networks"])
@pytest.mark.parametrize(
    ("source", "destination"),
    [("172.16.9.9", WEB_V4[0]), ("10.30.0.2", WEB_V4[0]), ("2001:db8:7::1", WEB_V6[0]), ("fd30::2", WEB_V6[0])],
)
def test_a_source_that_is_routed_elsewhere_is_dropped_before_it_is_counted(
    gateway: Network, source: str, destination: str, near: tuple[IPv4Network | IPv6Network, ...]
) -> None:
    gateway.appliance.sysctl({"net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/eth1/rp_filter": 0})
    meters, tally, host = meters_of(gateway), Tally(gateway.uplink), gateway.hosts[0]
    assert meters.apply([replace(EVERYTHING, checks_sources=True, near=near)]) is None
    send(host, frames(gateway, host, source, destination, 20))
    assert tally.arrived() == 0
    assert meters.spoofed() == 20
    assert at_rest(meters)["radiology"].total_bytes == 0
    assert host.ping(WEB_V4[0])
    assert host.ping(WEB_V6[0])
    host.run(["ip", "neigh", "flush", "all"])
    assert host.ping(gateway.appliance.ipv6), "neighbour discovery passes"


def test_sources_are_checked_where_an_interface_has_more_networks_than_a_rule_could_compare(
    gateway: Network, until: Until
) -> None:
    gateway.appliance.sysctl({"net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/eth1/rp_filter": 0})
    meters, host = meters_of(gateway), gateway.hosts[0]
    near = (*(ip_network(f"10.21.{number}.0/24") for number in range(100)), *DEPARTMENT)
    assert meters.apply([replace(EVERYTHING, checks_sources=True, near=near)]) is None
    assert host.ping(WEB_V4[0])
    send(host, frames(gateway, host, "172.16.9.9", WEB_V4[0], 20))
    until(lambda: meters.spoofed() == 20)


@pytest.mark.parametrize("position", ["gateway", "bridge"])
def test_an_exempt_destination_is_no_exempt_source(position: str) -> None:
    exempt = (ip_network(f"{WEB_V4[0]}/32"), ip_network("10.20.0.9/32"))
    with network(position) as lab:
        meters, tally, host = meters_of(lab), Tally(lab.uplink), lab.hosts[0]
        assert meters.apply([replace(EVERYTHING, exempt=exempt, stop_at_bytes=0)]) is None
        send(host, frames(lab, host, host.ipv4, WEB_V4[1], 2))
        tally.arrived()
        for source in ("10.20.0.9", WEB_V4[0]):
            send(host, frames(lab, host, source, WEB_V4[1], 50))
        assert tally.arrived() == 0
        send(host, frames(lab, host, host.ipv4, WEB_V4[0], 50))
        assert tally.arrived(50) == 50


def test_forged_devices_make_no_share_of_a_throttled_department_smaller(gateway: Network) -> None:
    meters, tally = meters_of(gateway), Tally(gateway.uplink)
    plan = replace(EVERYTHING, throttle_bytes_s=10_000_000)
    assert meters.apply([plan]) is None
    flooder, _, newcomer = gateway.hosts
    send(flooder, strangers(gateway, flooder, MOST_HOSTS))
    assert meters.apply([plan]) is None
    tally.arrived()
    send(newcomer, frames(gateway, newcomer, newcomer.ipv4, WEB_V4[0], 500))
    assert tally.arrived(500) == 500, "half a megabyte is within the burst of a whole share of 10 MB a second"


def test_this_computer_is_one_device_in_host_position(gateway: Network) -> None:
    meters, plan = meters_of(gateway), Plan("self", "eth0", Facing.SELF, host_limit_bytes=LIMIT)
    assert meters.apply([plan]) is None
    gateway.appliance.run(["ping", "-q", "-f", "-w", "3", "-c", "200", "-s", "972", WEB_V4[0]], check=False)
    assert not gateway.appliance.ping(WEB_V6[0], wait_s=0.3)
    assert meters.hosts()["self"].keys() == {gateway.appliance.mac()}


def test_a_bulk_transfer_over_a_quota_is_exceeded_at_the_next_step_and_its_rest_is_closed(
    gateway: Network, tmp_path: Path
) -> None:
    limit, host = 2_000_000, gateway.hosts[0]
    gateway.start_iperf3()
    limits = Limits({QuotaKind.DAILY: limit}, on_exceeded=Action.BLOCK)
    department = Department("radiology", "Radiology", "eth1", Limits({}), host_limits=limits)
    published: list[Event] = []
    with gateway.appliance.entered():
        interfaces, neighbours, meters = RtnetlinkInterfaces("boot"), RtnetlinkNeighbours(), meters_of(gateway)
        devices = DeviceDirectory([department], Position.GATEWAY, neighbours, SimulatedUpstream())
        metering = Metering(
            [department],
            position=Position.GATEWAY,
            zone=ZoneInfo("UTC"),
            interfaces=interfaces,
            flows=NoFlows(),
            meters=meters,
            devices=devices,
            store=SqliteStore(tmp_path / "s"),
            publish=published.append,
        )

        def step(second: float) -> None:
            metering.step(Moment(NOON + timedelta(seconds=second), 5000.0 + second, is_trusted=True))

        step(0)
        host.run(["timeout", "10", "iperf3", "-c", WEB_V4[0], "-n", "6M"], check=False)
        for second in range(1, 4):
            step(second)
            host.run(["ping", "-q", "-c", "3", "-i", "0.01", "-W", "0.2", "-s", "1400", WEB_V4[0]], check=False)
        told = [one for one in published if isinstance(one, HostQuota) and one.type == "exceeded"]
        assert [(one.host, one.mac) for one in told] == [(host.ipv4, host.mac())]
        assert limit - 65_536 < told[0].quota.used <= limit
        assert not host.ping(WEB_V4[0], wait_s=0.3)
        moment = Moment(NOON + timedelta(seconds=5), 5005.0, is_trusted=True)
        assert metering.find_cut_off(host.ipv4, moment) is not None
        metering.extend_host("radiology", host.ipv4, QuotaKind.DAILY, limit, "", "anna", moment)
        assert host.ping(WEB_V4[0])
        interfaces.close()
        neighbours.close()
