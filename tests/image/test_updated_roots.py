"""What comes after an update, in QEMU: a root that does not start is left, and the former one is back.

The update is laid as RAUC leaves it (`tests.image.roots`).
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.image.conftest import Note
from tests.image.roots import Changed, lay_update
from tests.image.virtual import Virtual

pytestmark = pytest.mark.slow

KERNEL, INITRAMFS, SYSTEM = "/boot/vmlinuz", "/boot/initrd", "/usr/lib/systemd/systemd"
GARBAGE = bytes(range(256)) * 4096

# What is wrong with the update -> what differs from the good root, and how many tries are left when it is passed over.
BROKEN: Mapping[str, tuple[Changed, int]] = {
    "no kernel": ({KERNEL: None}, 2),
    "a kernel of garbage": ({KERNEL: GARBAGE}, 2),
    "no initramfs": ({INITRAMFS: None}, 2),
    "an initramfs of garbage": ({INITRAMFS: GARBAGE}, 0),
    "no system": ({SYSTEM: None}, 0),
    "a system that hangs": ({SYSTEM: b"#!/bin/sh\nexec sleep infinity\n"}, 0),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_after_an_update_that_does_not_work_the_former_root_is_back_by_itself(
    built: Path, settled: Path, tmp_path: Path, note: Note, fault: str
) -> None:
    changed, left = BROKEN[fault]
    with Virtual(built, tmp_path, card=settled) as computer:
        lay_update(computer.card, tmp_path, "broken", changed)
        computer.power_on()
        computer.wait_for(r"Root A; 2 more tries(.|\n)*m - Local File Systems\.", patience_s=2700)
        tries = len(computer.tries("B"))
        assert computer.counters() == {"BOOT_ORDER": "B A", "BOOT_A_LEFT": "2", "BOOT_B_LEFT": str(left)}
        assert tries == 3 - left
        note(f"an update with {fault}", f"root B tried {tries} times, then root A runs; B has {left} tries left")
