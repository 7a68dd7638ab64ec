"""A browser's windows on the page: Debian's Chromium, driven by Playwright; what the page must never do is recorded."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright

from tests.client.browser import CHROMIUM

# No sandbox: the tests are root in a container.
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
PATIENCE_MS = 90_000  # how long an awaited state may take on a busy machine before the test gives up
AXE = Path(__file__).parents[1] / "client/node_modules/axe-core/axe.min.js"

PHONE, DESK, WALL = (360, 780), (1440, 900), (1920, 1080)
# A token lies in the tab as after a login; a later visit of the same tab finds what the page has made of it.
ONCE = """
try { if (!sessionStorage.given) { sessionStorage.given = 'yes'; sessionStorage.token = %s; } }
catch { /* forbidden */ }
"""
TURN = "(path) => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }"
# What a person sees as wrong although nothing failed. The browser itself reports each request that was refused or lost;
# tests of those do not ask for this.
COMPLAINTS = ("error", "warning")


@contextmanager
def chromium(*arguments: str, executable: str = CHROMIUM) -> Iterator[Browser]:
    """A browser without a screen, closed at the end."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*OPTIONS, *arguments])
        yield browser
        browser.close()


@dataclass
class Line:
    """The page's connection as it passes the test: it can be held, cut, and told what the appliance did not say."""

    frames: list[tuple[str, str]] = field(default_factory=list)  # (up or down, text)
    is_held: bool = False  # nothing passes, and nobody hears of it
    is_cut: bool = False  # no connection is made
    change: Callable[[str], str] = str  # what the page hears of what the appliance says
    _routes: list[WebSocketRoute] = field(default_factory=list)

    def serve(self, to_page: WebSocketRoute) -> None:
        """Take a connection that the page makes."""
        if self.is_cut:
            to_page.close()
            return
        to_server = to_page.connect_to_server()
        self._routes.append(to_page)

        def up(text: str | bytes) -> None:
            self.frames.append(("up", str(text)))
            if not self.is_held:
                to_server.send(text)

        def down(text: str | bytes) -> None:
            self.frames.append(("down", str(text)))
            if not self.is_held:
                to_page.send(self.change(str(text)))

        to_page.on_message(up)
        to_server.on_message(down)

    def say(self, event: str, data: Any) -> None:
        """Let the page hear an event."""
        self._routes[-1].send(f"42{json.dumps([event, data])}")

    def part(self) -> None:
        """Let the page hear that the appliance ends its session's connection."""
        self._routes[-1].send("41")

    def cut(self) -> None:
        """End the connection, and let no other be made."""
        self.is_cut = True
        self.drop()

    def drop(self) -> None:
        """End the connection; the page may make another."""
        self._routes[-1].close()

    def events(self, name: str) -> list[Any]:
        """What the page was told by this event, in order."""
        found = (json.loads(text[2:]) for way, text in self.frames if way == "down" and text.startswith('42["'))
        return [data for event, data in found if event == name]

    def texts(self) -> str:
        """All that the page was sent."""
        return "\n".join(text for way, text in self.frames if way == "down")


class Windows:
    """Windows on one appliance."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser, self.url = browser, url

    @contextmanager
    def open(
        self,
        path: str = "/",
        token: str | None = None,
        *,
        size: tuple[int, int] = DESK,
        scheme: str = "light",
        language: str = "en-GB",
        line: Line | None = None,
        script: str = "",
        **options: Any,
    ) -> Iterator[Page]:
        """A window of a person whose computer knows nothing yet. `token`: they are logged in.

        `script`: runs before the page's own. The browser's zone is not the appliance's. At the end, the page has logged
        no error and thrown none.
        """
        width, height = size
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            locale=language,
            timezone_id="Pacific/Auckland",
            reduced_motion="reduce",  # no colour is on its way to another
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        try:
            if token is not None:
                context.add_init_script(ONCE % json.dumps(token))
            if script:
                context.add_init_script(script)
            page = context.new_page()
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda said: _note(faults, said.type, said.text))
            if line is not None:
                page.route_web_socket("**/socket.io/**", line.serve)
            page.goto(f"{self.url}{path}")
            yield page
            assert [one for one in faults if "violat" in one or "rror:" in one] == []
        finally:
            context.close()


def _note(faults: list[str], kind: str, text: str) -> None:
    if kind in COMPLAINTS and "Failed to load resource" not in text and "WebSocket connection" not in text:
        faults.append(text)


def settle(page: Page) -> None:
    """Wait until the view is there and nothing in it is waited for any more."""
    page.locator("h1, h2, h3").first.wait_for()
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=PATIENCE_MS)


def go_to(page: Page, view: str) -> None:
    """Choose a view in the rail; sentences beside it also link to views by their names."""
    page.locator("a.nav", has_text=view).click()


def turn_to(page: Page, path: str) -> None:
    """Show another view of the page that is open, as its links do."""
    page.evaluate(TURN, path)


def live(page: Page) -> None:
    """Wait until figures arrive."""
    page.locator(".pill b", has_text="Live").first.wait_for()
    settle(page)
