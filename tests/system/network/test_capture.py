import socket
import struct
from collections.abc import Callable, Iterator

import dns.message
import pytest

from appliance.core.machine import Frame
from appliance.system.network.capture import MOST_FRAMES, PacketCapture
from tests.core.frames import is_of_neighbours
from tests.lab.fixtures import Until
from tests.lab.host import Host
from tests.lab.network import WEB_V4, WEB_V6, Network, network

FIN, SYN, RST = 0x01, 0x02, 0x04
SENTINEL = b"\xff" * 6 + b"\x02" * 6 + bytes.fromhex("0800450000280001000040060000 0a090909 0a090908")
SENTINEL += struct.pack("!HHIIBBHHH", 9, 9, 0, 0, 5 << 4, SYN, 0, 0, 0)  # a SYN that nobody in the lab would send


def _capture(lab: Network, *interfaces: str) -> PacketCapture:
    with lab.appliance.entered():
        capture = PacketCapture(promiscuous=lab.position == "mirror")
        capture.attach(interfaces)
    return capture


def _send(host: Host, *frames: bytes) -> None:
    with host.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sending:
        sending.bind(("eth0", 0))
        for frame in frames:
            sending.send(frame)


def _all_until_sentinel(lab: Network, capture: PacketCapture, until: Until) -> list[Frame]:
    """Every frame captured before one that is sent now."""
    _send(lab.hosts[0], SENTINEL)
    found: list[Frame] = []

    def arrived() -> bool:
        found.extend(capture.frames())
        return any(frame.data == SENTINEL for frame in found)

    until(arrived)
    return [frame for frame in found if frame.data != SENTINEL]


def _flags(frame: Frame) -> int | None:
    """The TCP flags of a frame without VLAN tag and IP options; `None` where it is not TCP."""
    is_v6 = frame.data[12:14] == b"\x86\xdd"
    protocol, at = (frame.data[20], 54) if is_v6 else (frame.data[23], 34)
    return frame.data[at + 13] if protocol == socket.IPPROTO_TCP else None


@pytest.fixture(params=["gateway", "bridge", "mirror"])
def lab(request: pytest.FixtureRequest) -> Iterator[Network]:
    with network(request.param) as lab:
        yield lab


def test_in_each_position_lookups_and_connections_are_seen_and_no_content(lab: Network, until: Until) -> None:
    lab.start_dns()
    lab.start_web()
    capture = _capture(lab, "eth1")
    host = lab.hosts[1]
    host.resolve("www.example.com", lab.uplink.ipv4)
    host.resolve("www.example.org", lab.uplink.ipv6, "AAAA")
    for address in (WEB_V4[0], WEB_V6[0]):
        assert host.fetch(address).returncode == 0
        assert host.fetch(address, port=81).returncode == 7  # nobody listens there
    frames = _all_until_sentinel(lab, capture, until)
    capture.close()

    look_ups = [frame.data for frame in frames if _flags(frame) is None and not is_of_neighbours(frame.data)]
    messages = [dns.message.from_wire(data[42:] if data[12:14] == b"\x08\x00" else data[62:]) for data in look_ups]
    names = ["www.example.com.", "www.example.com.", "www.example.org.", "www.example.org."]
    assert [str(message.question[0].name) for message in messages] == names
    assert [bool(message.answer) for message in messages] == [False, True, False, True]
    segments = [flags for frame in frames if (flags := _flags(frame)) is not None]
    assert sum(flags & SYN != 0 for flags in segments) == 6  # two answered openings, two refused ones
    assert sum(flags & RST != 0 for flags in segments) == 2
    assert all(flags & (SYN | RST | FIN) for flags in segments)
    assert {frame.interface for frame in frames} == {"eth1"}


def test_a_tag_inside_a_tag_is_understood(gateway: Network, until: Until) -> None:
    capture = _capture(gateway, "eth1")
    inner = SENTINEL[:12] + b"\x81\x00\x00\x14" + SENTINEL[12:]
    _send(gateway.hosts[0], SENTINEL[:12] + b"\x88\xa8\x00\x15" + inner[12:])  # the kernel takes the outer one away
    assert [frame.data for frame in _all_until_sentinel(gateway, capture, until)] == [inner]
    capture.close()


