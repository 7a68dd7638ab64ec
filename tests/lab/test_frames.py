"""Frames with tags and encapsulated packets: what blocks stop, what meters count, and what a quota holds."""

import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from appliance.core.machine import Facing, Vlan
from appliance.core.metering.meter import Plan
from appliance.system.nftables.meters import NftablesMeters
from tests.core import frames
from tests.lab.blocks import firewall, pieces, place
from tests.lab.network import WEB_V4, Network, network
from tests.lab.test_meters import meters_of

MANY = 50
PAYLOAD = bytes(800)
ETH_P_ALL = 3
TAGS = {"untagged": "", "tag 0": "0", "two tags 0": "0 0", "three tags 0": "0 0 0", "tag 0, then 30": "0 30"}
OTHERS = {"a tag": "30", "stacked tags": "30 40", "802.1ad": "ad30 40"}
# Of a packet: a session of PPP over Ethernet (RFC 2516, section 4), and one label (RFC 3032, section 2.1).
ENCAPSULATIONS: dict[str, Callable[[bytes], bytes]] = {
    "PPPoE": lambda packet: struct.pack("!HBBHHH", 0x8864, 0x11, 0, 7, len(packet) + 2, 0x0021) + packet,
    "MPLS": lambda packet: struct.pack("!HI", 0x8847, 0x10140) + packet,
}
EVERYTHING = Plan("radiology", "eth1", Facing.DEPARTMENT)


def framed(lab: Network, tags: str, kind: int = 0x0800) -> bytes:
    """A frame of the first host to the web, with these tags."""
    host = lab.hosts[0]
    hop = lab.appliance.mac("eth1") if lab.position == "gateway" else lab.uplink.mac("eth0")
    heading = bytes.fromhex((hop + host.mac()).replace(":", ""))
    for tag in tags.split():
        heading += struct.pack("!HH", 0x88A8 if tag.startswith("ad") else 0x8100, int(tag.removeprefix("ad")))
    packet = frames.udp(host.ipv4, 4000, WEB_V4[0], 4000, PAYLOAD)[14:]
    return heading + struct.pack("!H", kind) + _checked(packet)


def _checked(packet: bytes) -> bytes:
    """The packet with its header's checksum (RFC 791)."""
    total = sum(struct.unpack("!10H", packet[:20]))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return packet[:10] + struct.pack("!H", ~total & 0xFFFF) + packet[12:]


def arriving(lab: Network, frame: bytes) -> int:
    """How many of many such frames reach the uplink."""
    with lab.uplink.entered():
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        ear.bind(("eth0", ETH_P_ALL))
    with lab.hosts[0].entered():
        mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        mouth.bind(("eth0", 0))
    with ear, mouth:
        for _ in range(MANY):
            mouth.send(frame)
        # What comes after the last frame has passed all of them on the way.
        lab.hosts[0].ping(lab.uplink.ipv4, wait_s=0.2)
        ear.setblocking(False)
        heard = []
        while True:
            try:
                heard.append(ear.recv(65_536))
            except BlockingIOError:
                return sum(PAYLOAD in one for one in heard)


@pytest.fixture(params=["gateway", "bridge"])
def lab(request: pytest.FixtureRequest) -> Iterator[Network]:
    with network(request.param, hosts=1) as made:
        assert made.hosts[0].ping(made.uplink.ipv4)
        if made.position == "gateway":
            made.appliance.run(["ip", "neigh", "replace", made.uplink.ipv4, "lladdr", made.uplink.mac(), "dev", "eth0"])
        yield made


@pytest.mark.parametrize("tags", TAGS)
def test_a_block_holds_whatever_tags_0_come_before_the_packet(lab: Network, tags: str) -> None:
    meters = meters_of(lab)
    assert meters.apply([EVERYTHING]) is None
    with firewall(lab) as blocks:
        assert blocks.install_rules([place()]) is None
        assert blocks.replace_elements(pieces(WEB_V4[0]), 0.0) is None
        assert arriving(lab, framed(lab, TAGS[tags])) == 0


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("phone", [None, "eth1.20"])
def test_what_tags_0_carry_is_counted_or_does_not_pass(lab: Network, tags: str, phone: str | None) -> None:
    meters, plans = meters_of(lab), [EVERYTHING, *_phones(phone)]
    assert meters.apply(plans) is None
    before = _up(meters)
    arrived = arriving(lab, framed(lab, TAGS[tags]))
    assert arrived == (MANY if tags in {"untagged", "tag 0"} else 0)
    assert _up(meters) - before == pytest.approx(arrived * (len(PAYLOAD) + 28), abs=500)


@pytest.mark.parametrize("tags", [*TAGS, *OTHERS])
def test_a_used_up_quota_holds_frames_with_tags(lab: Network, tags: str) -> None:
    meters = meters_of(lab)
    assert meters.apply([replace(EVERYTHING, stop_at_bytes=0)]) is None
    assert arriving(lab, framed(lab, {**TAGS, **OTHERS}[tags])) <= 1


@pytest.mark.parametrize("tags", OTHERS)
def test_a_bridge_carries_tags_and_counts_them_as_its_port_s(bridge: Network, tags: str) -> None:
    meters = meters_of(bridge)
    assert meters.apply([EVERYTHING]) is None
    before = _up(meters)
    assert arriving(bridge, framed(bridge, OTHERS[tags])) == MANY
    assert _up(meters) - before >= MANY * (len(PAYLOAD) + 28)


@pytest.mark.parametrize("kind", ENCAPSULATIONS)
def test_a_bridge_carries_what_is_encapsulated_counts_it_and_holds_it(bridge: Network, kind: str) -> None:
    plain = framed(bridge, "")
    frame = plain[:12] + ENCAPSULATIONS[kind](plain[14:])
    meters = meters_of(bridge)
    assert meters.apply([EVERYTHING]) is None
    before = _up(meters)
    assert arriving(bridge, frame) == MANY
    assert _up(meters) - before >= MANY * (len(PAYLOAD) + 28)
    assert meters.apply([replace(EVERYTHING, stop_at_bytes=0)]) is None
    assert arriving(bridge, frame) == 0


def _phones(interface: str | None) -> list[Plan]:
    return [Plan("phones", interface, Facing.DEPARTMENT, vlan=Vlan("eth1", 20))] if interface else []


def _up(meters: NftablesMeters) -> int:
    return meters.read()["radiology"].up_bytes
