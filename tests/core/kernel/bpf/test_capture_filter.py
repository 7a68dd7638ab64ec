"""The filter, judged by the kernel that runs it: a socket pair takes it as a capturing socket does."""

import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.core.kernel.bpf.capture_filter import (
    FLOWS,
    LONG_BYTES,
    MAPS,
    MOST_ANSWERS,
    MOST_PROBES,
    MOST_UNANSWERED,
    SHORT_BYTES,
    TURN_BITS,
)
from appliance.core.traffic.devices.neighbour_discovery import notice_in
from appliance.core.traffic.flows.client_hello import MOST_BYTES, PREFIX_BYTES
from appliance.core.traffic.packet import decode
from appliance.system.network.bpf import Bpf
from appliance.system.network.capture import SO_ATTACH_BPF, CapturePrograms
from tests.core import hellos

ETHERNET = bytes(6) + bytes.fromhex("020000000001")
SYN, RST, ACK, FIN = 0x02, 0x04, 0x10, 0x01

Passes = Callable[[bytes], bytes | None]


class Tap:
    """A socket with the filter: what it is sent goes through the kernel's program."""

    def __init__(self, loaded: int) -> None:
        self._into, self._out_of = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out_of.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, loaded)
        self._into.setblocking(False)
        self._out_of.setblocking(False)

    def __call__(self, frame: bytes) -> bytes | None:
        """The part of a frame that the filter passes; `None`: it drops the frame."""
        try:
            self._into.send(frame)
            return self._out_of.recv(1 << 17)
        except (BlockingIOError, PermissionError):  # so a datagram socket reports that the filter dropped it
            return None

    def close(self) -> None:
        self._into.close()
        self._out_of.close()


@pytest.fixture(scope="module")
def programs() -> Iterator[CapturePrograms]:
    found = CapturePrograms(Bpf())
    yield found
    found.close()


@pytest.fixture
def kernel_passes(programs: CapturePrograms) -> Iterator[Passes]:
    tap = Tap(programs[frozenset()])
    yield tap
    tap.close()


def ipv4(protocol: int, transport: bytes, *, options: bytes = b"", fragment: int = 0) -> bytes:
    words = 5 + len(options) // 4
    length = words * 4 + len(transport)
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, length, 1, fragment, 64, protocol, 0, bytes(4), bytes(4))
    return ETHERNET + struct.pack("!H", 0x0800) + header + options + transport


def ipv6(protocol: int, transport: bytes) -> bytes:
    header = struct.pack("!IHBB16s16s", 6 << 28, len(transport), protocol, 64, bytes(16), bytes(16))
    return ETHERNET + struct.pack("!H", 0x86DD) + header + transport


def extended(chain: list[tuple[int, bytes]], protocol: int, transport: bytes) -> bytes:
    """IPv6 with these extension headers, each by its type and what follows its first byte."""
    for kind, rest in reversed(chain):
        transport, protocol = bytes([protocol]) + rest + transport, kind
    return ipv6(protocol, transport)


OPTIONS, LONG_OPTIONS, AUTHENTICATION = b"\0" + bytes(6), b"\1" + bytes(14), b"\x04" + bytes(22)


def fragment(offset: int) -> bytes:
    return struct.pack("!BHI", 0, offset << 3 | 1, 7)


def tagged(frame: bytes, tag: int = 20, tpid: int = 0x8100) -> bytes:
    return frame[:12] + struct.pack("!HH", tpid, tag) + frame[12:]


def tcp(flags: int, *, source: int = 40_000, destination: int = 443, data: bytes = b"", sequence: int = 1) -> bytes:
    return struct.pack("!HHIIBBHHH", source, destination, sequence, 1, 5 << 4, flags, 0, 0, 0) + data


def udp(source: int, destination: int, data: bytes = b"data") -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(data), 0) + data


