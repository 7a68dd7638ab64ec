"""What a person says to an incident on the page: that they have seen it, and that they do not want to be told."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import expect

from appliance import events
from appliance.core.detection.incident import Severity
from appliance.core.detection.incident_kind import IncidentKind
from tests.client.node import NodeClient
from tests.dashboard.desk import Desk
from tests.dashboard.hospital import IDS
from tests.dashboard.window import Line, live
from tests.end_to_end.simulated import PATIENCE_S


def test_an_incident_is_acknowledged_and_muted_and_both_are_taken_back(desk: Desk) -> None:
    with NodeClient(desk.url, desk.token(), since=0) as client, desk.open("/incidents") as page:
        live(page)
        # Not earlier: a scan that becomes worse while it goes on is no longer one that somebody has seen.
        client.wait_for("security:incident", lambda told: told["severity"] != "low", within_s=PATIENCE_S)
        page.locator("main td a.main[href^='/incidents/']").first.click()
        page.wait_for_url("**/incidents/*")
        marks = page.locator("main header .tag")
        page.get_by_role("button", name="Acknowledge", exact=True).click()
        expect(marks).to_contain_text("Seen by token")
        page.get_by_role("button", name="Not seen", exact=True).click()
        expect(marks).to_have_count(0)
        page.get_by_role("button", name="Mute", exact=True).click()
        dialog = page.get_by_role("dialog")
        expect(dialog.locator(".consequence")).to_contain_text("Nobody is told of Port scan by 192.168.1.100")
        expect(dialog.locator(".consequence")).to_contain_text("Covers 1 incident")
        dialog.get_by_role("button", name="1 hour", exact=True).click()
        dialog.get_by_role("button", name="Mute", exact=True).click()
        expect(marks).to_have_text("Muted")
        [muted] = client.call("incident:list", {})["mutes"]
        assert (muted["kind"], muted["source"]) == ("port_scan", "192.168.1.100")
        page.get_by_role("link", name="Incidents", exact=True).first.click()
        listed = page.locator("section[aria-labelledby=mutes]")
        expect(listed).to_contain_text("Port scan by 192.168.1.100")
        listed.get_by_role("button").click()
        expect(listed).to_have_count(0)
        assert client.call("incident:list", {})["mutes"] == []


def test_a_viewer_reads_the_evidence_and_is_offered_nothing(desk: Desk) -> None:
    with NodeClient(desk.url, desk.token(), since=0) as client:
        told = client.wait_for("security:incident", within_s=PATIENCE_S)["incident"]
    with desk.open("/incidents", role="viewer") as page:
        live(page)
        page.locator(f"main td a.main[href='/incidents/{told['incidentId']}']").click()
        page.wait_for_url("**/incidents/*")
        evidence = page.locator("section[aria-labelledby=evidence]")
        expect(evidence).to_contain_text("fewer than 10 in 10 s")
        expect(evidence).to_contain_text("Inside the department")
        known = told["knownDevices"][0]
        source = page.locator("section[aria-labelledby=source]")
        expect(source.get_by_role("link", name=known["mac"], exact=True)).to_have_attribute(
            "href", re.compile("^/devices")
        )
        expect(evidence.locator("dd", has_text=known["mac"])).to_have_count(1)
        if known["name"]:  # it has told its name by then, unless the machine is slow
            expect(source).to_contain_text(known["name"])
        expect(page.locator("main > header button")).to_have_count(0)
        expect(evidence.locator(".bars i.medium").first).to_be_visible()
        with page.expect_download() as waiting:
            evidence.get_by_role("button", name="Evidence, JSON").click()
        kept = json.loads(Path(waiting.value.path()).read_text())
        assert kept["incident"]["id"] == told["incidentId"]
        assert max(kept["evidence"]["series"]["counts"]) >= told["count"]


@pytest.mark.parametrize(("is_proven", "name"), [(True, "Anna's laptop"), (False, "192.168.9.9")])
def test_a_device_is_named_only_where_its_address_has_proved_itself(desk: Desk, *, is_proven: bool, name: str) -> None:
    line = Line()
    device = events.IncidentDeviceFacts(
        mac="02:00:00:00:00:09", address="192.168.9.9", known_as="Anna's laptop", vendor=None
    )
    facts = events.IncidentFacts(
        type=IncidentKind.SYN_FLOOD,
        source="192.168.9.9",
        details="floods",
        state="open",
        proven=is_proven,
        incident_id="named",
        known_devices=[device],
    )
    event = events.SecurityIncident(
        timestamp="2030-11-29T09:30:00.000Z",
        department_id=IDS[0],
        alert_id=10**6,
        severity=Severity.HIGH,
        incident=facts,
    )
    with desk.open("/incidents", line=line) as page:
        live(page)
        line.say("security:incident", msgspec.to_builtins(event))
        row = page.locator("tr", has=page.locator("a[href='/incidents/named']"))
        assert ("Anna's laptop" in row.inner_text()) is is_proven
        row.locator("a.main").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Flood of connections by {name}")


def test_the_course_of_an_incident_has_its_severity_in_the_persons_language(desk: Desk) -> None:
    with NodeClient(desk.url, desk.token(), since=0) as client:
        told = client.wait_for("security:incident", within_s=PATIENCE_S)["incident"]
    with desk.open(f"/incidents/{told['incidentId']}", role="viewer", language="de-DE") as page:
        live(page)
        course = page.get_by_role("region", name="Verlauf", exact=True)
        expect(course).to_contain_text(re.compile("Begann als (gering|mittel|hoch|kritisch)"))
