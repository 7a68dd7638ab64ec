from datetime import UTC, datetime, timedelta

from appliance.core.metering.usage import Passed
from appliance.core.moment import Moment
from appliance.monitor.metering.recent_periods import MOST_PERIODS, RecentPeriods

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVER = NOON - timedelta(days=9), NOON + timedelta(days=9)


def at(seconds: float, ahead: timedelta = timedelta(0)) -> Moment:
    return Moment(NOON + timedelta(seconds=seconds) + ahead, 1000.0 + seconds, is_trusted=True)


def filled(seconds: int) -> RecentPeriods:
    """A period a second: of `a` its number up and 1 down, of `b` 10 each."""
    periods = RecentPeriods()
    for second in range(seconds + 1):
        periods.remember({"a": Passed(second, 1), "b": Passed(10, 10)}, at(second))
    return periods


def test_a_period_is_told_by_its_beginning_and_the_first_reading_only_begins_one() -> None:
    assert filled(0).recall(["a"], *EVER, at(0)) == {}
    assert list(filled(2).recall(["a"], *EVER, at(2)).items()) == [
        (NOON, Passed(1, 1)),
        (NOON + timedelta(seconds=1), Passed(2, 1)),
    ]


def test_several_departments_are_added_up_and_an_unknown_one_has_nothing() -> None:
    periods = filled(1)
    assert periods.recall(["a", "b"], *EVER, at(1)) == {NOON: Passed(11, 11)}
    assert periods.recall(["nobody"], *EVER, at(1)) == {NOON: Passed()}


def test_the_latest_300_are_kept_oldest_first() -> None:
    found = list(filled(1000).recall(["a"], *EVER, at(1000)).items())
    assert len(found) == MOST_PERIODS
    assert found[0] == (NOON + timedelta(seconds=700), Passed(701, 1))
    assert found[-1] == (NOON + timedelta(seconds=999), Passed(1000, 1))


def test_a_range_has_the_periods_that_begin_in_it() -> None:
    found = filled(10).recall(["a"], NOON + timedelta(seconds=3), NOON + timedelta(seconds=5), at(10))
    assert [one.up_bytes for one in found.values()] == [4, 5]


def test_a_clock_that_was_set_moves_all_periods_alike() -> None:
    found = filled(2).recall(["a"], *EVER, at(2, ahead=timedelta(hours=1)))
    assert list(found) == [NOON + timedelta(hours=1, seconds=second) for second in (0, 1)]


def test_a_department_that_is_missing_once_had_nothing_then() -> None:
    periods = filled(1)
    periods.remember({"b": Passed(3, 4)}, at(2))
    assert list(periods.recall(["a"], *EVER, at(2)).values()) == [Passed(1, 1), Passed()]
    assert list(periods.recall(["b"], *EVER, at(2)).values()) == [Passed(10, 10), Passed(3, 4)]


def test_a_ring_holds_more_than_any_counter() -> None:
    periods = filled(0)
    periods.remember({"a": Passed(2**64, 2**70)}, at(1))
    assert list(periods.recall(["a"], *EVER, at(1)).values()) == [Passed(2**64 - 1, 2**64 - 1)]
