import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.core.traffic.packet import TCP, UDP, Packet, decode
from tests.core import frames

V4 = ("192.168.1.10", "192.0.2.1")
V6 = ("2001:db8::10", "2001:db8::1")


def a_udp(addresses: tuple[str, str] = V4, payload: bytes = b"hello") -> bytes:
    return frames.udp(addresses[0], 5000, addresses[1], 53, payload)


def ipv6_with(chain: list[tuple[int, bytes]], protocol: int, body: bytes) -> bytes:
    """An IPv6 frame with these extension headers, each given by its type and what follows its next-header octet."""
    following = protocol
    for kind, rest in reversed(chain):
        body = bytes([following]) + rest + body
        following = kind
    return frames.framed(frames.ip(*V6, following, body))


@pytest.mark.parametrize("addresses", [V4, V6])
def test_a_datagram_is_read_in_both_ip_versions(addresses: tuple[str, str]) -> None:
    assert decode(a_udp(addresses)) == Packet(
        frames.MAC["client"], frames.MAC["server"], *addresses, UDP, 5000, 53, 0, b"hello"
    )


@pytest.mark.parametrize("addresses", [V4, V6])
def test_a_segment_is_read_with_its_flags_and_payload(addresses: tuple[str, str]) -> None:
    packet = decode(frames.tcp(addresses[0], 5000, addresses[1], 443, frames.ACK, b"data"))
    assert packet is not None
    assert (packet.protocol, packet.flags, packet.payload) == (TCP, frames.ACK, b"data")


@pytest.mark.parametrize(
    ("flags", "opens", "accepts", "refuses"),
    [
        (0x02, True, False, False),
        (0xC2, True, False, False),  # with the bits of ECN
        (0x12, False, True, False),
        (0x14, False, False, True),
        (0x04, False, False, True),
        (0x10, False, False, False),
    ],
)
def test_flags_show_whether_a_segment_opens_accepts_or_refuses(
    flags: int, opens: bool, accepts: bool, refuses: bool
) -> None:
    packet = decode(frames.tcp(*(V4[0], 1, V4[1], 2), flags))
    assert packet is not None
    assert (packet.opens, packet.accepts, packet.refuses) == (opens, accepts, refuses)


def test_up_to_two_vlan_tags_are_skipped_and_no_third() -> None:
    plain = a_udp()
    once = frames.tagged(plain)
    twice = frames.tagged(once, tpid=0x88A8)
    assert decode(once) == decode(twice) == decode(plain)
    assert decode(frames.tagged(twice)) is None


def test_options_move_the_payload() -> None:
    body = frames.tcp_body(1, 2, frames.SYN, b"x", options=bytes(12))
    packet = decode(frames.framed(frames.ip(*V4, 6, body, options=bytes(8))))
    assert packet is not None
    assert packet.payload == b"x"


def test_only_the_first_fragment_has_ports() -> None:
    body = frames.udp_body(1, 53, b"x")
    assert decode(frames.framed(frames.ip(*V4, 17, body, fragment=0x2000))) is not None
    assert decode(frames.framed(frames.ip(*V4, 17, body, fragment=0x2001))) is None
    assert decode(ipv6_with([(44, struct.pack("!BHI", 0, 0x0001, 7))], 17, body)) is not None
    assert decode(ipv6_with([(44, struct.pack("!BHI", 0, 0x0009, 7))], 17, body)) is None


def test_extension_headers_are_skipped_and_a_too_long_chain_is_no_packet() -> None:
    padding = b"\0" + bytes(6)
    authentication = b"\x04" + bytes(22)  # (4 + 2) * 4 octets
    body = frames.udp_body(1, 53, b"x")
    packet = decode(ipv6_with([(0, padding), (60, padding), (51, authentication)], 17, body))
    assert packet is not None
    assert (packet.protocol, packet.payload) == (UDP, b"x")
    assert decode(ipv6_with([(60, padding)] * 100, 17, body)) is None


def test_a_short_frames_padding_is_no_payload() -> None:
    packet = decode(a_udp(payload=b"x") + bytes(30))
    assert packet is not None
    assert packet.payload == b"x"
    segment = decode(frames.tcp(V4[0], 1, V4[1], 2, frames.SYN) + bytes(6))
    assert segment is not None
    assert segment.payload == b""


def test_a_frame_that_the_capture_cut_keeps_what_is_there() -> None:
    packet = decode(a_udp(payload=b"hello")[:-3])
    assert packet is not None
    assert packet.payload == b"he"


def test_a_segment_that_the_network_card_splits_later_has_no_length() -> None:
    whole = bytearray(frames.tcp(V4[0], 1, V4[1], 2, frames.ACK, b"data"))
    whole[16:18] = b"\0\0"
    packet = decode(bytes(whole))
    assert packet is not None
    assert packet.payload == b"data"


@pytest.mark.parametrize("length", range(42))
def test_a_frame_cut_before_its_ports_is_no_packet(length: int) -> None:
    assert decode(a_udp()[:length]) is None


def test_other_protocols_than_tcp_and_udp_are_no_packet() -> None:
    assert decode(frames.ethernet(0x0806, bytes(28))) is None
    assert decode(frames.framed(frames.ip(*V4, 1, bytes(8)))) is None
    assert decode(frames.ethernet(0x0800, frames.ip(*V6, 17, frames.udp_body(1, 2, b"")))) is None


@given(st.binary(max_size=200))
@example(b"")
def test_no_bytes_raise(data: bytes) -> None:
    decode(data)


@given(
    st.sampled_from([a_udp(), a_udp(V6), frames.tagged(a_udp()), frames.syn(*V4, 80)]),
    st.lists(st.tuples(st.integers(12, 80), st.integers(0, 255)), max_size=6),
    st.integers(0, 80),
)
def test_no_damage_to_a_frame_raises_or_reads_beyond_it(
    frame: bytes, damage: list[tuple[int, int]], length: int
) -> None:
    damaged = bytearray(frame)
    for place, value in damage:
        if place < len(damaged):
            damaged[place] = value
    packet = decode(bytes(damaged[:length]))
    assert packet is None or (len(packet.payload) < length and packet.payload in damaged)
