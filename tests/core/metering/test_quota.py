from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.core.metering.quota import (
    AlertKind,
    Crossing,
    Ledger,
    Limits,
    QuotaKind,
    charge,
    close,
    is_exceeded,
    limit_of,
    next_start,
    percentage,
    period_start,
    reaches_limit_at,
    remaining_bytes,
    resets_at,
)

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)


def daily(limit: int, thresholds: tuple[int, ...] = (80, 95, 100)) -> Limits:
    return Limits({QuotaKind.DAILY: limit}, thresholds)


def run(limits: Limits, charges: list[tuple[int, date]]) -> tuple[Ledger, list[Crossing]]:
    ledger: Ledger | None = None
    crossings: list[Crossing] = []
    for amount, day in charges:
        ledger, new = charge(ledger, QuotaKind.DAILY, amount, limits, day, BERLIN)
        crossings += new
    assert ledger is not None
    return ledger, crossings


def test_an_alert_is_raised_once_per_threshold_and_period() -> None:
    _, crossings = run(
        daily(1000), [(790, MONDAY), (10, MONDAY), (10, MONDAY), (140, MONDAY), (50, MONDAY), (9, MONDAY)]
    )
    assert [(one.alert, one.used_bytes) for one in crossings] == [
        (AlertKind.WARNING, 800),
        (AlertKind.CRITICAL, 950),
        (AlertKind.EXCEEDED, 1000),
    ]
    assert crossings[0].percentage == 80.0


def test_a_jump_over_several_thresholds_raises_each_lowest_first() -> None:
    _, crossings = run(daily(1000), [(5000, MONDAY)])
    assert [one.alert for one in crossings] == [
        AlertKind.WARNING,
        AlertKind.CRITICAL,
        AlertKind.EXCEEDED,
    ]


def test_a_new_period_begins_at_zero_with_a_reset_and_alerts_again() -> None:
    tuesday = MONDAY + timedelta(days=1)
    ledger, crossings = run(daily(1000), [(900, MONDAY), (0, tuesday), (800, tuesday)])
    assert [one.alert for one in crossings] == [AlertKind.WARNING, AlertKind.RESET, AlertKind.WARNING]
    assert (ledger.start, ledger.used_bytes) == (tuesday, 800)


def test_a_clock_set_back_does_not_reopen_an_ended_period() -> None:
    ledger, crossings = run(daily(1000), [(900, MONDAY), (50, MONDAY - timedelta(days=1))])
    assert (ledger.start, ledger.used_bytes) == (MONDAY, 950)
    assert [one.alert for one in crossings] == [AlertKind.WARNING, AlertKind.CRITICAL]


def test_without_a_limit_a_ledger_is_kept_and_nothing_is_raised() -> None:
    ledger, crossings = run(Limits({}), [(10**12, MONDAY), (1, MONDAY + timedelta(days=1))])
    assert crossings == []
    assert ledger.used_bytes == 1


def test_a_limit_of_zero_is_exceeded_from_the_start() -> None:
    _, crossings = run(daily(0), [(0, MONDAY)])
    assert AlertKind.EXCEEDED in [one.alert for one in crossings]
    assert percentage(0, 0) == 100.0


def test_a_ledger_one_byte_below_a_threshold_has_not_crossed_it_however_large() -> None:
    limit = 2**63 - 1
    just_below = limit * 80 // 100
    _, crossings = run(daily(limit, (80, 100)), [(just_below, MONDAY)])
    assert crossings == []


