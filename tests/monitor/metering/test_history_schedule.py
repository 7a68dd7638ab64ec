from datetime import UTC, datetime, timedelta

from appliance.core.moment import Moment
from appliance.monitor.metering.history_schedule import (
    BATCH_S,
    PRUNE_S,
    RETRY_S,
    SETTLED_S,
    BatchSchedule,
    BatchScope,
    PruneSchedule,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds: float, *, jumped_s: float = 0.0) -> Moment:
    return Moment(NOON + timedelta(seconds=seconds + jumped_s), seconds, is_trusted=True)


def test_a_batch_begins_at_each_quarter_hour_with_hosts_in_each_new_hour() -> None:
    schedule = BatchSchedule()
    begun = {minute: scope for minute in range(121) if (scope := schedule.begin(at(60 * minute)))}
    everything = {15, 60, 120}  # the first of all, and the first of each hour
    assert begun.keys() == set(range(15, 121, 15))
    assert {minute for minute, scope in begun.items() if scope is BatchScope.EVERYTHING} == everything


def test_a_refused_batch_is_tried_again_with_everything_and_not_before() -> None:
    schedule = BatchSchedule()
    for seconds in (0, BATCH_S, 2 * BATCH_S):
        schedule.begin(at(seconds))
    schedule.postpone(at(3 * BATCH_S - 1))
    assert schedule.begin(at(3 * BATCH_S)) is None, "a new quarter hour does not hasten it"
    assert schedule.begin(at(3 * BATCH_S - 1 + RETRY_S)) is BatchScope.EVERYTHING
    assert schedule.begin(at(3 * BATCH_S + RETRY_S)) is None


def test_pruning_begins_once_in_a_period_of_a_settled_clock() -> None:
    schedule = PruneSchedule()

    def begins(now: Moment) -> bool:
        schedule.watch_clock(now)
        return schedule.begin(now)

    assert not begins(at(0))
    assert begins(at(SETTLED_S))
    assert not begins(at(SETTLED_S + 1))
    assert begins(at(PRUNE_S))
    assert not begins(at(2 * PRUNE_S, jumped_s=86_400.0))
    assert begins(at(2 * PRUNE_S + SETTLED_S, jumped_s=86_400.0))
