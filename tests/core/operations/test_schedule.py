"""Schedules against the local clock: nights, weekends, changes of the clock, and a time that is not known."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.moment import Moment
from appliance.core.operations.schedule import (
    Schedule,
    ScheduleEffect,
    Weekday,
    WeeklyWindow,
    facts,
    in_force,
    parse_window,
    window_text,
)

BERLIN = ZoneInfo("Europe/Berlin")
SCHOOL_NIGHTS = [Weekday.SUN, Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU]
ADDED = datetime(2026, 3, 1, tzinfo=UTC)


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def at(wall: datetime, *, is_trusted: bool = True) -> Moment:
    return Moment(wall, 1000.0, is_trusted)


def schedule(
    effect: str = "block",
    target: str | None = "10.0.0.1",
    window: str | None = "22:00-06:00",
    days: list[Weekday] | None = None,
    until: datetime | None = None,
    department: str | None = "a",
) -> Schedule:
    made = parse_window(window, days or []) if window else None
    return Schedule(ScheduleEffect(effect), target, department, "because", "me", ADDED, made, until)


@pytest.mark.parametrize(
    ("wall", "is_blocked"),
    [
        ("2026-11-22 21:59", False),  # Sunday
        ("2026-11-22 22:00", True),
        ("2026-11-23 05:59", True),
        ("2026-11-23 06:00", False),
        ("2026-11-27 00:30", True),  # of Thursday's night
        ("2026-11-27 22:30", False),  # a Friday is no school night
        ("2026-11-28 03:00", False),
    ],
)
def test_school_nights_begin_on_their_days_and_go_over_midnight(wall: str, is_blocked: bool) -> None:
    wanted = in_force([schedule(days=SCHOOL_NIGHTS)], at(local(wall)), BERLIN)
    assert bool(wanted.blocks) is is_blocked


def hours(window: str, day: str, zone: ZoneInfo = BERLIN) -> tuple[str, str] | None:
    found = parse_window(window, []).occurrence(date.fromisoformat(day), zone)
    return found and (f"{found[0]:%d %H:%M}", f"{found[1]:%d %H:%M}")


@pytest.mark.parametrize(
    ("window", "day", "expected"),
    [
        ("22:00-06:00", "2026-03-28", ("28 21:00", "29 04:00")),  # the night that lacks an hour lasts for seven
        ("22:00-06:00", "2026-10-24", ("24 20:00", "25 05:00")),  # the one that has it twice for nine
        ("02:30-03:15", "2026-03-29", ("29 01:00", "29 01:15")),  # 02:30 is lacking: from 03:00 on
        ("01:00-02:30", "2026-03-29", ("29 00:00", "29 01:00")),
        ("02:15-02:45", "2026-03-29", None),  # the whole window is lacking
        ("02:15-02:45", "2026-10-25", ("25 00:15", "25 01:45")),  # both times, and between them
        ("00:00-24:00", "2026-03-29", ("28 23:00", "29 22:00")),
    ],
)
def test_a_change_of_the_clock_makes_a_window_longer_or_shorter(
    window: str, day: str, expected: tuple[str, str] | None
) -> None:
    assert hours(window, day) == expected


def test_a_day_that_does_not_exist_has_no_window() -> None:
    assert hours("10:00-11:00", "2011-12-30", ZoneInfo("Pacific/Apia")) is None
    assert hours("22:00-06:00", "2011-12-30", ZoneInfo("Pacific/Apia")) == ("30 10:00", "30 16:00")


@given(
    wall=st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001  hypothesis wants them so
    begin=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    end=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    zone=st.sampled_from(["Europe/Berlin", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe", "UTC"]),
)
def test_whenever_the_local_clock_shows_a_time_in_the_window_it_is_open(
    wall: datetime, begin: time, end: time, zone: str
) -> None:
    instant, where = wall.replace(tzinfo=UTC), ZoneInfo(zone)
    shown = instant.astimezone(where).time().replace(second=0, microsecond=0)
    is_inside = begin <= shown < end if begin < end else shown >= begin or shown < end
    one = Schedule(ScheduleEffect.BLOCK, "10.0.0.1", None, "", "", ADDED, WeeklyWindow(begin, end))
    if is_inside:
        assert one.open_until(instant, where) is not None
    if (ends := one.open_until(instant, where)) is not None:
        assert instant < ends <= instant + timedelta(hours=25)
        assert one.open_since(instant, where) <= instant  # type: ignore[operator]


def test_windows_that_meet_are_one_block() -> None:
    evening, night = schedule(window="20:00-24:00"), schedule(window="00:00-06:00")
    [block] = in_force([evening, night], at(local("2026-11-23 21:00")), BERLIN).blocks.values()
    assert block.ends_at == local("2026-11-24 06:00")


def test_an_allowance_lets_pass_what_a_schedule_blocks() -> None:
    day, lunch = schedule(window="08:00-16:00"), schedule("allow", window="12:00-13:00")
    other = schedule(window="08:00-16:00", department="b")
    wanted = in_force([day, lunch, other], at(local("2026-11-23 12:30")), BERLIN)
    assert {*wanted.blocks} == {("10.0.0.1", "b")}
    assert wanted.allowed == {("10.0.0.1", "a"): local("2026-11-23 12:00")}
    after = in_force([day, lunch, other], at(local("2026-11-23 13:00")), BERLIN)
    assert ({*after.blocks}, after.allowed) == ({("10.0.0.1", "a"), ("10.0.0.1", "b")}, {})


def test_quotas_pause_for_a_department_or_for_one_host() -> None:
    until = ADDED + timedelta(minutes=30)
    both = [schedule("unlimited", None, None, until=until), schedule("unlimited", "10.0.0.7", None, until=until)]
    now = ADDED + timedelta(minutes=29, seconds=59)
    assert in_force(both, at(now), BERLIN).unlimited == {("a", None), ("a", "10.0.0.7")}
    assert in_force(both, at(until), BERLIN).unlimited == frozenset()


def test_while_the_time_is_not_known_all_is_blocked_and_nothing_is_allowed() -> None:
    until = ADDED + timedelta(minutes=30)
    kept = [
        schedule(),
        schedule("allow", window="00:00-24:00"),
        schedule("unlimited", None, None, until=until),
        schedule("allow", None, None, until=until),
    ]
    wanted = in_force(kept, at(local("2026-11-23 12:00"), is_trusted=False), BERLIN)
    assert [(scope, one.ends_at) for scope, one in wanted.blocks.items()] == [(("10.0.0.1", "a"), None)]
    assert (wanted.allowed, wanted.unlimited) == ({}, frozenset())


@pytest.mark.parametrize("text", ["22:00-06:00", "00:00-24:00", "12:30-12:31"])
def test_a_window_is_written_as_it_is_read(text: str) -> None:
    assert window_text(parse_window(text, [])) == text


@pytest.mark.parametrize("text", ["", "22:00", "22-06", "22:00-22:00", "24:00-06:00", "22:00-25:00", "2200-0600"])
def test_another_text_is_no_window(text: str) -> None:
    with pytest.raises(ValueError, match="22:00-06:00"):
        parse_window(text, [])


def test_a_person_reads_whether_it_is_in_force_and_when_it_begins() -> None:
    one = schedule(days=[Weekday.FRI])
    inside, outside = local("2026-11-27 23:00"), local("2026-11-28 06:00")
    assert facts(one, at(inside), BERLIN)["endsAt"] == "2026-11-28T05:00:00.000Z"
    found = facts(one, at(outside), BERLIN)
    assert (found["beginsAt"], found["window"], found["days"]) == ("2026-12-04T21:00:00.000Z", "22:00-06:00", ["fri"])
    assert "beginsAt" not in facts(one, at(outside, is_trusted=False), BERLIN)
    assert found["id"] == "block-20260301T000000Z"
