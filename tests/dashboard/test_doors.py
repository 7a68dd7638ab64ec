"""Who comes in: the first administrator, a person with a password, and those whose browser forbids something."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.dashboard.desk import Desk
from tests.dashboard.window import go_to, live
from tests.end_to_end.simulated import Simulated

PASSWORD = "correct horse battery"
CODE = re.compile(r"Pairing code[^:]*: ([A-Z0-9]{4}-[A-Z0-9]{4})")
NO_STORAGE = "for (const name of ['sessionStorage', 'localStorage']) Object.defineProperty(window, name, %s);"
FORBIDDEN = "{ get() { throw new DOMException('forbidden', 'SecurityError'); } }"


@pytest.fixture
def new(browser: Browser, tmp_path: Path) -> Iterator[Desk]:
    """An appliance that nobody can log in to yet."""
    service = Simulated(tmp_path)
    service.start()
    yield Desk(browser, service)
    service.close()


def test_the_pairing_code_makes_the_first_administrator_who_logs_in_from_then_on(new: Desk) -> None:
    [code] = CODE.findall(new.service.log())
    with new.open("/first", role=None) as page:
        page.get_by_label("Pairing code").fill("AAAA-AAAA")
        page.get_by_label("Your name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Become administrator").click()
        expect(page.locator(".bad")).to_be_visible()
        page.get_by_label("Pairing code").fill(code.lower())
        page.get_by_role("button", name="Become administrator").click()
        live(page)
        expect(page.get_by_role("navigation", name="Main", exact=True)).to_contain_text("anna")
    with new.open("/blocks?q=8", role=None) as page:
        page.wait_for_url("**/login?next=*")
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill("wrong password here")
        while True:  # the first mistakes cost nothing
            with page.expect_response("**/login") as answer:
                page.get_by_role("button", name="Log in").click()
            if "retry-after" in answer.value.headers:
                break
        expect(page.locator(".bad")).to_contain_text(re.compile(r"Try again in \d+ s"))
        expect(page.get_by_role("button", name="Log in")).to_be_disabled()
        expect(page.locator(".bad")).not_to_contain_text("Try again in", timeout=60_000)  # a minute is the longest wait
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/blocks?q=8")
        live(page)


def test_a_token_that_is_none_is_told_before_it_is_sent(desk: Desk) -> None:
    with desk.open("/login", role=None) as page:
        page.get_by_role("button", name="I have a token").click()
        page.get_by_role("textbox", name="Token").fill("not a token")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator(".bad")).to_contain_text("This is no token")
        page.get_by_role("textbox", name="Token").fill(f"Bearer {desk.token()}")
        page.get_by_role("button", name="Log in").click()
        live(page)


def test_a_login_leads_to_this_page_only(desk: Desk) -> None:
    with desk.open("/login?next=//example.com/", role=None) as page:
        page.get_by_role("button", name="I have a token").click()
        page.get_by_role("textbox", name="Token").fill(desk.token())
        page.get_by_role("button", name="Log in").click()
        live(page)
        assert page.url == f"{desk.url}/"


def test_where_storage_is_forbidden_the_page_works_until_it_is_closed(desk: Desk) -> None:
    with desk.open("/login", role=None, script=NO_STORAGE % FORBIDDEN) as page:
        page.get_by_role("button", name="I have a token").click()
        page.get_by_role("textbox", name="Token").fill(desk.token())
        page.get_by_role("button", name="Log in").click()
        live(page)
        go_to(page, "Blocks")
        expect(page.get_by_role("heading", name="Blocks", level=1)).to_be_visible()


def test_without_javascript_the_page_says_so_and_names_the_command_line(desk: Desk) -> None:
    with desk.open("/", role=None, java_script_enabled=False) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("This page needs JavaScript")
        expect(page.locator("noscript code").first).to_be_visible()


def test_a_kiosk_s_token_leaves_the_address_at_once(desk: Desk) -> None:
    with desk.open(f"/kiosk?theme=dark#token={desk.token('viewer')}", role=None) as page:
        live(page)
        assert page.url == f"{desk.url}/kiosk?theme=dark"