def test_periods_start_on_the_local_day_monday_and_first() -> None:
    thursday = date(2026, 11, 26)
    assert period_start(QuotaKind.DAILY, thursday) == thursday
    assert period_start(QuotaKind.WEEKLY, thursday) == MONDAY
    assert period_start(QuotaKind.MONTHLY, thursday) == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("kind", "start", "zone", "expected"),
    [
        (
            QuotaKind.DAILY,
            date(2026, 3, 29),
            "Europe/Berlin",
            datetime(2026, 3, 29, 22, tzinfo=UTC),
        ),  # a day of 23 hours
        (QuotaKind.DAILY, date(2026, 10, 25), "Europe/Berlin", datetime(2026, 10, 25, 23, tzinfo=UTC)),  # one of 25
        (
            QuotaKind.DAILY,
            date(2024, 4, 25),
            "Africa/Cairo",
            datetime(2024, 4, 25, 22, tzinfo=UTC),
        ),  # midnight does not exist
        (QuotaKind.WEEKLY, date(2026, 11, 23), "UTC", datetime(2026, 11, 30, tzinfo=UTC)),
        (QuotaKind.MONTHLY, date(2026, 12, 1), "UTC", datetime(2027, 1, 1, tzinfo=UTC)),
        (QuotaKind.MONTHLY, date(2028, 2, 1), "UTC", datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_the_next_period_begins_at_its_first_local_instant(
    kind: QuotaKind, start: date, zone: str, expected: datetime
) -> None:
    assert resets_at(kind, start, ZoneInfo(zone)) == expected


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(-3, 3)), max_size=60))
def test_no_byte_is_lost_between_periods_and_no_threshold_is_raised_twice(steps: list[tuple[int, int]]) -> None:
    day, ledger, closed = MONDAY, None, 0
    raised: list[tuple[date, AlertKind]] = []
    for amount, days in steps:
        day += timedelta(days=days)
        before = ledger
        ledger, crossings = charge(ledger, QuotaKind.DAILY, amount, daily(10**10), day, BERLIN)
        if before is not None and before.start != ledger.start:
            closed += before.used_bytes
        raised += [(ledger.start, one.alert) for one in crossings]
    assert closed + (ledger.used_bytes if ledger else 0) == sum(amount for amount, _ in steps)
    assert len(raised) == len(set(raised))


@pytest.mark.parametrize(
    ("day", "billing_day", "start", "following"),
    [
        (date(2026, 11, 23), 15, date(2026, 11, 15), date(2026, 12, 15)),
        (date(2026, 11, 14), 15, date(2026, 10, 15), date(2026, 11, 15)),
        (date(2026, 2, 27), 31, date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 2, 28), 31, date(2026, 2, 28), date(2026, 3, 31)),
        (date(2028, 2, 29), 30, date(2028, 2, 29), date(2028, 3, 30)),
        (date(2026, 4, 30), 31, date(2026, 4, 30), date(2026, 5, 31)),
        (date(2027, 1, 1), 2, date(2026, 12, 2), date(2027, 1, 2)),
    ],
)
def test_a_billing_month_starts_on_its_day_or_on_the_last_of_a_month_without_it(
    day: date, billing_day: int, start: date, following: date
) -> None:
    assert period_start(QuotaKind.MONTHLY, day, billing_day) == start
    assert next_start(QuotaKind.MONTHLY, start, billing_day) == following


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 31), st.sampled_from(QuotaKind))
def test_periods_follow_each_other_without_gap_or_overlap(day: date, billing_day: int, kind: QuotaKind) -> None:
    start = period_start(kind, day, billing_day)
    following = next_start(kind, start, billing_day)
    assert start <= day < following
    assert period_start(kind, following, billing_day) == following
    assert period_start(kind, following - timedelta(days=1), billing_day) == start


def test_a_grant_extends_the_limit_of_its_period_alone() -> None:
    ledger = Ledger(QuotaKind.DAILY, MONDAY, 900, granted_bytes=500)
    assert limit_of(ledger, daily(1000)) == 1500
    assert not is_exceeded(ledger, daily(1000))
    assert not is_exceeded(replace(ledger, used_bytes=1499), daily(1000))
    assert is_exceeded(replace(ledger, used_bytes=1500), daily(1000))
    later, _ = charge(ledger, QuotaKind.DAILY, 1, daily(1000), MONDAY + timedelta(days=1), BERLIN)
    assert limit_of(later, daily(1000)) == 1000


def test_a_kind_without_a_limit_has_none_whatever_was_granted() -> None:
    ledger = Ledger(QuotaKind.WEEKLY, MONDAY, 10**12, granted_bytes=5)
    assert limit_of(ledger, daily(1000)) is None
    assert not is_exceeded(ledger, daily(1000))


