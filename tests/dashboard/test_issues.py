"""The page of the appliance says what is wrong with it, what to do, and since when; the overview says it too."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.dashboard.desk import Desk
from tests.dashboard.hospital import CONFIG
from tests.dashboard.window import go_to, live
from tests.end_to_end.simulated import Simulated


@pytest.fixture
def failed(browser: Browser, tmp_path: Path) -> Iterator[Desk]:
    """A service whose former run has failed."""
    report = tmp_path / f"state/crashes/crash-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.txt"
    report.parent.mkdir(parents=True)
    report.write_text("Fatal Python error")
    service = Simulated(tmp_path, config=CONFIG)
    service.start()
    yield Desk(browser, service)
    service.close()


@pytest.mark.slow
def test_an_issue_is_shown_with_what_to_do_and_since_when(failed: Desk) -> None:
    with failed.open("/appliance") as page:
        live(page)
        issue = page.locator("#issues li").filter(has_text="the service failed at")
        expect(issue).to_contain_text("read its report")
        expect(issue).to_contain_text("(since ")
        expect(page.get_by_text("This computer does not tell")).to_contain_text("writing to the card")
        go_to(page, "Overview")
        expect(page.locator("ul.needs li").filter(has_text="the service failed at")).to_have_count(1)
