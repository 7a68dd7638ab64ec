"""Every view in every state, for pictures and for the judge of accessibility."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Page

from appliance.core.metering.quota import Action, Limits, QuotaKind
from tests.dashboard.hospital import PROTECTED
from tests.dashboard.window import PATIENCE_MS, Line, live, settle
from tests.monitor.metering.test_departments import A
from tests.monitor.metering.test_quota_requests import Desk
from tests.server.pages.test_cut_off import GIB, Browser

SITE = "http://bank.example/"  # that a person who is cut off asks for; nothing leaves the browser
LOOK_MS = 200
LONG_AGO_S = 20  # beyond the 15 s after which the page calls its figures old


def _nothing(_page: Page, _line: Line) -> None:
    pass


@dataclass(frozen=True)
class Scene:
    """A view in a state. `role` None: nobody is logged in; `prepare` leads from the open view to the state.

    `is_alone`: it changes the window's clock or ends its session, so that no other scene can use the window after it.
    """

    name: str
    path: str
    role: str | None = "admin"
    departments: str = "*"
    language: str = "en-GB"
    prepare: Callable[[Page, Line], None] = _nothing
    is_alone: bool = False

    def show(self, page: Page, line: Line) -> None:
        """Bring an open window into the state."""
        if self.role is None:
            settle(page)
        else:
            live(page)
        self.prepare(page, line)

    @property
    def is_kiosk(self) -> bool:
        """Whether it is a wall's."""
        return self.path.startswith("/kiosk")


def _stale(page: Page, line: Line) -> None:
    line.is_held = True
    page.clock.fast_forward(LONG_AGO_S * 1000)
    page.locator(".pill.stale").first.wait_for()


def _reconnecting(page: Page, line: Line) -> None:
    line.cut()
    page.locator(".pill.reconnecting").first.wait_for()


