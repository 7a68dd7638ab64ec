from datetime import UTC, datetime, timedelta

from appliance.core.blocking.block import Block
from appliance.core.blocking.holdover import begin, follow, moved
from appliance.core.moment import Moment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_a_trusted_clock_is_followed_wherever_it_goes() -> None:
    reckoning = begin(Moment(NOON, 100.0), NOON - timedelta(days=1), is_trusted=True)
    assert reckoning.wall(Moment(NOON + timedelta(hours=1), 101.0)) == NOON + timedelta(hours=1)


def test_without_a_trusted_clock_time_goes_on_from_where_it_was_saved() -> None:
    reckoning = begin(Moment(EPOCH, 20.0), NOON, is_trusted=False)
    assert reckoning.wall(Moment(EPOCH, 20.0)) == NOON
    assert reckoning.wall(Moment(EPOCH + timedelta(days=400), 50.0)) == NOON + timedelta(seconds=30)


def test_nothing_was_saved_yet_so_the_wall_clock_must_do() -> None:
    assert begin(Moment(EPOCH, 20.0), None, is_trusted=False).wall(Moment(EPOCH, 25.0)) == EPOCH + timedelta(seconds=5)


def test_when_the_true_time_is_known_it_is_followed_for_good() -> None:
    resumed = begin(Moment(EPOCH, 20.0), NOON, is_trusted=False)
    assert follow(resumed, Moment(EPOCH, 30.0), is_trusted=False) == resumed
    true = follow(resumed, Moment(NOON + timedelta(hours=8), 40.0), is_trusted=True)
    assert true.wall(Moment(NOON + timedelta(hours=8), 40.0)) == NOON + timedelta(hours=8)
    assert follow(true, Moment(NOON + timedelta(hours=9), 50.0), is_trusted=False).is_trusted


def test_a_clock_that_is_moved_is_noticed_and_one_that_goes_on_is_not() -> None:
    reckoning = begin(Moment(NOON, 100.0), None, is_trusted=True)
    assert reckoning.strayed_s(Moment(NOON + timedelta(seconds=60), 160.0)) == 0
    assert reckoning.strayed_s(Moment(NOON - timedelta(seconds=60), 160.0)) == 120


def test_a_block_by_an_untrusted_clock_keeps_what_is_left_of_it() -> None:
    block = Block("10.0.0.1", "because", "me", "manual", NOON, None, NOON + timedelta(hours=1), is_provisional=True)
    true = moved(block, timedelta(hours=8))
    assert (true.started_at, true.expires_at) == (NOON + timedelta(hours=8), NOON + timedelta(hours=9))
    assert not true.is_provisional
