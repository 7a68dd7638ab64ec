"""Names of addresses, from the answers of the network's own name server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.traffic.devices.reverse_look_up import NamedAddress, ReverseLookUps, address_in
from appliance.core.traffic.packet import decode
from appliance.core.traffic.questions import PATIENCE_S
from tests.core import frames

ASKED, OWN, PUBLIC = "77.2.0.192.in-addr.arpa", "192.168.1.1", "8.8.8.8"
SIXTH = "2001:db8::77"
SIXTH_ASKED = "7.7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
LAPTOP = NamedAddress("192.0.2.77", "annas-laptop")


def pair(asked: str, name: str, resolver: str = OWN) -> tuple[bytes, bytes]:
    return frames.lookup("192.168.1.10", asked, "PTR", f"{asked}. PTR {name}", resolver=resolver)


def read(*found: tuple[float, bytes]) -> list[NamedAddress]:
    look_ups, names = ReverseLookUps(), []
    for at_s, frame in found:
        packet = decode(frame)
        assert packet is not None
        names += look_ups.read(packet, at_s)
    return names


@pytest.mark.parametrize(
    ("asked", "name", "expected"),
    [
        (ASKED, "annas-laptop.example.org.", LAPTOP),
        (SIXTH_ASKED, "annas-laptop.example.org.", NamedAddress(SIXTH, "annas-laptop")),
        (ASKED, "host-192-0-2-77.example.org.", None),
        (ASKED, ".", None),
        ("2.0.192.in-addr.arpa", "annas-laptop.", None),
        ("x.2.0.192.in-addr.arpa", "annas-laptop.", None),
        ("7.7.ip6.arpa", "annas-laptop.", None),
    ],
)
def test_an_answer_names_the_address_that_was_asked_for(asked: str, name: str, expected: NamedAddress | None) -> None:
    question, answer = pair(asked, name)
    assert read((1, question), (2, answer)) == ([expected] if expected else [])


def test_an_answer_counts_once_after_its_question_and_from_the_networks_own_name_server() -> None:
    question, answer = pair(ASKED, "annas-laptop.example.org.")
    assert read((1, answer)) == []
    assert read((1, question), (2, answer), (3, answer)) == [LAPTOP]
    assert read((1, question), (2 + PATIENCE_S, answer)) == []
    public = pair(ASKED, "evil.example.org.", PUBLIC)
    assert read((1, public[0]), (2, public[1])) == []
    assert read((1, question), (2, public[1])) == []


def test_a_failure_names_nothing() -> None:
    question, _ = pair(ASKED, "annas-laptop.example.org.")
    message = frames.dns_answer(ASKED, "PTR", rcode=3)  # type: ignore[arg-type]
    answer = frames.udp(OWN, 53, "192.168.1.10", 50_000, message)
    assert read((1, question), (2, answer)) == []


@given(st.text(max_size=80))
def test_no_text_raises(text: str) -> None:
    for end in ("", ".in-addr.arpa", ".ip6.arpa"):
        address_in(text + end)


def test_no_prefix_and_no_changed_byte_raises() -> None:
    question, answer = pair(ASKED, "annas-laptop.example.org.")
    for at in range(len(answer)):
        for damaged in (answer[:at], answer[:at] + bytes([answer[at] ^ 0xFF]) + answer[at + 1 :]):
            look_ups = ReverseLookUps()
            for frame in (question, damaged):
                packet = decode(frame)
                if packet is not None:
                    [*look_ups.read(packet, 1.0)]
