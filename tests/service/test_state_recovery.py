"""The state is opened, and where it is damaged begun anew in full view."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from appliance.core.blocking.block import Block
from appliance.core.metering.account import AccountKey
from appliance.core.metering.usage import Mark
from appliance.core.moment import Moment
from appliance.core.refusal import Refused
from appliance.service.state_recovery import MOST_ASIDE, RecoveredState, open_state, read_state
from appliance.system.storage.ballast import Ballast

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = Moment(NOON, 1000.0, is_trusted=True)
BLOCK = Block("10.0.0.1", "because", "me", "manual", NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "appliance.sqlite3"


def test_a_state_that_is_whole_is_opened_without_a_word(path: Path) -> None:
    for _ in range(2):
        kept = open_state(path, NOON)
        assert kept.troubles(NOW) == []
        kept.store.close()
    assert {one.name for one in path.parent.iterdir()} == {path.name, f"{path.name}.ballast"}


def test_a_damaged_state_lies_aside_whole_and_is_told_until_it_is_taken_away(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"evidence" * 1000)
    with closing(open_state(path, NOON).store):
        pass
    [aside] = path.parent.glob("*.damaged-*")
    assert aside.name == "appliance.sqlite3.damaged-20261123T120000.000000Z"
    assert aside.read_bytes() == b"evidence" * 1000
    assert "is damaged (file is not a database): moved to" in caplog.text
    assert "lost: the books, limits, blocks, maintenances" in caplog.text
    kept = open_state(path, NOON)
    assert str(aside) in kept.troubles(NOW)[0]
    aside.unlink()
    assert kept.troubles(NOW) == []


def test_what_can_be_read_of_a_damaged_state_goes_on(path: Path) -> None:
    with closing(open_state(path, NOON).store) as store:
        store.save_blocks([BLOCK, replace(BLOCK, target="10.0.0.2")], [])
        store.save_metering({}, {AccountKey("a"): Mark("x", 1, 2)}, NOON)
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute("UPDATE block SET started_at = 'some day' WHERE target = '10.0.0.2'")
    kept = open_state(path, NOON)
    assert len(kept.aside) == 1
    assert kept.store.blocks() == [BLOCK]
    assert (kept.store.saved_at(), kept.store.marks()) == (NOON, {AccountKey("a"): Mark("x", 1, 2)})


def test_a_folder_is_moved_aside_with_what_is_in_it(path: Path) -> None:
    (path / "something").mkdir(parents=True)
    kept = open_state(path, NOON)
    assert kept.store.saved_at() is None
    assert (kept.aside[0] / "something").is_dir()


def test_no_more_than_a_few_lie_aside_and_the_first_ones_stay(path: Path) -> None:
    path.parent.mkdir()
    for number in range(MOST_ASIDE + 3):
        path.write_bytes(bytes([number]) * 5000)
        open_state(path, NOON + timedelta(days=number)).store.close()
    aside = open_state(path, NOON).aside
    assert [one.read_bytes()[0] for one in aside] == [*range(MOST_ASIDE - 1), MOST_ASIDE + 2]


def test_where_a_folder_takes_nothing_the_state_is_kept_in_memory_and_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = open_state(tmp_path / "file" / "appliance.sqlite3", NOON)
    assert kept.store.save_metering({}, {}, NOON) is False
    with pytest.raises(Refused, match="the disk takes no changes"):
        kept.store.save_blocks([BLOCK], [])
    [trouble] = kept.troubles(NOW)
    assert trouble.startswith("the state takes no changes: saved blocks and quotas are in force")


ACCOUNT, MARK = AccountKey("a"), Mark("x", 1, 2)


@pytest.mark.parametrize("medium", ["read-only", "read-only without -shm"])
def test_of_a_read_only_medium_the_latest_state_is_in_force_until_it_takes_changes(tmp_path: Path, medium: str) -> None:
    words = ["unshare", "--mount", sys.executable, "-m", "tests.service.programs.read_only", str(tmp_path), medium]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout == "as promised\n", done.stderr


def test_a_state_that_another_program_has_locked_is_read_and_saved_to_once_it_is_free(path: Path) -> None:
    with closing(open_state(path, NOON).store) as store:
        store.save_blocks([BLOCK], [])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE").close()
        other.execute("BEGIN EXCLUSIVE").close()
        kept = open_state(path, NOON)
        assert kept.store.blocks() == [BLOCK]
        assert "database is locked" in kept.troubles(NOW)[0]
        assert kept.store.save_metering({}, {ACCOUNT: MARK}, NOON) is False
    assert kept.store.save_metering({}, {ACCOUNT: MARK}, NOON) is True
    assert kept.troubles(NOW) == []
    kept.store.close()
    with closing(open_state(path, NOON).store) as store:
        assert (store.blocks(), store.marks()) == ([BLOCK], {ACCOUNT: MARK})


def cut(share: float) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])


def zero(at: float, length: int) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        start = round(len(content) * at)
        content[start : start + length] = bytes(len(content[start : start + length]))
        path.write_bytes(content)

    return damage


def execute(*statements: str) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            for statement in statements:
                database.execute(statement).close()

    return damage


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{f"cut to {share}": cut(share) for share in (0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)},
    **{f"1 KiB of zeros at {at}": zero(at, 1024) for at in (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)},
    "garbage": lambda path: path.write_bytes(Random(1).randbytes(8192)),
    "text": lambda path: path.write_text("hello\n" * 500),
    "no table": execute("DROP TABLE block"),
    "another schema": execute("DROP TABLE ledger", "CREATE TABLE ledger (x)"),
    "another program's": execute("DROP TABLE _sqlite_migrations"),
    "no address": execute("UPDATE block SET target = '10.0.0.999' WHERE rowid = 5"),
    "no prefix": execute("UPDATE block SET target = '10.0.0.1/8' WHERE rowid = 5"),
    "no origin": execute("UPDATE block SET origin = 'nobody'"),
    "no zone": execute("UPDATE block SET started_at = '2026-11-23T12:00:00'"),
    "no clock": execute("INSERT INTO reckoning VALUES (1, 'noon')"),
    "no learned address": execute("INSERT INTO learned VALUES ('a.test', '', 'manual', '10.0', 'x', '')"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("medium", ["writable", "read-only"])
def test_whatever_is_damaged_the_state_opens_and_all_of_it_can_be_read(
    tmp_path: Path, damage: str, medium: str
) -> None:
    path = tmp_path / "appliance.sqlite3"
    with closing(open_state(path, NOON).store) as store:
        store.save_blocks([replace(BLOCK, target=f"10.0.0.{number}") for number in range(200)], [])
        store.save_metering({}, {ACCOUNT: MARK}, NOON)
    DAMAGES[damage](path)
    if medium == "writable":
        kept = open_state(path, NOON)
    else:
        store, lost = read_state(path, "it is read-only")
        kept = RecoveredState(store, Ballast(path.with_name("none")), (), lost)
    with closing(kept.store) as store:
        is_whole = (len(store.blocks()), store.marks()) == (200, {ACCOUNT: MARK})
        assert len(store.blocks()) <= 200
        assert store.marks() in ({ACCOUNT: MARK}, {})
        assert [*store.limits(), *store.ledgers(ACCOUNT)] == []
        assert [one.block for one in store.learned()] == []
        assert (store.maintenances(), store.reckoned_at()) == ([], None)
        assert store.save_metering({}, {ACCOUNT: MARK}, NOON) is (medium == "writable" or kept.lost == ())
        assert kept.troubles(NOW) or is_whole
