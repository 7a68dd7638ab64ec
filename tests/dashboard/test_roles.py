"""Who answers for one department sees this one alone: in every view, in all that is sent, and in every file."""

import json
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as TooLate

from tests.client.node import NodeClient
from tests.dashboard.desk import Desk
from tests.dashboard.hospital import IDS, NAMES
from tests.dashboard.window import PATIENCE_MS, Line, live, turn_to
from tests.end_to_end.simulated import PATIENCE_S

CLICKS = 4
OWN, OTHER = "radiology", "finance"
WEEK = f"{datetime.now(UTC):%G-W%V}"
VIEWS = (
    "/",
    "/departments",
    f"/departments/{OWN}",
    "/devices",
    "/websites",
    "/incidents",
    "/blocks",
    "/quotas",
    "/reports",
    f"/reports/{OWN}/{WEEK}",
    "/maintenance",
    "/appliance",
    "/people",
    "/audit",
    "/settings/configuration",
    "/settings/notifications",
    "/kiosk",
)
ASKED_FOR = (
    f"/departments/{OTHER}",
    f"/reports/{OTHER}/{WEEK}",
    f"/quotas/{OTHER}/grant",
    f"/blocks?department={OTHER}",
)
# Their ids as the wire has them, their names, and the addresses of the device that scans and is blocked.
FOREIGN = (*(json.dumps(one) for one in IDS if one != OWN), *(one for one in NAMES if one != "Radiology"), "192.168.1.")


def foreign_in(text: str) -> list[str]:
    """What of other departments is in a text, as it stands or as JSON escapes it."""
    return [one for one in FOREIGN if one in text or json.dumps(one)[1:-1] in text]


@pytest.fixture(scope="module")
def busy(desk: Desk) -> Desk:
    """In another department there are an incident, a block, and a quota that is used up."""
    with NodeClient(desk.url, desk.token(), since=0) as client:
        client.wait_for("security:incident", within_s=PATIENCE_S)
        block = {"address": "192.168.1.50", "departmentId": "laboratory", "duration": 0}
        assert client.call("ip:block", block)["success"]
    return desk


# The more a role may do, the more its views show: the slower tier has those that show less.
@pytest.mark.parametrize(
    "role", ["admin", *(pytest.param(one, marks=pytest.mark.slow) for one in ("viewer", "operator"))]
)
def test_of_other_departments_nothing_is_sent_nothing_shown_and_nothing_filed(busy: Desk, role: str) -> None:
    line = Line()
    found = {}
    with busy.open("/", role, OWN, line=line) as page:
        for path in VIEWS:
            turn_to(page, path)
            live(page)
            found[path] = foreign_in(page.locator("body").inner_text()) + files_of(page)
        for path in ASKED_FOR:
            page.goto(f"{busy.url}{path}")
            live(page)
            assert page.get_by_role("dialog").count() == 0 or path.startswith("/blocks"), path
    assert {path: what for path, what in found.items() if what} == {}
    assert [text[:300] for text in sent_to(line) if foreign_in(text)] == []
    assert line.events("usage:update"), "its own is sent"


def sent_to(line: Line) -> list[str]:
    """All that the page was sent, but for refusals, which repeat what was asked for."""
    refusals = ('"success":false', '"code":"E_FORBIDDEN"')
    return [text for way, text in line.frames if way == "down" and not any(one in text for one in refusals)]


def files_of(page: Page) -> list[str]:
    """What of other departments is in the files that this view offers."""
    found = []
    for button in page.get_by_role("button", name="CSV").all():
        if not button.is_visible() or button.is_disabled():
            continue
        text = file_by(page, button)
        assert text.splitlines(), "at least the heads of its columns"
        found += foreign_in(text)
    return found


def file_by(page: Page, button: Locator) -> str:
    """The file that a button gives.

    A browser gives several files only for clicks of the last seconds; on a busy machine the answer may come after that.
    """
    for _ in range(CLICKS):
        try:
            with page.expect_download(timeout=PATIENCE_MS / 2) as waiting:
                button.click()
        except TooLate:
            continue
        return waiting.value.path().read_text()
    raise AssertionError(f"no file at {page.url}")


def test_who_looks_only_finds_nothing_that_changes_something(busy: Desk) -> None:
    with busy.open("/blocks", "viewer") as page:
        live(page)
        expect(page.get_by_role("row", name="192.168.1.50")).to_be_visible()
        assert page.get_by_role("button", name="Block").count() == 0
        assert page.get_by_role("button", name="Unblock").count() == 0
        page.keyboard.press("n")
        page.goto(f"{busy.url}/quotas")
        live(page)
        assert page.get_by_role("link", name="Grant").count() == 0
        page.goto(f"{busy.url}/people")
        expect(page.get_by_role("heading", name="People are managed by administrators")).to_be_visible()


def test_an_operator_blocks_and_grants_for_their_department_alone(busy: Desk) -> None:
    with busy.open("/blocks/new", "operator", OWN) as page:
        live(page)
        options = page.get_by_role("dialog").get_by_label("For").locator("option")
        expect(options).to_have_text(["Radiology"])
        page.goto(f"{busy.url}/quotas")
        live(page)
        assert page.get_by_role("link", name="Grant: Radiology").count() == 1
        assert page.get_by_role("link", name="Set: Radiology").count() == 0
