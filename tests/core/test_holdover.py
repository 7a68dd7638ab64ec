"""The estimated time while the wall clock is not trusted."""

from datetime import UTC, datetime, timedelta

from appliance.core.holdover import earliest, latest
from appliance.core.moment import Moment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def trusted(wall: datetime, monotonic_s: float) -> Moment:
    return Moment(wall, monotonic_s, is_trusted=True)


def untrusted(wall: datetime, monotonic_s: float) -> Moment:
    return Moment(wall, monotonic_s, is_trusted=False)


def test_a_trusted_clock_is_always_followed() -> None:
    holdover = earliest(trusted(NOON, 100.0), NOON - timedelta(days=1))
    later = trusted(NOON + timedelta(hours=1), 101.0)
    assert holdover.moment(later) == later


def test_without_a_trusted_clock_time_goes_on_from_the_saved_time() -> None:
    holdover = earliest(untrusted(EPOCH, 20.0), NOON)
    assert holdover.moment(untrusted(EPOCH, 20.0)).wall == NOON
    assert holdover.moment(untrusted(EPOCH + timedelta(days=400), 50.0)).wall == NOON + timedelta(seconds=30)


def test_without_a_saved_time_the_wall_clock_is_used() -> None:
    later = earliest(untrusted(EPOCH, 20.0), None).moment(untrusted(EPOCH, 25.0))
    assert later == untrusted(EPOCH + timedelta(seconds=5), 25.0)


def test_the_time_is_followed_once_it_is_trusted() -> None:
    resumed = earliest(untrusted(EPOCH, 20.0), NOON)
    assert resumed.follow(untrusted(EPOCH, 30.0)) == resumed
    true = resumed.follow(trusted(NOON + timedelta(hours=8), 40.0))
    assert true.moment(trusted(NOON + timedelta(hours=8), 40.0)).wall == NOON + timedelta(hours=8)
    assert true.since.is_trusted


def test_a_clock_that_lost_its_trust_is_not_followed() -> None:
    true = earliest(untrusted(EPOCH, 20.0), NOON).follow(trusted(NOON + timedelta(hours=8), 40.0))
    after = true.follow(untrusted(NOON + timedelta(days=9), 50.0))
    assert after.since.is_trusted
    assert after.moment(untrusted(NOON + timedelta(days=9), 50.0)).wall == NOON + timedelta(hours=8, seconds=10)


def test_a_jump_is_the_difference_from_the_estimate() -> None:
    holdover = earliest(trusted(NOON, 100.0), None)
    assert holdover.jump(trusted(NOON + timedelta(seconds=60), 160.0)) == timedelta(0)
    assert holdover.jump(trusted(NOON - timedelta(seconds=60), 160.0)) == -timedelta(seconds=120)


def test_the_latest_estimate_is_never_before_a_time_known_to_have_passed() -> None:
    holdover = latest(untrusted(EPOCH, 5.0), NOON)
    assert holdover.moment(untrusted(EPOCH, 6.0)).wall == NOON + timedelta(seconds=1)
    assert latest(untrusted(NOON, 5.0), EPOCH).moment(untrusted(NOON, 5.0)).wall == NOON
