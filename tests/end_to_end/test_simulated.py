"""The simulation, started by an ordinary user without root."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.simulator import CONFIG
from tests.client.node import NodeClient
from tests.contract.schema import examples, violations
from tests.end_to_end.installed import COMMAND
from tests.ports import reserve_port

AS_NOBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]  # no capability reaches beyond this namespace


@pytest.fixture
def port() -> Iterator[int]:
    with reserve_port() as reserved:
        yield reserved.getsockname()[1]


@pytest.fixture
def simulated(tmp_path: Path, port: int) -> Iterator[list[str]]:
    config = tmp_path / "appliance.toml"
    config.write_text(CONFIG + f'\n[server]\nhost = "127.0.0.1"\nport = {port}\n')
    place = ["--config", str(config), "--state-dir", str(tmp_path / "state")]
    program = subprocess.Popen([*AS_NOBODY, COMMAND, "run", "--simulate", *place], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert "SIMULATED" in program.stdout.readline() + program.stdout.readline()
    yield place
    program.terminate()
    assert program.wait(timeout=20) == 0


def page(port: int, path: str) -> str:
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the page does not answer")


def test_each_event_happens_within_a_minute_and_says_that_it_is_simulated(simulated: list[str], port: int) -> None:
    assert json.loads(page(port, "/healthz"))["simulated"] is True
    token = subprocess.run([COMMAND, "token", *simulated], capture_output=True, text=True, check=True).stdout.strip()
    with NodeClient(f"http://127.0.0.1:{port}", token) as client:
        client.wait_for("connect")
        client.call("analytics:subscribe", "dept123")
        deadline = time.monotonic() + 60
        for event in examples():
            client.wait_for(event, within_s=max(0.1, deadline - time.monotonic()))
        received = [one for one in client.received if one.event in examples()]
    assert all(one.data["simulated"] is True for one in received)
    assert {one.event: found for one in received if (found := violations(one.event, one.data))} == {}
    status = subprocess.run([COMMAND, "status", *simulated], capture_output=True, text=True, check=True).stdout
    assert "SIMULATED" in status
