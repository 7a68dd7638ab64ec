import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.blocks import Block
from appliance.core.maintenance import plan
from appliance.core.quota import Kind, Ledger
from appliance.core.usage import Mark
from appliance.system.store import SqliteStore, StoreUnavailable, migrations

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARK = Mark("boot/3/02:00:00:00:00:01", 2**62, 7)


def block(target: str, department: str | None = None) -> Block:
    return Block(target, "because", "me", "manual", NOON, department, NOON + timedelta(seconds=60))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "appliance.sqlite3"


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    store = SqliteStore(path)
    ledger = Ledger(Kind.DAILY, date(2026, 11, 23), 2**62, frozenset({80, 95}), granted_bytes=2**61)
    maintenance = plan(NOON, NOON + timedelta(hours=1), 60, "Switch is replaced", "me")
    assert store.save_metering({"a": [ledger]}, {"a": MARK}, NOON)
    store.save_limit("a", Kind.DAILY, 2**62)
    store.save_blocks([block("10.0.0.1"), block("10.0.0.1", "a")], [])
    store.save_maintenance(maintenance)
    store.close()

    again = SqliteStore(path)
    assert again.ledgers("a") == [ledger]
    assert again.marks() == {"a": MARK}
    assert again.saved_at() == NOON
    assert again.limits() == {"a": {Kind.DAILY: 2**62}}
    assert set(again.blocks()) == {block("10.0.0.1"), block("10.0.0.1", "a")}
    assert again.maintenance() == maintenance


def test_the_newest_ledger_of_each_kind_is_the_one_that_runs(path: Path) -> None:
    store = SqliteStore(path)
    old, new = Ledger(Kind.DAILY, date(2026, 11, 9), 5), Ledger(Kind.DAILY, date(2026, 11, 10), 6)
    month = Ledger(Kind.MONTHLY, date(2026, 11, 1), 11)
    store.save_metering({"a": [old, month]}, {}, NOON)
    store.save_metering({"a": [new, month]}, {}, NOON)
    assert {one.kind: one for one in store.ledgers("a")} == {Kind.DAILY: new, Kind.MONTHLY: month}


def test_before_the_first_saving_there_is_nothing(path: Path) -> None:
    store = SqliteStore(path)
    assert (store.saved_at(), store.marks(), store.ledgers("a"), store.limits()) == (None, {}, [], {})


def test_the_time_of_the_last_saving_is_kept_even_if_the_clock_went_back(path: Path) -> None:
    store = SqliteStore(path)
    store.save_metering({}, {}, NOON)
    store.save_metering({}, {}, NOON - timedelta(days=1))
    assert store.saved_at() == NOON - timedelta(days=1)


def test_a_limit_that_was_set_by_hand_replaces_the_one_before_and_may_be_none(path: Path) -> None:
    store = SqliteStore(path)
    store.save_limit("a", Kind.DAILY, 5)
    store.save_limit("a", Kind.DAILY, None)
    store.save_limit("a", Kind.MONTHLY, 7)
    store.save_limit("b", Kind.DAILY, 0)
    assert store.limits() == {"a": {Kind.DAILY: None, Kind.MONTHLY: 7}, "b": {Kind.DAILY: 0}}


def test_a_full_disk_takes_nothing_and_says_so_until_there_is_room(tmp_path: Path) -> None:
    program = f"""
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from appliance.core.quota import Kind, Ledger
from appliance.core.usage import Mark
from appliance.system.store import SqliteStore
disk = Path({str(tmp_path)!r})
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=True)
store = SqliteStore(disk / "appliance.sqlite3")

def save(used):
    ledgers = [Ledger(kind, date(2026, 11, 23), used) for kind in Kind]
    departments = [f"department-{{number}}" for number in range(200)]
    marks = dict.fromkeys(departments, Mark("x", used, 0))
    return store.save_metering(dict.fromkeys(departments, ledgers), marks, datetime.now(UTC))

def fill():
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            pass

assert save(1)
fill()
used = 1
while save(used + 1):
    used += 1
    assert used < 1000
    fill()
assert not save(used + 1)
assert {{one.used_bytes for one in store.ledgers("department-7")}} == {{used}}
assert store.marks()["department-7"] == Mark("x", used, 0)
(disk / "ballast").unlink()
assert save(used + 2)
store.close()
again = SqliteStore(disk / "appliance.sqlite3")
assert {{one.used_bytes for one in again.ledgers("department-7")}} == {{used + 2}}
assert again.marks()["department-7"] == Mark("x", used + 2, 0)
print("as promised")
"""
    command = ["unshare", "--mount", sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout == "as promised\n", run.stderr


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
from datetime import UTC, date, datetime
from pathlib import Path
from appliance.core.quota import Kind, Ledger
from appliance.core.usage import Mark
from appliance.system.store import SqliteStore
store = SqliteStore(Path({str(path)!r}))
for used in range(1, 1_000_000):
    ledger = Ledger(Kind.DAILY, date(2026, 11, 23), used)
    store.save_metering({{"a": [ledger]}}, {{"a": Mark("x", used, 0)}}, datetime.now(UTC))
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
    assert ledger.used_bytes == store.marks()["a"].up_bytes
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
    (name,), *_ = sqlite3.connect(path).execute("SELECT name FROM _sqlite_migrations ORDER BY name")
    assert name == "0001_ledgers_blocks_maintenance"


def test_blocks_of_the_first_schema_are_there_in_the_next(path: Path) -> None:
    path.parent.mkdir()
    old = Database(path)
    migrations.apply(old, stop_before="0002_blocks_by_origin")
    row = {"target": "10.0.0.1", "department": "a", "reason": "because", "actor": "me", "origin": "manual"}
    old.table("block").insert({**row, "started_at": NOON.isoformat(), "expires_at": None, "announced": 1})
    old.close()
    assert SqliteStore(path).blocks() == [Block("10.0.0.1", "because", "me", "manual", NOON, "a", None, announced=True)]
