"""How long a token is still valid, on a computer whose wall clock may be wrong."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.access.token_lifetime import Issuance, Lifetime
from appliance.core.holdover import Holdover, latest
from appliance.core.moment import Moment

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOT = "this"
NOW = Moment(START, 1000.0, is_trusted=False)


def _later(seconds: int, jumped: timedelta = timedelta(), *, is_trusted: bool = False) -> Moment:
    return Moment(START + timedelta(seconds=seconds) + jumped, 1000.0 + seconds, is_trusted)


def _lifetime(boot: str | None = None) -> Lifetime:
    return Lifetime(START, START + HOUR, None if boot is None else Issuance(boot, 1000.0))


def _remaining_s(lifetime: Lifetime, holdover: Holdover, now: Moment) -> float:
    return lifetime.remaining_s(BOOT, holdover.follow(now).moment(now))


@given(st.integers(-(10**8), 10**8), st.integers(0, 7200), st.booleans())
def test_a_token_of_this_boot_lasts_as_long_as_it_was_made_for_whatever_the_clock_does(
    jumped_s: int, seconds: int, is_trusted: bool
) -> None:
    later = _later(seconds, timedelta(seconds=jumped_s), is_trusted=is_trusted)
    assert _remaining_s(_lifetime(BOOT), latest(NOW, None), later) == 3600 - seconds


@given(st.integers(-(10**8), 10**8), st.integers(0, 7200))
def test_an_untrusted_jump_neither_ends_nor_prolongs_another_boots_token(jumped_s: int, seconds: int) -> None:
    later = _later(seconds, timedelta(seconds=jumped_s))
    assert _remaining_s(_lifetime("another"), latest(NOW, None), later) == 3600 - seconds


def test_a_clock_that_is_set_right_is_followed() -> None:
    holdover, later = latest(NOW, None), _later(60, timedelta(days=30), is_trusted=True)
    assert _remaining_s(_lifetime(), holdover, later) < 0
    assert holdover.follow(later).moment(_later(120)).wall == START + timedelta(days=30, seconds=120)


def test_a_power_cut_brings_no_expired_token_back_to_life() -> None:
    stale = Moment(datetime(1970, 1, 1, tzinfo=UTC), 5.0, is_trusted=False)  # a Pi without a battery clock wakes up
    assert _remaining_s(_lifetime("the boot before"), latest(stale, START + 2 * HOUR), stale) < 0


def test_a_token_from_a_clock_that_was_ahead_is_valid() -> None:
    ahead = Lifetime(START + 300 * HOUR, START + 301 * HOUR)
    assert _remaining_s(ahead, latest(NOW, None), NOW) == 301 * 3600
