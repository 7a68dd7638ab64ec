"""Durations as people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.duration import duration_text, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0", 0),
        ("0.5", 0.5),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1d2h3m4s", 93_784),
        ("1.5h", 5400),
        ("2 hours", 7200),
        ("30min", 1800),
        (" 2H ", 7200),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    found = seconds_of(text)
    assert (found, type(found)) == (seconds, type(seconds))


@pytest.mark.parametrize(
    "text",
    ["", "h", "-5", "1M", "1y", "1h2h", "1m1h", "1h30", "1e3", "²", "90x", "inf", "nan", "1,5h", "1:30", "9" * 50],
)
def test_what_could_mean_something_else_is_refused_with_the_ways_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="give seconds, such as 90, or units"):
        seconds_of(text)


@given(st.integers(0, 10**9))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    assert seconds_of(duration_text(seconds)) == seconds


@given(st.text(max_size=60))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert seconds_of(text) >= 0
