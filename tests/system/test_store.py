import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from appliance.core.blocks import Block
from appliance.core.maintenance import plan
from appliance.core.quota import Kind, Ledger
from appliance.core.usage import Mark
from appliance.system.store import SqliteStore, StoreUnavailable

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARK = Mark("boot/3/02:00:00:00:00:01", 2**62, 7)


def block(target: str, department: str | None = None) -> Block:
    return Block(target, "because", "me", "manual", NOON, department, NOON + timedelta(seconds=60))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "appliance.sqlite3"


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    store = SqliteStore(path)
    ledger = Ledger(Kind.DAILY, date(2026, 11, 23), 2**62, frozenset({80, 95}))
    maintenance = plan(NOON, NOON + timedelta(hours=1), 60, "Switch is replaced", "me")
    store.save_metering({"a": [ledger]}, {"eth1": MARK})
    store.save_blocks([block("10.0.0.1"), block("10.0.0.1", "a")], [])
    store.save_maintenance(maintenance)
    store.close()

    again = SqliteStore(path)
    assert again.ledgers("a") == [ledger]
    assert again.marks() == {"eth1": MARK}
    assert set(again.blocks()) == {block("10.0.0.1"), block("10.0.0.1", "a")}
    assert again.maintenance() == maintenance


def test_the_newest_ledger_of_each_kind_is_the_one_that_runs(path: Path) -> None:
    store = SqliteStore(path)
    old, new = Ledger(Kind.DAILY, date(2026, 11, 9), 5), Ledger(Kind.DAILY, date(2026, 11, 10), 6)
    month = Ledger(Kind.MONTHLY, date(2026, 11, 1), 11)
    store.save_metering({"a": [old, month]}, {})
    store.save_metering({"a": [new, month]}, {})
    assert {one.kind: one for one in store.ledgers("a")} == {Kind.DAILY: new, Kind.MONTHLY: month}


def test_a_deleted_block_is_gone_and_its_namesake_for_a_department_stays(path: Path) -> None:
    store = SqliteStore(path)
    store.save_blocks([block("10.0.0.1"), block("10.0.0.1", "a")], [])
    store.save_blocks([], [block("10.0.0.1")])
    assert list(store.blocks()) == [block("10.0.0.1", "a")]


def test_a_maintenance_that_is_over_is_forgotten(path: Path) -> None:
    store = SqliteStore(path)
    store.save_maintenance(plan(NOON, None, 60, "Switch is replaced", "me"))
    store.save_maintenance(None)
    assert store.maintenance() is None


def test_a_kill_in_the_middle_of_saving_leaves_ledger_and_mark_in_step(path: Path) -> None:
    program = f"""
from datetime import date
from pathlib import Path
from appliance.core.quota import Kind, Ledger
from appliance.core.usage import Mark
from appliance.system.store import SqliteStore
store = SqliteStore(Path({str(path)!r}))
for used in range(1, 1_000_000):
    store.save_metering({{"a": [Ledger(Kind.DAILY, date(2026, 11, 23), used)]}}, {{"eth1": Mark("x", used, 0)}})
    print(used, flush=True)
"""
    writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(50):
        told = int(writer.stdout.readline())
    writer.kill()
    writer.wait()
    store = SqliteStore(path)
    [ledger] = store.ledgers("a")
    assert ledger.used_bytes == store.marks()["eth1"].rx_bytes
    assert ledger.used_bytes >= told


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 100])
def test_a_file_that_is_no_database_is_told_with_its_path(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match=r"appliance\.sqlite3: state cannot be kept here"):
        SqliteStore(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="state cannot be kept here"):
        SqliteStore(tmp_path / "file" / "appliance.sqlite3")


def test_the_schema_is_made_by_numbered_migrations(path: Path) -> None:
    SqliteStore(path).close()
    [(name,)] = sqlite3.connect(path).execute("SELECT name FROM _sqlite_migrations")
    assert name == "0001_ledgers_blocks_maintenance"
