from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.metering.history_series import (
    ALL_HOSTS,
    RECENT_MINUTES,
    HistorySums,
    RecentMinutes,
    Step,
    bucket_of,
    buckets_between,
    by_month,
    oldest_kept,
    start_of,
)
from appliance.core.metering.usage import Passed

BERLIN, KOLKATA, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Pacific/Apia")
CAIRO, UTC_ZONE = ZoneInfo("Africa/Cairo"), ZoneInfo("UTC")
LAB, HOST = ("lab", ALL_HOSTS), ("lab", "10.0.0.1")
walls = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from([BERLIN, KOLKATA, APIA, CAIRO, UTC_ZONE])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(walls, zones, st.sampled_from(list(Step)))
def test_an_instant_belongs_to_exactly_one_bucket(wall: datetime, zone: ZoneInfo, step: Step) -> None:
    bucket = bucket_of(step, wall, zone)
    following = start_of(step, bucket + 1, zone)
    assert start_of(step, bucket, zone) <= wall
    assert wall < following or following == start_of(step, bucket, zone)  # Apia had no 30 December 2011


@given(walls, st.timedeltas(timedelta(microseconds=1), timedelta(days=3)), zones, st.sampled_from(list(Step)))
def test_buckets_cover_a_range_without_gap(wall: datetime, length: timedelta, zone: ZoneInfo, step: Step) -> None:
    buckets = buckets_between(step, wall, wall + length, zone)
    assert start_of(step, buckets[0], zone) <= wall
    assert start_of(step, buckets[-1], zone) < wall + length
    starts = [start_of(step, bucket, zone) for bucket in (*buckets, buckets[-1] + 1)]
    assert starts[-1] >= wall + length
    assert all(one <= other for one, other in pairwise(starts))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, date(2026, 3, 29), 23),
        (BERLIN, date(2026, 10, 25), 25),
        (CAIRO, date(2024, 4, 26), 23),  # its midnight does not exist
        (APIA, date(2011, 12, 30), 0),  # nor does this day
    ],
)
def test_a_day_bucket_is_a_local_day_of_any_length(zone: ZoneInfo, day: date, hours: int) -> None:
    bucket = day.toordinal()
    assert start_of(Step.DAY, bucket + 1, zone) - start_of(Step.DAY, bucket, zone) == timedelta(hours=hours)


def test_days_and_months_begin_at_local_midnight() -> None:
    wall = at("2026-11-30T23:30:00+00:00")
    assert start_of(Step.DAY, bucket_of(Step.DAY, wall, BERLIN), BERLIN) == at("2026-12-01T00:00:00+01:00")
    assert start_of(Step.MONTH, bucket_of(Step.MONTH, wall, BERLIN), BERLIN) == at("2026-12-01T00:00:00+01:00")
    assert start_of(Step.MONTH, bucket_of(Step.MONTH, wall, UTC_ZONE), UTC_ZONE) == at("2026-11-01T00:00:00+00:00")


def test_hours_are_not_repeated_when_the_clocks_are_put_back() -> None:
    night = buckets_between(Step.HOUR, at("2026-10-25T00:00:00+02:00"), at("2026-10-26T00:00:00+01:00"), BERLIN)
    assert len(night) == 25


def test_an_empty_or_endless_range_does_not_overflow() -> None:
    moment = at("2026-11-23T12:00:00+00:00")
    assert not buckets_between(Step.DAY, moment, moment, BERLIN)
    assert not buckets_between(Step.DAY, moment, moment - timedelta(days=9), BERLIN)
    always = buckets_between(
        Step.MONTH,
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        ZoneInfo("Pacific/Kiritimati"),
    )
    assert len(always) == 1201


def test_days_add_up_to_months() -> None:
    days = {date(2026, 11, 30): Passed(1, 2), date(2026, 11, 1): Passed(10, 20), date(2026, 12, 1): Passed(100, 200)}
    months = by_month({day.toordinal(): passed for day, passed in days.items()})
    assert {start_of(Step.MONTH, month, BERLIN).isoformat(): passed for month, passed in months.items()} == {
        "2026-10-31T23:00:00+00:00": Passed(11, 22),
        "2026-11-30T23:00:00+00:00": Passed(100, 200),
    }