PASSING = {
    "dns_answer": ipv4(17, udp(53, 40_000)),
    "dns_answer_v6": ipv6(17, udp(53, 40_000)),
    "dns_answer_after_ip_options": ipv4(17, udp(53, 40_000), options=bytes(8)),
    "dns_answer_tagged": tagged(ipv4(17, udp(53, 40_000))),
    "dns_answer_tagged_v6": tagged(ipv6(17, udp(53, 40_000))),
    "dns_answer_unfragmentable": ipv4(17, udp(53, 40_000), fragment=0x4000),
    "dns_answer_over_tcp": ipv4(6, tcp(ACK, source=53, data=b"answer")),
    "dns_question": ipv4(17, udp(40_000, 53)),
    "dns_question_v6": ipv6(17, udp(40_000, 53)),
    "dns_question_over_tcp": ipv4(6, tcp(ACK, destination=53, data=b"question")),
    "first_fragment": ipv4(17, udp(53, 40_000), fragment=0x2000),
    "dns_answer_after_options": extended([(0, OPTIONS), (60, LONG_OPTIONS)], 17, udp(53, 40_000)),
    "dns_answer_after_authentication": extended([(51, AUTHENTICATION)], 17, udp(53, 40_000)),
    "first_fragment_v6": extended([(0, OPTIONS), (44, fragment(0))], 17, udp(40_000, 53)),
    "syn_after_options": extended([(0, OPTIONS), (43, OPTIONS), (60, OPTIONS)], 6, tcp(SYN)),
    "syn": ipv4(6, tcp(SYN)),
    "syn_ack": ipv4(6, tcp(SYN | ACK)),
    "syn_v6": ipv6(6, tcp(SYN)),
    "syn_after_ip_options": ipv4(6, tcp(SYN), options=bytes(40)),
    "syn_tagged": tagged(ipv4(6, tcp(SYN))),
    "reset": ipv4(6, tcp(RST)),
    "reset_ack_v6": ipv6(6, tcp(RST | ACK)),
    "end": ipv4(6, tcp(FIN | ACK)),
    "dhcp_request": ipv4(17, udp(68, 67)),
    "dhcp_offer": ipv4(17, udp(67, 68)),
    "dhcp_offer_of_a_relay": ipv4(17, udp(67, 67)),
    "multicast_dns": ipv4(17, udp(5353, 5353)),
    "multicast_dns_v6": ipv6(17, udp(5353, 5353)),
    "router_advertisement": ipv6(58, bytes([134]) + bytes(15)),
    "neighbour_solicitation": ipv6(58, bytes([135]) + bytes(23)),
    "neighbour_advertisement_after_options": extended([(0, OPTIONS)], 58, bytes([136]) + bytes(23)),
    "arp": ETHERNET + struct.pack("!H", 0x0806) + bytes([0, 53] * 14),
    "arp_tagged": tagged(ETHERNET + struct.pack("!H", 0x0806) + bytes([0, 53] * 14)),
}
DROPPED = {
    "data": ipv4(6, tcp(ACK, data=b"secret")),
    "data_v6": ipv6(6, tcp(ACK, data=b"secret")),
    "data_tagged": tagged(ipv4(6, tcp(ACK, data=b"secret"))),
    "later_fragment": ipv4(17, udp(53, 40_000), fragment=0x0001),
    "later_fragment_v6": extended([(44, fragment(2))], 17, udp(53, 40_000)),
    "more_options_than_are_read": extended([(60, OPTIONS)] * 9, 17, udp(53, 40_000)),
    "ping_v6": ipv6(58, bytes([128]) + bytes(23)),
    "router_solicitation": ipv6(58, bytes([133]) + bytes(7)),
    "ping": ipv4(1, bytes([8, 0, 0, 0, 0, 53, 0, 53])),
    "loopback_test": ETHERNET + struct.pack("!H", 0x9000) + bytes([0, 53] * 14),
    "cut_short": ipv4(6, tcp(SYN))[:40],
    "nothing": b"\0",
}


@pytest.mark.parametrize("name", PASSING)
def test_what_names_a_site_or_shows_a_connection_passes_whole(kernel_passes: Passes, name: str) -> None:
    assert kernel_passes(PASSING[name]) == PASSING[name]


@pytest.mark.parametrize("name", DROPPED)
def test_other_frames_stay_in_the_kernel(kernel_passes: Passes, name: str) -> None:
    assert kernel_passes(DROPPED[name]) is None


