import sys
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.core.traffic.flows.client_hello import (
    MOST_BYTES,
    MOST_RECORDS,
    PREFIX_BYTES,
    ClientHello,
    HelloStream,
    message_bytes,
    parse_hello,
)
from appliance.core.traffic.flows.pieces import Pieces
from tests.core import hellos

NAME = "www.example.org"


def read(*pieces: tuple[int, bytes]) -> ClientHello | None:
    """The hello in a stream whose pieces come in this order."""
    joined, stream = Pieces(MOST_BYTES), HelloStream()
    for at, piece in pieces:
        if joined.add(at, piece):
            stream.read(joined.data)
    return stream.hello


def cut(data: bytes, size: int, chance: Random | None = None) -> list[tuple[int, bytes]]:
    pieces = [(at, data[at : at + size]) for at in range(0, len(data), size)]
    if chance is not None:
        chance.shuffle(pieces)
    return pieces


@pytest.mark.parametrize("padding", [0, 1200, 9000])
@pytest.mark.parametrize("size", [1, 5, 128, 536, 20_000])
def test_the_name_is_found_in_pieces_of_any_size_and_order(size: int, padding: int) -> None:
    data = hellos.record(NAME, padding=padding)
    assert read(*cut(data, size)) == ClientHello(NAME)
    assert read(*cut(data, size, Random(size + padding))) == ClientHello(NAME)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_message_in_several_records_is_joined(size: int) -> None:
    message = hellos.message("a.example")
    if len(message) <= size * MOST_RECORDS:
        assert read((0, hellos.records(message, size))) == ClientHello("a.example")
    assert read((0, hellos.records(hellos.message(NAME, padding=9000), size))) in {
        ClientHello(NAME),
        ClientHello(""),
        None,
    }


def test_repeated_and_overlapping_pieces_change_nothing() -> None:
    data = hellos.record(NAME)
    other = bytes(len(data))
    assert read(
        (0, data[:50]), (0, data[:50]), (10, other[:20]), (70, data[70:]), (75, other[:9]), (40, data[40:])
    ) == (ClientHello(NAME))


def test_an_encrypted_hello_is_recognised_beside_the_outer_name() -> None:
    assert read((0, hellos.record("front.example", encrypted=True))) == ClientHello("front.example", has_encrypted=True)


@pytest.mark.parametrize("before", [b"EHLO me\r\nSTARTTLS\r\n", b"CONNECT a:443 HTTP/1.1\r\n\r\n", bytes(PREFIX_BYTES)])
def test_tls_is_found_behind_the_begin_of_another_protocol(before: bytes) -> None:
    data = before + hellos.record(NAME)
    assert read(*cut(data, 100)) == ClientHello(NAME)
    assert read((0, bytes(PREFIX_BYTES + 20) + hellos.record(NAME))) is None


def test_of_a_hello_that_is_too_long_the_name_at_its_begin_is_read() -> None:
    long = hellos.records(hellos.message(NAME, padding=60_000))
    assert read(*cut(long, 1400)) == ClientHello(NAME)
    assert read(*cut(hellos.records(hellos.message(NAME, padding=60_000, name_last=True)), 1400)) == ClientHello("")


@pytest.mark.parametrize(
    "name",
    ["a\nb.org", "a\0b.org", "<b>.org", "\u202egro.a", "a b.org", "", "x" * 255, b"\xff\xfe.org", "a\u2028.org"],
)
def test_what_cannot_be_a_name_is_none(name: str | bytes) -> None:
    assert read((0, hellos.record(name))) == ClientHello("")


def test_a_name_is_in_lower_case_and_without_its_last_dot() -> None:
    assert read((0, hellos.record("WWW.Example.ORG."))) == ClientHello(NAME)


def test_no_prefix_raises_and_none_has_another_name() -> None:
    message = hellos.message(NAME, encrypted=True)
    for length in range(len(message)):
        found = parse_hello(message[:length])
        assert found is None or found.name in {"", NAME}
        read((0, hellos.records(message)[:length]))


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8))
def test_no_damage_raises(damage: list[tuple[int, int]]) -> None:
    data = bytearray(hellos.record(NAME, encrypted=True))
    for at, value in damage:
        data[at % len(data)] = value
    read(*cut(bytes(data), 100))
    parse_hello(data)


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x16")
@example(b"\x16\x03\x01\x00\x00")
def test_no_bytes_raise(data: bytes) -> None:
    read((0, data))
    read((0, b"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03" + data))
    parse_hello(data)
    message_bytes(data)


@given(st.lists(st.tuples(st.integers(0, 120), st.binary(min_size=1, max_size=40)), max_size=20))
def test_joined_pieces_are_what_came_first_at_each_place(pieces: list[tuple[int, bytes]]) -> None:
    joined, expected = Pieces(100), dict[int, int]()
    for at, piece in pieces:
        joined.add(at, piece)
        for place, value in enumerate(piece, at):
            if place < 100:
                expected.setdefault(place, value)
    whole = next(place for place in range(101) if place not in expected)
    assert joined.data == bytes(expected[place] for place in range(whole))
    assert joined.held_bytes <= 200


COSTLY = {
    "the largest hello": hellos.record(NAME, padding=16_000),
    "records of a byte": hellos.records(hellos.message(NAME, padding=3000), 1),
    "extensions without end": hellos.records(
        b"\x01\x00\x3e\x80\x03\x03" + bytes(32) + b"\0\0\0\0\x3e\0" + bytes(15_000)
    ),
    "begins without end": b"x" + b"\x16\x03\x03" * 5000,
}


def lines_of(work) -> int:  # type: ignore[no-untyped-def]
    """The lines that this work runs, because a test takes no time."""
    steps = 0

    def count(*_: object):  # type: ignore[no-untyped-def]
        nonlocal steps
        steps += 1
        return count

    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(None)
    return steps


@pytest.mark.parametrize("name", COSTLY)
def test_no_segment_costs_more_than_a_bound(name: str) -> None:
    """2,000 lines were measured as 0.1 ms; 0.5 ms are promised."""
    assert lines_of(lambda: read((0, COSTLY[name]))) < 2000
