from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from appliance.core.detection.incident import Severity
from appliance.core.detection.incident_course import IncidentCourse, courses_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def alert(
    minute: int, severity: Severity = Severity.LOW, source: str = "10.0.0.1", *, closes: bool = False
) -> tuple[IncidentCourse, bool]:
    return IncidentCourse("port_scan", source, severity, f"at {minute}", NOON + timedelta(minutes=minute)), closes


def told(*alerts: tuple[IncidentCourse, bool]) -> list[tuple[str, str, str, int, int | None]]:
    def minutes(time: datetime) -> int:
        return round((time - NOON).total_seconds() / 60)

    return [
        (one.source, one.severity, one.details, minutes(one.since), minutes(one.until) if one.until else None)
        for one in courses_of(alerts)
    ]


def test_an_incident_opens_grows_worse_and_closes() -> None:
    course = [alert(0), alert(1, Severity.HIGH), alert(9, Severity.HIGH, closes=True)]
    assert told(*course[:2]) == [("10.0.0.1", "high", "at 1", 0, None)]
    assert told(*course) == [("10.0.0.1", "high", "at 9", 0, 9)]
    assert told(*course, alert(20)) == [("10.0.0.1", "high", "at 9", 0, 9), ("10.0.0.1", "low", "at 20", 20, None)]


def test_each_source_has_incidents_of_its_own() -> None:
    found = told(alert(0), alert(1, source="10.0.0.2"), alert(2, closes=True))
    assert [(one[0], one[3], one[4]) for one in found] == [("10.0.0.1", 0, 2), ("10.0.0.2", 1, None)]


def test_what_opens_again_after_a_restart_is_another_incident() -> None:
    assert [one[3:] for one in told(alert(0, Severity.HIGH), alert(5), alert(7, closes=True))] == [(0, None), (5, 7)]


def test_a_close_whose_opening_is_forgotten_is_told_as_an_incident() -> None:
    assert told(alert(3, closes=True)) == [("10.0.0.1", "low", "at 3", 3, 3)]


def test_what_an_incident_does_to_another_host_is_the_same_incident() -> None:
    opened, spread = (replace(alert(minute, Severity.HIGH)[0], id="1") for minute in (0, 1))
    milder = replace(alert(2, Severity.LOW)[0], id="1")
    assert [one[1:] for one in told((opened, False), (spread, False), (milder, False))] == [("high", "at 2", 0, None)]
