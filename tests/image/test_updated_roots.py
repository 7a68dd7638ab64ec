"""What comes after an update, in QEMU: a good root is confirmed; one that does not start, or does not work, is left.

The update is laid as RAUC leaves it (`tests.image.roots`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.image.conftest import Note
from tests.image.roots import LEFT, NEWER, PROGRAM, TRIAL_S, UPDATED, Changed, latest_update, lay_update, program
from tests.image.virtual import UNWATCHED, Virtual, confirmed, hasty

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


# What is wrong with the update -> what differs from the good root, and the reason that is told afterwards.
IDLE: Mapping[str, tuple[Changed, str]] = {
    "a service that crashes at its start": (
        {PROGRAM: program('raise RuntimeError("a fault of this version")')},
        "RuntimeError: a fault of this version",
    ),
}


@pytest.mark.parametrize("fault", IDLE)
def test_after_an_update_that_does_not_do_its_work_the_former_version_is_back_and_says_why(
    built: Path, settled: Path, tmp_path: Path, note: Note, fault: str
) -> None:
    changed, reason = IDLE[fault]
    with Virtual(built, tmp_path, card=settled, environment=hasty(tmp_path, 3)) as computer:
        lay_update(computer.card, tmp_path, NEWER, changed)
        computer.power_on()
        computer.wait_for("Root B; 2 more tries")
        computer.wait_for("Root A; . more tries", patience_s=TRIAL_S)
        assert computer.tries("B") == ["2"]
        computer.wait_for(confirmed("A"))
        assert computer.counters() == LEFT
        found = latest_update(computer)
    assert (found["version"], found["state"]) == (NEWER, "returned")
    assert reason in found["reason"]
    note(f"an update with {fault}", f"root A is back after one start of root B; {found['reason']}")


@pytest.fixture(scope="module")
def updated(built: Path, settled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Virtual]:
    """A computer after its first start with a good update."""
    work = tmp_path_factory.mktemp("updated")
    with Virtual(built, work, card=settled, environment=UNWATCHED) as computer:
        lay_update(computer.card, work, NEWER, {})
        computer.power_on()
        computer.wait_for(confirmed("B"))
        yield computer


def test_a_good_update_is_confirmed(updated: Virtual, note: Note) -> None:
    assert updated.tries("B") == ["2"]
    assert updated.counters() == UPDATED
    found = latest_update(updated)
    assert (found["version"], found["state"], found["reason"]) == (NEWER, "confirmed", None)
    note("a good update", "root B is confirmed at its first start, with all its tries again")


# How far a start has come when its power is taken, by what the serial line shows; systemd shortens long lines,
# and after the prompt it shows none: the service itself starts then.
MOMENTS = (
    "Root B; 2 more tries",
    "Starting kernel",
    "Welcome to",
    "Finished .*the data partition",
    "Reached target .*m - Local File Systems",
    "Finished .*was laid on the boot partition",
    "Finished .*the network of its position",
    "Finished .*before the network forwards",
    "Started .*Secure Shell server",
    "appliance login:",
)
BLOCKED = "203.0.113.9"


def test_ten_restarts_and_ten_power_cuts_later_root_b_runs_with_its_tries(updated: Virtual, note: Note) -> None:
    updated.run(f"appliance block {BLOCKED} --duration 1d --reason test")
    for moment in MOMENTS:
        updated.restart()  # before the root has proved itself again, but for the first time
        assert updated.counters_at_starts()[-1] == ("B A", "3", "3")
        updated.wait_for(rf"(?s:Boot counters:.*Boot counters:.*){moment}")
        updated.power_off()
        updated.power_on()
        updated.run("true")
        assert updated.counters_at_starts() == [("B A", "3", "2")]
    updated.wait_for(confirmed("B"))
    assert updated.counters() == UPDATED
    assert updated.tries("A") == []
    assert latest_update(updated)["state"] == "confirmed"
    assert BLOCKED in updated.run("systemctl start appliance && appliance status")
    number = len(MOMENTS)
    seen = "root B each time, and the counters are right at each start"
    note(f"{number} restarts and {number} power cuts after it", seen)