def _say(page: Page, line: Line, event: str, data: dict[str, Any], text: str | re.Pattern[str]) -> None:
    """Let the page hear an event until it has a banner with this text: an answer on its way may say otherwise."""
    banner = page.locator(".banner", has_text=text)
    for _ in range(PATIENCE_MS // LOOK_MS):
        if banner.count():
            return
        line.say(event, data)
        page.wait_for_timeout(LOOK_MS)
    raise AssertionError(f"no banner with {text}")


def _maintenance(page: Page, line: Line) -> None:
    data = _maintenance_of("started", timedelta(minutes=-1), "Changing the switch")
    _say(page, line, "system:maintenance", data, re.compile("Maintenance until|Wartung bis"))


def _announced(page: Page, line: Line) -> None:
    data = _maintenance_of("scheduled", timedelta(hours=5), "Changing the switch")
    _say(page, line, "system:maintenance", data, "Changing the switch")


def _maintenance_of(kind: str, begins: timedelta, impact: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    facts = {"type": kind, "startTime": _text(now + begins), "duration": 3600, "impact": impact}
    return {"timestamp": _text(now), "departmentId": None, "maintenance": facts}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trial(page: Page, line: Line) -> None:
    data = {"timestamp": _text(datetime.now(UTC)), "trial": {"remaining": 90, "actor": "Anna Weber"}}
    _say(page, line, "config:trial", data, "on trial")


def _ended(page: Page, line: Line) -> None:
    line.say(
        "error", {"code": "E_UNAUTHORIZED", "message": "The token was revoked.", "timestamp": "", "departmentId": None}
    )
    line.part()
    page.get_by_role("alertdialog").wait_for()


def _updated(page: Page, line: Line) -> None:
    line.change = lambda text: text.replace('"version":"0.1.0"', '"version":"0.9.0"')
    line.drop()
    page.locator(".banner", has_text="0.9.0").wait_for()


def _incident(page: Page, _line: Line) -> None:
    page.locator("main a[href^='/incidents/']").first.click()
    page.wait_for_url("**/incidents/*")
    settle(page)


def _block(address: str) -> Callable[[Page, Line], None]:
    def fill(page: Page, _line: Line) -> None:
        page.get_by_label("Address, prefix").fill(address)
        page.locator("dialog .consequence" if address != PROTECTED else "dialog .bad").wait_for()

    return fill


def _blocked(page: Page, line: Line) -> None:
    _block("203.0.113.9")(page, line)
    page.get_by_role("button", name="Block until").click()
    page.locator(".toast").wait_for()


def _differing(page: Page, _line: Line) -> None:
    field = page.get_by_label("Text of the configuration")
    field.fill(field.input_value().replace('daily = "40 GB"', 'daily = "50 GB"').replace("health = 1", "helth = 1"))
    page.get_by_text("did you mean").first.wait_for()


def _form(page: Page, _line: Line) -> None:
    page.get_by_role("button", name="As a form").click()


def _refused(page: Page, _line: Line) -> None:
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    page.locator(".bad").wait_for()


def _panel(page: Page, _line: Line) -> None:
    page.locator("td button.main").first.click()
    page.locator(".panel .facts").wait_for()


def _rename(page: Page, line: Line) -> None:
    _panel(page, line)
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Name", exact=True).fill("Reading room, second floor")


@cache
def _notice() -> tuple[str, dict[str, str]]:
    """The page of a person who is cut off, as the appliance serves it, and its headers."""
    with TemporaryDirectory() as place:
        desk = Desk(Path(place))
        desk.appliance.reconfigure(Limits({QuotaKind.DAILY: 20 * GIB}, on_exceeded=Action.BLOCK))
        desk.appliance.kernel.pass_on(A, 5 * GIB, 15 * GIB)
        desk.appliance.step(10)
        browser = Browser(desk)
        return browser.get(), {name: value for name, value in browser.headers.items() if name != "status"}


def _cut_off(page: Page, _line: Line) -> None:
    body, headers = _notice()
    page.route(SITE, lambda route: route.fulfill(status=503, headers=headers, body=body))
    page.goto(SITE)
    page.locator("form").wait_for()


def _open_dialog(name: str) -> Callable[[Page, Line], None]:
    def click(page: Page, _line: Line) -> None:
        page.get_by_role("button", name=name).first.click()
        page.locator("dialog").wait_for()

    return click


SCENES = (
    Scene("overview", "/"),
    Scene("overview-de", "/", language="de-DE"),
    Scene("overview-stale", "/", prepare=_stale, is_alone=True),
    Scene("overview-reconnecting", "/", prepare=_reconnecting),
    Scene("overview-maintenance", "/", prepare=_maintenance),
    Scene("overview-announced", "/", prepare=_announced),
    Scene("overview-trial", "/", prepare=_trial),
    Scene("overview-viewer", "/", role="viewer", departments="radiology"),
    Scene("overview-ended", "/", prepare=_ended, is_alone=True),
    Scene("overview-updated", "/", prepare=_updated),
    Scene("departments", "/departments"),
    Scene("departments-empty", "/departments?q=nothing"),
    Scene("department", "/departments/radiology"),
    Scene("department-cut-off", "/departments/finance"),
    Scene("department-stale", "/departments/radiology", prepare=_stale, is_alone=True),
    Scene("devices", "/devices"),
    Scene("devices-open", "/devices", prepare=_panel),
    Scene("devices-rename", "/devices", prepare=_rename),
    Scene("devices-empty", "/devices?q=nothing"),
    Scene("websites", "/websites"),
    Scene("incidents", "/incidents"),
    Scene("incidents-empty", "/incidents", role="viewer", departments="guest"),
    Scene("incident", "/incidents", prepare=_incident),
    Scene("blocks", "/blocks"),
    Scene("blocks-empty", "/blocks?q=nothing"),
    Scene("blocks-add", "/blocks/new", prepare=_block("192.168.4.77")),
    Scene("blocks-refused", "/blocks/new", prepare=_block(PROTECTED)),
    Scene("blocks-undo", "/blocks/new", prepare=_blocked),
    Scene("blocks-viewer", "/blocks", role="viewer"),
    Scene("quotas", "/quotas"),
    Scene("quotas-grant", "/quotas/finance/grant", prepare=lambda page, _: page.locator("dialog").wait_for()),
    Scene("quotas-limit", "/quotas/finance/limit", prepare=lambda page, _: page.locator("dialog").wait_for()),
    Scene("reports", "/reports"),
    Scene("report", f"/reports/radiology/{datetime.now(UTC):%G-W%V}"),
    Scene("maintenance", "/maintenance"),
    Scene("maintenance-running", "/maintenance", prepare=_maintenance),
    Scene("maintenance-announced", "/maintenance", prepare=_announced),
    Scene("appliance", "/appliance"),
    Scene("people", "/people"),
    Scene("people-add", "/people", prepare=_open_dialog("Add somebody")),
    Scene("people-forbidden", "/people", role="viewer"),
    Scene("audit", "/audit"),
    Scene("settings", "/settings/configuration"),
    Scene("settings-differing", "/settings/configuration", prepare=_differing),
    Scene("settings-form", "/settings/configuration", prepare=_form),
    Scene("settings-trial", "/settings/configuration", prepare=_trial),
    Scene("settings-notifications", "/settings/notifications"),
    Scene("settings-notifications-de", "/settings/notifications", language="de-DE"),
    Scene("settings-browser", "/settings/browser"),
    Scene("settings-forbidden", "/settings/configuration", role="viewer"),
    Scene("more", "/more"),
    Scene("nothing-here", "/departments/nobody"),
    Scene("kiosk", "/kiosk"),
    Scene("kiosk-stale", "/kiosk", prepare=_stale, is_alone=True),
    Scene("login", "/login", role=None),
    Scene("login-refused", "/login", role=None, prepare=_refused),
    Scene("first", "/first", role=None),
    Scene("cut-off", "/login", role=None, prepare=_cut_off),
)
