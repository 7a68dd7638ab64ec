"""On a full or damaged medium the network goes on, the books are kept, and every client sees the trouble."""

import random
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.core.moment import timestamp
from tests.client.node import NodeClient
from tests.end_to_end.installed import DEPARTMENT, Installed, IpBytes
from tests.lab.network import WEB_V4, Network

QUOTA = '[departments.quota]\ndaily = "1 GB"\n'
DAILY = {"departmentId": DEPARTMENT, "type": "daily"}
TRIES = 150  # the log has a megabyte from the start, which is for 50 orders of 100 blocks


class SmallDisk:
    """A separate medium, mounted at a folder."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Fill it to the last byte."""
        with self._filler.open("ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass

    def make_room(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M,mode=700", "tmpfs", state], check=True)
    yield SmallDisk(state)
    subprocess.run(["umount", "--lazy", state], check=True)


def refused(client: NodeClient, disk: SmallDisk, event: str, argument: Callable[[int], dict[str, Any]]) -> str:
    """The message that refuses the call as soon as the medium is full."""
    for number in range(TRIES):
        disk.fill()
        answer = client.call(event, argument(number))
        if not answer["success"]:
            assert answer["code"] == "E_MAINTENANCE"
            return str(answer["error"])
    raise AssertionError(f"a full disk takes {TRIES} times {event}")


def test_on_a_full_disk_metering_goes_on_and_orders_are_refused_until_there_is_room(
    gateway: Network, tmp_path: Path, disk: SmallDisk
) -> None:
    gateway.start_iperf3()
    line = IpBytes(gateway)
    appliance = Installed(gateway, tmp_path, QUOTA)
    appliance.start()
    tomorrow = timestamp(datetime.now(UTC) + timedelta(days=1))
    with appliance.client() as client:
        before, told = line.in_step_with(client)
        orders: dict[str, Callable[[int], dict[str, Any]]] = {
            "ip:block": lambda number: {"addresses": [f"203.0.{number}.{host}" for host in range(1, 101)]},
            "quota:set": lambda number: {**DAILY, "limit": 2_000_000_000 + number},
            "quota:extend": lambda number: {**DAILY, "bytes": 1_000_000, "reason": "an exam"},
            "maintenance:start": lambda number: {"duration": 60 + number, "startTime": tomorrow},
        }
        for event, argument in orders.items():
            assert "make room" in refused(client, disk, event, argument)
        blocks = client.call("ip:list")["total"]
        quota = daily(client)
        client.wait_for("system:health", lambda data: any("nearly full" in one for one in troubles(data)))
        client.wait_for("system:health", lambda data: any("kept in memory" in one for one in troubles(data)))
        client.wait_for("department:status", lambda data: "nearly full" in "".join(data["status"].get("reasons", [])))
        gateway.hosts[0].run(["iperf3", "-c", WEB_V4[0], "-n", "20M"])
        carried = line.at_rest() - before
        client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] == told + carried)
    appliance.kill()
    with appliance, appliance.client() as client:
        client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] == told + carried)
        assert client.call("ip:list")["total"] == blocks
        assert (daily(client)["limit"], daily(client)["granted"]) == (quota["limit"], quota["granted"])
        disk.make_room()
        assert client.call("quota:extend", {**DAILY, "bytes": 1_000_000, "reason": "an exam"})["success"] is True
        client.wait_for("system:health", lambda data: not troubles(data))


def daily(client: NodeClient) -> dict[str, Any]:
    return next(one for one in client.call("quota:get", DEPARTMENT)["quotas"] if one["type"] == "daily")


def troubles(health: dict[str, Any]) -> list[str]:
    found: list[str] = health["status"].get("troubles", [])
    return found


def overwrite_ledger(path: Path) -> None:
    with closing(sqlite3.connect(path)) as disk:
        [page] = disk.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ledger'").fetchone()
        [size] = disk.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(random.Random(1).randbytes(size))


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute(statement)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no database": lambda path: path.write_bytes(random.Random(1).randbytes(8192)),
    "a page": overwrite_ledger,
    "a row": lambda path: execute(path, "UPDATE ledger SET raised = 'x'"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_moved_aside_and_the_books_begin_with_what_the_kernel_s_meters_show(
    gateway: Network, tmp_path: Path, damage: str
) -> None:
    gateway.start_iperf3()
    line = IpBytes(gateway)
    appliance = Installed(gateway, tmp_path)
    appliance.start()
    with appliance.client() as client:
        appliance.cli("block", "203.0.113.1")
        before, told = line.in_step_with(client)
        gateway.hosts[0].run(["iperf3", "-c", WEB_V4[0], "-n", "20M"])
    assert appliance.stop() == 0
    path = appliance.state / "appliance.sqlite3"
    DAMAGES[damage](path)
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        [aside] = appliance.state.glob("appliance.sqlite3.damaged-*")
        health = client.wait_for("system:health", lambda data: any(str(aside) in one for one in troubles(data)))
        [issue] = [one for one in health["status"]["issues"] if str(aside) in one["cause"]]
        assert (issue["id"], issue["severity"]) == ("state", "high")
        client.wait_for("department:status", lambda data: str(aside) in "".join(data["status"].get("reasons", [])))
        assert [one["address"] for one in client.call("ip:list")["blocks"]] == (
            [] if damage == "no database" else ["203.0.113.1"]
        )
        assert appliance.program is not None
        assert "appliance.sqlite3 is damaged" in appliance.program.output
        expected = told + line.at_rest() - before
        client.wait_for("usage:update", count=3)
        aside.unlink()
        client.wait_for("system:health", lambda data: not troubles(data))
    with closing(sqlite3.connect(path)) as disk:
        [charged] = disk.execute("SELECT sum(used_bytes) FROM ledger WHERE kind = 'daily'").fetchone()
    assert charged == expected
