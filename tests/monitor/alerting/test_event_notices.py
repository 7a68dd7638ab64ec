from datetime import UTC, datetime, timedelta

import pytest
from msgspec import UNSET

from appliance import events
from appliance.core.alerting.notice import LONGEST_TEXT, Notice
from appliance.core.detection.incident import Severity
from appliance.core.metering.quota import AlertKind, QuotaKind
from appliance.core.moment import timestamp
from appliance.core.operations.maintenance_window import MaintenanceKind
from appliance.core.operations.update import UpdateState
from appliance.monitor.alerting.event_notices import Wording

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = timestamp(NOON)
BOOKS = events.QuotaBooks(type=QuotaKind.DAILY, used=3 << 29, limit=2 << 30, percentage=75.0)


def told(event: events.Event, wording: Wording | None = None) -> list[tuple[Severity, str]]:
    return [(one.severity, one.text) for one in (wording or Wording()).notices(event)]


def device(mac: str, address: str = "", name: str | None = None) -> events.IncidentDeviceFacts:
    return events.IncidentDeviceFacts(mac=mac, known_as=name, vendor=None, address=address or UNSET)


def incident(**facts) -> events.SecurityIncident:
    plain = {"type": "port_scan", "source": "10.0.0.9", "details": "20 ports"} | facts
    return events.SecurityIncident(
        timestamp=AT, department_id="a", severity=Severity.CRITICAL, incident=events.IncidentFacts(**plain)
    )


def request(state: str, **more) -> events.QuotaRequested:
    facts = events.RequestFacts(
        id="1", department_id="a", address="10.0.0.2", name="Eva", text="an exam", at=AT, state=state, **more
    )
    return events.QuotaRequested(timestamp=AT, department_id="a", request=facts)


def blocked(**more) -> events.IpBlocked:
    facts = events.BlockedIp(address="10.0.0.9", reason="a scan", **more)
    return events.IpBlocked(timestamp=AT, department_id="a", ip=facts)


def maintenance(kind: MaintenanceKind, **more) -> events.SystemMaintenance:
    facts = events.MaintenanceFacts(type=kind, start_time=AT, duration=3600, impact="Read-only", **more)
    return events.SystemMaintenance(timestamp=AT, maintenance=facts)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            events.QuotaAlert(timestamp=AT, department_id="a", type=AlertKind.WARNING, quota=BOOKS),
            (Severity.MEDIUM, "1.5 GiB of the daily quota of 2.0 GiB are used (75 %)"),
        ),
        (
            events.QuotaAlert(timestamp=AT, department_id="a", type=AlertKind.EXCEEDED, quota=BOOKS),
            (Severity.HIGH, "the daily quota of 2.0 GiB is used up"),
        ),
        (
            events.HostQuota(timestamp=AT, department_id="a", host="10.0.0.2", type=AlertKind.EXCEEDED, quota=BOOKS),
            (Severity.MEDIUM, "10.0.0.2: the daily quota of 2.0 GiB is used up"),
        ),
        (request("open"), (Severity.MEDIUM, "Eva at 10.0.0.2 asks for more: an exam")),
        (request("granted", by="ben"), (Severity.LOW, "the request of Eva at 10.0.0.2 was granted by ben")),
        (incident(), (Severity.CRITICAL, "port scan by 10.0.0.9: 20 ports")),
        (
            incident(not_blocked="it is protected"),
            (Severity.CRITICAL, "port scan by 10.0.0.9: 20 ports (not blocked: it is protected)"),
        ),
        (incident(state="closed"), (Severity.LOW, "the port scan by 10.0.0.9 is over")),
        (
            incident(known_devices=[device("02:00:00:00:00:07"), device("02:00:00:00:00:09", "10.0.0.9", "Eva\u202e")]),
            (Severity.CRITICAL, "port scan by 10.0.0.9 (Eva(U+202E)): 20 ports"),
        ),
        (blocked(duration=600), (Severity.LOW, "10.0.0.9 is blocked for 10m: a scan")),
        (blocked(duration=0), (Severity.LOW, "10.0.0.9 is blocked until it is lifted: a scan")),
        (
            blocked(duration=0, enforced=False),
            (
                Severity.LOW,
                "10.0.0.9 should be blocked, which this position cannot do, until it is lifted: a scan",
            ),
        ),
        (maintenance(MaintenanceKind.COMPLETED), (Severity.LOW, "maintenance is over")),
        (
            maintenance(MaintenanceKind.SCHEDULED, begun=False),
            (Severity.LOW, f"maintenance is announced, from {AT} for 1h: Read-only"),
        ),
    ],
)
def test_an_event_is_told_in_a_sentence(event: events.Event, expected: tuple[Severity, str]) -> None:
    assert told(event) == [expected]