WRAPPED: dict[str, Callable[[int, bytes], bytes]] = {
    "IPv4": ipv4,
    "IPv6": ipv6,
    "one tag": lambda *one: tagged(ipv4(*one)),
    "two tags": lambda *one: tagged(tagged(ipv6(*one)), tpid=0x88A8),
    "two old tags": lambda *one: tagged(tagged(ipv4(*one)), tpid=0x9100),
    "three tags": lambda *one: tagged(tagged(tagged(ipv4(*one)))),
    "IPv4 options": lambda *one: ipv4(*one, options=bytes(40)),
    "the only fragment": lambda *one: ipv4(*one, fragment=0x4000),
    "the first fragment": lambda *one: ipv4(*one, fragment=0x2000),
    "a later fragment": lambda *one: ipv4(*one, fragment=0x2001),
    "the first fragment of IPv6": lambda *one: extended([(44, fragment(0))], *one),
    "a later fragment of IPv6": lambda *one: extended([(44, fragment(1))], *one),
    "authentication": lambda *one: extended([(51, AUTHENTICATION)], *one),
    **{
        f"{count} extension headers": lambda *one, count=count: extended([(60, LONG_OPTIONS)] * count, *one)
        for count in (1, 4, 7, 8, 9)
    },
    "all kinds of extension headers": lambda *one: extended(
        [(0, OPTIONS), (60, OPTIONS), (43, LONG_OPTIONS), (44, fragment(0)), (51, AUTHENTICATION), (135, OPTIONS)], *one
    ),
    "an unknown extension header": lambda *one: extended([(59, OPTIONS)], *one),
    "another version in IPv4": lambda *one: _flipped(ipv4(*one), 14, 0x10),
    "a header of IPv4 that is too short": lambda *one: _flipped(ipv4(*one), 14, 0x01),
}


def _flipped(frame: bytes, at: int, bits: int) -> bytes:
    return frame[:at] + bytes([frame[at] ^ bits]) + frame[at + 1 :]


CARRIED = {
    "a look-up": (17, udp(40_000, 53)),
    "a look-up over TCP": (6, tcp(ACK, destination=53, data=b"question")),
    "a SYN": (6, tcp(SYN)),
    "an Initial": (17, udp(40_000, 443, hellos.initials("www.example.org")[0])),
    "an Initial of version 2": (17, udp(40_000, 443, hellos.initials("www.example.org", version=2)[0])),
    "a DHCP request": (17, udp(68, 67)),
    "a DHCP offer": (17, udp(67, 68)),
    "an announced name": (17, udp(5353, 5353)),
    "a neighbour's question": (58, bytes([135]) + bytes(23)),
    "a router's advertisement": (58, bytes([134]) + bytes(15)),
    "a hello": (6, tcp(ACK, data=hellos.record("www.example.org"))),
}


@pytest.mark.parametrize("carried", CARRIED)
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_frame_passes_exactly_where_the_decoder_reads_it(kernel_passes: Passes, wrapped: str, carried: str) -> None:
    frame = WRAPPED[wrapped](*CARRIED[carried])
    is_read = decode(frame) is not None or notice_in(frame) is not None
    assert (kernel_passes(frame) is not None) == is_read


def test_the_table_has_frames_that_are_read_and_frames_that_are_not() -> None:
    read = [decode(wrap(*CARRIED["a SYN"])) is not None for wrap in WRAPPED.values()]
    assert (read.count(True), read.count(False)) == (15, 7)


@pytest.mark.parametrize("name", PASSING)
def test_a_trunk_s_filter_drops_the_frames_of_its_subinterfaces_alone(programs: CapturePrograms, name: str) -> None:
    leaving = Tap(programs[frozenset({20, 30})])
    left = None if "tagged" in name else PASSING[name]
    assert leaving(PASSING[name]) == left
    for other in (0, 21, 0x2014 ^ 20):  # the priority bits are no part of the tag
        frame = tagged(PASSING[name], other) if "tagged" not in name else PASSING[name]
        assert "tagged" in name or leaving(frame) == frame
    leaving.close()


def test_a_long_answer_is_cut(kernel_passes: Passes) -> None:
    assert len(kernel_passes(ipv4(17, udp(53, 40_000, bytes(3000)))) or b"") == SHORT_BYTES


