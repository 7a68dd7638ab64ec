"""The page never shows an old figure as a new one, and loses and doubles nothing when the connection does."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.client.node import NodeClient
from tests.dashboard.desk import Desk
from tests.dashboard.hospital import CONFIG
from tests.dashboard.window import Line, live
from tests.end_to_end.simulated import PATIENCE_S, Simulated

DAY_MS = 86_400_000
CLOCK_S = 15  # after which figures are old


@pytest.fixture
def own(browser: Browser, tmp_path: Path) -> Iterator[Desk]:
    """A service of its own, to be killed."""
    service = Simulated(tmp_path, config=CONFIG)
    service.start()
    yield Desk(browser, service)
    service.send(signal.SIGCONT)
    service.close()


def alerts(page: Page) -> list[str]:
    """The incidents that the page lists."""
    return page.locator("main a[href^='/incidents/']").evaluate_all(
        "(all) => all.map((one) => one.getAttribute('href'))"
    )


def test_a_service_that_stands_still_makes_the_page_stale_and_its_buttons_grey(own: Desk) -> None:
    with own.open("/blocks") as page:
        page.clock.install()
        live(page)
        own.service.send(signal.SIGSTOP)
        page.clock.fast_forward((CLOCK_S + 1) * 1000)
        expect(page.locator(".pill")).to_contain_text("Stale since")
        button = page.get_by_role("button", name="Block", exact=True)
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", "Not while the connection is lost")
        page.get_by_role("link", name="Overview").first.click()
        expect(page.locator("#sentence")).to_contain_text("As of ")
        own.service.send(signal.SIGCONT)
        live(page)
        expect(page.locator("#sentence")).not_to_contain_text("As of ")


def test_a_killed_service_is_found_again_and_no_alert_is_lost_or_doubled(own: Desk) -> None:
    token = own.token("admin")
    with own.open("/incidents") as page, NodeClient(own.url, token, since=0) as other:
        live(page)
        other.wait_for("security:incident", within_s=PATIENCE_S)
        page.locator("main a[href^='/incidents/']").first.wait_for()
        own.service.kill()
        page.locator(".pill.reconnecting, .pill.stale").first.wait_for()
        own.service.start()
        live(page)
        # The new process is a new machine, whose first minute has a scan too.
        other.wait_for("security:incident", count=2, within_s=PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        with NodeClient(own.url, token, since=0) as whole:
            whole.wait_for("security:incident", count=2, within_s=PATIENCE_S)
            expected = len(whole.named("security:incident"))
        while len(alerts(page)) < expected and time.monotonic() < deadline:
            page.wait_for_timeout(100)
        shown = alerts(page)
        assert len(set(shown)) == len(shown)


def test_a_token_that_is_revoked_leaves_the_view_greyed_with_the_reason(desk: Desk) -> None:
    made = desk.service.cli("token", "--role", "viewer", "--ttl", "3600")
    token = made.stdout.strip()
    with desk.open("/departments", role=None, script=f"sessionStorage.token ??= {token!r}") as page:
        live(page)
        assert desk.service.cli("token", "revoke", token).returncode == 0
        ending = page.get_by_role("alertdialog")
        expect(ending).to_contain_text("You were logged out")
        expect(ending).to_contain_text("revoked")
        assert page.locator(".ended[inert]").count() == 1
        assert "Radiology" in page.locator(".ended").inner_text()
        ending.get_by_role("link", name="Log in").click()
        page.wait_for_url("**/login?next=%2Fdepartments")


def test_a_token_that_ends_while_the_page_is_open_says_so(desk: Desk) -> None:
    token = desk.service.cli("token", "--role", "viewer", "--ttl", "5").stdout.strip()
    with desk.open("/", role=None, script=f"sessionStorage.token ??= {token!r}") as page:
        expect(page.get_by_role("alertdialog")).to_contain_text("expired")


@pytest.mark.parametrize("off_ms", [-DAY_MS, DAY_MS])
def test_a_browser_whose_clock_is_a_day_wrong_shows_the_same_times(desk: Desk, off_ms: int) -> None:
    wrong = "const Right = Date; Date = class extends Right {"
    wrong += " constructor(...all) { super(...(all.length ? all : [Date.now()])); }"
    wrong += f" static now() {{ return Right.now() + {off_ms}; }} }};"
    texts = []
    for script in ("", wrong):
        with desk.open("/maintenance", script=script) as page:
            live(page)
            texts.append(page.locator(".consequence").inner_text()[: -0 or None])
            clock = page.locator(".head > .wide").inner_text()
            now = time.strftime("%M", time.gmtime())
            assert abs(int(clock.split(":")[1][:2]) - int(now)) in (0, 1, 59)
            page.goto(f"{desk.url}/departments")
            live(page)
            assert page.locator(".pill.stale").count() == 0
    assert texts[0].split()[:3] == texts[1].split()[:3]


def test_an_old_tab_is_told_to_load_the_new_page(desk: Desk) -> None:
    line = Line()
    with desk.open("/", line=line) as page:
        live(page)
        line.change = lambda text: text.replace('"version":"0.1.0"', '"version":"0.2.0"')
        line.drop()
        expect(page.locator(".banner")).to_contain_text("It runs version 0.2.0; this page is of 0.1.0.")
        page.get_by_role("button", name="Reload").click()
        live(page)
        expect(page.get_by_role("button", name="Reload")).to_have_count(0)