def test_an_anomaly_is_told_with_its_confidence() -> None:
    facts = events.AnomalyFacts(type="usage_spike", severity=Severity.MEDIUM, details="twice as much", confidence=0.85)
    event = events.AnalyticsAnomaly(timestamp=AT, department_id="a", anomaly=facts)
    assert told(event) == [(Severity.MEDIUM, "usage spike: twice as much (confidence 85%)")]


def test_what_strangers_wrote_is_one_bounded_line() -> None:
    [(_, text)] = told(incident(details="a\r\nBcc: x\u202e" + "y" * 1000))
    assert "(U+000D)(U+000A)Bcc" in text
    assert len(text) == LONGEST_TEXT


def test_usage_is_told_to_nobody() -> None:
    metrics = events.UsageMetrics(bytes_transferred=1, active_connections=0, bandwidth_utilization=0)
    assert told(events.UsageUpdate(timestamp=AT, department_id="a", metrics=metrics)) == []


def status(active: bool, *reasons: str) -> events.DepartmentStatus:
    facts = events.DepartmentCondition(
        active=active, connected_users=0, health_score=1.0, reasons=[*reasons] or UNSET, losses=UNSET
    )
    return events.DepartmentStatus(timestamp=AT, department_id="a", status=facts)


def test_a_department_s_status_is_told_when_it_changes() -> None:
    wording = Wording()
    assert told(status(True), wording) == []
    assert told(status(False, "no link"), wording) == [(Severity.HIGH, "does not work as configured: no link")]
    assert told(status(False, "no link"), wording) == []
    assert told(status(True), wording) == [(Severity.LOW, "works as configured again")]


def health(at: datetime, *troubles: str) -> events.SystemHealth:
    fill = events.Fill(used=1, total=2)
    cpu = events.CpuHealth(usage=1.0, temperature=None)
    state = events.SystemState(cpu=cpu, memory=fill, storage=fill, troubles=[*troubles] or UNSET)
    return events.SystemHealth(timestamp=timestamp(at), status=state)


def test_a_trouble_is_told_when_it_begins_whatever_numbers_are_in_it() -> None:
    wording, minute = Wording(), timedelta(minutes=1)
    assert told(health(NOON, "3 frames lost", "no disk"), wording) == [
        (Severity.HIGH, "3 frames lost"),
        (Severity.HIGH, "no disk"),
    ]
    assert told(health(NOON + minute, "4 frames lost"), wording) == []
    assert told(health(NOON + 2 * minute, "4 frames lost", "no disk"), wording) == []  # it comes and goes
    assert told(health(NOON + 30 * minute), wording) == []
    over = [(Severity.LOW, "all has been in order for an hour")]
    assert told(health(NOON + 62 * minute), wording) == over
    assert told(health(NOON + 63 * minute), wording) == []
    assert told(health(NOON + 64 * minute, "no disk"), wording) == [(Severity.HIGH, "no disk")]


def update(state: UpdateState, age: timedelta = timedelta(), reason: str | None = None) -> events.SystemUpdate:
    facts = events.UpdateFacts(
        state=state, version="2", actor="anna", started_at=timestamp(NOON - age), percent=None, reason=reason
    )
    return events.SystemUpdate(timestamp=AT, version="1", root="A", update=facts)


def test_an_update_is_told_when_it_has_come_to_an_end() -> None:
    wording = Wording()
    assert told(update(UpdateState.FETCHING), wording) == []
    failed = [(Severity.HIGH, "the update failed; nothing has changed: no signature")]
    assert told(update(UpdateState.FAILED, reason="no signature"), wording) == failed
    assert told(update(UpdateState.FAILED, reason="no signature"), wording) == []


def test_what_an_update_came_to_is_told_after_a_restart_only_while_it_is_new() -> None:
    assert told(update(UpdateState.RETURNED)) != []
    assert told(update(UpdateState.RETURNED, timedelta(days=1))) == []


def test_a_notice_has_the_event_s_time_and_department() -> None:
    [one] = Wording().notices(incident())
    assert one == Notice(NOON, one.topic, Severity.CRITICAL, "a", "port scan by 10.0.0.9: 20 ports")
    assert one.topic == "security:incident"