PROBES = {
    "a datagram": (ipv4, 17, udp),
    "a datagram over IPv6": (lambda *one: extended([(0, OPTIONS)], *one), 17, udp),
    "a segment without flags": (ipv4, 6, lambda *ports: tcp(0, source=ports[0], destination=ports[1])),
    "an ACK over IPv6": (ipv6, 6, lambda *ports: tcp(ACK, source=ports[0], destination=ports[1])),
}


@pytest.mark.parametrize("number", range(len(PROBES)))
def test_what_may_be_a_probe_passes_once_and_its_first_answer_over_udp(kernel_passes: Passes, number: int) -> None:
    wrap, protocol, carried = [*PROBES.values()][number]
    port = 61_000 + number
    probe, answer = (wrap(protocol, carried(*ports)) for ports in ((port, 9999), (9999, port)))
    assert kernel_passes(probe) == probe
    assert decode(probe) is not None
    is_udp = protocol == 17
    assert (kernel_passes(answer) is not None) == is_udp
    assert shown(kernel_passes, [probe, answer, probe]) == [False, False, False]


def turn() -> int:
    """The kernel's present turn, by the clock that it counts them by."""
    return time.monotonic_ns() >> TURN_BITS


def test_a_datagram_that_is_not_answered_passes_again_and_not_without_end(kernel_passes: Passes) -> None:
    began = turn()
    passed = sum(shown(kernel_passes, [ipv4(17, udp(62_000, 9999))] * (3 * MOST_UNANSWERED)))
    assert MOST_UNANSWERED < passed <= 1 + MOST_UNANSWERED * (turn() - began + 1)


def test_probes_have_a_budget() -> None:
    programs = CapturePrograms(Bpf())  # nobody else uses up the budget of these
    tap = Tap(programs[frozenset()])
    began = turn()
    passed = sum(shown(tap, [ipv4(17, udp(10_000 + number, 9999)) for number in range(3 * MOST_PROBES)]))
    tap.close()
    programs.close()
    assert MOST_PROBES <= passed <= MOST_PROBES * (turn() - began + 1)


def test_a_fragment_that_ends_within_the_header_of_tcp_passes_also_when_it_is_padded(kernel_passes: Passes) -> None:
    frame = ipv4(6, tcp(SYN, source=63_000)[:8], fragment=0x2000)
    packet = decode(frame)
    assert packet is not None
    assert (packet.source_port, packet.flags) == (63_000, 0)
    assert kernel_passes(frame) == frame
    padded = frame + bytes(60 - len(frame))
    assert kernel_passes(padded) == padded
    assert decode(padded) == packet


def segments(flow: int, pieces: Sequence[tuple[int, bytes]], *, flags: int = ACK) -> list[bytes]:
    """A client's segments, each by its place behind the SYN and its bytes. `flow`: the client's port."""
    return [ipv4(6, tcp(flags, source=flow, data=data, sequence=1001 + at)) for at, data in pieces]


def answers(flow: int, pieces: Sequence[tuple[int, bytes]]) -> list[bytes]:
    return [ipv4(6, tcp(ACK, source=443, destination=flow, data=data, sequence=9001 + at)) for at, data in pieces]


def opened(flow: int) -> list[bytes]:
    return [
        ipv4(6, tcp(SYN, source=flow, sequence=1000)),
        ipv4(6, tcp(SYN | ACK, source=443, destination=flow, sequence=9000)),
    ]


def cut(data: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + size]) for at in range(0, len(data), size)]


def shown(passes: Passes, frames: Sequence[bytes]) -> list[bool]:
    return [passes(one) is not None for one in frames]


HELLO = hellos.record("www.example.org", padding=1700)


@pytest.mark.parametrize("size", [1, 128, 536, 1460, 4000])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_hello_passes_in_segments_of_any_size_and_order_and_nothing_behind_it(
    kernel_passes: Passes, size: int, is_reversed: bool
) -> None:
    flow = 20_000 + 2 * size + is_reversed
    pieces = cut(HELLO, size)
    assert all(shown(kernel_passes, opened(flow)))
    assert all(shown(kernel_passes, segments(flow, pieces[::-1] if is_reversed else pieces)))
    whole = segments(flow, [(0, HELLO)])
    assert all(shown(kernel_passes, whole))  # again, as a repetition may be
    behind = segments(flow, [(len(HELLO), b"\x17\x03\x03\x00\x20" + bytes(32)), (len(HELLO) + 37, b"x")])
    assert shown(kernel_passes, behind) == [False, False]


