"""The filter, judged by the kernel that runs it: a socket pair takes it as a capturing socket does."""

import ctypes
import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.core.kernel.bpf.capture_filter import PROGRAM, SNAP_BYTES, assemble, leaving

SO_ATTACH_FILTER = 26
ETHERNET = bytes(12)
SYN, RST, ACK, FIN = 0x02, 0x04, 0x10, 0x01


def kernel_passes(frame: bytes, table=PROGRAM) -> bytes | None:
    """The part of a frame that the kernel's filter passes; `None`: it drops the frame."""
    program = assemble(table)
    instructions = ctypes.create_string_buffer(program, len(program))
    into, out_of = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with into, out_of:
        described = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
        out_of.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)
        into.setblocking(False)
        out_of.setblocking(False)
        try:
            into.send(frame)
            return out_of.recv(65_536)
        except BlockingIOError:
            return None
        except PermissionError:  # so a datagram socket reports that the filter dropped it
            return None


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


def tagged(frame: bytes, tag: int = 20) -> bytes:
    return frame[:12] + struct.pack("!HH", 0x8100, tag) + frame[12:]


def tcp(flags: int, *, source: int = 40_000, destination: int = 443, data: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", source, destination, 1, 1, 5 << 4, flags, 0, 0, 0) + data


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
}
DROPPED = {
    "other_udp": ipv4(17, udp(443, 40_000)),
    "data": ipv4(6, tcp(ACK, data=b"secret")),
    "data_v6": ipv6(6, tcp(ACK, data=b"secret")),
    "data_tagged": tagged(ipv4(6, tcp(ACK))),
    "later_fragment": ipv4(17, udp(53, 40_000), fragment=0x0001),
    "later_fragment_v6": extended([(44, fragment(2))], 17, udp(53, 40_000)),
    "more_options_than_are_read": extended([(60, OPTIONS)] * 5, 17, udp(53, 40_000)),
    "other_udp_after_options": extended([(0, OPTIONS)], 17, udp(443, 40_000)),
    "ping": ipv4(1, bytes([8, 0, 0, 0, 0, 53, 0, 53])),
    "arp": ETHERNET + struct.pack("!H", 0x0806) + bytes([0, 53] * 14),
    "cut_short": ipv4(6, tcp(SYN))[:40],
    "nothing": b"\0",
}


@pytest.mark.parametrize("name", PASSING)
def test_dns_messages_and_segments_that_begin_or_end_a_connection_pass_whole(name: str) -> None:
    assert kernel_passes(PASSING[name]) == PASSING[name]


@pytest.mark.parametrize("name", DROPPED)
def test_other_frames_stay_in_the_kernel(name: str) -> None:
    assert kernel_passes(DROPPED[name]) is None


@pytest.mark.parametrize("name", PASSING)
def test_a_trunk_s_filter_drops_the_frames_of_its_subinterfaces_alone(name: str) -> None:
    left = None if "tagged" in name else PASSING[name]
    assert kernel_passes(PASSING[name], leaving({20, 30})) == left
    for other in (0, 21, 0x2014 ^ 20):  # the priority bits are no part of the tag
        frame = tagged(PASSING[name], other) if "tagged" not in name else PASSING[name]
        assert "tagged" in name or kernel_passes(frame, leaving({20, 30})) == frame


def test_a_long_answer_is_cut() -> None:
    assert len(kernel_passes(ipv4(17, udp(53, 40_000, bytes(3000)))) or b"") == SNAP_BYTES


@given(st.binary(min_size=1, max_size=100))
@example(ipv4(6, tcp(SYN))[:14])
def test_only_ipv4_and_ipv6_frames_pass(tail) -> None:
    assert kernel_passes(ETHERNET + b"\x88\xb5" + tail) is None
