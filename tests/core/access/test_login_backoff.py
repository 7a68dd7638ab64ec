import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.access.client_address import client_network, plain_address
from appliance.core.access.login_backoff import BackoffRules, LoginBackoff

THREE_FREE = BackoffRules(free=3, first_s=1, longest_s=60, most_networks=10)
GUESSER, OTHER = "192.168.1.66", "192.168.1.67"


def test_the_first_refusals_are_free_and_then_the_wait_doubles_up_to_the_longest() -> None:
    backoff, now_s, waits = LoginBackoff(THREE_FREE), 0.0, []
    for _ in range(11):
        backoff.count_refusal(GUESSER, now_s)
        waits.append(backoff.wait_s(GUESSER, now_s))
        now_s += waits[-1]
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.wait_s(OTHER, now_s) == 0


def test_trying_while_waiting_makes_the_wait_no_longer() -> None:
    backoff = LoginBackoff(THREE_FREE)
    for _ in range(4):
        backoff.count_refusal(GUESSER, 0.0)
    for _ in range(100):
        backoff.count_refusal(GUESSER, 0.5)
    assert backoff.wait_s(GUESSER, 0.5) == 0.5
    assert backoff.refused == 104


def test_old_refusals_are_forgotten() -> None:
    backoff = LoginBackoff(THREE_FREE)
    for _ in range(4):
        backoff.count_refusal(GUESSER, 0.0)
    backoff.count_refusal(GUESSER, 3600.0)
    assert backoff.wait_s(GUESSER, 3600.0) == 0


def test_a_guesser_with_many_addresses_fills_no_memory() -> None:
    backoff = LoginBackoff(THREE_FREE)
    for number in range(5000):
        backoff.count_refusal(f"10.0.{number // 250}.{number % 250}", 0.0)
    assert len(backoff) == 10


def test_a_whole_64_of_ipv6_counts_as_one_network() -> None:
    backoff = LoginBackoff(THREE_FREE)
    for number in range(4):
        backoff.count_refusal(f"2001:db8::{number:x}", 0.0)
    assert backoff.wait_s("2001:db8::ffff:1", 0.0) == 1
    assert backoff.wait_s("2001:db8:0:1::1", 0.0) == 0


@pytest.mark.parametrize(
    ("text", "address", "origin"),
    [
        ("192.168.1.1", "192.168.1.1", "192.168.1.1"),
        ("::ffff:192.168.1.1", "192.168.1.1", "192.168.1.1"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("/run/socket", None, "/run/socket"),
        ("", None, ""),
    ],
)
def test_an_address_belongs_to_a_network(text: str, address: str | None, origin: str) -> None:
    assert plain_address(text) == address
    assert client_network(text) == origin


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([GUESSER, OTHER]), st.floats(0, 100)), max_size=300))
def test_no_wait_exceeds_the_longest(refusals: list[tuple[str, float]]) -> None:
    backoff, now_s = LoginBackoff(THREE_FREE), 0.0
    for address, pause_s in refusals:
        now_s += pause_s
        backoff.count_refusal(address, now_s)
        assert 0 <= backoff.wait_s(address, now_s) <= 60.001  # the clocks are floats
