"""The power may go at any moment: what was acknowledged is on the card.

QEMU logs what the guest writes to its card, and its flushes. The log is replayed up to hundreds of points, each with
the writes since the last flush kept, dropped or halved; then file system and database are judged.
"""

import json
import random
import re
import sqlite3
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from image.filesystems import partition_starts
from image.manifest import read_manifest
from tests.client.node import NodeClient
from tests.image.test_boot import CONFIGURATION, built
from tests.image.virtual import Virtual
from tests.image.write_log import DISCARD, FLUSH, MAGIC, Replay, Unflushed, read_log

__all__ = ["built"]

SECTOR = 512
POINTS = 120  # for each of the three: what a quarter of an hour bears
BLOCKS = 40


# --- the replay itself ------------------------------------------------------------------------------------------------


def write_log(path: Path, *requests: tuple[int, int, bytes]) -> None:
    """A log of these requests: sector, flags, data."""
    parts = [struct.pack("<QQQI", MAGIC, 1, len(requests), SECTOR).ljust(SECTOR, b"\0")]
    for sector, flags, data in requests:
        count = len(data) // SECTOR
        parts += [struct.pack("<QQQQ", sector, count, flags, 0).ljust(SECTOR, b"\0"), b"" if flags & DISCARD else data]
    path.write_bytes(b"".join(parts))


def replayed(folder: Path, point: int, unflushed: Unflushed) -> bytes:
    """The first byte of each sector of a card of four, after a power cut."""
    card = folder / "card"
    card.write_bytes(bytes(4 * SECTOR))
    replay = Replay(read_log(folder / "log"), card)
    replay.apply(replay.advance(point, unflushed, random.Random(1)))
    return card.read_bytes()[::SECTOR]


def test_what_was_not_flushed_may_be_lost_and_what_was_flushed_is_not(tmp_path: Path) -> None:
    one, two, three = (bytes([number]) * SECTOR for number in (1, 2, 3))
    write_log(tmp_path / "log", (0, 0, one), (1, 0, two), (0, FLUSH, b""), (2, 0, three), (0, DISCARD, bytes(SECTOR)))
    assert replayed(tmp_path, 2, Unflushed.DROPPED) == bytes([0, 0, 0, 0])
    assert replayed(tmp_path, 2, Unflushed.KEPT) == bytes([1, 2, 0, 0])
    assert replayed(tmp_path, 4, Unflushed.DROPPED) == bytes([1, 2, 0, 0])
    assert replayed(tmp_path, 4, Unflushed.KEPT) == bytes([1, 2, 3, 0])
    assert replayed(tmp_path, 5, Unflushed.KEPT) == bytes([0, 2, 3, 0])


def test_an_entry_that_is_cut_off_is_not_taken(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_log(log, (0, 0, bytes(SECTOR)), (1, 0, bytes(2 * SECTOR)))
    log.write_bytes(log.read_bytes()[:-1])
    assert len(read_log(log).entries) == 1


# --- the appliance ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A log, the card before it, and what was acknowledged: address -> the log's size by then."""

    log: Path
    card: Path
    acknowledged: dict[str, int]


@pytest.fixture(scope="module")
def written(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    work = tmp_path_factory.mktemp("power")
    computer = Virtual(built, work)
    configuration = work / "appliance.toml"
    configuration.write_text(CONFIGURATION.format(interface="eth0"))
    computer.power_on(configuration)
    computer.run("systemctl poweroff", check=False)  # once it has grown its partition and taken its configuration
    computer.wait_for_end()
    before, log = work / "before.img", work / "log"
    subprocess.run(["cp", "--sparse=always", computer.card, before], check=True)
    computer.power_on(log=log)
    acknowledged = {}
    try:
        token = json.loads(computer.run("appliance token --role operator --departments '*' --json"))["token"]
        with NodeClient(computer.url, token) as client:
            client.wait_for("connect", within_s=300)
            for number in range(BLOCKS):
                address = f"203.0.113.{number + 1}"
                assert client.call("ip:block", {"address": address, "reason": "test"})["success"]
                acknowledged[address] = log.stat().st_size
    finally:
        computer.power_off()
    return Written(log, before, acknowledged)


def judge(card: Path, work: Path) -> set[str]:
    """The blocked addresses on a card whose power went. The file system and the database must be whole."""
    manifest = read_manifest()
    sizes = (manifest.boot_mib, manifest.root_mib, manifest.root_mib, manifest.data_mib)
    part, state = work / "part.img", work / "state"
    start = partition_starts(sizes)[3]
    subprocess.run(
        ["dd", f"if={card}", f"of={part}", "bs=1M", f"skip={start}", "conv=sparse", "status=none"], check=True
    )
    assert subprocess.run(["e2fsck", "-p", part], capture_output=True, check=False).returncode in {0, 1}
    checked = subprocess.run(["e2fsck", "-f", "-n", part], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    state.mkdir()
    subprocess.run(["debugfs", "-R", f"rdump /state {state}", part], capture_output=True, check=True)
    database = sqlite3.connect(state / "state/appliance.sqlite3")
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return set(re.findall(r"203\.0\.113\.\d+", str(database.execute("SELECT * FROM block").fetchall())))
    finally:
        database.close()
        subprocess.run(["rm", "-rf", part, state], check=True)


def losses(written: Written, work: Path, unflushed: Unflushed) -> list[str]:
    """What is lost at each of the points."""
    log = read_log(written.log)
    first = min(written.acknowledged.values())
    points = [number for number, one in enumerate(log.entries, start=1) if one.end >= first]
    chosen = points[:: max(1, len(points) // POINTS)]
    card, after = work / "card.img", work / "after.img"
    subprocess.run(["cp", "--sparse=always", written.card, card], check=True)
    replay, chance, lost = Replay(log, card), random.Random(17), []
    for point in chosen:
        late = replay.advance(point, unflushed, chance)
        subprocess.run(["cp", "--sparse=always", card, after], check=True)
        replay.apply(late, after)
        by_then = {address for address, size in written.acknowledged.items() if size <= log.entries[point - 1].end}
        if missing := by_then - judge(after, work):
            lost.append(f"at {point} of {len(log.entries)}: {sorted(missing)}")
    print(f"{unflushed.value}: {len(chosen)} points of {len(points)}, {len(lost)} losses")
    return lost


@pytest.mark.slow
@pytest.mark.parametrize("unflushed", Unflushed)
def test_nothing_that_was_acknowledged_is_lost_at_a_power_cut(
    written: Written, tmp_path: Path, unflushed: Unflushed
) -> None:
    assert losses(written, tmp_path, unflushed) == []


@pytest.mark.slow
def test_the_test_sees_a_loss(written: Written, tmp_path: Path) -> None:
    """The negative control: acknowledgements that are taken to have come earlier than they did."""
    earlier = dict.fromkeys(written.acknowledged, 0)
    early = Written(written.log, written.card, {**earlier, "203.0.113.1": min(written.acknowledged.values())})
    assert losses(early, tmp_path, Unflushed.DROPPED) != []