def test_the_oldest_kept_bucket_is_as_old_as_the_retention() -> None:
    noon = at("2026-11-23T12:00:00+00:00")
    assert start_of(Step.HOUR, oldest_kept(Step.HOUR, 2, noon, BERLIN), BERLIN) == at("2026-11-21T12:00:00+00:00")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**40), st.integers(0, 2**40))))
def test_the_sums_of_the_buckets_are_what_was_added(passed: list[tuple[int, int, int]]) -> None:
    sums = HistorySums()
    for bucket, up, down in passed:
        sums.accumulate([(Step.MINUTE, bucket), (Step.HOUR, 0)], [(LAB, Passed(up, down))])
    minutes = sums.passed_in(Step.MINUTE, LAB, range(6)).values()
    assert sum(one.up_bytes for one in minutes) == sum(up for _, up, _ in passed)
    assert sum(one.down_bytes for one in minutes) == sum(down for _, _, down in passed)
    assert list(sums.passed_in(Step.HOUR, LAB, range(1)).values()) == (
        [Passed(sum(up for _, up, _ in passed), sum(down for _, _, down in passed))] if passed else []
    )


def test_too_many_sums_lose_the_oldest_detail_first() -> None:
    sums = HistorySums()
    hosts = [("lab", str(host)) for host in range(4)]
    for bucket in range(10):
        sums.accumulate([(Step.FIVE_MINUTES, bucket), (Step.HOUR, 0)], [(host, Passed(1, 1)) for host in hosts])
    assert sums.size == 44
    sums.shrink(12)
    assert sums.size == 12
    for host in hosts:
        assert list(sums.of(host)) == [
            (Step.HOUR, 0),
            (Step.FIVE_MINUTES, 8),
            (Step.FIVE_MINUTES, 9),
        ]


def test_a_flood_of_hosts_does_not_push_out_those_that_are_known() -> None:
    sums = HistorySums(most_series=2)
    sums.accumulate([(Step.HOUR, 0)], [(("lab", f"10.0.0.{host}"), Passed(1, 0)) for host in range(1, 200)])
    sums.accumulate([(Step.HOUR, 0)], [(HOST, Passed(5, 0))])
    assert sums.series() == [HOST, ("lab", "10.0.0.2")]
    assert sums.passed_in(Step.HOUR, HOST, range(1)) == {0: Passed(6, 0)}


def test_a_series_without_sums_makes_room_for_another() -> None:
    sums = HistorySums(most_series=1)
    sums.accumulate([(Step.HOUR, 0), (Step.DAY, 0)], [(HOST, Passed(1, 0))])
    sums.drop(HOST, [(Step.HOUR, 0)])
    assert (sums.size, sums.series()) == (1, [HOST])
    sums.drop(HOST, [(Step.DAY, 0)])
    assert (sums.size, sums.series(), sums.of(HOST)) == (0, [], {})


def test_a_hosts_minutes_are_remembered_for_an_hour() -> None:
    recent = RecentMinutes(most_hosts=10)
    for minute in range(100, 100 + RECENT_MINUTES + 5):
        recent.remember(minute, [(HOST, Passed(minute, 1)), (HOST, Passed(0, 1))])
    found = recent.recall(HOST, range(1000))
    assert sorted(found) == list(range(105, 105 + RECENT_MINUTES))
    assert found[110] == Passed(110, 2)
    assert recent.recall(HOST, range(110, 111)) == {110: Passed(110, 2)}
    assert recent.recall(LAB, range(1000)) == {}


def test_hosts_that_are_silent_make_room() -> None:
    recent = RecentMinutes(most_hosts=1)
    recent.remember(100, [(HOST, Passed(1, 1))])
    recent.remember(100, [(("lab", "10.0.0.2"), Passed(1, 1))])
    assert recent.recall(("lab", "10.0.0.2"), range(1000)) == {}
    recent.forget(100 + RECENT_MINUTES)
    recent.remember(161, [(("lab", "10.0.0.2"), Passed(1, 1))])
    assert recent.recall(HOST, range(1000)) == {}
    assert recent.recall(("lab", "10.0.0.2"), range(1000)) == {161: Passed(1, 1)}
