"""What a department still reaches that its quota has cut off, and what it is not charged for."""

import socket
import sys
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from appliance.core.kernel.nftables.meter_rules import Setting
from appliance.core.kernel.nftables.notice_rules import NOTICE
from appliance.core.machine import Facing
from appliance.core.metering.host_room import MOST_HOSTS
from appliance.core.metering.meter import Plan
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.core import frames
from tests.lab.blocks import firewall, pieces, place
from tests.lab.network import WEB_V4, WEB_V6, Network, network
from tests.lab.test_meters import at_rest

PORT = 5001
CUT_OFF = Plan("radiology", "eth1", Facing.DEPARTMENT, stop_at_bytes=0, budget="none")
OPEN = replace(CUT_OFF, stop_at_bytes=None, budget="")
DEVICES = 2000
REFUSED = 7  # curl's exit code
LOOKUP = bytes(40)


@pytest.fixture(params=["gateway", "bridge"])
def lab(request: pytest.FixtureRequest) -> Iterator[Network]:
    with network(request.param, hosts=1) as made:
        made.start_web()
        made.start_dns()
        yield made


def meters_of(lab: Network, *, notice_port: int | None = None) -> NftablesMeters:
    with lab.appliance.entered():
        parts = Nftables(), Nfnetlink(TABLE), SetElements()
        return NftablesMeters(*parts, "boot", Setting(server_port=PORT, notice_port=notice_port))


def leads(lab: Network) -> bool:
    """Whether the kernel has rules that lead HTTP to the notice."""
    return NOTICE["table"] in lab.appliance.run(["nft", "list", "tables"]).stdout


def test_this_computer_s_pages_and_its_echo_stay_reachable_and_are_not_counted(lab: Network) -> None:
    host, appliance = lab.hosts[0], lab.appliance
    serve = [sys.executable, "-u", "-m", "http.server", "--bind", "::", "--directory", "/var/empty", str(PORT)]
    appliance.run(["mkdir", "-p", "/var/empty"])
    appliance.spawn(serve, ready="Serving HTTP")
    meters = meters_of(lab)
    assert meters.apply([CUT_OFF]) is None
    assert [host.fetch(address).returncode for address in (WEB_V4[0], WEB_V6[0])] == [7, 7]
    for address in (appliance.ipv4, appliance.ipv6):
        assert host.ping(address)
        assert host.fetch(address, port=PORT).returncode == 0
        assert host.fetch(address, port=PORT + 1).returncode == 7
    assert at_rest(meters)["radiology"].total_bytes == 0


def test_http_is_led_to_the_notice_while_somebody_is_cut_off_and_nobody_pays_for_it_else(lab: Network) -> None:
    host, appliance = lab.hosts[0], lab.appliance
    serve = [sys.executable, "-u", "-m", "http.server", "--bind", "::", "--directory", "/var/empty", str(PORT)]
    appliance.run(["mkdir", "-p", "/var/empty"])
    appliance.spawn(serve, ready="Serving HTTP")
    meters = meters_of(lab, notice_port=PORT)
    assert meters.apply([OPEN]) is None
    assert not leads(lab)
    assert meters.apply([replace(OPEN, stop_at_bytes=50, budget="little")]) is None
    assert not leads(lab)
    assert host.fetch(WEB_V4[0]).returncode == REFUSED, "what the kernel cuts off is refused until this is known"
    meters.read()
    assert meters.apply([replace(OPEN, stop_at_bytes=50, budget="little")]) is None
    assert leads(lab)
    assert [host.fetch(address).returncode for address in (WEB_V4[0], WEB_V6[0])] == [0, 0]
    assert at_rest(meters)["radiology"].total_bytes < 50
    for _ in range(2):  # the first still sees the quota that was met
        meters.read()
        assert meters.apply([replace(OPEN, stop_at_bytes=1 << 40, budget="much")]) is None
    assert not leads(lab)
    assert host.fetch(WEB_V4[0]).returncode == 0


def test_the_notice_is_led_to_where_a_host_alone_is_cut_off_or_a_plan_has_nothing_left(lab: Network) -> None:
    meters = meters_of(lab, notice_port=PORT)
    assert meters.apply([CUT_OFF]) is None
    assert leads(lab)
    alone = replace(OPEN, budget="hosts", host_limit_bytes=50)
    for _ in range(2):
        assert meters.apply([alone]) is None
    assert not leads(lab)
    assert lab.hosts[0].fetch(WEB_V4[0]).returncode == REFUSED
    meters.hosts()
    assert meters.refused_hosts() == {"radiology": {lab.hosts[0].mac()}}
    assert leads(lab), "before this is told to anybody"
    assert meters.apply([alone]) is None
    assert leads(lab)
    with lab.appliance.entered():
        again = NftablesMeters(Nftables(), Nfnetlink(TABLE), SetElements(), "boot", Setting())
    assert again.apply([OPEN]) is None
    assert not leads(lab), "another configuration has no notice"


