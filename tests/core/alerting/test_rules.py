from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from appliance.core.alerting.notice import Notice, Topic
from appliance.core.alerting.rules import NotificationRule, deliveries
from appliance.core.detection.incident import Severity
from appliance.core.operations.update_window import UpdateWindow

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # 12:00 in Berlin
NIGHT = UpdateWindow(time(22), time(6))


def rule(*channels: str, **more) -> NotificationRule:
    plain = {"topics": None, "least": Severity.LOW, "departments": None, "quiet": None, "digest_s": 0}
    return NotificationRule(channels=channels or ("it",), **plain | more)


def notice(severity: Severity = Severity.HIGH, department: str | None = "a", at: datetime = NOON) -> Notice:
    return Notice(at, Topic.QUOTA_ALERT, severity, department, "text")


@pytest.mark.parametrize(
    ("one", "goes"),
    [
        (rule(), True),
        (rule(topics=frozenset({Topic.QUOTA_ALERT})), True),
        (rule(topics=frozenset({Topic.INCIDENT})), False),
        (rule(least=Severity.HIGH), True),
        (rule(least=Severity.CRITICAL), False),
        (rule(departments=frozenset({"a"})), True),
        (rule(departments=frozenset({"b"})), False),
    ],
)
def test_a_rule_is_for_events_a_least_severity_and_departments(one: NotificationRule, goes: bool) -> None:
    assert deliveries([one], notice(), BERLIN) == ({"it": None} if goes else {})


def test_what_is_of_no_department_goes_only_where_all_departments_go() -> None:
    one = notice(department=None)
    rules = [rule("a", departments=frozenset({"a"})), rule("all")]
    assert deliveries(rules, one, BERLIN) == {"all": None}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-11-23T21:59:00+01:00", None),
        ("2026-11-23T22:00:00+01:00", "2026-11-24T06:00:00+01:00"),
        ("2026-11-24T05:59:59+01:00", "2026-11-24T06:00:00+01:00"),
        ("2026-11-24T06:00:00+01:00", None),
        ("2026-10-24T23:00:00+02:00", "2026-10-25T06:00:00+01:00"),  # the clocks go back in this night
        ("2027-03-27T23:00:00+01:00", "2027-03-28T06:00:00+02:00"),  # and forward in this one
    ],
)
def test_quiet_hours_end_by_the_local_clock(at: str, due: str | None) -> None:
    found = deliveries([rule(quiet=NIGHT)], notice(at=utc(at)), BERLIN)
    assert found == {"it": utc(due) if due else None}


@pytest.mark.parametrize(
    ("at", "digest_s", "due"),
    [
        ("2026-11-23T12:00:01+01:00", 3600, "2026-11-23T13:00:00+01:00"),
        ("2026-11-23T13:00:00+01:00", 3600, "2026-11-23T14:00:00+01:00"),
        ("2026-11-23T23:30:00+01:00", 86_400, "2026-11-24T00:00:00+01:00"),
        ("2026-11-23T23:30:00+01:00", 50_000, "2026-11-24T00:00:00+01:00"),
        ("2026-10-25T00:30:00+02:00", 86_400, "2026-10-26T00:00:00+01:00"),  # a day of 25 hours
    ],
)
def test_a_digest_leaves_at_full_parts_of_the_local_day(at: str, digest_s: int, due: str) -> None:
    found = deliveries([rule(digest_s=digest_s)], notice(at=utc(at)), BERLIN)
    assert found == {"it": utc(due)}


def test_a_digest_that_ends_in_quiet_hours_leaves_after_them() -> None:
    found = deliveries([rule(digest_s=3600, quiet=NIGHT)], notice(at=utc("2026-11-23T21:30:00+01:00")), BERLIN)
    assert found == {"it": utc("2026-11-24T06:00:00+01:00")}


def test_what_is_critical_waits_for_nothing() -> None:
    one = notice(Severity.CRITICAL, at=utc("2026-11-23T23:00:00+01:00"))
    assert deliveries([rule(digest_s=3600, quiet=NIGHT)], one, BERLIN) == {"it": None}


def test_of_several_rules_for_a_channel_the_soonest_counts() -> None:
    later, sooner = rule("it", "b", digest_s=86_400), rule("it", digest_s=3600)
    found = deliveries([later, sooner], notice(), BERLIN)
    assert found == {"it": utc("2026-11-23T13:00:00+01:00"), "b": utc("2026-11-24T00:00:00+01:00")}
    assert deliveries([later, rule("it")], notice(), BERLIN)["it"] is None
    assert deliveries([rule("it"), later], notice(), BERLIN)["it"] is None
