"""Whether a token is over, on a computer whose wall clock may be wrong."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.access.token_lifetime import Issuance, Lifetime, Timekeeper
from appliance.core.moment import Moment

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOT = "this"
NOW = Moment(START, 1000.0)


def _later(seconds, jumped=timedelta()):
    return Moment(START + timedelta(seconds=seconds) + jumped, 1000.0 + seconds)


def _span(boot=None):
    return Lifetime(START, START + HOUR, None if boot is None else Issuance(boot, 1000.0))


@given(st.integers(-(10**8), 10**8), st.integers(0, 7200), st.booleans())
def test_a_token_of_this_boot_lasts_as_long_as_it_was_made_for_whatever_the_clock_does(jumped_s, seconds, trusted):
    authenticator = Timekeeper(BOOT, None, NOW)
    later = _later(seconds, timedelta(seconds=jumped_s))
    authenticator.observe(later, trusted=trusted)
    assert authenticator.remaining_s(_span(BOOT), later) == 3600 - seconds


@given(st.integers(-(10**8), 10**8), st.integers(0, 7200))
def test_a_jump_that_nobody_vouches_for_neither_ends_nor_prolongs_another_boots_token(jumped_s, seconds):
    authenticator = Timekeeper(BOOT, None, NOW)
    later = _later(seconds, timedelta(seconds=jumped_s))
    authenticator.observe(later, trusted=False)
    assert authenticator.remaining_s(_span("another"), later) == 3600 - seconds


def test_a_clock_that_is_set_right_is_followed():
    authenticator = Timekeeper(BOOT, None, NOW)
    later = _later(60, timedelta(days=30))
    authenticator.observe(later, trusted=True)
    assert authenticator.remaining_s(_span(), later) < 0
    assert authenticator.wall(_later(120, timedelta(days=30))) == START + timedelta(days=30, seconds=120)


def test_a_power_cut_brings_no_expired_token_back_to_life():
    stale = Moment(datetime(1970, 1, 1, tzinfo=UTC), 5.0)  # a Pi without a battery clock wakes up
    authenticator = Timekeeper(BOOT, START + 2 * HOUR, stale)
    assert authenticator.remaining_s(_span("the boot before"), stale) < 0


def test_a_token_from_a_clock_that_was_ahead_is_not_held_against_its_holder():
    authenticator = Timekeeper(BOOT, None, NOW)
    ahead = Lifetime(START + 300 * HOUR, START + 301 * HOUR)
    assert authenticator.remaining_s(ahead, NOW) == 301 * 3600
