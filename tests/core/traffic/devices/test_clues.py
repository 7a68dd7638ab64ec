"""What frames tell of devices: the names that they give themselves, and the addresses that they claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.traffic.devices.clue import LONGEST_NAME, name_in
from appliance.core.traffic.devices.dhcp import DhcpMessage, dhcp_in
from appliance.core.traffic.devices.hardware_address import is_randomised, virtual_kind
from appliance.core.traffic.devices.multicast_dns import announced_in
from appliance.core.traffic.devices.neighbour_discovery import NeighbourNotice, notice_in
from appliance.core.traffic.packet import Packet, decode
from tests.core import frames

MAC, SERVER_MAC = "3c:52:82:1f:aa:07", "02:00:00:00:00:66"
GOOD = (
    frames.dhcp(MAC, (53, b"\x01"), (12, b"printer"), (81, b"\0\0\0printer.example.org")),
    frames.offer(MAC, "192.0.2.1", "192.0.2.77", mac=SERVER_MAC),
    frames.announcement("192.0.2.9", "reading-room.local", "A", "192.0.2.9", mac=MAC),
    frames.announcement("2001:db8::9", "reading-room.local", "AAAA", "2001:db8::9", mac=MAC),
    frames.router_advertisement("fe80::66", SERVER_MAC),
    frames.neighbour_advertisement("2001:db8::9", MAC),
)


def packet(frame: bytes) -> Packet:
    found = decode(frame)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([(53, b"\x01"), (12, b"lab-printer")], "lab-printer"),
        ([(53, b"\x03"), (81, b"\x00\x00\x00lab-printer.example.org")], "lab-printer"),
        ([(53, b"\x03"), (81, b"\x04\x00\x00\x0blab-printer\x07example\x00")], "lab-printer"),
        ([(12, b"lab-printer"), (81, b"\x00\x00\x00other")], "lab-printer"),
        ([(12, b"lab\x00rest")], "lab"),
        ([(12, b"")], ""),
        ([(81, b"\x04\x00\x00")], ""),
        ([(53, b"\x01")], ""),
        ([(12, "<b>T\u00fcr\u202e</b>\n".encode())], "<b>T\u00fcr\u202e</b>"),
    ],
)
def test_a_device_says_its_name_when_it_asks_for_an_address(options: list[tuple[int, bytes]], name: str) -> None:
    assert dhcp_in(packet(frames.dhcp(MAC, *options))) == DhcpMessage(MAC, name=name)


def test_a_client_says_to_all_whose_offer_it_takes() -> None:
    taken = dhcp_in(packet(frames.dhcp(MAC, (53, b"\x03"), (50, b"\xc0\x00\x02\x4d"), (54, b"\xc0\x00\x02\x01"))))
    assert taken == DhcpMessage(MAC, given="192.0.2.77", chosen="192.0.2.1")
    assert dhcp_in(packet(frames.dhcp(MAC, (53, b"\x04"), (54, b"\xc0\x00\x02\x01")))) == DhcpMessage(MAC)  # refuses it


def test_a_server_is_known_by_its_offer_and_by_nothing_else() -> None:
    offered = dhcp_in(packet(frames.offer(MAC, "192.0.2.1", "192.0.2.77", mac=SERVER_MAC)))
    assert offered == DhcpMessage(MAC, "192.0.2.1", given="192.0.2.77")
    refusal = frames.offer(MAC, "192.0.2.1", "0.0.0.0", mac=SERVER_MAC, kind=6)
    assert dhcp_in(packet(refusal)) is None
    assert dhcp_in(packet(frames.udp("192.0.2.1", 67, "192.0.2.9", 68, b"no DHCP"))) is None


@pytest.mark.parametrize(
    ("source", "name", "kind", "address", "found"),
    [
        ("192.0.2.9", "Reading-Room.local", "A", "192.0.2.9", "Reading-Room"),
        ("fe80::9", "reading-room.local", "AAAA", "fe80::9", "reading-room"),
        ("192.0.2.9", "other.local", "A", "192.0.2.10", ""),  # a proxy answers for who sleeps
        ("192.0.2.9", "www.example.org", "A", "192.0.2.9", ""),
        ("192.0.2.9", "service._tcp.local", "A", "192.0.2.9", ""),
        ("192.0.2.9", "local", "A", "192.0.2.9", ""),
    ],
)
def test_a_name_counts_that_is_announced_for_the_sender_s_own_address(
    source: str, name: str, kind: str, address: str, found: str
) -> None:
    assert announced_in(packet(frames.announcement(source, name, kind, address, mac=MAC))) == found


def test_a_pointer_in_an_announced_name_is_followed_once() -> None:
    head = b"\0\0\x84\0\0\0\0\2\0\0\0\0"
    first = b"\x05local\0" + b"\0\x10\0\1\0\0\0\x78\0\1x"
    second = b"\x04room\xc0\x0c" + b"\0\1\0\1\0\0\0\x78\0\4\xc0\0\2\x09"
    looping = b"\xc0" + bytes([len(head)]) + second[7:]
    sent = frames.udp("192.0.2.9", 5353, "224.0.0.251", 5353, head + first + second)
    assert announced_in(packet(sent)) == "room"
    sent = frames.udp("192.0.2.9", 5353, "224.0.0.251", 5353, b"\0\0\x84\0\0\0\0\1\0\0\0\0" + looping)
    assert announced_in(packet(sent)) == ""


def test_neighbours_claim_addresses_and_routers_say_that_they_are_ones() -> None:
    assert notice_in(frames.neighbour_advertisement("2001:db8::9", MAC)) == NeighbourNotice(MAC, "2001:db8::9")
    asking = frames.neighbour(135, "fe80::9", bytes(20), frames.link_layer_option(1, MAC), mac=MAC)
    assert notice_in(asking) == NeighbourNotice(MAC, "fe80::9")
    probing = frames.neighbour(135, "::", bytes(20), mac=MAC)
    assert notice_in(probing) == NeighbourNotice(MAC, "")
    advertised = notice_in(frames.tagged(frames.router_advertisement("fe80::66", SERVER_MAC)))
    assert advertised == NeighbourNotice(SERVER_MAC, "fe80::66", True, 1800, ("2001:db8:bad::/64",))


def test_a_made_up_address_is_told_from_a_virtual_machine_s_and_a_vendor_s() -> None:
    assert is_randomised("02:53:49:4d:00:01", None)
    assert is_randomised("da:a1:19:00:00:01", None)
    assert not is_randomised("3c:52:82:1f:aa:07", None)
    assert not is_randomised("52:54:00:12:34:56", None)
    assert not is_randomised("02:42:ac:11:00:02", None)
    assert not is_randomised("02:60:8c:00:00:01", "3COM")
    assert virtual_kind("02:42:ac:11:00:02") == "Docker container"


def test_names_are_bounded_and_have_nothing_that_breaks_a_line() -> None:
    assert name_in(b"x" * 300) == "x" * LONGEST_NAME
    assert name_in(b"a\x1b[2J\xff\n") == "a[2J\ufffd"


def read_all(frame: bytes) -> None:
    notice_in(frame)
    found = decode(frame)
    if found is not None:
        dhcp_in(found)
        announced_in(found)


@pytest.mark.parametrize("frame", GOOD)
def test_no_prefix_and_no_flipped_byte_of_a_good_frame_raises(frame: bytes) -> None:
    for end in range(len(frame)):
        read_all(frame[:end])
    for at in range(len(frame)):
        for bits in (0x01, 0x80, 0xFF):
            read_all(frame[:at] + bytes([frame[at] ^ bits]) + frame[at + 1 :])


@given(st.binary(max_size=200))
def test_no_bytes_raise(content: bytes) -> None:
    read_all(frames.udp("192.0.2.9", 5353, "224.0.0.251", 5353, b"\0\0\x84\0" + content))
    read_all(frames.dhcp(MAC)[:-1] + content)
    read_all(frames.neighbour(134, "fe80::66", content[:12].ljust(12, b"\0"), content[12:], mac=MAC))
