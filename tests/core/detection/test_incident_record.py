from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appliance.core.detection.incident import Incident, IncidentChange, IncidentUpdate, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.incident_record import ADVICE, MOST_STEPS, IncidentRecord, Mute

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FOUND = Incident(
    kind=IncidentKind.PORT_SCAN,
    source="192.168.1.66",
    severity=Severity.MEDIUM,
    count=20,
    details="20 ports",
    latest_s=5.0,
    peers=("192.168.1.20",),
    ports=("22", "23"),
)
RECORD = IncidentRecord(
    id="1",
    department="sales",
    kind=FOUND.kind,
    source=FOUND.source,
    severity=FOUND.severity,
    count=1,
    times=1,
    details="",
    expected="",
    opened_at=NOON,
    latest_at=NOON,
)
MUTE = Mute(id="m", department="sales", by="eva", at=NOON)


@pytest.mark.parametrize(
    ("said", "is_covered"),
    [
        ({"kind": IncidentKind.PORT_SCAN}, True),
        ({"kind": IncidentKind.HOST_SWEEP}, False),
        ({"source": "192.168.1.66"}, True),
        ({"source": "192.168.1.0/24"}, True),
        ({"source": "192.168.2.0/24"}, False),
        ({"source": "fe80::/10"}, False),
        ({"destination": "192.168.1.20", "source": "192.168.1.66"}, True),
        ({"destination": "192.168.1.21", "source": "192.168.1.66"}, False),
        ({"port": "22"}, False),  # it was at another port, too
        ({"port": "22", "kind": IncidentKind.PORT_SCAN}, False),
    ],
)
def test_a_mute_covers_what_is_all_that_it_says(said: dict[str, object], *, is_covered: bool) -> None:
    assert replace(MUTE, **said).covers(FOUND) is is_covered  # type: ignore[arg-type]


def test_a_mute_of_a_port_covers_what_is_at_this_port_alone() -> None:
    assert replace(MUTE, port="22").covers(replace(FOUND, ports=("22",)))


def test_a_mute_may_name_the_domain_of_a_tunnel_and_says_what_it_covers() -> None:
    tunnel = replace(FOUND, kind=IncidentKind.DNS_TUNNEL, peers=("example.org", "192.0.2.53"))
    muted = replace(MUTE, kind=IncidentKind.DNS_TUNNEL, destination="example.org", port="53")
    assert muted.covers(replace(tunnel, ports=("53",)))
    assert muted.sentence() == "dns_tunnel by any source against example.org at port 53 alone"


def test_a_mute_ends() -> None:
    muted = replace(MUTE, until=NOON)
    assert muted.is_over(NOON)
    assert not muted.is_over(NOON - timedelta(seconds=1))
    assert not MUTE.is_over(NOON)


def test_a_record_keeps_the_worst_and_its_course_and_is_seen_until_it_grows_worse() -> None:
    seen = replace(
        RECORD.followed(IncidentUpdate(IncidentChange.OPENED, FOUND), NOON), acknowledged_by="eva", acknowledged_at=NOON
    )
    spread = seen.followed(IncidentUpdate(IncidentChange.SPREAD, FOUND), NOON)
    assert (spread.acknowledged_by, spread.count, len(spread.course)) == ("eva", 20, 2)
    worse = replace(FOUND, severity=Severity.HIGH, count=200)
    grown = spread.followed(IncidentUpdate(IncidentChange.ESCALATED, worse), NOON + timedelta(seconds=9))
    assert (grown.acknowledged_by, grown.severity, grown.count) == (None, Severity.HIGH, 200)
    closed = grown.followed(IncidentUpdate(IncidentChange.CLOSED, replace(FOUND, details="Quiet again")), NOON)
    assert (closed.details, closed.ended_at, closed.severity) == ("20 ports", NOON, Severity.HIGH)
    for _ in range(2 * MOST_STEPS):
        closed = closed.followed(IncidentUpdate(IncidentChange.OPENED, FOUND), NOON)
    assert (len(closed.course), closed.ended_at) == (MOST_STEPS, None)


def test_each_kind_has_advice() -> None:
    assert set(ADVICE) == set(IncidentKind)
