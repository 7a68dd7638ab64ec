"""An old tab after an update of the appliance says so; a part of the page that is gone is no blank page."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.dashboard.window import Line, Windows, go_to, live
from tests.documents import PROJECT
from tests.end_to_end.simulated import Simulated


class Copied:
    """A simulated service with programs and a page of its own, which can be updated."""

    def __init__(self, folder: Path) -> None:
        ignored = shutil.ignore_patterns("node_modules", "src", "__pycache__")
        shutil.copytree(PROJECT / "appliance", folder / "appliance", ignore=ignored)
        self._page = folder / "appliance/dashboard/dist"
        self.service = Simulated(folder, environment={"PYTHONPATH": str(folder)})
        self.service.start()
        self.token = self.service.cli("token", "--role", "admin", "--departments", "*").stdout.strip()

    def update(self) -> None:
        """Start the service again with a page whose files have other names, as a build of other sources has."""
        self.service.stop()
        names = [one.name for one in (self._page / "assets").iterdir() if one.suffix in {".js", ".css"}]
        for one in [*self._page.rglob("*.br"), *self._page.rglob("*.gz")]:
            one.unlink()
        for one in [self._page / "index.html", *((self._page / "assets") / name for name in names)]:
            text = one.read_text()
            for name in names:
                text = text.replace(name, f"other-{name}")
            one.write_text(text)
        for name in names:
            (self._page / "assets" / name).rename(self._page / "assets" / f"other-{name}")
        self.service.start()


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Copied]:
    one = Copied(tmp_path)
    yield one
    one.service.close()


def test_an_old_tab_is_told_to_reload_and_loads_the_new_page(copied: Copied, browser: Browser) -> None:
    with Windows(browser, f"http://127.0.0.1:{copied.service.port}").open("/", copied.token) as page:
        live(page)
        copied.update()
        banner = page.locator(".banner", has_text="This page is the one of before.")
        expect(banner).to_be_visible()
        go_to(page, "Quotas")  # its code is gone
        expect(page.get_by_role("heading", name="This view could not be loaded")).to_be_visible()
        banner.get_by_role("button", name="Reload").click()
        expect(page.get_by_role("heading", name="Quotas", level=1)).to_be_visible()
        expect(banner).to_have_count(0)


def test_a_kiosk_loads_the_new_page_by_itself(copied: Copied, browser: Browser) -> None:
    with Windows(browser, f"http://127.0.0.1:{copied.service.port}").open("/kiosk", copied.token) as page:
        live(page)
        copied.update()
        expect(page.locator("script[src*='/other-']")).to_have_count(1)
        live(page)


def test_a_kiosk_reloads_once_for_a_version_and_then_says_that_its_page_is_old(desk) -> None:
    line, loads = Line(), []
    with desk.open("/kiosk", line=line) as page:
        live(page)
        page.on("load", lambda _: loads.append(1))
        # What a cache in front of the appliance may do: the kiosk's own page stays the old one.
        page.route(f"{desk.url}/", lambda route: route.fulfill(body='<script src="/assets/new.js"></script>'))
        line.drop()
        page.wait_for_event("load")
        live(page)
        with page.expect_response(f"{desk.url}/"):
            line.drop()
        expect(page.locator(".foot")).to_contain_text("This page is the one of before.")
        live(page)
        assert len(loads) == 1


def test_another_version_is_named(desk, browser: Browser) -> None:
    line = Line()
    with desk.open("/", line=line) as page:
        live(page)
        line.change = lambda text: text.replace('"version":"', '"version":"9.')
        line.drop()
        expect(page.locator(".banner", has_text="It runs version 9.")).to_be_visible()
