import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.server.delivery.websocket_frames import (
    MOST_FRAGMENTS,
    FrameFault,
    FrameReader,
    Opcode,
    Status,
    accept_token,
    close_frame,
    pong_frame,
    text_frame,
    unmask,
)

LONGEST = 1000
MASK = b"\x01\x02\x03\x04"


def _frame(content=b"", opcode=Opcode.TEXT, first=0x80, mask=MASK):
    size = len(content)
    head = (
        bytes([first | opcode, 0x80 | size])
        if size < 126
        else bytes([first | opcode, 0x80 | 126]) + size.to_bytes(2, "big")
    )
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))


def _read(*pieces):
    reader = FrameReader(LONGEST)
    return [(message.opcode, message.content) for piece in pieces for message in reader.feed(piece)]


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_unmasking_is_what_the_protocol_says(content, mask) -> None:
    assert unmask(content, mask) == bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))


@given(st.lists(st.text(max_size=200), max_size=6), st.lists(st.integers(1, 50), max_size=40))
def test_messages_are_the_same_however_the_stream_is_cut(texts, cuts) -> None:
    stream = b"".join(_frame(text.encode()) for text in texts)
    pieces = []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    assert _read(*pieces, stream) == [(Opcode.TEXT, text.encode()) for text in texts]


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_any_bytes_give_messages_or_a_fault(pieces) -> None:
    with contextlib.suppress(FrameFault):
        assert all(len(content) <= LONGEST for _, content in _read(*pieces))


def test_fragments_are_put_together_and_a_ping_may_come_between() -> None:
    pieces = (
        _frame(b"He", first=0),
        _frame(b"?", Opcode.PING),
        _frame(b"l", Opcode.CONTINUATION, 0),
        _frame(b"lo", Opcode.CONTINUATION),
        _frame(b"next"),
    )
    assert _read(*pieces) == [(Opcode.PING, b"?"), (Opcode.TEXT, b"Hello"), (Opcode.TEXT, b"next")]


def test_a_character_may_be_cut_by_a_fragment() -> None:
    euro = "€".encode()
    assert _read(_frame(euro[:1], first=0), _frame(euro[1:], Opcode.CONTINUATION)) == [(Opcode.TEXT, euro)]


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (b"\x81\x03abc", Status.PROTOCOL_ERROR),  # not masked
        (_frame(b"a", first=0xC0), Status.PROTOCOL_ERROR),  # compressed, which nobody agreed on
        (_frame(b"a", first=0x90), Status.PROTOCOL_ERROR),
        *((_frame(b"a", opcode), Status.PROTOCOL_ERROR) for opcode in (3, 7, 11, 15)),
        (_frame(b"a", Opcode.PING, first=0), Status.PROTOCOL_ERROR),
        (_frame(b"a" * 126, Opcode.PING), Status.PROTOCOL_ERROR),
        (_frame(b"a", Opcode.CONTINUATION), Status.PROTOCOL_ERROR),
        (_frame(b"a", first=0) + _frame(b"b"), Status.PROTOCOL_ERROR),
        (_frame(b"\xff"), Status.NO_TEXT),
        (_frame(b"a" * (LONGEST + 1)), Status.TOO_BIG),
        (b"\x81\xff" + b"\xff" * 8 + MASK, Status.TOO_BIG),
        (_frame(b"a" * 600, first=0) + _frame(b"a" * 600, Opcode.CONTINUATION), Status.TOO_BIG),
        (_frame(first=0) + _frame(b"", Opcode.CONTINUATION, 0) * MOST_FRAGMENTS, Status.TOO_BIG),
    ],
)
def test_forbidden_and_harmful_frames_are_faults(stream, status) -> None:
    with pytest.raises(FrameFault) as caught:
        _read(stream)
    assert caught.value.status is status


def test_a_frame_that_is_too_long_is_a_fault_before_its_content_comes() -> None:
    with pytest.raises(FrameFault):
        FrameReader(LONGEST).feed(_frame(b"a" * (LONGEST + 1))[:8])


def test_frames_of_the_server_carry_their_length_in_the_shortest_form() -> None:
    assert text_frame(b"a" * 125)[:2] == b"\x81\x7d"
    assert text_frame(b"a" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert text_frame(b"a" * 65536)[:10] == b"\x81\x7f" + (65536).to_bytes(8, "big")
    assert pong_frame(b"x") == b"\x8a\x01x"
    assert close_frame(Status.TOO_BIG) == b"\x88\x02\x03\xf1"


def test_the_handshake_answers_as_the_protocol_s_example() -> None:
    assert accept_token("dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3
    assert [accept_token(key) for key in ("", "x", "eA==", "é" * 24)] == [None] * 4
