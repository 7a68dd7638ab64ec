from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.quota import Alert, Crossing, Kind, Ledger, Limits, charge, percentage, period_start, resets_at

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)


def daily(limit: int, thresholds: tuple[int, ...] = (80, 95, 100)) -> Limits:
    return Limits({Kind.DAILY: limit}, thresholds)


def run(limits: Limits, charges: list[tuple[int, date]]) -> tuple[Ledger, list[Crossing]]:
    ledger: Ledger | None = None
    crossings: list[Crossing] = []
    for amount, day in charges:
        ledger, new = charge(ledger, Kind.DAILY, amount, limits, day, BERLIN)
        crossings += new
    assert ledger is not None
    return ledger, crossings


def test_an_alert_is_raised_once_per_threshold_and_period() -> None:
    _, crossings = run(
        daily(1000), [(790, MONDAY), (10, MONDAY), (10, MONDAY), (140, MONDAY), (50, MONDAY), (9, MONDAY)]
    )
    assert [(one.alert, one.used_bytes) for one in crossings] == [
        (Alert.WARNING, 800),
        (Alert.CRITICAL, 950),
        (Alert.EXCEEDED, 1000),
    ]
    assert crossings[0].percentage == 80.0


def test_a_jump_over_several_thresholds_raises_each_lowest_first() -> None:
    _, crossings = run(daily(1000), [(5000, MONDAY)])
    assert [one.alert for one in crossings] == [Alert.WARNING, Alert.CRITICAL, Alert.EXCEEDED]


def test_a_new_period_begins_at_zero_says_so_and_alerts_anew() -> None:
    tuesday = MONDAY + timedelta(days=1)
    ledger, crossings = run(daily(1000), [(900, MONDAY), (0, tuesday), (800, tuesday)])
    assert [one.alert for one in crossings] == [Alert.WARNING, Alert.RESET, Alert.WARNING]
    assert (ledger.start, ledger.used_bytes) == (tuesday, 800)


def test_a_clock_set_back_does_not_reopen_an_ended_period() -> None:
    ledger, crossings = run(daily(1000), [(900, MONDAY), (50, MONDAY - timedelta(days=1))])
    assert (ledger.start, ledger.used_bytes) == (MONDAY, 950)
    assert [one.alert for one in crossings] == [Alert.WARNING, Alert.CRITICAL]


def test_without_a_limit_a_ledger_is_kept_and_nothing_is_raised() -> None:
    ledger, crossings = run(Limits({}), [(10**12, MONDAY), (1, MONDAY + timedelta(days=1))])
    assert crossings == []
    assert ledger.used_bytes == 1


def test_a_limit_of_zero_is_exceeded_from_the_start() -> None:
    _, crossings = run(daily(0), [(0, MONDAY)])
    assert Alert.EXCEEDED in [one.alert for one in crossings]
    assert percentage(0, 0) == 100.0


def test_a_ledger_one_byte_below_a_threshold_has_not_crossed_it_however_large() -> None:
    limit = 2**63 - 1
    just_below = limit * 80 // 100
    _, crossings = run(daily(limit, (80, 100)), [(just_below, MONDAY)])
    assert crossings == []


def test_periods_start_on_the_local_day_monday_and_first() -> None:
    thursday = date(2026, 11, 26)
    assert period_start(Kind.DAILY, thursday) == thursday
    assert period_start(Kind.WEEKLY, thursday) == MONDAY
    assert period_start(Kind.MONTHLY, thursday) == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("kind", "start", "zone", "expected"),
    [
        (Kind.DAILY, date(2026, 3, 29), "Europe/Berlin", datetime(2026, 3, 29, 22, tzinfo=UTC)),  # a day of 23 hours
        (Kind.DAILY, date(2026, 10, 25), "Europe/Berlin", datetime(2026, 10, 25, 23, tzinfo=UTC)),  # one of 25
        (
            Kind.DAILY,
            date(2024, 4, 25),
            "Africa/Cairo",
            datetime(2024, 4, 25, 22, tzinfo=UTC),
        ),  # midnight does not exist
        (Kind.WEEKLY, date(2026, 11, 23), "UTC", datetime(2026, 11, 30, tzinfo=UTC)),
        (Kind.MONTHLY, date(2026, 12, 1), "UTC", datetime(2027, 1, 1, tzinfo=UTC)),
        (Kind.MONTHLY, date(2028, 2, 1), "UTC", datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_the_next_period_begins_at_its_first_local_instant(
    kind: Kind, start: date, zone: str, expected: datetime
) -> None:
    assert resets_at(kind, start, ZoneInfo(zone)) == expected


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(-3, 3)), max_size=60))
def test_no_byte_is_lost_between_periods_and_no_threshold_is_raised_twice(steps: list[tuple[int, int]]) -> None:
    day, ledger, closed = MONDAY, None, 0
    raised: list[tuple[date, Alert]] = []
    for amount, days in steps:
        day += timedelta(days=days)
        before = ledger
        ledger, crossings = charge(ledger, Kind.DAILY, amount, daily(10**10), day, BERLIN)
        if before is not None and before.start != ledger.start:
            closed += before.used_bytes
        raised += [(ledger.start, one.alert) for one in crossings]
    assert closed + (ledger.used_bytes if ledger else 0) == sum(amount for amount, _ in steps)
    assert len(raised) == len(set(raised))
