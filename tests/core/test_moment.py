"""When a wall clock is trusted."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.core.moment import PATIENCE_S, Moment, began_at, moment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("synchronised", "battery_clock", "up_s", "trusted"),
    [
        (True, False, 5.0, True),
        (False, True, 5.0, True),
        (False, False, PATIENCE_S - 1, False),
        (False, False, PATIENCE_S, True),
    ],
)
def test_a_clock_is_trusted_with_a_source_or_after_ten_minutes(
    synchronised: bool, battery_clock: bool, up_s: float, trusted: bool
) -> None:
    assert moment(NOON, up_s, is_synchronised=synchronised, has_battery=battery_clock).is_trusted is trusted


def test_what_never_happened_is_due_and_what_happened_is_due_after_its_period() -> None:
    now = Moment(NOON, 100.0, is_trusted=True)
    assert now.is_due(None, 60.0)
    assert [now.is_due(last_s, 60.0) for last_s in (39.0, 40.0, 40.5)] == [True, True, False]


def test_a_beginning_is_told_to_the_second_by_the_clock_of_now() -> None:
    for slewed_s in (-0.4, 0.0, 0.4):
        now = Moment(NOON + timedelta(seconds=60 + slewed_s), 160.0, is_trusted=True)
        assert began_at(100.0, now) == NOON
    assert began_at(100.0, Moment(NOON + timedelta(days=1), 160.0, is_trusted=True)).day == 24
