"""The German page says what the appliance tells in German: every kind of incident, anomaly, issue and reason.

What the appliance tells beside its values are its English sentences; here these are a mark that must not be shown.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from appliance import events
from appliance.core.blocking.block import Block
from appliance.core.blocking.place import Hit
from appliance.core.detection.abuse.arp import Dispute
from appliance.core.detection.abuse.rogue_servers import RogueServers
from appliance.core.detection.evidence import Evidence
from appliance.core.detection.incident import Incident, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.rates.anomaly import Anomaly, AnomalyType, Contributor, Direction
from appliance.core.detection.rates.outflow import SPANS, Outflow, Sent, outflow_evidence
from appliance.core.detection.scan_evidence import dispute_evidence, listed_evidence, scan_evidence
from appliance.core.detection.scans import ANY_PORT, Failure, Key, Suspicion
from appliance.core.moment import timestamp
from appliance.core.operations.health import HealthFacts, ReasonKind, judge
from appliance.core.operations.issues.checks import CHECKS
from appliance.core.operations.issues.issue import IssueSource
from appliance.core.traffic.devices.server_sign import ServerKind, ServerSign
from appliance.monitor.traffic.rate_watch import anomaly_facts
from tests.bench.hostile import ATTACKS
from tests.core.detection.test_attacks import told_of
from tests.core.operations.issues.test_checks import FAULTS
from tests.dashboard.desk import Desk
from tests.dashboard.hospital import IDS
from tests.dashboard.window import Line, live

ENGLISH = "in the words of the appliance"
UNSAID = re.compile(rf"{ENGLISH}|[{{}}]|undefined|NaN|Invalid")  # the mark, and what a sentence lacks
FRIDAY = datetime(2030, 11, 29, 9, 30, tzinfo=UTC)  # later than all that the simulated appliance tells
MAC, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
# One attack for each form of what is found in packets.
TOLD = (
    "SYN scan, refused", "sweep of 22 inside", "absent neighbours, fast", "SYN flood by one", "SYN flood, forged",
    "UDP flood by one", "UDP flood, forged", "DNS exfiltration in 15 look-ups", "passwords of ssh",
    "passwords of ssh on many hosts", "ARP spoofing", "address conflict",
)  # fmt: skip


def evidence() -> Iterator[Evidence | Incident]:
    """Evidence in every form."""
    for name in TOLD:
        assert name in ATTACKS
        yield next(
            one.update.incident
            for one in told_of(name)
            if one.is_begin and one.update.incident.kind in ATTACKS[name][1]
        )
    failed = {f"192.168.1.{host}": Failure(float(host), MAC) for host in range(1, 40)}
    anywhere = scan_evidence(Suspicion(Key(IncidentKind.HOST_SWEEP, "192.168.1.9", ANY_PORT), {**failed}))
    yield anywhere
    for habit in ("new", "more", "same"):
        yield replace(
            anywhere, values={**anywhere.values, "habit": habit, "days": 3, "most": 12, "new": "22 in 10.0.0.0/24"}
        )
    yield dispute_evidence(
        Dispute("192.168.1.1", MAC, OTHER, 3, 0.0, 9.0, ("192.168.1.7",), is_own=True, is_unasked=True)
    )
    block = Block("203.0.113.0/24", "listed", "list", "list:bogons", datetime(2026, 11, 27, tzinfo=UTC))
    yield listed_evidence(block, Hit(1, "192.168.1.9", 12), "203.0.113.9", 1.0)
    for peers, others in (((), 0), (("203.0.113.9",), 12)):
        yield outflow_evidence(
            Sent(Outflow("a", SPANS[0], 10**9, 10**7, 10**8, others), MAC, ("192.168.1.9",)), peers, 9000.0
        )
    rogues = RogueServers()
    for kind, mac in ((ServerKind.DHCP, MAC), (ServerKind.DHCP, ""), (ServerKind.ROUTER, OTHER)):
        rogues.follow(ServerSign(kind, f"192.168.1.{len(mac)}", mac, "192.168.1.8", "192.168.1.50"), 1.0)
    yield from rogues.found()


def at(second: int) -> str:
    return timestamp(FRIDAY + timedelta(seconds=second))


def incident(number: int, found: Evidence | Incident, state: str = "open") -> Any:
    facts = events.IncidentFacts(
        type=found.kind,
        source=found.source,
        details=ENGLISH,
        state="closed" if state == "closed" else "open",
        proven=False,
        not_blocked=ENGLISH,
        incident_id=f"said-{number}",
        expected=ENGLISH,
        advice=ENGLISH,
        count=found.count,
        values=dict(found.values),
    )
    order = 2 * number + (state == "closed")
    event = events.SecurityIncident(
        timestamp=at(order), department_id=IDS[0], alert_id=10**6 + order, severity=Severity.HIGH, incident=facts
    )
    return msgspec.to_builtins(event)


def anomaly(number: int, kind: AnomalyType, direction: Direction, contributor: Contributor | None) -> Any:
    found = Anomaly(kind, Severity.HIGH, ENGLISH, 0.9, direction, 2e6, 1e5, 2e5, 1e9, contributor, days=number)
    event = events.AnalyticsAnomaly(
        timestamp=at(number), department_id=IDS[0], alert_id=2 * 10**6 + number, anomaly=anomaly_facts(found)
    )
    return msgspec.to_builtins(event)


def said(page: Page) -> str:
    """What the view says; nothing of it in English or without a value."""
    text = page.locator("main").inner_text()
    assert UNSAID.search(text) is None, text
    return text


def test_each_kind_of_incident_is_said_in_german(desk: Desk) -> None:
    line, found = Line(), [*evidence()]
    assert {one.kind for one in found} == {*IncidentKind}
    with desk.open("/incidents", role="operator", language="de-DE", line=line) as page:
        live(page)
        for number, one in enumerate(found):
            line.say("security:incident", incident(number, replace(one, source=f"192.168.9.{number}")))
            link = page.locator(f"main td a.main[href='/incidents/said-{number}']")
            link.click()
            expect(page.locator("main h2#evidence")).to_have_text("Belege")
            text = said(page)
            assert f"192.168.9.{number}" in text
            line.say("security:incident", incident(number, replace(one, source=f"192.168.9.{number}"), "closed"))
            expect(page.locator("main .consequence")).to_contain_text("Wieder ruhig nach: ")
            page.go_back()
            link.wait_for()
        said(page)


@pytest.mark.parametrize("contributor", [None, Contributor("Druck", 1.5e6)])
def test_each_kind_of_anomaly_is_said_in_german(desk: Desk, contributor: Contributor | None) -> None:
    line, directions = Line(), ("up", "down")
    with desk.open("/", role="viewer", language="de-DE", line=line) as page:
        live(page)
        latest = page.locator("section[aria-labelledby=latest]")
        for number, (kind, direction) in enumerate((kind, one) for kind in AnomalyType for one in directions):
            line.say("analytics:anomaly", anomaly(number + 1, kind, direction, contributor))
            days = "nach dem letzten Tag" if number == 0 else f"nach den letzten {number + 1} Tagen"
            told = latest.locator("li", has_text=days).first
            expect(told).to_contain_text("üblich sind 800 kbit/s bis 1,60 Mbit/s am Freitag um diese Zeit")
            expect(told).to_contain_text("16,0 Mbit/s " + ("gesendet" if direction == "up" else "empfangen"))
            assert ("das meiste durch Druck (12,0 Mbit/s)" in told.inner_text()) == (contributor is not None)
            assert UNSAID.search(told.inner_text()) is None


def test_a_jump_on_the_first_day_is_said_in_german(desk: Desk) -> None:
    line = Line()
    found = Anomaly(AnomalyType.SPIKE, Severity.HIGH, ENGLISH, 0.5, None, 2e6, 1e5, 1e5, 1e9)
    event = events.AnalyticsAnomaly(
        timestamp=at(1), department_id=IDS[0], alert_id=3 * 10**6, anomaly=anomaly_facts(found)
    )
    with desk.open("/", role="viewer", language="de-DE", line=line) as page:
        live(page)
        line.say("analytics:anomaly", msgspec.to_builtins(event))
        told = page.locator("section[aria-labelledby=latest] li", has_text="16,0 Mbit/s in beiden Richtungen").first
        expect(told).to_contain_text("üblich waren in den Minuten davor 800 kbit/s")
        assert UNSAID.search(told.inner_text()) is None


def test_how_a_report_was_counted_is_said_in_german(desk: Desk) -> None:
    with desk.open(f"/reports/{IDS[0]}/2026-11", role="viewer", departments=IDS[0], language="de-DE") as page:
        how = page.locator("article.report > p.dim")
        expect(how).to_contain_text("Gezählt sind die Bytes der IP-Pakete")
        assert "Counted" not in said(page)


def issues() -> Iterator[dict[str, Any]]:
    """An issue of every check in every form, and of every part of the appliance."""
    for signs, name, _ in FAULTS:
        check = next(one for one in CHECKS if one.id == name)
        for one in check.find(signs) or ():
            yield {"id": name, "cause": ENGLISH, "values": dict(one.values)}
    for source in IssueSource:
        yield {"id": source.value, "cause": f"words of {source}"}


def test_each_kind_of_issue_is_said_in_german_with_what_to_do(desk: Desk) -> None:
    line = Line()
    more = {"suggestion": ENGLISH, "severity": "medium", "since": at(0)}
    found = [{**one, **more} for one in issues()]

    def change(text: str) -> str:
        return _changed(text, "system:health", {"issues": found, "troubles": [ENGLISH]})

    line.change = change
    with desk.open("/appliance", role="viewer", language="de-DE", line=line) as page:
        live(page)
        told = page.locator("#issues li")
        expect(told).to_have_count(len(found))
        said(page)
        texts = told.all_inner_texts()
        for source in IssueSource:
            [text] = [one for one in texts if f"words of {source}" in one]
            assert f"„words of {source}“" in text
        page.locator("a.nav[href='/']").click()
        page.locator("ul.needs").get_by_role("button", name="weitere").click()
        expect(page.locator("ul.needs")).to_contain_text("Die Spannung des Netzteils ist unter")
        said(page)


def reasons() -> list[dict[str, Any]]:
    """Every reason for a lower score."""
    bad = HealthFacts(
        interface="eth0.40", is_present=True, is_up=False, wanted=3, enforced=1, frames_lost=7,
        quotas_exceeded=("daily", "weekly", "monthly"), utilization=0.95, open_incidents=2, can_work=False,
        setup_faults=("setup told",), troubles=("troubles told",), strangers=("strangers told",), notes=("notes told",),
    )  # fmt: skip
    others = replace(bad, is_present=False), replace(bad, can_enforce=False), replace(bad, is_open=True)
    faults = {fault.kind: fault for facts in (bad, *others) for fault in judge(facts).faults}
    assert {*faults} == {*ReasonKind}
    return [{"kind": fault.kind, "values": dict(fault.values)} for fault in faults.values()]


def test_each_reason_of_a_lower_health_score_is_said_in_german(desk: Desk) -> None:
    line, kinds = Line(), reasons()
    status = {"reasons": [ENGLISH] * len(kinds), "kinds": kinds, "healthScore": 0.1}
    line.change = lambda text: _changed(text, "department:status", {"active": True, "connectedUsers": 1, **status})
    with desk.open(f"/departments/{IDS[0]}", role="viewer", language="de-DE", line=line) as page:
        live(page)
        told = page.locator("section.sentence .at")
        expect(told).to_contain_text("Gesundheit 0,10: ")
        assert len(said_reasons := told.inner_text().split("; ")) >= len(kinds), said_reasons
        assert UNSAID.search(told.inner_text()) is None
        expect(told).to_contain_text("verbraucht: Tageskontingent, Wochenkontingent, Monatskontingent")
        for kind in ("setup", "troubles", "strangers", "notes"):
            expect(told).to_contain_text(f"„{kind} told“")


def _changed(text: str, name: str, status: dict[str, Any]) -> str:
    """The frame, in which this event's status has these values."""
    if not text.startswith(f'42["{name}"'):
        return text
    event, data = json.loads(text[2:])
    return f"42{json.dumps([event, {**data, 'status': {**data['status'], **status}}])}"
