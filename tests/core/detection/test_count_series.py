from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.detection.count_series import MOST_STEPS, NARROWEST_S, CountSeries

Moments = st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 10**6)), min_size=1, max_size=200)


def test_each_step_has_its_highest_count_and_none_where_nothing_was_seen() -> None:
    series = CountSeries()
    for count, after_s in ((3, 100.0), (9, 104.9), (7, 105.0), (12, 121.0)):
        series.follow(count, after_s)
    assert (series.offset_s, series.step_s, series.counts) == (100.0, NARROWEST_S, [9, 7, 0, 0, 12])


def test_what_does_not_fit_makes_the_steps_wider() -> None:
    series = CountSeries()
    for step in range(MOST_STEPS):
        series.follow(step + 1, step * NARROWEST_S)
    assert series.step_s == NARROWEST_S
    series.follow(500, MOST_STEPS * NARROWEST_S)
    assert series.step_s == 2 * NARROWEST_S
    assert series.counts == [*range(2, MOST_STEPS + 1, 2), 500]


def test_a_clock_that_was_set_back_meanwhile_is_the_first_step() -> None:
    series = CountSeries()
    series.follow(3, 100.0)
    series.follow(5, 20.0)
    assert series.counts == [5]


@given(moments=Moments)
def test_it_stays_small_and_keeps_the_highest(moments: list[tuple[int, float]]) -> None:
    series = CountSeries()
    widths = []
    for count, after_s in sorted(moments, key=lambda one: one[1]):
        series.follow(count, after_s)
        assert len(series.counts) <= MOST_STEPS
        widths.append(series.step_s)
    assert all(after >= before for before, after in pairwise(widths))
    assert max(series.counts) == max(count for count, _ in moments)
    assert series.counts[-1] > 0


@pytest.mark.parametrize("stored", ['{"step_s":0}', '{"offset_s":-1}', '{"counts":[-1]}', f'{{"counts":{[1] * 73}}}'])
def test_a_series_that_cannot_have_been_saved_is_not_read(stored: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(stored, type=CountSeries)


@given(Moments)
def test_each_series_is_read_as_it_was_saved(moments: list[tuple[int, float]]) -> None:
    series = CountSeries()
    for count, after_s in moments:
        series.follow(count, after_s - 1000.0)
    assert msgspec.json.decode(msgspec.json.encode(series), type=CountSeries) == series
