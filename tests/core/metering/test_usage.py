from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.machine import Connection
from appliance.core.metering.meter import Reading
from appliance.core.metering.usage import (
    Mark,
    Passed,
    count_connections,
    next_mark,
    passed,
    seconds_since_reading,
    unaccounted,
    utilization,
)
from appliance.core.moment import Moment

A_PACKET = 1500
NOW = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), 5000.0, is_trusted=True)


def reading(up: int, down: int, identity: str = "first") -> Reading:
    return Reading(identity, up, down)


def test_a_meter_that_was_never_marked_is_charged_whole() -> None:
    assert passed(None, reading(5000, 40)) == Passed(5000, 40)


def test_the_difference_between_two_readings_is_charged() -> None:
    mark = next_mark(None, reading(100, 200))
    assert passed(mark, reading(150, 260)) == Passed(50, 60)


def test_a_reset_meter_invents_no_traffic() -> None:
    mark = next_mark(None, reading(10_000, 10_000))
    assert passed(mark, reading(7, 5)) == Passed(7, 5)


def test_a_meter_with_one_decreased_direction_was_reset() -> None:
    mark = next_mark(None, reading(10_000, 5))
    assert passed(mark, reading(7, 6)) == Passed(7, 6)


def test_everything_that_another_meter_shows_is_new() -> None:
    mark = next_mark(None, reading(100, 100))
    assert passed(mark, reading(500, 500, "second")) == Passed(500, 500)


def test_a_meter_that_was_away_and_returns_is_not_charged_twice() -> None:
    mark = next_mark(None, reading(100, 100))
    assert passed(mark, None) == Passed()
    mark = next_mark(mark, None)
    assert passed(mark, reading(130, 100)) == Passed(30, 0)


STEPS = st.tuples(st.sampled_from(["traffic", "made again", "away"]), st.integers(0, 10**15), st.integers(0, 10**15))


@given(st.lists(STEPS))
def test_the_charges_add_up_to_what_the_meters_carried_less_what_was_never_read(
    steps: list[tuple[str, int, int]],
) -> None:
    number = up = down = charged = carried = unread = 0
    mark: Mark | None = None
    for what, more_up, more_down in steps:
        if what == "made again":
            carried -= unread
            number, up, down, unread = number + 1, 0, 0, 0
        up, down = up + more_up, down + more_down
        carried += more_up + more_down
        unread += more_up + more_down
        now = None if what == "away" else reading(up, down, str(number))
        charge = passed(mark, now)
        assert min(charge.up_bytes, charge.down_bytes) >= 0
        charged += charge.total_bytes
        mark = next_mark(mark, now)
        unread = unread if now is None else 0
    assert charged == carried - unread


@pytest.mark.parametrize(
    ("read_s", "saved_ago_s", "expected_s"),
    [
        (4990.0, 60, 10.0),
        (None, 60, 60.0),
        (None, 9000, 5000.0),  # off meanwhile: no meter counted before boot
        (None, -60, 0.0),  # the wall clock was set back
        (None, None, 7.0),
    ],
)
def test_the_time_since_a_reading_is_known_across_restarts(
    read_s: float | None, saved_ago_s: float | None, expected_s: float
) -> None:
    saved_at = None if saved_ago_s is None else NOW.wall - timedelta(seconds=saved_ago_s)
    assert seconds_since_reading(read_s, saved_at, NOW, never_saved_s=7.0) == expected_s


def test_unaccounted_is_the_share_without_headers_that_no_meter_counted() -> None:
    assert unaccounted(10 * (A_PACKET + 14), 10, 10 * A_PACKET) == 0.0
    assert unaccounted(10 * (A_PACKET + 14), 10, 9 * A_PACKET) == 10.0
    assert unaccounted(0, 0, 0) == 0.0
    assert unaccounted(10 * (A_PACKET + 14), 10, 11 * A_PACKET) == 0.0  # the meters were read a little later


def test_utilization_is_the_busier_directions_share_and_never_above_one() -> None:
    assert utilization(Passed(125_000, 10), 1.0, 10_000_000) == 0.1
    assert utilization(Passed(10**9, 0), 1.0, 1000) == 1.0
    assert utilization(Passed(1, 1), 1.0, None) == 0.0
    assert utilization(Passed(1, 1), 0.0, 1000) == 0.0


def test_a_connection_counts_once_whichever_end_is_in_the_department() -> None:

    inside = Connection("10.0.0.5", "192.0.2.1")
    both = Connection("10.0.0.5", "10.0.0.6")
    inbound = Connection("2001:db8::1", "10.0.0.9")
    foreign = Connection("192.0.2.7", "192.0.2.8")
    networks = (ip_network("10.0.0.0/24"),)
    connections = Counter([inside, both, both, inbound, foreign])
    assert count_connections(connections, {"a": networks, "all": None, "none": ()}) == {"a": 4, "all": 5, "none": 0}


def test_an_address_of_two_departments_counts_for_both() -> None:
    wide, narrow = (ip_network("10.0.0.0/8"),), (ip_network("10.1.0.0/16"), ip_network("2001:db8::/32"))
    connections = Counter([Connection("10.1.0.1", "10.2.0.1"), Connection("2001:db8::5", "::1")])
    assert count_connections(connections, {"wide": wide, "narrow": narrow}) == {"wide": 1, "narrow": 2}
