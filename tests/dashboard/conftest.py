"""One browser for all tests of the page, and a simulated appliance with eight departments for each file."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.dashboard.desk import Desk
from tests.dashboard.hospital import CONFIG
from tests.dashboard.window import PATIENCE_MS, chromium
from tests.end_to_end.simulated import Simulated

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def desk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    service = Simulated(tmp_path_factory.mktemp("hospital"), config=CONFIG)
    service.start()
    yield Desk(browser, service)
    service.close()
