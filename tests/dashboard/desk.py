"""Somebody's desk: the windows of a browser on a simulated appliance, and tokens for who sits there."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from playwright.sync_api import Browser, Page

from tests.dashboard.hospital import BLOCKS
from tests.dashboard.window import Windows
from tests.end_to_end.installed import COMMAND
from tests.end_to_end.simulated import Simulated
from tests.tokens import issued


class Desk:
    """The windows on this service."""

    def __init__(self, browser: Browser, service: Simulated) -> None:
        self.service = service
        self.url = f"http://127.0.0.1:{service.port}"
        self._windows = Windows(browser, self.url)
        self.token = cache(self._token)

    def _token(self, role: str = "admin", departments: str = "*") -> str:
        return issued(self.service.state, role, None if departments == "*" else departments.split(","))

    @contextmanager
    def open(
        self, path: str = "/", role: str | None = "admin", departments: str = "*", **options: Any
    ) -> Iterator[Page]:
        """A window of somebody with this role; `None`: nobody is logged in."""
        token = None if role is None else self.token(role, departments)
        with self._windows.open(path, token, **options) as page:
            yield page

    def furnish(self) -> None:
        """Block what is blocked in a hospital that has run for a while."""
        for block in BLOCKS:
            assert self.service.ask("ip:block", block)["success"]

    def revoke(self, token: str) -> None:
        """Take a token back, by the command line."""
        state = ["--state-dir", str(self.service.folder / "state")]
        subprocess.run([COMMAND, "token", "revoke", token, *state], check=True, timeout=60)
