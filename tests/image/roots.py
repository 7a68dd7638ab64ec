"""Roots that differ from the built one in a file or two, written to partition B as an update leaves it.

RAUC takes minutes to do so in QEMU. Here the built root is copied, and debugfs changes the copy.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.image.virtual import put_partition, set_counters, take_partition

BUILD = "/usr/lib/appliance/build"
TRIES = 3

Changed = Mapping[str, bytes | None]  # path -> its new content; `None`: it is removed


def lay_update(card: Path, work: Path, build: str, changed: Changed) -> None:
    """Make root B the one that starts: the card's root A, as another build, with these files."""
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
    put_partition(root, card, 3)
    set_counters(card, work, "B A", TRIES, TRIES)


def read(root: Path, path: str) -> bytes:
    """A file of a root; empty where there is none."""
    return subprocess.run(["debugfs", "-R", f"cat {path}", root], capture_output=True, check=True).stdout
