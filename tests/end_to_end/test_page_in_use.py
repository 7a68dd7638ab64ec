"""An administrator works through the page, and the network obeys: pairing, traffic, a block, a quota, maintenance."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.dashboard.window import go_to, live
from tests.end_to_end.installed import Installed
from tests.end_to_end.office import SERVER, office, pairing_code
from tests.end_to_end.test_quota import LIMIT, download
from tests.lab.network import WEB_V4, Network

QUOTAS = f"""subnets = ["10.20.0.0/24", "fd20::/64"]
[departments.quota]
daily = "{LIMIT} B"
on_exceeded = "block"
[departments.quota.hosts]
daily = "1 GB"
"""
NAME, PASSWORD = "ada", "a long enough sentence"
ANSWERED, REFUSED = 0, 7  # exit codes of curl


def become_administrator(page: Page, code: str) -> None:
    page.get_by_label("Pairing code").fill(code)
    page.get_by_label("Your name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Become administrator").click()


def log_in(page: Page) -> None:
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_from_the_pairing_code_to_a_block_that_holds_and_is_undone(gateway: Network, tmp_path: Path, until) -> None:
    gateway.start_web()
    pc = gateway.hosts[0]

    def fetched() -> int:
        return pc.fetch(WEB_V4[0]).returncode

    with Installed(gateway, tmp_path, QUOTAS, server=SERVER) as appliance, office(gateway, tmp_path) as windows:
        with windows.open("/first") as page:
            become_administrator(page, pairing_code(appliance))
            live(page)
        with windows.open("/blocks/new") as page:  # leads to the login, and back
            log_in(page)
            live(page)
            expect(page.get_by_role("dialog", name="Block")).to_be_visible()
            page.keyboard.press("Escape")
            assert fetched() == ANSWERED
            page.get_by_role("link", name="Devices 1").click()  # the rail counts who was seen
            device = page.get_by_role("button", name=pc.ipv4, exact=True)
            until(lambda: device.count() or page.reload() is None)  # its books are opened a step after it was seen
            device.click()
            page.get_by_role("link", name="Block", exact=True).click()
            expect(page.get_by_text(f"Blocks {pc.mac()} ({pc.ipv4}", exact=False)).to_be_visible()
            page.get_by_role("button", name="Block until").click()
            toast = page.locator(".toast", has_text="Blocked")
            expect(toast).to_contain_text(pc.ipv4)
            toast.get_by_role("button", name="Undo").focus()  # which it stays for, however long the look takes
            assert fetched() == REFUSED
            toast.get_by_role("button", name="Undo").click()
            expect(page.get_by_text("Nothing is blocked").first).to_be_visible()
            until(lambda: fetched() == ANSWERED)


def test_who_is_cut_off_asks_for_more_and_the_page_grants_it(gateway: Network, tmp_path: Path) -> None:
    gateway.start_web()
    pc = gateway.hosts[0]
    with (
        Installed(gateway, tmp_path, QUOTAS, server=SERVER) as appliance,
        office(gateway, tmp_path) as windows,
        windows.open("/", appliance.token) as page,
    ):
        live(page)
        download(gateway)
        gateway.start_web()
        expect(page.locator("#sentence")).to_contain_text("is cut off")
        assert "The quota for today is used up" in pc.fetch(WEB_V4[0]).stdout
        form = ["--data-urlencode", "name=T. Br\u00e4ndt", "--data-urlencode", "text=Payroll <b>run</b>"]
        pc.run(["curl", "--silent", "--fail", "--max-time", "5", *form, f"http://{WEB_V4[0]}/ask"])
        expect(page.locator(".needs")).to_contain_text("Asked for more: T. Br\u00e4ndt")
        go_to(page, "Quotas")
        expect(page.locator(".needs")).to_contain_text(
            "T. Br\u00e4ndt, Radiology, asks for more: \u201cPayroll <b>run</b>\u201d"
        )
        page.get_by_role("link", name="Grant more").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("is connected again at once")
        dialog.get_by_role("button", name="1 GiB").click()
        dialog.get_by_role("button", name="Grant 1").click()
        expect(page.locator(".toast")).to_contain_text("Radiology has 1")
        assert "Directory listing" in pc.fetch(WEB_V4[0]).stdout
        expect(page.locator(".needs")).to_have_count(0)
        go_to(page, "Overview")
        expect(page.locator("#sentence")).not_to_contain_text("cut off")


def test_the_button_begins_maintenance_and_the_page_counts_down(gateway: Network, tmp_path: Path) -> None:
    with (
        Installed(gateway, tmp_path, QUOTAS, server=SERVER) as appliance,
        office(gateway, tmp_path) as windows,
        windows.open("/blocks/new?address=198.51.100.10", appliance.token) as page,
    ):
        live(page)
        act = page.get_by_role("button", name="Block until")
        expect(act).not_to_have_attribute("aria-disabled", "true")
        appliance.hold_button()
        banner = page.locator(".banner", has_text="Maintenance until")
        expect(banner).to_contain_text("changes are refused")
        expect(act).to_have_attribute("aria-disabled", "true")
        timer = banner.get_by_role("timer")
        shown = timer.inner_text()
        expect(timer).not_to_have_text(shown)
        page.keyboard.press("Escape")
        banner.get_by_role("button", name="End now").click()
        expect(banner).to_have_count(0)
