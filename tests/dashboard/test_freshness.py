"""The page never shows an old figure as a new one, and loses and doubles nothing when the connection does."""

import re
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from tests.client.node import NodeClient
from tests.dashboard.desk import Desk
from tests.dashboard.hospital import CONFIG, IDS
from tests.dashboard.window import PATIENCE_MS, Line, go_to, live
from tests.end_to_end.simulated import PATIENCE_S, Simulated

BERLIN = ZoneInfo("Europe/Berlin")  # the hospital's zone
DAY_MS = 86_400_000
WRONG_CLOCK = """
const Right = Date;
Date = class extends Right {
  constructor(...all) { super(...(all.length ? all : [Date.now()])); }
  static now() { return Right.now() + %d; }
};
"""
CLOCK_S = 15  # after which figures are old
LOOK_MS = 100
WHOLE_LINE = re.compile(r"^M[^M]*$")  # of a path: no second beginning, which is what a gap has
LONG_ROUNDS = 8  # of figures, one a second: longer than what the page takes for a delay
# A browser without a screen never hides a tab: this is what a page notices of it.
HIDING = """
let isHidden = false, waiting = [];
const frame = window.requestAnimationFrame.bind(window);
Object.defineProperty(document, 'visibilityState', { get: () => (isHidden ? 'hidden' : 'visible') });
window.requestAnimationFrame = (then) => (isHidden ? waiting.push(then) : frame(then));
window.hide = (is) => {
  isHidden = is;
  if (!is) for (const then of waiting.splice(0)) frame(then);
  document.dispatchEvent(new Event('visibilitychange'));
};
"""


@pytest.fixture
def own(browser: Browser, tmp_path: Path) -> Iterator[Desk]:
    """A service of its own, to be killed."""
    service = Simulated(tmp_path, config=CONFIG)
    service.start()
    yield Desk(browser, service)
    service.send(signal.SIGCONT)
    service.close()


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
        go_to(page, "Overview")
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
        # The same device does the same again: one incident, in whose course each alert is once, also one of just now.
        page.locator("main a[href^='/incidents/']").first.click()
        course = page.locator("section[aria-labelledby=course] li")
        with NodeClient(own.url, token, since=0) as whole:
            whole.wait_for("security:incident", count=2, within_s=PATIENCE_S)
            for _ in range(PATIENCE_MS // LOOK_MS):
                numbers = {data["alertId"] for data in whole.named("security:incident")}
                if course.count() == len(numbers):
                    return
                page.wait_for_timeout(LOOK_MS)
        raise AssertionError(f"{course.count()} on the page, of {len(numbers)}")


def test_a_token_that_is_revoked_leaves_the_view_greyed_with_the_reason(desk: Desk) -> None:
    made = desk.service.cli("token", "--role", "viewer", "--ttl", "3600")
    token = made.stdout.strip()
    with desk.open("/incidents", role=None, script=f"sessionStorage.token ??= {token!r}") as page:
        live(page)
        page.locator("main a[href^='/incidents/']").first.wait_for()
        desk.revoke(token)
        ending = page.get_by_role("alertdialog")
        expect(ending).to_contain_text("You were logged out")
        expect(ending).to_contain_text("revoked")
        assert page.locator(".ended[inert]").count() == 1
        assert page.locator(".ended a[href^='/incidents/']").count() > 0, "what was seen stays"
        ending.get_by_role("link", name="Log in").click()
        page.wait_for_url("**/login?next=%2Fincidents")


@pytest.mark.slow
def test_a_token_that_ends_while_the_page_is_open_says_so(desk: Desk) -> None:
    token = desk.service.cli("token", "--role", "viewer", "--ttl", "20").stdout.strip()
    with desk.open("/", role=None, script=f"sessionStorage.token ??= {token!r}") as page:
        expect(page.get_by_role("alertdialog")).to_contain_text("expired")


@pytest.mark.parametrize("off_ms", [-DAY_MS, DAY_MS])
def test_a_browser_whose_clock_is_a_day_wrong_shows_the_appliance_s_time(desk: Desk, off_ms: int) -> None:
    with desk.open("/maintenance", script=WRONG_CLOCK % off_ms) as page:
        before = datetime.now(BERLIN) - timedelta(seconds=2)  # a clock on the page is looked at each second
        live(page)
        shown = page.locator(".head > .wide").inner_text(), page.locator(".consequence b").first.inner_text()
        after = datetime.now(BERLIN)
        assert page.evaluate("Date.now()") / 1000 == pytest.approx(after.timestamp() + off_ms / 1000, abs=3600)
        hour = timedelta(hours=1)
        for text, moments in zip(shown, ((before, after), (before + hour, after + hour)), strict=True):
            assert any(text.startswith(f"{moment:%H:%M}") for moment in moments), (text, moments)
        page.goto(f"{desk.url}/departments")
        live(page)


def asked(line: Line, call: str) -> int:
    """How often the page has asked by this call."""
    return sum(f'["{call}"' in text for way, text in line.frames if way == "up")


def test_a_tab_that_was_hidden_for_long_asks_again_for_what_it_has_not_seen(desk: Desk) -> None:
    line = Line()
    with desk.open("/", line=line, script=HIDING) as page:
        live(page)
        page.locator("svg.spark").first.scroll_into_view_if_needed()
        while asked(line, "history:get") < 2:  # the chart's and a row's
            page.wait_for_timeout(LOOK_MS)
        page.evaluate("hide(true)")
        heard = len(line.events("usage:update"))
        drawn = page.locator(".tile .value").first.inner_text()
        while len(line.events("usage:update")) < heard + LONG_ROUNDS * len(IDS):
            page.wait_for_timeout(LOOK_MS)
        assert page.locator(".tile .value").first.inner_text() == drawn
        histories, books = asked(line, "history:get"), asked(line, "quota:get")
        page.evaluate("hide(false)")
        while asked(line, "history:get") < histories + 2 or asked(line, "quota:get") == books:
            page.wait_for_timeout(LOOK_MS)
        expect(page.locator(".tile .value").first).not_to_have_text(drawn)
        expect(page.locator("svg.spark path").first).to_have_attribute("d", WHOLE_LINE)
        live(page)


def test_an_old_tab_is_told_to_load_the_new_page(desk: Desk) -> None:
    line = Line()
    with desk.open("/", line=line) as page:
        live(page)
        line.change = lambda text: text.replace('"version":"0.1.0"', '"version":"0.2.0"')
        line.drop()
        expect(page.locator(".banner", has_text="It runs version 0.2.0; this page is of 0.1.0.")).to_be_visible()
        page.get_by_role("button", name="Reload").click()
        live(page)
        expect(page.get_by_role("button", name="Reload")).to_have_count(0)
