from hypothesis import given
from hypothesis import strategies as st

from appliance.core.detection.rates.usual import LEAST_WEEKS, usual_range

AMOUNTS = st.lists(st.integers(0, 2**62), min_size=LEAST_WEEKS, max_size=6)


def test_fewer_than_three_weeks_say_nothing() -> None:
    assert usual_range([]) is None
    assert usual_range([10**9, 10**9]) is None


def test_even_weeks_leave_room_for_a_normal_one() -> None:
    low, high = usual_range([10**9] * 4) or (0, 0)
    assert (round(low / 10**9, 2), round(high / 10**9, 2)) == (0.61, 1.65)


def test_uneven_weeks_widen_the_range() -> None:
    low, high = usual_range([10**8, 10**9, 10**10]) or (0, 0)
    assert low < 10**8
    assert high > 10**10


def test_silence_is_usual_where_there_was_silence() -> None:
    low, high = usual_range([0, 0, 0]) or (1, 0)
    assert low == 0
    assert high < 1_000_000


@given(AMOUNTS)
def test_a_range_is_in_order_and_has_the_middle_in_it(amounts: list[int]) -> None:
    low, high = usual_range(amounts) or (1, 0)
    assert 0 <= low <= high
    assert low <= max(amounts)
    assert high >= min(amounts)
