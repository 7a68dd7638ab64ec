"""Whether a token is over, on a computer whose wall clock may be wrong."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.access.token_lifetime import Birth, Span, Timekeeper
from appliance.core.moment import Moment

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOT = "this"
NOW = Moment(START, 1000.0)


def _later(seconds, jumped=timedelta()):
    return Moment(START + timedelta(seconds=seconds) + jumped, 1000.0 + seconds)


def _span(boot=None):
    return Span(START, START + HOUR, None if boot is None else Birth(boot, 1000.0))


@given(st.integers(-(10**8), 10**8), st.integers(0, 7200), st.booleans())
def test_a_token_of_this_boot_lasts_as_long_as_it_was_made_for_whatever_the_clock_does(jumped_s, seconds, trusted):
    keeper = Timekeeper(BOOT, None, NOW)
    later = _later(seconds, timedelta(seconds=jumped_s))
    keeper.observe(later, trusted=trusted)
    assert keeper.remaining_s(_span(BOOT), later) == 3600 - seconds


@given(st.integers(-(10**8), 10**8), st.integers(0, 7200))
def test_a_jump_that_nobody_vouches_for_neither_ends_nor_prolongs_another_boots_token(jumped_s, seconds):
    keeper = Timekeeper(BOOT, None, NOW)
    later = _later(seconds, timedelta(seconds=jumped_s))
    keeper.observe(later, trusted=False)
    assert keeper.remaining_s(_span("another"), later) == 3600 - seconds


def test_a_clock_that_is_set_right_is_followed():
    keeper = Timekeeper(BOOT, None, NOW)
    later = _later(60, timedelta(days=30))
    keeper.observe(later, trusted=True)
    assert keeper.remaining_s(_span(), later) < 0
    assert keeper.wall(_later(120, timedelta(days=30))) == START + timedelta(days=30, seconds=120)


def test_a_power_cut_brings_no_expired_token_back_to_life():
    stale = Moment(datetime(1970, 1, 1, tzinfo=UTC), 5.0)  # a Pi without a battery clock wakes up
    keeper = Timekeeper(BOOT, START + 2 * HOUR, stale)
    assert keeper.remaining_s(_span("the boot before"), stale) < 0


def test_a_token_from_a_clock_that_was_ahead_is_not_held_against_its_holder():
    keeper = Timekeeper(BOOT, None, NOW)
    ahead = Span(START + 300 * HOUR, START + 301 * HOUR)
    assert keeper.remaining_s(ahead, NOW) == 301 * 3600
