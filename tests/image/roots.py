"""Roots that differ from the built one in a file or two: written to partition B as an update leaves it, or in a bundle.

RAUC takes minutes to write one in QEMU. Here the built root is copied, and debugfs changes the copy.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from appliance.core.operations.update import Update, UpdateState
from image.manifest import HERE
from image.programs import COMMAND, PROGRAMS
from tests.image.conftest import BUILD_S
from tests.image.virtual import Virtual, copy, partition, put_partition, set_counters, take_partition

BUILD = "/usr/lib/appliance/build"
NEWER = "20991231T000000Z-0123456789abcdef"  # a version
TRIES = 3
UPDATED = {"BOOT_ORDER": "B A", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "3"}  # the counters when root B is confirmed
LEFT = {"BOOT_ORDER": "B A", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "0"}  # when the former root A is back, and confirmed
PROGRAM = f"{PROGRAMS}/environment/bin/appliance"
TRIAL_S = 2700  # a quarter of an hour is given to a root, and two starts

Changed = Mapping[str, bytes | None]  # path -> its new content; `None`: it is removed


def lay_update(card: Path, work: Path, build: str, changed: Changed) -> None:
    """Make root B the one that starts: the card's root A, as another build, with these files."""
    put_partition(_changed_root(card, work, build, changed), card, 3)
    set_counters(card, work, "B A", TRIES, TRIES)
    record = work / "update.json"
    record.write_text(
        Update(UpdateState.INSTALLED, "test", "", version=build, root="B", ports=("eth0", "eth1")).as_text()
    )
    for order in (
        "mkdir /state/updates",
        "rm /state/updates/update.json",
        f"write {record} /state/updates/update.json",
    ):
        _on_data(card, order)
    assert read(card, "/state/updates/update.json", start=partition(4)[0]) == record.read_bytes()


def lay_bundle(card: Path, built: Path, work: Path, build: str, changed: Changed) -> Path:
    """Lay a signed bundle onto the data partition, as /data/update.raucb: the built root, changed; return that."""
    folder = work / "update"
    folder.mkdir()
    copy(built / "appliance.img", folder / "appliance.img")
    root = _changed_root(built / "appliance.img", work, build, changed)
    put_partition(root, folder / "appliance.img", 2)
    subprocess.run([HERE / "bundle", folder], check=True, timeout=BUILD_S, stdout=subprocess.DEVNULL)
    (folder / "appliance.img").unlink()
    _on_data(card, f"write {folder}/appliance.raucb update.raucb")
    return root


def _on_data(card: Path, order: str) -> None:
    data = f"{card}?offset={partition(4)[0]}"
    subprocess.run(["debugfs", "-w", "-R", order, data], capture_output=True, check=True)


def _changed_root(card: Path, work: Path, build: str, changed: Changed) -> Path:
    root, script = work / "root.img", work / "changes"
    take_partition(card, 2, root)
    lines = []
    all_changed = {BUILD: f"{build}\n".encode(), **changed}
    for number, (path, content) in enumerate(all_changed.items()):
        lines.append(f"rm {path}")
        if content is not None:
            source = work / f"changed{number}"
            source.write_bytes(content)
            lines += [f"mkdir {Path(path).parent}", f"write {source} {path}", f"sif {path} mode 0100755"]
    script.write_text("\n".join(lines) + "\n")
    subprocess.run(["debugfs", "-w", "-f", script, root], capture_output=True, check=True)
    for path, content in all_changed.items():
        assert read(root, path) == (content or b"")
    subprocess.run(["e2fsck", "-fn", root], capture_output=True, check=True)
    return root


def program(first: str) -> bytes:
    """The appliance's program, which does this first where it is to be the service."""
    return COMMAND.replace("import sys\n", f'import sys\n\nif sys.argv[1:2] == ["run"]:\n    {first}\n').encode()


def latest_update(computer: Virtual) -> dict[str, str]:
    """The latest update, as the appliance tells it."""
    found: dict[str, str] = json.loads(computer.run("appliance update --json"))["update"]
    return found


def read(root: Path, path: str, start: int = 0) -> bytes:
    """A file of the root, or of the file system that begins there; empty where there is none."""
    command = ["debugfs", "-R", f"cat {path}", f"{root}?offset={start}"]
    return subprocess.run(command, capture_output=True, check=True).stdout
