"""The channels on the page, with a receiver that is not there."""

from playwright.sync_api import expect

from tests.dashboard.desk import Desk
from tests.dashboard.window import live


def test_an_administrator_tries_a_channel_and_reads_why_nothing_arrives(desk: Desk) -> None:
    with desk.open("/settings/notifications") as page:
        live(page)
        row = page.get_by_role("row", name="it@example.org by 127.0.0.1:9")
        expect(row).to_contain_text("never")
        page.get_by_role("button", name="Test the channel it").click()
        fault = "The channel it delivers nothing: Connection refused"
        expect(page.get_by_role("status").filter(has_text=fault)).to_be_visible()


def test_who_may_not_change_the_configuration_sees_no_receiver(desk: Desk) -> None:
    with desk.open("/settings/notifications", role="operator") as page:
        live(page)
        expect(page.get_by_role("heading", name="The configuration is changed by administrators")).to_be_visible()
        expect(page.get_by_text("it@example.org")).to_have_count(0)