def test_segments_that_the_kernel_has_joined_pass_as_long_as_a_hello_may_be(kernel_passes: Passes) -> None:
    joined = segments(19_001, [(0, hellos.record("www.example.org", padding=9000))])
    assert shown(kernel_passes, opened(19_001)) == [True, True]
    assert kernel_passes(joined[0]) == joined[0]
    endless = segments(19_001, [(0, HELLO + bytes(40_000))])
    assert len(kernel_passes(endless[0]) or b"") == LONG_BYTES


def test_of_another_protocol_the_begin_passes_and_of_http_nothing(kernel_passes: Passes) -> None:
    data = [(0, b"EHLO client\r\n"), (13, b"STARTTLS\r\n"), (PREFIX_BYTES, b"MAIL FROM"), (PREFIX_BYTES + 9, HELLO)]
    assert shown(kernel_passes, opened(19_002)) == [True, True]
    assert shown(kernel_passes, segments(19_002, data)) == [True, True, False, True]
    for method in (b"GET / HTTP/1.1\r\nCookie: secret", b"POST /", b"HEAD /", b"OPTIONS *", b"PUT /", b"DELETE /"):
        kernel_passes(opened(19_003)[0])
        assert (
            shown(kernel_passes, segments(19_003, [(0, method), (len(method), b"secret"), (900, b"more")]))
            == [False] * 3
        )


def test_a_hello_whose_connection_began_unseen_passes_with_what_follows(kernel_passes: Passes) -> None:
    pieces = cut(HELLO, 1200)
    assert shown(kernel_passes, segments(19_004, [pieces[1], *pieces])) == [False, True, True]
    assert shown(kernel_passes, segments(19_004, [(len(HELLO), b"more")])) == [False]


def test_of_the_server_only_what_begins_a_record_of_a_handshake_passes_a_few_times(kernel_passes: Passes) -> None:
    record, secret = b"\x16\x03\x03\x00\x7a\x02", b"\x17\x03\x03\x00\x7asecret"
    assert shown(kernel_passes, answers(19_005, [(0, record)])) == [False]
    assert shown(kernel_passes, opened(19_005)) == [True, True]
    said = [(0, record[:1]), (1, record[1:]), (0, record), (0, secret), (900, record), (950, secret), (0, b"HTTP/1.1")]
    assert shown(kernel_passes, answers(19_005, said)) == [True, False, True, False, True, False, False]
    more = answers(19_005, [(1000 + at, record) for at in range(2 * MOST_ANSWERS)])
    assert sum(shown(kernel_passes, more)) == MOST_ANSWERS - 3


def test_a_client_s_window_ends_where_no_hello_is_read_any_more(kernel_passes: Passes) -> None:
    assert shown(kernel_passes, opened(19_006)) == [True, True]
    ends = segments(19_006, [(MOST_BYTES - 1, b"xy"), (MOST_BYTES, b"xy"), (1 << 20, b"xy"), (-1, b"x")])
    assert shown(kernel_passes, ends) == [True, False, False, False]


def test_after_more_connections_than_are_kept_the_next_one_is_followed(kernel_passes: Passes) -> None:
    frame = bytearray(ipv4(6, tcp(SYN)))
    for number in range(2 * MAPS[FLOWS].most):
        frame[26:30] = number.to_bytes(4, "big")
        assert kernel_passes(bytes(frame)) is not None
    assert shown(kernel_passes, opened(19_007)) == [True, True]
    assert shown(kernel_passes, segments(19_007, [(1, b"\x03"), (0, b"\x16")])) == [True, True]


@given(st.binary(min_size=1, max_size=100))
@example(ipv4(6, tcp(SYN))[:14])
def test_only_ipv4_and_ipv6_frames_pass(programs: CapturePrograms, tail: bytes) -> None:
    tap = Tap(programs[frozenset()])
    assert tap(ETHERNET + b"\x88\xb5" + tail) is None
    tap.close()
