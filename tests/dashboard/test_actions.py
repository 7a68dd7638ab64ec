"""What somebody changes by the page: its consequence before, an undo after, the server's words where it refuses."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.desk import Desk
from tests.dashboard.hospital import PROTECTED
from tests.dashboard.window import PATIENCE_MS, Line, live


@pytest.fixture
def blocks(desk: Desk) -> Iterator[Page]:
    with desk.open("/blocks") as page:
        live(page)
        yield page


def test_a_block_is_told_before_it_is_done_and_undone_by_one_click(desk: Desk, blocks: Page) -> None:
    blocks.keyboard.press("n")
    dialog = blocks.get_by_role("dialog", name="Block")
    dialog.get_by_label("Address, prefix").fill("203.0.113.77")
    dialog.get_by_label("For").select_option("radiology")
    expect(dialog.locator(".consequence")).to_contain_text("Blocks 203.0.113.77 for Radiology until")
    dialog.get_by_role("button", name=re.compile("^Block until")).click()
    expect(blocks.locator(".toast")).to_contain_text("Blocked 203.0.113.77")
    blocks.get_by_role("button", name="Undo").focus()  # which it stays for, however long the looks take
    expect(blocks.get_by_role("row", name="203.0.113.77")).to_be_visible()
    assert [one["address"] for one in desk.service.ask("ip:list", {"contains": "203.0.113.77"})["blocks"]]
    blocks.get_by_role("button", name="Undo").click()
    expect(blocks.get_by_role("row", name="203.0.113.77")).to_have_count(0)
    assert desk.service.ask("ip:list", {"contains": "203.0.113.77"})["blocks"] == []


def test_a_scheduled_block_is_allowed_for_a_while_and_goes_with_its_schedule(desk: Desk, blocks: Page) -> None:
    address = "203.0.113.88"
    asked = {"effect": "block", "address": address, "window": "00:00-24:00", "reason": "always"}
    added = desk.service.ask("schedule:add", asked)["schedule"]
    row, schedules = blocks.get_by_role("row", name=address), blocks.get_by_role("region", name="Schedules")
    row.get_by_role("button", name=f"Allow {address} for 30 minutes").click()
    expect(blocks.locator(".toast")).to_contain_text(f"Allowed {address} until")
    blocks.locator(".toast").get_by_role("button", name="Undo").focus()
    expect(row).to_have_count(0)
    expect(schedules).to_contain_text(f"Allows {address}")
    blocks.locator(".toast").get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    schedules.get_by_role("button", name=f"Remove the schedule {added['id']}").click()
    expect(row).to_have_count(0)
    expect(schedules).to_have_count(0)
    assert desk.service.ask("schedule:list")["schedules"] == []


def test_what_is_protected_is_refused_in_the_server_s_words_before_it_is_tried(desk: Desk, blocks: Page) -> None:
    words = desk.service.ask("ip:block", {"address": PROTECTED, "preview": True})
    blocks.get_by_role("button", name="Block", exact=True).click()
    dialog = blocks.get_by_role("dialog", name="Block")
    dialog.get_by_label("Address, prefix").fill(PROTECTED)
    said = words["preview"]["objection"] if words["success"] else words["error"]
    expect(dialog.locator(".bad")).to_contain_text(said)
    expect(dialog.get_by_role("button", name=re.compile("^Block until"))).to_be_disabled()
    blocks.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_what_a_lost_connection_did_not_answer_is_asked_again(desk: Desk) -> None:
    line = Line()
    with desk.open("/blocks", line=line) as page:
        live(page)
        page.get_by_role("button", name="Block", exact=True).click()
        dialog = page.get_by_role("dialog", name="Block")
        line.is_held = True
        dialog.get_by_label("Address, prefix").fill(PROTECTED)
        asked = lambda: any(way == "up" and '"preview":true' in text for way, text in line.frames)  # noqa: E731
        assert any(asked() or page.wait_for_timeout(50) for _ in range(PATIENCE_MS // 50))
        line.is_held = False
        line.drop()
        expect(dialog.locator(".bad")).to_contain_text("protects it")


def test_a_grant_connects_a_department_that_was_cut_off_and_is_undone_by_one_click(desk: Desk) -> None:
    with desk.open("/quotas/finance/grant") as page:
        live(page)
        dialog = page.get_by_role("dialog")
        expect(dialog.locator(".consequence")).to_contain_text("Finance gets 4 GiB more today")
        expect(dialog.locator(".consequence")).to_contain_text("is connected again at once")
        dialog.get_by_role("button", name="Grant 4").click()
        expect(page.locator(".toast")).to_contain_text("Finance has 4 GiB more today.")
        page.locator(".toast").get_by_role("button", name="Undo").focus()
        assert daily_of(desk, "finance")["granted"] == 4 << 30
        expect(page.get_by_role("row", name="Finance")).to_contain_text("+4")
        page.locator(".toast").get_by_role("button", name="Undo").click()
        expect(page.get_by_role("row", name="Finance")).not_to_contain_text("+4")
        assert daily_of(desk, "finance")["granted"] == 0


def test_of_two_administrators_the_second_is_told_and_decides(desk: Desk) -> None:
    address = "/quotas/library/limit"
    with desk.open(address) as anna, desk.open(address) as ben:
        for page, limit in ((anna, "7"), (ben, "9")):
            live(page)
            page.get_by_label("Limit, GiB").fill(limit)
        anna.get_by_role("button", name="Set 7").click()
        expect(anna.locator(".toast")).to_contain_text("7 GiB")
        ben.get_by_role("button", name="Set 9").click()
        expect(ben.get_by_role("dialog").get_by_role("alert")).to_contain_text("token was faster. The daily limit")
        assert limit_of(desk, "library") == 7 << 30
        ben.get_by_role("button", name="Apply mine over it").click()
        expect(ben.locator(".toast")).to_contain_text("9 GiB")
        assert limit_of(desk, "library") == 9 << 30


def daily_of(desk: Desk, department: str) -> dict[str, Any]:
    [daily] = [one for one in desk.service.ask("quota:get", department)["quotas"] if one["type"] == "daily"]
    return daily


def limit_of(desk: Desk, department: str) -> int | None:
    limit: int | None = daily_of(desk, department)["limit"]
    return limit


def test_a_trial_is_told_to_everybody_and_taken_back_by_one_click(desk: Desk) -> None:
    with desk.open("/", role="viewer") as other, desk.open("/settings/configuration") as page:
        live(other)
        live(page)
        field = page.get_by_label("Text of the configuration")
        former = field.input_value()
        field.fill(former.replace('daily = "5 GB"', 'daily = "6 GB"'))
        page.get_by_role("button", name="Try it").click()
        expect(page.locator(".banner", has_text="on trial").get_by_role("timer")).to_have_text(
            re.compile(r"^[01]:\d\d$")
        )
        expect(other.locator(".banner", has_text="on trial")).to_be_visible()
        assert other.get_by_role("button", name="Take back").count() == 0
        page.get_by_role("button", name="Take back").click()
        expect(page.locator(".banner", has_text="on trial")).to_have_count(0)
        expect(other.locator(".banner", has_text="on trial")).to_have_count(0)
    assert desk.service.ask("config:get")["trial"] is None
    assert desk.service.file.read_text() == former


def test_a_schedule_is_told_before_it_is_kept_and_in_the_words_of_its_days(desk: Desk, blocks: Page) -> None:
    address, bad = "203.0.113.99", "does not appear to be"
    blocks.get_by_role("button", name="Schedule", exact=True).click()
    dialog = blocks.get_by_role("dialog", name="Schedule")
    add = dialog.get_by_role("button", name="Add", exact=True)
    dialog.get_by_label("Address, prefix").fill("no such thing!")
    expect(dialog.get_by_role("alert").locator(".bad")).to_contain_text(bad)
    expect(add).to_be_disabled()
    dialog.get_by_label("Address, prefix").fill(address)
    dialog.get_by_label("For", exact=True).select_option("radiology")
    for day in ("Sat", "Sun"):
        dialog.get_by_role("button", name=day, exact=True).click()
    dialog.get_by_label("From", exact=True).fill("21:30")
    dialog.get_by_label("To", exact=True).fill("21:30")
    expect(dialog.locator(".bad")).to_have_text("Choose two different times; 00:00 to 00:00 is a whole day.")
    dialog.get_by_label("To", exact=True).fill("05:00")
    told = dialog.locator(".consequence")
    expect(told).to_contain_text(f"Blocks {address} for Radiology: 21:30-05:00 Mon, Tue, Wed, Thu, Fri; ")
    assert desk.service.ask("schedule:list")["schedules"] == []
    add.click()
    expect(dialog).to_have_count(0)
    kept = blocks.get_by_role("region", name="Schedules")
    expect(kept).to_contain_text(f"Blocks {address} for Radiology")
    [schedule] = desk.service.ask("schedule:list")["schedules"]
    assert (schedule["window"], schedule["days"]) == ("21:30-05:00", ["mon", "tue", "wed", "thu", "fri"])
    kept.get_by_role("button", name=f"Remove the schedule {schedule['id']}").click()
    expect(kept).to_have_count(0)
