"""What proves that a client holds its address, and what only seems to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.detection.handshakes import FOLLOWED_S, MOST_CONNECTIONS, MOST_SAID, Handshakes, Progress
from appliance.core.traffic.packet import Packet, decode
from tests.core import frames

CLIENT, SERVER, PORT = "203.0.113.5", "192.168.1.10", 22
ISN, ANSWER = 2**32 - 1, 4_000_000_000  # the client's number wraps around with its first byte


def _packet(frame: bytes) -> Packet:
    packet = decode(frame)
    assert packet is not None
    return packet


def _of_client(flags: int, sequence: int, acknowledged: int, **macs: str) -> Packet:
    return _packet(frames.tcp(CLIENT, 40000, SERVER, PORT, flags, numbers=(sequence, acknowledged), **macs))


def _of_server(flags: int, sequence: int, acknowledged: int) -> Packet:
    return _packet(frames.tcp(SERVER, PORT, CLIENT, 40000, flags, numbers=(sequence, acknowledged)))


def _opened() -> Handshakes:
    handshakes = Handshakes()
    handshakes.open(_of_client(frames.SYN, ISN, 0), 0.0)
    return handshakes


def _accepted() -> Handshakes:
    handshakes = _opened()
    assert handshakes.follow(_of_server(frames.SYN_ACK, ANSWER, 0)) is Progress.ACCEPTED
    return handshakes


@pytest.mark.parametrize("flags", [frames.ACK, frames.FIN_ACK, frames.RST_ACK])
@pytest.mark.parametrize("said", [0, 40, MOST_SAID])
def test_who_acknowledges_the_server_s_number_has_got_its_answer(flags: int, said: int) -> None:
    assert _accepted().follow(_of_client(flags, 0, ANSWER + 1 + said)) is Progress.PROVEN


@pytest.mark.parametrize("acknowledged", [0, 1, ANSWER, ANSWER + 2 + MOST_SAID, ANSWER - 1])
def test_another_number_proves_nothing_and_is_the_only_try(acknowledged: int) -> None:
    handshakes = _accepted()
    assert handshakes.follow(_of_client(frames.FIN_ACK, 0, acknowledged)) is Progress.NONE
    assert handshakes.follow(_of_client(frames.FIN_ACK, 0, ANSWER + 1)) is Progress.NONE


def test_the_reset_of_a_host_that_got_an_answer_to_another_s_syn_proves_nothing() -> None:
    assert _accepted().follow(_of_client(0x04, 0, 0)) is Progress.NONE
    assert _accepted().follow(_of_client(0x04, 0, ANSWER + 1)) is Progress.NONE  # without ACK the number means nothing


def test_a_syn_alone_and_an_end_without_an_answer_prove_nothing() -> None:
    assert _opened().follow(_of_client(frames.FIN_ACK, 0, ANSWER + 1)) is Progress.NONE
    assert Handshakes().follow(_of_client(frames.FIN_ACK, 0, ANSWER + 1)) is Progress.NONE


def test_the_end_must_come_from_the_hardware_address_of_the_syn() -> None:
    end = _of_client(frames.FIN_ACK, 0, ANSWER + 1, source_mac="02:00:00:00:00:66")
    assert _accepted().follow(end) is Progress.NONE


@pytest.mark.parametrize(("flags", "means"), [(frames.RST_ACK, Progress.REFUSED), (frames.SYN_ACK, Progress.ACCEPTED)])
def test_an_answer_counts_only_if_it_acknowledges_the_syn(flags: int, means: Progress) -> None:
    assert _opened().follow(_of_server(flags, ANSWER, 0)) is means
    assert _opened().follow(_of_server(flags, ANSWER, 7)) is Progress.NONE
    assert _opened().follow(_of_server(0x04, 0, 0)) is Progress.NONE


def test_an_answer_that_nobody_asked_for_is_nothing() -> None:
    assert Handshakes().follow(_of_server(frames.SYN_ACK, ANSWER, 0)) is Progress.NONE
    assert Handshakes().follow(_of_server(frames.RST_ACK, ANSWER, 0)) is Progress.NONE


def test_a_flood_turns_no_connection_of_others_into_a_failure() -> None:
    handshakes = _opened()
    for number in range(MOST_CONNECTIONS):
        handshakes.open(_packet(frames.tcp(f"10.0.{number >> 8}.{number & 255}", 1, SERVER, 1, frames.SYN)), 1.0)
    assert handshakes.follow(_of_server(frames.SYN_ACK, ANSWER, 0)) is Progress.ACCEPTED


def test_an_old_connection_proves_nothing() -> None:
    handshakes = _accepted()
    handshakes.open(_packet(frames.syn("10.0.0.1", SERVER, 1)), FOLLOWED_S + 1)
    assert handshakes.follow(_of_client(frames.FIN_ACK, 0, ANSWER + 1)) is Progress.NONE


def test_a_repeated_syn_is_the_same_connection_and_another_number_begins_a_new_one() -> None:
    handshakes = _accepted()
    handshakes.open(_of_client(frames.SYN, ISN, 0), 1.0)
    assert handshakes.follow(_of_client(frames.FIN_ACK, 0, ANSWER + 1)) is Progress.PROVEN
    handshakes = _accepted()
    handshakes.open(_of_client(frames.SYN, 77, 0), 1.0)
    assert handshakes.follow(_of_client(frames.FIN_ACK, 0, ANSWER + 1)) is Progress.NONE


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0x04, 0x10, 0x11, 0x14]), st.integers(0, ANSWER)), max_size=50))
def test_whatever_a_forger_sends_who_knows_only_the_client_s_numbers_proves_nothing(
    sent: list[tuple[int, int]],
) -> None:
    handshakes = _accepted()
    assert {handshakes.follow(_of_client(flags, 0, number)) for flags, number in sent} <= {Progress.NONE}
