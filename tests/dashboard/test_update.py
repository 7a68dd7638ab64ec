"""The update of the whole appliance, by the page: on the simulator's, in which nothing is real."""

from playwright.sync_api import expect

from appliance.simulator.device import FIRST_ROOT, NEXT_ROOT
from tests.dashboard.desk import Desk
from tests.dashboard.window import live

WHOLE_MS = 60_000  # the simulator's update takes fifteen seconds, and its proof as long


def test_an_administrator_installs_a_version_restarts_into_it_and_is_told_that_it_has_returned(desk: Desk) -> None:
    with desk.open("/appliance") as page:
        live(page)
        sheet = page.get_by_role("region", name="Update", exact=True)
        expect(sheet).to_contain_text(f"{FIRST_ROOT.version}, root A")
        expect(sheet).to_contain_text("none yet")
        expect(sheet).to_contain_text("not configured")
        install = sheet.get_by_role("button", name="Install", exact=True)
        expect(install).to_have_attribute("aria-disabled", "true")
        address = sheet.get_by_label("Address of a bundle")
        address.fill("http://anna:secret@192.0.2.1/x")
        install.click()
        expect(sheet.locator(".bad")).to_contain_text("url: must be a URL")
        address.fill("http://192.0.2.1/returns.raucb")
        install.click()
        expect(sheet.get_by_role("status")).to_contain_text(f"Installs {NEXT_ROOT.version}", timeout=WHOLE_MS)
        expect(address).to_have_count(0)
        expect(sheet.get_by_role("status")).to_contain_text("waits for a restart", timeout=WHOLE_MS)
        expect(sheet).to_contain_text("If the new version does not prove itself, the former one comes back by itself.")
        sheet.get_by_role("button", name="Restart now").click()
        expect(sheet.get_by_role("status")).to_contain_text("is on trial", timeout=WHOLE_MS)
        expect(sheet).to_contain_text(f"{NEXT_ROOT.version}, root B")
        expect(sheet.get_by_role("status")).to_contain_text("the former version is back", timeout=WHOLE_MS)
        expect(sheet.get_by_role("status")).to_contain_text("the service did not answer for 900 s")
        expect(sheet).to_contain_text(f"{FIRST_ROOT.version}, root A")


def test_who_is_no_administrator_of_everything_sees_what_runs_and_changes_nothing(desk: Desk) -> None:
    with desk.open("/appliance", role="operator") as page:
        live(page)
        sheet = page.get_by_role("region", name="Update", exact=True)
        expect(sheet).to_contain_text(f"{FIRST_ROOT.version}, root A")
        expect(sheet.get_by_role("button")).to_have_count(0)
        expect(sheet.get_by_role("textbox")).to_have_count(0)
