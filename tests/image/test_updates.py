"""A signed bundle in QEMU, as a person orders it: confirmed at its first start.

QEMU logs what the computer writes from the order until the new root is confirmed. At each point of it the power may go:
root A is never written, and the counters name root B only when all of it is on the card.
"""

import filecmp
import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from image.filesystems import read_environment
from tests.image.conftest import Note
from tests.image.roots import NEWER, TRIAL_S, UPDATED, latest_update, lay_bundle
from tests.image.virtual import UNWATCHED, Virtual, confirmed, copy, environment_of, partition, take_partition
from tests.image.write_log import Log, Replay, Unflushed, of_partition, read_log

pytestmark = pytest.mark.slow

UPDATE = "appliance update /data/update.raucb --restart && rm /data/update.raucb"
SPREAD = 60  # points over the whole update, beside all those at a change of the boot partition


@dataclass(frozen=True)
class Updated:
    """A computer that has confirmed an update, the root in it, what it has written, and its boot partition before."""

    computer: Virtual
    root: Path
    log: Log
    boot: Path


@pytest.fixture(scope="module")
def updated(built: Path, settled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Updated]:
    work = tmp_path_factory.mktemp("updated")
    log, boot = work / "log", work / "boot.img"
    with Virtual(built, work, card=settled, environment=UNWATCHED) as computer:
        root = lay_bundle(computer.card, built, work, NEWER, {})
        computer.power_on(log=log)
        computer.wait_for(confirmed("A"))  # so that nothing but the update turns the counters
        take_partition(computer.card, 1, boot)
        before = len(read_log(log).entries)
        computer.run(UPDATE, check=False)  # the restart may cut the connection off
        computer.wait_for("Root B; 2 more tries", patience_s=TRIAL_S)
        computer.wait_for(confirmed("B"))
        whole = read_log(log)
        yield Updated(computer, root, replace(whole, entries=whole.entries[before:]), boot)


def test_a_good_update_is_confirmed(updated: Updated, note: Note) -> None:
    computer = updated.computer
    assert (computer.counters(), computer.tries("B")) == (UPDATED, ["2"])
    found = latest_update(computer)
    assert (found["version"], found["state"], found["reason"]) == (NEWER, "confirmed", None)
    assert json.loads(computer.run("appliance update --json"))["root"] == "B"
    note("a bundle by `appliance update --restart`", "root B is confirmed at its first start, with all its tries")


def test_root_b_is_the_bundle_s_to_the_byte_and_root_a_is_never_written(updated: Updated, tmp_path: Path) -> None:
    assert not any(one.count for one in of_partition(updated.log, *partition(2)).entries)
    take_partition(updated.computer.card, 3, tmp_path / "root.img")
    assert filecmp.cmp(tmp_path / "root.img", updated.root, shallow=False)


@pytest.mark.parametrize("unflushed", Unflushed)
def test_at_each_power_cut_a_whole_root_starts(
    updated: Updated, tmp_path: Path, note: Note, unflushed: Unflushed
) -> None:
    seen, found = faults(updated.log, updated.boot, tmp_path, unflushed)
    note(f"power cuts during an update, the unflushed {unflushed.value}", seen)
    assert found == []


def test_the_judge_sees_counters_that_come_too_early(updated: Updated, tmp_path: Path, note: Note) -> None:
    """The negative control: the boot partition from the end of the update, from its start on."""
    early = tmp_path / "early.img"
    take_partition(updated.computer.card, 1, early)
    seen, found = faults(updated.log, early, tmp_path, Unflushed.DROPPED)
    note("the control: counters that come too early", f"{seen}, {len(found)} of them without all of it")
    assert found != []


def faults(log: Log, boot: Path, work: Path, unflushed: Unflushed) -> tuple[str, list[str]]:
    """How many points were tried, and those at which a root would start that is not whole."""
    of_boot = of_partition(log, *partition(1))
    root_b = [number for number, one in enumerate(of_partition(log, *partition(3)).entries) if one.count]
    part, after = work / "boot.img", work / "after.img"
    copy(boot, part)
    replay, chance, found, named = Replay(of_boot, part), random.Random(17), [], {"A": 0, "B": 0}
    for point in points_of(of_boot):
        late = replay.advance(point, unflushed, chance)
        copy(part, after)
        replay.apply(late, after)
        root = first_root(after)
        named[root] += 1
        on_card = point if unflushed is Unflushed.KEPT else replay.safe
        if root == "B" and root_b[-1] >= on_card:
            found.append(f"at {point}: B starts, and {sum(one >= on_card for one in root_b)} of its writes are missing")
    return f"{sum(named.values())} points of {len(log.entries)}: A starts at {named['A']}, B at {named['B']}", found


def points_of(of_boot: Log) -> list[int]:
    """All points at a write to the boot partition, and some spread over the rest."""
    number_of_entries = len(of_boot.entries)
    changes = {number + aside for number, one in enumerate(of_boot.entries) if one.count for aside in (0, 1)}
    return sorted(changes | set(range(0, number_of_entries, max(1, number_of_entries // SPREAD))) | {number_of_entries})


def first_root(boot: Path) -> str:
    """The root that U-Boot takes first with the counters of this boot partition, as boot.cmd does."""
    try:
        found = read_environment(environment_of(boot))
    except (ValueError, subprocess.CalledProcessError):  # damaged or missing
        return "A"
    return next(root for root in found["BOOT_ORDER"].split() if int(found[f"BOOT_{root}_LEFT"]) > 0)
