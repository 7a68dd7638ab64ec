from datetime import UTC, datetime, timedelta

from appliance.core.operations.maintenance_window import (
    MaintenanceKind,
    advance,
    completed,
    extended,
    is_read_only,
    plan,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_maintenance_without_a_start_begins_at_once() -> None:
    planned = plan(NOON, None, 60, "Switch is replaced", "me")
    assert planned.kind is MaintenanceKind.MANUAL
    assert is_read_only(planned)


def test_a_scheduled_maintenance_is_not_read_only_before_it_begins() -> None:
    planned = plan(NOON, NOON + timedelta(hours=1), 60, "Switch is replaced", "me")
    assert planned.kind is MaintenanceKind.SCHEDULED
    assert not is_read_only(planned)
    assert advance(planned, NOON) == (planned, None)
    begun, news = advance(planned, NOON + timedelta(hours=1))
    assert news is not None
    assert news == begun
    assert is_read_only(begun)


def test_a_maintenance_ends_by_itself_and_says_how_long_it_took() -> None:
    planned = plan(NOON, None, 60, "Switch is replaced", "me")
    after, news = advance(planned, NOON + timedelta(seconds=61))
    assert after is None
    assert news is not None
    assert (news.kind, news.duration_s) == (MaintenanceKind.COMPLETED, 60)


def test_one_that_is_extended_ends_later_and_is_else_the_same() -> None:
    planned = plan(NOON, NOON + timedelta(hours=1), 60, "Switch is replaced", "me")
    later = extended(planned, 60)
    assert later.end == NOON + timedelta(hours=1, minutes=2)
    assert (later.start, later.begun, later.actor) == (planned.start, False, "me")


def test_one_that_is_stopped_early_took_only_as_long_as_it_lasted() -> None:
    planned = plan(NOON, None, 3600, "Switch is replaced", "me")
    assert completed(planned, NOON + timedelta(seconds=10)).duration_s == 10


def test_one_that_is_called_off_before_it_began_took_no_time() -> None:
    planned = plan(NOON, NOON + timedelta(hours=1), 60, "Switch is replaced", "me")
    assert completed(planned, NOON).duration_s == 0
