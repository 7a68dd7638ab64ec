"""The power may go at any moment: what was acknowledged is on the card.

QEMU logs what the guest writes to its card, and its flushes. The log is replayed up to hundreds of points, each with
the writes since the last flush kept, dropped or halved; then file system and database are judged.
"""

import json
import random
import re
import shutil
import sqlite3
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.client.node import NodeClient
from tests.image.conftest import Note
from tests.image.virtual import PATIENCE_S, Virtual, copy, partition, take_partition
from tests.image.write_log import DISCARD, FLUSH, MAGIC, Replay, Unflushed, of_partition, read_log

SECTOR = 512
POINTS = 120  # for each of the three: what five minutes bear
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


def test_a_part_of_the_card_has_its_own_requests_and_all_flushes(tmp_path: Path) -> None:
    one, two = (bytes([number]) * SECTOR for number in (1, 2))
    write_log(tmp_path / "log", (0, 0, one), (2, 0, two), (0, FLUSH, b""))
    part = of_partition(read_log(tmp_path / "log"), 2 * SECTOR)
    assert [(entry.sector, entry.count, entry.flags) for entry in part.entries] == [(0, 0, 0), (0, 1, 0), (0, 0, FLUSH)]
    write_log(tmp_path / "log", (1, 0, 2 * one))
    with pytest.raises(ValueError, match="over the edge"):
        of_partition(read_log(tmp_path / "log"), 2 * SECTOR)


def test_an_entry_that_is_cut_off_is_not_taken(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_log(log, (0, 0, bytes(SECTOR)), (1, 0, bytes(2 * SECTOR)))
    log.write_bytes(log.read_bytes()[:-1])
    assert len(read_log(log).entries) == 1


# --- the appliance ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A log, the data partition before it, and what was acknowledged: address -> the log's size by then."""

    log: Path
    data: Path
    acknowledged: dict[str, int]


@pytest.fixture(scope="module")
def written(built: Path, settled: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    work = tmp_path_factory.mktemp("power")
    log, data, acknowledged = work / "log", work / "data.img", {}
    take_partition(settled, 4, data, whole=True)
    with Virtual(built, work, card=settled) as computer:
        computer.power_on(log=log)
        token = json.loads(computer.run("appliance token --role operator --departments '*' --json"))["token"]
        with NodeClient(computer.url, token) as client:
            client.wait_for("connect", within_s=PATIENCE_S)
            for number in range(BLOCKS):
                address = f"203.0.113.{number + 1}"
                asked = {"address": address, "reason": "test"}
                assert client.call("ip:block", asked, within_s=PATIENCE_S)["success"]
                acknowledged[address] = log.stat().st_size
    return Written(log, data, acknowledged)


def judge(part: Path, work: Path) -> set[str]:
    """The blocked addresses on a data partition whose power went. File system and database must be whole."""
    assert subprocess.run(["e2fsck", "-p", part], capture_output=True, check=False).returncode in {0, 1}
    checked = subprocess.run(["e2fsck", "-f", "-n", part], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    state = work / "state"
    state.mkdir()
    subprocess.run(["debugfs", "-R", f"rdump /state {state}", part], capture_output=True, check=True)
    database = sqlite3.connect(state / "state/appliance.sqlite3")
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return set(re.findall(r"203\.0\.113\.\d+", str(database.execute("SELECT * FROM block").fetchall())))
    finally:
        database.close()
        shutil.rmtree(state)


def losses(written: Written, work: Path, unflushed: Unflushed) -> tuple[str, list[str]]:
    """How many points were tried, and what is lost at each."""
    log = of_partition(read_log(written.log), partition(4)[0])
    first = min(written.acknowledged.values())
    points = [number for number, one in enumerate(log.entries, start=1) if one.end >= first]
    chosen = points[:: max(1, len(points) // POINTS)]
    part, after = work / "part.img", work / "after.img"
    copy(written.data, part)
    replay, chance, lost, dropped = Replay(log, part), random.Random(17), [], 0
    for point in chosen:
        late = replay.advance(point, unflushed, chance)
        dropped += sum(1 for one in log.entries[replay.safe : point] if one.count) - sum(1 for one in late if one.count)
        copy(part, after)
        replay.apply(late, after)
        by_then = {address for address, size in written.acknowledged.items() if size <= log.entries[point - 1].end}
        if missing := by_then - judge(after, work):
            lost.append(f"at {point} of {len(log.entries)}: {sorted(missing)}")
    return f"{len(chosen)} points of {len(points)}, {dropped} writes dropped, {len(lost)} losses", lost


@pytest.mark.slow
@pytest.mark.parametrize("unflushed", Unflushed)
def test_nothing_that_was_acknowledged_is_lost_at_a_power_cut(
    written: Written, tmp_path: Path, note: Note, unflushed: Unflushed
) -> None:
    seen, lost = losses(written, tmp_path, unflushed)
    note(f"power cuts while blocks are ordered, the unflushed {unflushed.value}", seen)
    assert lost == []


@pytest.mark.slow
def test_the_test_sees_a_loss(written: Written, tmp_path: Path, note: Note) -> None:
    """The negative control: acknowledgements that are taken to have come earlier than they did."""
    earlier = dict.fromkeys(written.acknowledged, 0)
    early = Written(written.log, written.data, {**earlier, "203.0.113.1": min(written.acknowledged.values())})
    seen, lost = losses(early, tmp_path, Unflushed.DROPPED)
    note("the control: acknowledged too early", seen)
    assert lost != []
