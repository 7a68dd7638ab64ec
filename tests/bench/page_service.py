"""The service that the page's bench looks at: simulated, with 64 departments and 2,048 devices, and a month of history.

It is the whole service in a process of its own, so that the page is sent what an appliance sends.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from zoneinfo import ZoneInfo

from appliance.core.metering.history_series import ALL_HOSTS, Step, bucket_of
from appliance.server import access
from appliance.server.access import Role
from appliance.system.storage.history_store import SqliteHistoryStore
from appliance.system.storage.secret_file import load_secret
from tests.bench.rivals import resident_bytes
from tests.ports import reserve_port

DEPARTMENTS = 64
DEVICES = 32  # of each; the simulator's own departments have fewer
HISTORY_HOURS = 30 * 24
ZONE = "Europe/Berlin"

_HEAD = f"""\
[appliance]
position = "gateway"
timezone = "{ZONE}"

[periods]
metering = 1
analytics = 1
health = 5
"""
# Every sixteenth runs out within the day, which the page tells; the others have more than they use.
_ROW = """
[[departments]]
id = "department{index}"
name = "Department {index}"
interface = "eth{index}"
subnets = ["10.{index}.0.0/16"]
line_rate = "250 Mbit"

[departments.quota]
daily = "{daily}"
monthly = "4 TB"
"""
_PROGRAM = """
import sys
from appliance.simulator import network
network.DEVICES = int(sys.argv.pop(1))
from appliance.cli.main import main
main()
"""


def _configuration(port: int, departments: int) -> str:
    rows = (
        _ROW.format(index=index, daily="200 MB" if index % 16 == 0 else "200 GB") for index in range(1, departments + 1)
    )
    return f'{_HEAD}[server]\nhost = "127.0.0.1"\nport = {port}\n{"".join(rows)}'


class PageService:
    """One service. `environment`: what its process has beside that of this one."""

    def __init__(
        self, folder: Path, departments: int = DEPARTMENTS, environment: Mapping[str, str] | None = None
    ) -> None:
        self._reserved = reserve_port()
        port = self._reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        self._departments = departments
        folder.mkdir(exist_ok=True)
        config = folder / "appliance.toml"
        config.write_text(_configuration(port, departments))
        config.chmod(0o640)
        options = ["run", "--simulate", "--config", str(config), "--state-dir", str(folder)]
        program = [sys.executable, "-c", _PROGRAM, str(DEVICES), *options]
        self._out = (folder / "out").open("wb")  # a pipe that nobody reads would stop the service
        self._process = subprocess.Popen(
            program,
            stdout=self._out,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONWARNINGS": "ignore", **(environment or {})},
        )

    def wait(self) -> None:
        """Wait until it serves."""
        while b"Token:" not in (self._folder / "out").read_bytes():
            assert self._process.poll() is None, "the service did not start"
            sleep(0.1)

    def token(self) -> str:
        """A token of an administrator."""
        return access.issue(load_secret(self._folder), Role.ADMIN, None, 36000, "bench", datetime.now(UTC))

    def resident_bytes(self) -> int:
        return resident_bytes(self._process.pid)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(20)
        self._out.close()
        self._reserved.close()


@contextmanager
def serving(
    folder: Path, departments: int = DEPARTMENTS, environment: Mapping[str, str] | None = None
) -> Iterator[PageService]:
    """A service that answers, until the end."""
    one = PageService(folder, departments, environment)
    try:
        one.wait()
        yield one
    finally:
        one.close()


def remember(folder: Path) -> None:
    """Give a folder whose service does not run yet a month of history, by the hour, of every department."""
    sizes = random.Random(1)
    now = bucket_of(Step.HOUR, datetime.now(UTC), ZoneInfo(ZONE))
    store = SqliteHistoryStore(folder / "simulated-history.sqlite3")
    for index in range(1, DEPARTMENTS + 1):
        hours = {
            (Step.HOUR, now - back): (int(sizes.lognormvariate(18, 1)), int(sizes.lognormvariate(20, 1)))
            for back in range(1, HISTORY_HOURS)
        }
        assert store.accumulate({(f"department{index}", ALL_HOSTS): hours}) is None
    store.close()
