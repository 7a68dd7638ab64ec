from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.metering.day_split import (
    MOST_UNDATED,
    DayShare,
    UndatedBytes,
    date_undated,
    split_by_day,
    with_undated,
)
from appliance.core.moment import Moment

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZONES = ["Europe/Berlin", "Africa/Cairo", "America/Havana", "Pacific/Apia", "UTC", "Asia/Kathmandu", "America/Asuncion"]


def test_a_stretch_within_a_day_belongs_to_that_day() -> None:
    assert split_by_day(77, NOON, NOON + timedelta(hours=2), BERLIN) == [DayShare(date(2026, 11, 23), 77)]


def test_a_stretch_over_midnight_is_split_in_proportion_to_time() -> None:
    midnight = datetime(2026, 11, 23, 23, tzinfo=UTC)  # in Berlin
    shares = split_by_day(1000, midnight - timedelta(seconds=3), midnight + timedelta(seconds=1), BERLIN)
    assert shares == [DayShare(date(2026, 11, 23), 750), DayShare(date(2026, 11, 24), 250)]


def test_a_day_begins_at_midnight_even_without_a_byte() -> None:
    midnight = datetime(2026, 11, 23, 23, tzinfo=UTC)
    assert split_by_day(0, midnight - timedelta(seconds=1), midnight, BERLIN) == [DayShare(date(2026, 11, 24), 0)]


@pytest.mark.parametrize(
    ("zone", "day_begins", "before", "after"),
    [
        ("Africa/Cairo", datetime(2024, 4, 25, 22, tzinfo=UTC), date(2024, 4, 25), date(2024, 4, 26)),
        ("America/Havana", datetime(2024, 3, 10, 5, tzinfo=UTC), date(2024, 3, 9), date(2024, 3, 10)),
        ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC), date(2011, 12, 29), date(2011, 12, 31)),
    ],
)
def test_a_day_without_a_midnight_begins_with_its_first_instant(
    zone: str, day_begins: datetime, before: date, after: date
) -> None:
    hour = timedelta(hours=1)
    shares = split_by_day(100, day_begins - hour, day_begins + 3 * hour, ZoneInfo(zone))
    assert shares == [DayShare(before, 25), DayShare(after, 75)]


def test_days_of_23_and_25_hours_get_their_share() -> None:
    begins, ends = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 30, 22, tzinfo=UTC)
    assert [one.amount_bytes for one in split_by_day(4700, begins, ends, BERLIN)] == [2300, 2400, 0]
    begins, ends = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 26, 23, tzinfo=UTC)
    assert [one.amount_bytes for one in split_by_day(4900, begins, ends, BERLIN)] == [2500, 2400, 0]


@pytest.mark.parametrize("since", [NOON + timedelta(days=1), NOON - timedelta(days=64)], ids=["later", "far too early"])
def test_a_negative_or_far_too_long_stretch_belongs_to_its_last_day(since: datetime) -> None:
    assert split_by_day(5, since, NOON, BERLIN) == [DayShare(date(2026, 11, 23), 5)]


@given(
    st.integers(0, 2**63),
    st.datetimes(datetime(2011, 12, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  UTC is given
    st.timedeltas(timedelta(days=-2), timedelta(days=65)),
    st.sampled_from(ZONES),
)
def test_splitting_loses_no_byte_and_invents_none(amount: int, since: datetime, lasts: timedelta, zone: str) -> None:
    shares = split_by_day(amount, since, since + lasts, ZoneInfo(zone))
    assert sum(one.amount_bytes for one in shares) == amount
    assert min(one.amount_bytes for one in shares) >= 0
    days = [one.day for one in shares]
    assert days == sorted(set(days))
    assert days[-1] == (since + lasts).astimezone(ZoneInfo(zone)).date()


def test_undated_bytes_get_their_days_once_the_clock_is_trusted() -> None:
    half_past_midnight = Moment(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), 5000.0, is_trusted=True)
    undated = UndatedBytes(300, since_s=5000.0 - 2400, until_s=5000.0 - 1200)
    assert date_undated(undated, half_past_midnight, BERLIN) == [
        DayShare(date(2026, 11, 23), 150),
        DayShare(date(2026, 11, 24), 150),
    ]
    old = UndatedBytes(8, since_s=5000.0 - 4000, until_s=5000.0 - 3000)
    assert date_undated(old, half_past_midnight, BERLIN) == [DayShare(date(2026, 11, 23), 8)]


def test_undated_bytes_are_joined_beyond_the_limit_and_none_is_lost() -> None:
    undated: tuple[UndatedBytes, ...] = ()
    for second in range(2 * MOST_UNDATED):
        undated = with_undated(undated, UndatedBytes(second, second, second + 1))
    assert len(undated) == MOST_UNDATED
    assert sum(undated.amount_bytes for undated in undated) == sum(range(2 * MOST_UNDATED))
    assert all(one.until_s == other.since_s for one, other in pairwise(undated))
    assert undated[0].since_s == 1  # nothing came in second 0, and that needs no undated
