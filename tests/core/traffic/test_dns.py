import struct

import dns.rcode
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.core.traffic.dns import MOST_RECORDS, DnsAnswer, answer_in, parse_answer
from appliance.core.traffic.packet import decode
from tests.core import frames

CLIENT = "192.168.1.10"


def answered(frame: bytes) -> DnsAnswer | None:
    packet = decode(frame)
    assert packet is not None
    return answer_in(packet)


def over_tcp(payload: bytes, source_port: int = 53) -> bytes:
    return frames.tcp("192.0.2.53", source_port, CLIENT, 50000, frames.ACK, payload)


@pytest.mark.parametrize(
    ("kind", "record", "addresses"),
    [
        ("A", "www.example.org. A 192.0.2.1", ("192.0.2.1",)),
        ("AAAA", "www.example.org. AAAA 2001:db8::1", ("2001:db8::1",)),
        ("HTTPS", "www.example.org. HTTPS 1 . alpn=h2", ()),
    ],
)
def test_an_answer_gives_client_name_and_addresses(kind: str, record: str, addresses: tuple[str, ...]) -> None:
    assert answered(frames.lookup(CLIENT, "WWW.Example.org", kind, record)) == DnsAnswer(
        CLIENT, "www.example.org", addresses, 60 if addresses else 0
    )


def test_addresses_behind_an_alias_belong_to_the_name_that_was_asked_for() -> None:
    message = frames.dns_answer(
        "www.example.org", "A", "www.example.org. CNAME cdn.example.", "cdn.example. A 192.0.2.7"
    )
    assert parse_answer(message, CLIENT) == DnsAnswer(CLIENT, "www.example.org", ("192.0.2.7",), 60)


def test_a_message_over_tcp_follows_its_length() -> None:
    message = frames.dns_answer("example.org", "A", "example.org. A 192.0.2.1")
    segment = struct.pack("!H", len(message)) + message + b"\0\x05other"
    assert answered(over_tcp(segment)) == DnsAnswer(CLIENT, "example.org", ("192.0.2.1",), 60)
    assert answered(over_tcp(segment, source_port=5353)) is None
    assert answered(over_tcp(segment[:1])) is None


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_name_that_does_not_exist_was_not_visited(rcode: dns.rcode.Rcode) -> None:
    assert parse_answer(frames.dns_answer("example.org", "A", rcode=rcode), CLIENT) is None


@pytest.mark.parametrize("kind", ["MX", "TXT", "NS", "PTR", "ANY"])
def test_other_look_ups_are_no_visits(kind: str) -> None:
    assert parse_answer(frames.dns_answer("example.org", kind), CLIENT) is None


def test_a_question_is_no_answer() -> None:
    message = bytearray(frames.dns_answer("example.org"))
    message[2] &= 0x7F
    assert parse_answer(bytes(message), CLIENT) is None


def test_a_message_that_the_capture_cut_keeps_its_name_and_the_addresses_before_the_cut() -> None:
    message = frames.dns_answer("example.org", "A", "example.org. A 192.0.2.1", "example.org. A 192.0.2.2")
    assert parse_answer(message[:-1], CLIENT) == DnsAnswer(CLIENT, "example.org", ("192.0.2.1",), 60)
    assert parse_answer(message + b"trailing", CLIENT) == DnsAnswer(
        CLIENT, "example.org", ("192.0.2.1", "192.0.2.2"), 60
    )


def test_records_beyond_the_bound_are_not_read() -> None:
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4)
    records = b"".join(record + struct.pack("!I", number) for number in range(1000))
    message = bytearray(frames.dns_answer("example.org")[:29] + records)
    message[6:8] = b"\xff\xff"
    answer = parse_answer(bytes(message), CLIENT)
    assert answer is not None
    assert len(answer.addresses) == MOST_RECORDS


@pytest.mark.parametrize("name", [b"\xc0\x0c", b"\x01a\xc0\x0e", b"\xc0\xff", b"\x80", b"\x3fa"])
def test_a_name_with_a_bad_compression_pointer_is_no_answer(name: bytes) -> None:
    assert parse_answer(struct.pack("!6H", 1, 0x8180, 1, 0, 0, 0) + name + b"\0\x01\0\x01", CLIENT) is None


@given(st.binary(max_size=300))
@example(b"")
def test_no_bytes_raise(tail: bytes) -> None:
    parse_answer(tail, CLIENT)
    parse_answer(struct.pack("!6H", 1, 0x8180, 1, 9, 0, 0) + tail, CLIENT)


@given(st.lists(st.tuples(st.integers(12, 100), st.integers(0, 255)), max_size=8), st.integers(0, 100))
def test_no_damage_to_an_answer_raises(damage: list[tuple[int, int]], length: int) -> None:
    message = bytearray(
        frames.dns_answer("www.example.org", "A", "www.example.org. CNAME example.org.", "example.org. A 192.0.2.1")
    )
    for place, value in damage:
        if place < len(message):
            message[place] = value
    parse_answer(bytes(message[:length]), CLIENT)
