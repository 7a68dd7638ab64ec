from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.alerting.attempts import (
    FIRST_RETRY_S,
    GATHER_S,
    LEAST_FAILURES,
    LONGEST_GATHER_S,
    LONGEST_RETRY_S,
    MOST_AGE,
    PACE_S,
    Attempts,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_what_comes_alone_leaves_once_nothing_followed() -> None:
    attempts = Attempts()
    assert not attempts.is_due(0.0)
    attempts.arrived(100.0)
    assert not attempts.is_due(100.0 + GATHER_S - 0.1)
    assert attempts.is_due(100.0 + GATHER_S)


def test_a_storm_is_gathered_and_a_storm_without_end_is_told() -> None:
    attempts, now_s = Attempts(), 0.0
    while not attempts.is_due(now_s):
        attempts.arrived(now_s)
        now_s += 0.06  # a thousand in a minute
    assert LONGEST_GATHER_S <= now_s < LONGEST_GATHER_S + 0.1


def test_after_a_delivery_the_next_one_waits() -> None:
    attempts = Attempts()
    attempts.arrived(0.0)
    attempts.delivered(10.0)
    assert not attempts.is_due(1000.0)  # nothing waits
    attempts.arrived(11.0)
    assert not attempts.is_due(10.0 + PACE_S - 0.1)
    assert attempts.is_due(10.0 + PACE_S)


@given(st.lists(st.floats(0, 1), min_size=30, max_size=30))
def test_a_receiver_that_fails_is_asked_less_and_less_often_but_always_again(chances: list[float]) -> None:
    attempts, delays = Attempts(), []
    attempts.arrived(0.0)
    for chance in chances:
        attempts.failed(0.0, chance)
        delays.append(attempts.not_before_s)
    assert FIRST_RETRY_S / 2 <= delays[0] <= FIRST_RETRY_S
    assert all(LONGEST_RETRY_S / 2 <= one <= LONGEST_RETRY_S for one in delays[7:])
    assert max(delays) <= LONGEST_RETRY_S


def test_only_what_was_tried_often_is_too_old() -> None:
    attempts, old = Attempts(), NOON - MOST_AGE - timedelta(seconds=1)
    assert not attempts.is_too_old(old, NOON)  # the clock has jumped, and nobody was asked
    for _ in range(LEAST_FAILURES):
        attempts.failed(0.0, 0.0)
    assert attempts.is_too_old(old, NOON)
    assert not attempts.is_too_old(NOON - MOST_AGE, NOON)