def test_a_call_hands_out_a_bounded_number_of_frames_and_keeps_the_rest(gateway: Network, until: Until) -> None:
    capture = _capture(gateway, "eth1")
    sent = 2 * MOST_FRAMES + 1
    _send(gateway.hosts[0], *[SENTINEL] * sent)
    taken: list[int] = []

    def all_taken() -> bool:
        taken.append(len(capture.frames()))
        return sum(taken) == sent

    until(all_taken)
    assert max(taken) <= MOST_FRAMES
    capture.close()


def test_a_busy_interface_does_not_starve_another(gateway: Network, until: Until) -> None:
    capture = _capture(gateway, "eth1", "eth0")
    _send(gateway.uplink, SENTINEL)
    _send(gateway.hosts[0], *[SENTINEL] * (10 * MOST_FRAMES))
    found: list[str] = []

    def is_heard() -> bool:
        found.extend(frame.interface for frame in capture.frames())
        return "eth0" in found

    until(is_heard)
    assert found.count("eth1") < 10 * MOST_FRAMES
    capture.close()


def test_frames_that_nobody_took_in_time_are_counted(gateway: Network, until: Until) -> None:
    capture = _capture(gateway, "eth1")
    assert capture.lost() == 0
    sent = 20_000  # of about 1 KiB each as the kernel counts, ten times what the buffer holds
    _send(gateway.hosts[0], *[SENTINEL] * sent)
    until(lambda: capture.lost() > sent // 2)
    taken: list[int] = []

    def all_taken() -> bool:
        taken.append(len(capture.frames()))
        return sum(taken) + capture.lost() == sent

    until(all_taken)
    lost = capture.lost()
    capture.close()
    assert capture.lost() == lost


def test_an_interface_that_does_not_exist_is_picked_up_when_it_does(gateway: Network, until: Until) -> None:
    gateway.appliance.run(["ip", "link", "delete", "eth1"])
    capture = _capture(gateway, "eth1", "eth0")
    gateway.cable_department()
    with gateway.appliance.entered():
        capture.attach(["eth1", "eth0"])
    assert _all_until_sentinel(gateway, capture, until) == []
    capture.close()


def test_an_interface_that_vanishes_is_dropped_and_its_successor_heard(gateway: Network, until: Until) -> None:
    capture = _capture(gateway, "eth1")
    gateway.appliance.run(["ip", "link", "delete", "eth1"])
    assert capture.frames() == []
    gateway.cable_department()
    with gateway.appliance.entered():
        capture.attach(["eth1"])
    assert _all_until_sentinel(gateway, capture, until) == []
    capture.close()


def test_a_successor_is_heard_even_when_nobody_noticed_the_change(gateway: Network, until: Until) -> None:
    capture = _capture(gateway, "eth1")
    gateway.appliance.run(["ip", "link", "delete", "eth1"])
    gateway.cable_department()
    with gateway.appliance.entered():
        capture.attach(["eth1"])
    assert _all_until_sentinel(gateway, capture, until) == []
    capture.close()


def test_an_interface_that_was_down_is_heard_again(gateway: Network, until: Until) -> None:
    capture = _capture(gateway, "eth1")
    for state in ("down", "up"):
        gateway.appliance.run(["ip", "link", "set", "eth1", state])
        capture.frames()
        with gateway.appliance.entered():
            capture.attach(["eth1"])
    assert _all_until_sentinel(gateway, capture, until) == []
    capture.close()


def test_what_is_no_longer_asked_for_is_not_heard(gateway: Network) -> None:
    capture = _capture(gateway, "eth1", "eth0")
    capture.attach(["eth0"])
    _send(gateway.hosts[0], SENTINEL)
    assert capture.frames() == []
    capture.close()


def test_only_a_mirror_port_listens_to_what_is_not_for_it(gateway: Network, mirror: Network) -> None:
    for lab, expected in ((gateway, "promiscuity 0"), (mirror, "promiscuity 1")):
        capture = _capture(lab, "eth1")
        assert expected in lab.appliance.run(["ip", "-d", "link", "show", "eth1"]).stdout
        capture.close()


def test_without_the_right_to_capture_it_says_what_is_missing(run_unprivileged: Callable[[str], str]) -> None:
    said = run_unprivileged(
        "from appliance.system.network.capture import PacketCapture; PacketCapture(promiscuous=False)"
    )
    assert "needs root (CAP_NET_RAW)" in said
