"""One maintenance: every transition of the table, and the times of one that is repeated."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from appliance.core.operations import maintenance_window as window
from appliance.core.operations.maintenance_window import (
    TRANSITIONS,
    Maintenance,
    MaintenanceCause,
    MaintenanceKind,
    MaintenancePhase,
    NoTransition,
    Repeat,
    asked_for,
    begun,
    completed,
    extended,
    next_time,
    noticed,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANNOUNCED = asked_for(NOON, NOON + 5 * HOUR, 3600, "Switch is replaced", "me")
RUNNING = asked_for(NOON, None, 3600, "Switch is replaced", "me")
ENDED = completed(RUNNING, NOON)
IN_PHASE = {
    None: None,
    MaintenancePhase.ANNOUNCED: ANNOUNCED,
    MaintenancePhase.RUNNING: RUNNING,
    MaintenancePhase.ENDED: ENDED,
}
A, R, E = MaintenancePhase.ANNOUNCED, MaintenancePhase.RUNNING, MaintenancePhase.ENDED
# By cause, the phase that follows on: nothing, announced, running, ended; `None`: there is no transition.
TABLE = {
    MaintenanceCause.ANNOUNCE: (A, None, None, None),
    MaintenanceCause.START: (R, None, R, None),
    MaintenanceCause.NOTICE: (None, A, None, None),
    MaintenanceCause.EXTEND: (None, A, R, None),
    MaintenanceCause.DUE: (None, R, None, None),
    MaintenanceCause.STOP: (None, E, E, None),
    MaintenanceCause.EXPIRY: (None, E, E, None),
}
# What each cause does to a maintenance that is there already.
DONE: dict[MaintenanceCause, Callable[[Maintenance], Maintenance]] = {
    MaintenanceCause.NOTICE: noticed,
    MaintenanceCause.EXTEND: lambda one: extended(one, 60),
    MaintenanceCause.DUE: begun,
    MaintenanceCause.STOP: lambda one: completed(one, NOON),
    MaintenanceCause.EXPIRY: lambda one: completed(one, one.end, MaintenanceCause.EXPIRY),
}


@pytest.mark.parametrize(("before", "cause"), list(product(IN_PHASE, MaintenanceCause)), ids=str)
def test_the_table_has_every_transition_and_no_other(before: MaintenancePhase | None, cause: MaintenanceCause) -> None:
    after = TABLE[cause][[*IN_PHASE].index(before)]
    assert TRANSITIONS.get((before, cause)) == after
    if after is None:
        with pytest.raises(NoTransition):
            window.moved(before, cause)
    found = IN_PHASE[before]
    if found is None or cause not in DONE:
        return
    if after is None:
        with pytest.raises(NoTransition):
            DONE[cause](found)
    else:
        assert DONE[cause](found).phase is after


def test_a_maintenance_without_a_start_begins_at_once() -> None:
    assert (RUNNING.kind, RUNNING.phase) == (MaintenanceKind.MANUAL, R)
    assert asked_for(NOON, NOON - HOUR, 60, "it is late", "me").start == NOON


def test_one_that_is_announced_is_told_once_more_only_where_there_is_time_for_it() -> None:
    assert not ANNOUNCED.noticed
    assert asked_for(NOON, NOON + HOUR, 60, "soon", "me").noticed


def test_one_that_is_extended_ends_later_and_is_else_the_same() -> None:
    later = extended(ANNOUNCED, 60)
    assert later.end == ANNOUNCED.end + timedelta(minutes=1)
    assert (later.start, later.begun, later.actor, later.id) == (ANNOUNCED.start, False, "me", ANNOUNCED.id)


def test_one_that_is_stopped_early_took_only_as_long_as_it_lasted() -> None:
    assert completed(RUNNING, NOON + timedelta(seconds=10)).duration_s == 10
    assert completed(RUNNING, NOON + 9 * HOUR).duration_s == 3600


def test_one_that_never_began_took_no_time() -> None:
    assert completed(ANNOUNCED, NOON).duration_s == 0
    assert completed(ANNOUNCED, ANNOUNCED.end, MaintenanceCause.EXPIRY).duration_s == 0


TIMES = {
    # Berlin goes to summer time on 2026-03-29, when 02:30 does not exist, and back on 2026-10-25, when it exists twice.
    "over the change to summer time": (
        Repeat.WEEKLY,
        "2026-03-22T02:30",
        ["03-29T03:30", "04-05T02:30", "04-12T02:30"],
    ),
    "over the change to winter time": (Repeat.DAILY, "2026-10-24T02:30", ["10-25T02:30", "10-26T02:30"]),
    "at noon": (Repeat.DAILY, "2026-10-24T12:00", ["10-25T12:00", "10-26T12:00"]),
    "in months without the day": (Repeat.MONTHLY, "2026-10-31T02:00", ["11-30T02:00", "12-31T02:00", "01-31T02:00"]),
    "in a year's shortest month": (Repeat.MONTHLY, "2027-01-30T02:00", ["02-28T02:00", "03-30T02:00"]),
}


@pytest.mark.parametrize(("repeat", "first", "following"), list(TIMES.values()), ids=list(TIMES))
def test_a_repeated_one_keeps_its_local_time(repeat: Repeat, first: str, following: list[str]) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(first).replace(tzinfo=zone)
    one = asked_for(start - 99 * HOUR, start.astimezone(UTC), 3600, "updates", "me", repeat)
    found = []
    for _ in following:
        one = next_time(one, one.start, zone)
        found.append(f"{one.start.astimezone(zone):%m-%dT%H:%M}")
    assert found == following
    assert one.id == f"{repeat}-{start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    assert begun(one).repeat is None


def test_a_repeated_one_that_was_missed_for_long_goes_on_after_now() -> None:
    one = asked_for(NOON, NOON + HOUR, 60, "updates", "me", Repeat.DAILY)
    assert next_time(one, NOON + timedelta(days=400), ZoneInfo("UTC")).start == NOON + timedelta(days=400) + HOUR
    with pytest.raises(NoTransition):
        next_time(ANNOUNCED, NOON, ZoneInfo("UTC"))
