"""Devices on the page: found, filtered, shown with what is known of them, and named by those who may."""

import re

from playwright.sync_api import expect

from tests.dashboard.desk import Desk
from tests.dashboard.window import live

DESK = "reading-room-4"  # of Library & Archive, the fourth department of the hospital


def test_an_operator_names_a_device_and_everybody_sees_it_by_that_name(desk: Desk) -> None:
    with desk.open("/devices?q=printer-3") as page:
        live(page)
        page.get_by_role("row", name="lab-printer-3").get_by_role("button").click()
        panel = page.get_by_role("complementary", name="lab-printer-3")
        expect(panel).to_contain_text("Example Printers, Radiology")
        expect(panel.locator(".facts")).to_contain_text("Name fromDHCP")
        panel.get_by_role("button", name="Rename").click()
        dialog = page.get_by_role("dialog", name="Rename lab-printer-3")
        dialog.get_by_label("Name", exact=True).fill("<b>Second floor</b> printer-3")
        dialog.get_by_role("button", name="Rename to").click()
        expect(page.locator(".toast")).to_contain_text("lab-printer-3 is <b>Second floor</b> printer-3 now.")
        page.locator(".toast").get_by_role("button", name="Undo").focus()
        expect(page.get_by_role("row", name="Second floor")).to_be_visible()
        expect(page.locator(".panel .facts")).to_contain_text("your own label; it calls itself lab-printer-3")
        expect(page.locator(".toast").get_by_role("button", name="Undo")).to_be_visible()


def test_a_viewer_sees_the_devices_of_their_department_and_changes_none(desk: Desk) -> None:
    with desk.open("/devices", "viewer", "library") as page:
        live(page)
        row = page.get_by_role("row", name=DESK)
        expect(row).to_contain_text("Library")
        expect(page.get_by_role("row", name="lab-printer-3")).to_have_count(0)
        row.get_by_role("button").click()
        expect(page.get_by_role("complementary", name=DESK)).to_contain_text("First seen")
        expect(page.get_by_role("button", name="Rename")).to_have_count(0)


def test_devices_are_found_by_name_and_vendor_and_by_what_is_new(desk: Desk) -> None:
    with desk.open("/devices?q=example%20computers&department=library", language="de-DE") as page:
        live(page)
        expect(page.locator("tbody tr[data-at]")).to_have_count(1)
        expect(page.get_by_role("row", name=DESK)).to_contain_text("Example Computers")
        page.get_by_role("button", name="Heute neu").click()
        expect(page).to_have_url(re.compile(r"/devices\?q=example\+computers&department=library&fresh=1$"))
        expect(page.get_by_role("heading", name="Nichts passt auf")).to_be_visible()
