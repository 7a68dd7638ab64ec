"""The panel on a real GPIO chip, in QEMU: a PL061, whose lines the test sees and moves from outside of the computer.

The program takes pins for real where the device tree calls the board a Raspberry Pi: the test makes QEMU such a tree.
"""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.node import NodeClient
from tests.image.conftest import CONFIGURATION, Note
from tests.image.virtual import PATIENCE_S, UNWATCHED, Virtual, device_tree

pytestmark = pytest.mark.slow

# Line 3 is the machine's power button.
BUTTON, STATUS, ALERT, ACTIVITY = 7, 4, 5, 6
PANEL = f"[panel]\nbutton = {BUTTON}\nled_status = {STATUS}\nled_alert = {ALERT}\nled_activity = {ACTIVITY}\nhold = 1\n"
# Of the chip (ARM DDI 0190): all lines' data, and which are outputs.
DATA, DIRECTION = 0x9030000 + 0x3FC, 0x9030000 + 0x400


class Chip:
    """The chip's lines, by QEMU's protocols: QMP tells where the chip is, qtest moves and reads lines."""

    def __init__(self, monitor: Path, lines: Path) -> None:
        self._monitor, self._lines = connected(monitor), connected(lines)
        self._ask("qmp_capabilities")
        found = self._ask("qom-list", path="/machine/unattached")
        [name] = [one["name"] for one in found if one["type"] == "child<pl061>"]
        self._path = f"/machine/unattached/{name}"

    def _ask(self, command: str, **arguments: str) -> list[dict[str, str]]:
        self._monitor.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._monitor.flush()
        while "return" not in (answer := json.loads(self._monitor.readline())):
            assert "error" not in answer, answer
        return answer["return"]

    def _test(self, words: str) -> str:
        self._lines.write(f"{words}\n".encode())
        self._lines.flush()
        answer = self._lines.readline().decode()
        assert answer.startswith("OK"), answer
        return answer.removeprefix("OK").strip()

    def drive(self, line: int, level: int) -> None:
        """Bring an input to this level."""
        self._test(f"set_irq_in {self._path} unnamed-gpio-in {line} {level}")

    def is_output(self, line: int) -> bool:
        """Whether the computer drives this line."""
        return bool(int(self._test(f"readb {DIRECTION:#x}"), 16) >> line & 1)

    def level(self, line: int) -> int:
        """The level of a line."""
        return int(self._test(f"readb {DATA:#x}"), 16) >> line & 1

    def wait_for(self, line: int, level: int) -> None:
        """Wait until a line has this level; one that blinks has it in turn."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.level(line) != level:
            assert time.monotonic() < deadline_s, f"line {line} stays {1 - level}"
            time.sleep(0.05)


def connected(path: Path) -> socket.SocketIO:
    """A connection to one of QEMU's sockets, which is there when it has started."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    made = socket.socket(socket.AF_UNIX)
    made.connect(str(path))
    return made.makefile("rwb")  # type: ignore[return-value]


def tree_of_a_pi(path: Path) -> None:
    """Write the machine's device tree, with a Pi 4's name and revision."""
    device_tree(path)
    subprocess.run(["fdtput", "-t", "s", path, "/", "model", "Raspberry Pi 4 Model B Rev 1.1"], check=True)
    subprocess.run(["fdtput", "-c", path, "/system"], check=True)
    subprocess.run(["fdtput", "-t", "x", path, "/system", "linux,revision", "c03111"], check=True)


@pytest.fixture
def virtual(built: Path, settled: Path, tmp_path: Path) -> Iterator[Virtual]:
    tree = tmp_path / "pi.dtb"
    tree_of_a_pi(tree)
    (tmp_path / "appliance.toml").write_text(CONFIGURATION + PANEL)
    sockets = f"-qmp unix:{tmp_path}/monitor,server=on,wait=off -qtest unix:{tmp_path}/lines,server=on,wait=off"
    environment = {"APPLIANCE_QEMU": f"{UNWATCHED['APPLIANCE_QEMU']} -dtb {tree} {sockets} -qtest-log none"}
    with Virtual(built, tmp_path, card=settled, environment=environment) as computer:
        computer.power_on(tmp_path / "appliance.toml")
        yield computer


def test_lamps_burn_and_a_press_begins_maintenance(virtual: Virtual, tmp_path: Path, note: Note) -> None:
    chip = Chip(tmp_path / "monitor", tmp_path / "lines")
    chip.drive(BUTTON, 1)  # open: a Pi's own pull-up, which this chip does not have
    token = json.loads(virtual.run("appliance token --role operator --departments '*' --json"))["token"]
    with NodeClient(virtual.url, token) as client:
        client.wait_for("system:health", within_s=PATIENCE_S)
        assert [chip.is_output(line) for line in (STATUS, ALERT, ACTIVITY, BUTTON)] == [True, True, True, False]
        chip.wait_for(STATUS, 1)
        assert client.named("system:maintenance") == []
        chip.drive(BUTTON, 0)
        begun = client.wait_for("system:maintenance", within_s=PATIENCE_S)["maintenance"]
        chip.drive(BUTTON, 1)
    assert "begun at the appliance" in begun["impact"]
    for level in (0, 1):
        chip.wait_for(STATUS, level)  # it blinks
    note("GPIO chip", "LED outputs driven; a press held at the input begins maintenance, and the status LED blinks")
