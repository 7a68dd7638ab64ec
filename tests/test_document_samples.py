"""The samples in the documents work as they are printed: configurations load, and programs run against the service."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import parse
from tests.documents import Block, blocks
from tests.end_to_end.simulated import Simulated

CLIENT = Path(__file__).with_name("client")  # where socket.io-client is installed
PATIENCE_S = 60

# What a sample may use of the first one in the README, in the order in which it is made.
MADE = {
    "io": "const { io } = require('socket.io-client');",
    "url": "const url = process.env.APPLIANCE_URL;",
    "token": "const token = process.env.APPLIANCE_TOKEN;",
    "socket": "const socket = io(url, { auth: { token } });",
}
# A word of a program -> what it prints when it works.
PRINTS = {
    "site:list": "Sites:",
    "device:list": "Devices:",
    "report:get": "Counted are the bytes",
    "appliance:get": "Radiology",
    "usage:update": "bytesTransferred",
    "incident:mute": "host_sweep by 192.168.1.5 covers",
    "reconnect_attempt": "Connected with ID",
    "since": "security:incident",
    "analytics:subscribe": "Successfully subscribed",
    "idempotencyKey": "2 Blocked at",
    "ip:block": "2 blocked",
    "history:get": "[",
    "token:renew": "Renewed: true",
}

# What a sample of a configuration leaves out because another sample has it.
REQUIRED = {
    "[appliance]": '[appliance]\nposition = "gateway"\n',
    "[[departments]]": '[[departments]]\nid = "dept123"\ninterface = "eth1"\n',
}
_MARKED = re.compile(r"^\[(\w+)\] # defaults", re.MULTILINE)


def whole(sample: str) -> str:
    """A sample as a whole file."""
    return "\n".join([sample, *(text for table, text in REQUIRED.items() if table not in sample)])


@pytest.mark.parametrize("sample", blocks("toml"), ids=lambda sample: sample.where)
def test_a_configuration_loads(sample: Block) -> None:
    parse(whole(sample.text).encode(), sample.where)


@pytest.mark.parametrize("sample", blocks("toml"), ids=lambda sample: sample.where)
def test_a_table_that_is_marked_so_shows_the_defaults(sample: Block) -> None:
    shown, default = parse(whole(sample.text).encode(), sample.where), parse(whole("").encode(), "")
    for section in _MARKED.findall(sample.text):
        assert getattr(shown, section) == getattr(default, section), f"{sample.where}: [{section}]"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    simulated = Simulated(tmp_path_factory.mktemp("samples"))
    try:
        simulated.start()
        yield simulated
    finally:
        simulated.close()


@pytest.fixture(scope="module")
def environment(service: Simulated) -> dict[str, str]:
    token = service.cli("token", "--role", "admin").stdout.strip()
    return {**os.environ, "APPLIANCE_URL": f"http://127.0.0.1:{service.port}", "APPLIANCE_TOKEN": token}


@pytest.mark.parametrize("sample", blocks("javascript"), ids=lambda sample: sample.where)
def test_a_program_runs_as_it_is_printed(sample: Block, environment: dict[str, str], tmp_path: Path) -> None:
    expected = next((shown for word, shown in PRINTS.items() if word in sample.text), None)
    assert expected, f"{sample.where}: PRINTS does not say what this program prints"
    shown = output(sample.text, expected, environment, tmp_path / "errors")
    assert expected in shown, f"{sample.where}: {shown}"
    assert (tmp_path / "errors").read_text() == "", sample.where


def output(sample: str, expected: str, environment: dict[str, str], errors: Path) -> str:
    """What the program prints until it has printed what is expected of it, or an error."""
    made = [text for name, text in MADE.items() if not re.search(rf"\b(const|let) (\{{ )?{name}\b", sample)]
    with errors.open("w") as error_file:
        process = subprocess.Popen(
            ["timeout", str(PATIENCE_S), "node", "-"],
            cwd=CLIENT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=error_file,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n".join([*made, sample]))
    process.stdin.close()
    shown = ""
    while expected not in shown and (line := process.stdout.readline()):
        shown += line
    process.terminate()
    process.wait(PATIENCE_S)
    process.stdout.close()
    return shown + errors.read_text()