@pytest.mark.parametrize("version", [4, 6])
def test_a_device_that_comes_back_finds_its_neighbours(lab: Network, version: int) -> None:
    host = lab.hosts[0]
    meters = meters_of(lab)
    assert meters.apply([CUT_OFF]) is None
    for one in (host, lab.appliance):
        one.run(["ip", f"-{version}", "neigh", "flush", "all"])
    assert host.ping(lab.appliance.ipv4 if version == 4 else lab.appliance.ipv6)


def test_addresses_are_renewed(lab: Network) -> None:
    """What a DHCP server in the uplink's place hears, and its answer."""
    server = lab.appliance if lab.position == "gateway" else lab.uplink
    meters = meters_of(lab)
    assert meters.apply([CUT_OFF]) is None
    for server_port, client_port in ((67, 68), (547, 546)):
        family = socket.AF_INET if server_port == 67 else socket.AF_INET6
        with server.entered():
            answering = socket.socket(family, socket.SOCK_DGRAM)
            answering.bind(("", server_port))
        with lab.hosts[0].entered():
            asking = socket.socket(family, socket.SOCK_DGRAM)
            asking.bind(("", client_port))
        with answering, asking:
            for one in (answering, asking):
                one.settimeout(5)
            asking.sendto(b"request", (server.ipv4 if server_port == 67 else server.ipv6, server_port))
            assert answering.recvfrom(100)[0] == b"request"
            answering.sendto(b"answer", asking_address(lab, family, client_port))
            assert asking.recv(100) == b"answer"


def asking_address(lab: Network, family: int, port: int) -> tuple[str, int]:
    host = lab.hosts[0]
    return (host.ipv4 if family == socket.AF_INET else host.ipv6), port


def test_lookups_are_a_trickle_for_the_department_however_many_devices_ask(lab: Network) -> None:
    host = lab.hosts[0]
    meters = meters_of(lab)
    assert meters.apply([CUT_OFF]) is None
    assert host.resolve("www.example.com", lab.uplink.ipv4) == WEB_V4[0]
    before = lab.uplink.counters()[0]
    hop = lab.appliance.mac("eth1") if lab.position == "gateway" else lab.uplink.mac()
    with host.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        # One question of each of more devices than the set of paces takes, and then many of one of them.
        for number in range(MOST_HOSTS + 100):
            raw.send(_question(lab, hop, number))
        for _ in range(DEVICES):
            raw.send(_question(lab, hop, 1))
    passed = lab.uplink.counters()[0] - before
    assert passed < 64_000 * 4, "the burst of 64 kbytes, and what a slow machine adds in seconds"


def test_when_the_paces_are_full_newcomers_share_the_department_s(lab: Network) -> None:
    host = lab.hosts[0]
    meters = meters_of(lab)
    assert meters.apply([CUT_OFF]) is None
    elements = ", ".join(f"02:00:00:00:{at >> 8:02x}:{at & 255:02x}" for at in range(MOST_HOSTS))
    for direction in ("up", "down"):
        added = f"add element netdev {TABLE} paces_{direction} {{ {elements} }}"
        lab.appliance.run(["nft", "-f", "-"], given=added)
    assert host.resolve("www.example.com", lab.uplink.ipv4) == WEB_V4[0]


def _question(lab: Network, hop: str, number: int) -> bytes:
    source = bytes.fromhex("0600") + number.to_bytes(4, "big")
    packet = frames.udp(lab.hosts[0].ipv4, 4000, lab.uplink.ipv4, 53, LOOKUP)[14:]
    total = sum(int.from_bytes(packet[at : at + 2], "big") for at in range(0, 20, 2))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    packet = packet[:10] + checksum.to_bytes(2, "big") + packet[12:]
    return bytes.fromhex(hop.replace(":", "")) + source + b"\x08\x00" + packet


def test_refusals_of_this_computer_are_not_charged(lab: Network) -> None:
    host = lab.hosts[0]
    for address in (WEB_V4[0], WEB_V6[0]):
        assert host.ping(address)
    meters = meters_of(lab)
    assert meters.apply([OPEN]) is None
    with firewall(lab) as blocks:
        assert blocks.install_rules([place(department="radiology")]) is None
        assert blocks.replace_elements(pieces(WEB_V4[0], WEB_V6[0]), 0.0) is None
        before = at_rest(meters)["radiology"]
        for address in (WEB_V4[0], WEB_V6[0]):
            assert [host.fetch(address).returncode for _ in range(5)] == [7] * 5
            host.run(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", address], check=False)
        after = at_rest(meters)["radiology"]
    assert after.down_bytes == before.down_bytes
    assert after.up_bytes == before.up_bytes
