"""A service that is killed again and again, and one that is away: the page loses no alert and shows none twice."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.window import PATIENCE_MS, Windows, go_to, live
from tests.end_to_end.simulated import Simulated

LONG_ABSENCE = 6  # after so many kills the service is away for more than a minute
AWAY_MS = 120_000  # and the page says so within this
LOOK_MS = 100
TIMES = "found => found.map(one => one.dateTime)"


def recorded(service: Simulated) -> list[str]:
    """The times of all updates of incidents in the file of sent alerts."""
    files = (service.folder / "state").glob("*alerts.jsonl")  # there is none before the first alert
    lines = (json.loads(line) for file in files for line in file.read_text().splitlines())
    return [one["content"]["timestamp"] for one in lines if one["name"] == "security:incident"]


def shown(page: Page) -> list[str]:
    """The times of all updates of all incidents on the page."""
    go_to(page, "Incidents")
    links = page.locator("main td a.main[href^='/incidents/']")
    expect(links.first).to_be_visible()
    found: list[str] = []
    for address in links.evaluate_all("found => found.map(one => one.getAttribute('href'))"):
        page.locator(f"main td a.main[href='{address}']").click()
        expect(page.locator(".feed")).to_be_visible()
        found += page.locator(".feed time").evaluate_all(TIMES)
        page.go_back()
        expect(links.first).to_be_visible()
    return found


def wait_for_more(service: Simulated, page: Page, before: list[str]) -> None:
    """Wait until this life of the service has seen something: its scenario begins with a scan, and goes on quietly."""
    for _ in range(PATIENCE_MS // LOOK_MS):
        if len(recorded(service)) > len(before):
            return
        page.wait_for_timeout(LOOK_MS)
    raise AssertionError("no incident came")


@pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_no_alert_is_lost_or_doubled_over_kills_and_an_absence(browser: Browser, tmp_path: Path, kills: int) -> None:
    service, before = Simulated(tmp_path), list[str]()
    service.start()
    try:
        token = service.cli("token", "--role", "admin", "--departments", "*").stdout.strip()
        with Windows(browser, f"http://127.0.0.1:{service.port}").open("/", token) as page:
            pill = page.locator(".pill").first
            live(page)
            for number in range(1, kills + 1):
                wait_for_more(service, page, before)
                service.kill()
                expect(pill).to_contain_text("Reconnecting data from")
                if number == LONG_ABSENCE:
                    expect(pill).to_contain_text("Stale since")
                    expect(pill).to_contain_text("1 min", timeout=AWAY_MS)
                    expect(page.locator("#sentence")).to_contain_text("As of")
                before = recorded(service)
                service.start()
                live(page)
            found = shown(page)
            assert len(set(found)) == len(found)
            assert set(before) <= set(found) <= set(recorded(service))
    finally:
        service.close()