def test_a_threshold_can_be_crossed_again_after_a_large_grant_only() -> None:
    used_up, _ = run(daily(1000), [(1000, MONDAY)])
    after = {
        granted: charge(replace(used_up, granted_bytes=granted), QuotaKind.DAILY, 0, daily(1000), MONDAY, BERLIN)[
            0
        ].raised
        for granted in (0, 20, 60, 1000)
    }
    # 1000 of 1020 is 98 %, of 1060 94.3 %, of 2000 half: each less than 5 points, or more, below the thresholds.
    assert after == {0: {80, 95, 100}, 20: {80, 95, 100}, 60: {80, 95}, 1000: frozenset()}
    free, _ = charge(replace(used_up, granted_bytes=1000), QuotaKind.DAILY, 0, daily(1000), MONDAY, BERLIN)
    again, crossings = charge(free, QuotaKind.DAILY, 600, daily(1000), MONDAY, BERLIN)
    assert [(one.alert, one.used_bytes, one.limit_bytes) for one in crossings] == [(AlertKind.WARNING, 1600, 2000)]
    assert again.raised == {80}


def test_the_remaining_bytes_are_those_until_the_first_limit() -> None:
    day, month = Ledger(QuotaKind.DAILY, MONDAY, 700), Ledger(QuotaKind.MONTHLY, MONDAY, 4900)
    limits = Limits({QuotaKind.DAILY: 1000, QuotaKind.MONTHLY: 5000})
    assert remaining_bytes([day, month], limits) == 100
    assert remaining_bytes([day, replace(month, granted_bytes=1000)], limits) == 300
    assert remaining_bytes([replace(day, used_bytes=5000), month], limits) < 0
    assert remaining_bytes([day, month], Limits({})) is None
    assert remaining_bytes([], limits) is None


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("used", "rate", "expected"),
    [
        (400, 1.0, NOON + timedelta(seconds=600)),
        (400, 0.99, None),  # too slow for any limit
        (1000, 1.0, None),  # reached already
        (0, 1000.0, NOON + timedelta(seconds=1)),
    ],
)
def test_a_forecast_is_when_the_rate_reaches_the_limit(used: int, rate: float, expected: datetime | None) -> None:
    assert reaches_limit_at(Ledger(QuotaKind.DAILY, MONDAY, used), daily(1000), rate, NOON, BERLIN) == expected


def test_a_limit_that_is_reached_only_after_the_period_is_not_forecast() -> None:
    ledger = Ledger(QuotaKind.DAILY, MONDAY, 0)
    until_midnight_s = 11 * 3600  # 23:00 UTC is midnight in Berlin
    assert reaches_limit_at(ledger, daily(until_midnight_s), 1.0, NOON, BERLIN) is None
    assert reaches_limit_at(ledger, daily(until_midnight_s - 1), 1.0, NOON, BERLIN) is not None
    assert reaches_limit_at(ledger, Limits({}), 1.0, NOON, BERLIN) is None


def test_a_ledger_whose_rest_was_too_little_is_closed_until_its_limit_grows() -> None:
    ledger, limits = Ledger(QuotaKind.DAILY, MONDAY, 970), daily(1000)
    closed, crossing = close(ledger, limits, BERLIN)
    assert (crossing.alert, crossing.used_bytes, crossing.percentage) == (AlertKind.EXCEEDED, 970, 97.0)
    assert is_exceeded(closed, limits)
    assert remaining_bytes([closed], limits) == 0
    again, crossings = charge(closed, QuotaKind.DAILY, 5, limits, MONDAY, BERLIN)
    assert (is_exceeded(again, limits), crossings) == (True, [])
    assert not is_exceeded(replace(closed, granted_bytes=1), limits)
    assert not is_exceeded(closed, daily(1001))
    assert remaining_bytes([replace(closed, granted_bytes=100)], limits) == 130


def test_a_closed_ledger_alerts_again_only_when_it_is_used_up_under_a_larger_limit() -> None:
    closed, _ = close(Ledger(QuotaKind.DAILY, MONDAY, 500), daily(1000), BERLIN)
    granted, crossings = charge(replace(closed, granted_bytes=1000), QuotaKind.DAILY, 1, daily(1000), MONDAY, BERLIN)
    assert crossings == []
    _, crossings = charge(granted, QuotaKind.DAILY, 1499, daily(1000), MONDAY, BERLIN)
    assert [one.alert for one in crossings] == [AlertKind.WARNING, AlertKind.CRITICAL, AlertKind.EXCEEDED]
