import itertools
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlite_utils import Database

from appliance.core.blocking.answer_cache import HeardAddress
from appliance.core.blocking.block import Block
from appliance.core.detection.habits.habit import Habit
from appliance.core.detection.incident import IncidentChange, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.incident_record import CourseStep, IncidentRecord, Mute
from appliance.core.metering.account import EACH_HOST, AccountKey
from appliance.core.metering.quota import MOST_CLOSED, Extension, Ledger, QuotaKind, QuotaRequest, RequestState
from appliance.core.metering.usage import Mark
from appliance.core.operations.maintenance_window import asked_for
from appliance.core.refusal import Refused
from appliance.core.traffic.devices.clue import NameSource
from appliance.core.traffic.devices.device_register import KnownDevice, RegisterChanges
from appliance.system.storage.schema import migrations
from appliance.system.storage.store import (
    BOOKS,
    COLLECTED_AT_ONCE,
    LOG_BYTES,
    PAGE_BYTES,
    SqliteStore,
    StoreDamaged,
    StoreUnavailable,
)
from tests.system.storage.programs import command

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARK = Mark("boot/3/02:00:00:00:00:01", 2**62, 7)
A, B, DEPARTMENT_7 = AccountKey("a"), AccountKey("b"), AccountKey("department7")


def block(target: str, department: str | None = None) -> Block:
    return Block(target, "because", "me", "manual", NOON, department, NOON + timedelta(seconds=60))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "appliance.sqlite3"


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    store = SqliteStore(path)
    grants = Extension(2**60, "ben", NOON, "exam week"), Extension(2**60, "eva", NOON, "\u202e")
    ledger = Ledger(
        QuotaKind.DAILY,
        date(2026, 11, 23),
        2**62,
        frozenset({80, 95}),
        granted_bytes=2**61,
        grants=grants,
        exceeded_at=NOON,
        limit_bytes=2**61,
    )
    maintenance = asked_for(NOON, NOON + timedelta(hours=1), 60, "Switch is replaced", "me")
    assert store.save_metering({A: [ledger]}, {A: MARK}, NOON)
    store.save_limit(A, QuotaKind.DAILY, 2**62)
    store.save_blocks([block("10.0.0.1"), block("10.0.0.1", "a")], [])
    store.save_maintenances([maintenance])
    store.close()

    again = SqliteStore(path)
    assert again.ledgers(A) == [ledger]
    assert again.marks() == {A: MARK}
    assert again.saved_at() == NOON
    assert again.limits() == {A: {QuotaKind.DAILY: 2**62}}
    assert set(again.blocks()) == {block("10.0.0.1"), block("10.0.0.1", "a")}
    assert again.maintenances() == [maintenance]


def test_the_newest_ledger_of_each_kind_is_the_one_that_runs(path: Path) -> None:
    store = SqliteStore(path)
    old, new = Ledger(QuotaKind.DAILY, date(2026, 11, 9), 5), Ledger(QuotaKind.DAILY, date(2026, 11, 10), 6)
    month = Ledger(QuotaKind.MONTHLY, date(2026, 11, 1), 11)
    store.save_metering({A: [old, month]}, {}, NOON)
    store.save_metering({A: [new, month]}, {}, NOON)
    assert {one.kind: one for one in store.ledgers(A)} == {QuotaKind.DAILY: new, QuotaKind.MONTHLY: month}


def test_ended_periods_are_listed_newest_first_and_the_oldest_of_too_many_are_deleted(path: Path) -> None:
    store, first = SqliteStore(path), date(2025, 1, 1)
    days = [Ledger(QuotaKind.DAILY, first + timedelta(days=number), number) for number in range(MOST_CLOSED + 3)]
    month = Ledger(QuotaKind.MONTHLY, date(2025, 1, 1), 11)
    store.save_metering({A: [*days[:2], month], B: [days[0]]}, {}, NOON)
    for before, running in itertools.pairwise(days):
        store.save_metering({A: [before, running, month], B: [running]}, {}, NOON)
    ended = store.closed_ledgers(A, QuotaKind.DAILY, days[-1].start, MOST_CLOSED * 2)
    assert list(ended) == days[-2:1:-1]
    assert list(store.closed_ledgers(A, QuotaKind.DAILY, days[-1].start, 2)) == days[-2:-4:-1]
    assert store.closed_ledgers(A, QuotaKind.MONTHLY, month.start, 9) == []


def test_incidents_and_mutes_are_kept_replaced_and_deleted_and_outlive_damage(path: Path, tmp_path: Path) -> None:
    step = CourseStep(NOON, IncidentChange.OPENED, Severity.LOW, 12, "12 ports, (U+202E) \N{EURO SIGN}")
    first = IncidentRecord(
        id="1",
        department="a",
        kind=IncidentKind.PORT_SCAN,
        source="fe80::1",
        severity=Severity.LOW,
        count=12,
        times=1,
        details="12 ports",
        expected="fewer",
        opened_at=NOON,
        latest_at=NOON + timedelta(seconds=1),
        peers=("10.0.0.1",),
        is_inside=True,
        course=(step,),
    )
    second = replace(first, id="2", latest_at=NOON, is_inside=None, ended_at=NOON)
    mute = Mute(id="m", department="a", by="eva", at=NOON, kind=IncidentKind.PORT_SCAN, until=NOON + timedelta(days=1))
    store = SqliteStore(path)
    store.save_incidents([first, second], [])
    store.save_mutes([mute, replace(mute, id="n", at=NOON + timedelta(seconds=1))], [])
    seen = replace(first, acknowledged_by="eva", acknowledged_at=NOON)
    store.save_incidents([seen], ["none"])
    store.save_mutes([], ["n"])
    habit = Habit(
        id="h", department="a", kind=IncidentKind.HOST_SWEEP, source="10.0.0.5", mac="02:00:00:00:00:05", day=9
    )
    habit.traits["22 in 10.0.0.0/24"] = (1 << 28) - 1
    store.save_habits([habit, replace(habit, id="i")], [])
    store.save_habits([], ["i"])
    store.close()
    again = SqliteStore(tmp_path / "again.sqlite3")
    assert not {"incidents", "what is muted", "what is usual"} & set(again.take_over(path))
    assert list(again.habits()) == [habit]
    assert (list(again.incidents()), list(again.mutes())) == ([second, seen], [mute])


def test_requests_are_kept_replaced_and_deleted_and_outlive_damage(path: Path, tmp_path: Path) -> None:
    store, until = SqliteStore(path), NOON + timedelta(hours=11)
    first = QuotaRequest("1", "a", "10.0.0.1", "eva", "(U+202E) \N{EURO SIGN}", NOON, until)
    second = QuotaRequest("2", "a", "fd00::1", "ben", "an exam", NOON + timedelta(seconds=1), until)
    store.save_quota_requests([second, first], [])
    answered = replace(first, state=RequestState.DECLINED, actor="eva", reason="no")
    store.save_quota_requests([answered], ["none"])
    store.close()
    assert list(SqliteStore(path).quota_requests()) == [answered, second]
    again = SqliteStore(tmp_path / "again.sqlite3")
    assert "requests for more" not in again.take_over(path)
    again.save_quota_requests([], ["2"])
    assert list(again.quota_requests()) == [answered]


def test_devices_are_kept_replaced_and_deleted_and_outlive_damage(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path)
    printer = KnownDevice("3c:52:82:1f:aa:07", 1.0, 2.5, {"10.0.0.2": 2.5, "fd00::2": 2.0}, {NameSource.MDNS: "\u202e"})
    phone = KnownDevice("da:a1:19:00:00:01", 3.0, 3.0)
    store.save_devices({"a": RegisterChanges(1.0, [printer, phone]), "b": RegisterChanges(3.0, [phone])})
    labelled = replace(printer, label="Second floor")
    store.save_devices({"a": RegisterChanges(1.0, [labelled], [phone.mac, "none"])})
    store.close()
    again = SqliteStore(path)
    assert (again.devices(), again.learning()) == ({"a": [labelled], "b": [phone]}, {"a": 1.0, "b": 3.0})
    again.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE device SET addresses = 'none' WHERE department = 'b'")
    mended = SqliteStore(tmp_path / "again.sqlite3")
    assert "the devices" in mended.take_over(path)
    assert mended.devices() == {"a": [labelled]}


def test_before_the_first_saving_there_is_nothing(path: Path) -> None:
    store = SqliteStore(path)
    assert (store.saved_at(), store.marks(), store.ledgers(A), store.limits()) == (None, {}, [], {})


def test_the_time_of_the_last_saving_is_kept_even_if_the_clock_went_back(path: Path) -> None:
    store = SqliteStore(path)
    store.save_metering({}, {}, NOON)
    store.save_metering({}, {}, NOON - timedelta(days=1))
    assert store.saved_at() == NOON - timedelta(days=1)


def test_a_limit_that_was_set_by_hand_replaces_the_one_before_and_may_be_none(path: Path) -> None:
    store = SqliteStore(path)
    store.save_limit(A, QuotaKind.DAILY, 5)
    store.save_limit(A, QuotaKind.DAILY, None)
    store.save_limit(A, QuotaKind.MONTHLY, 7)
    store.save_limit(B, QuotaKind.DAILY, 0)
    assert store.limits() == {A: {QuotaKind.DAILY: None, QuotaKind.MONTHLY: 7}, B: {QuotaKind.DAILY: 0}}


def test_the_database_names_a_host_s_account_by_its_department_and_address(path: Path) -> None:
    host, each = AccountKey("a", "10.0.0.1"), AccountKey("a", EACH_HOST)
    store, ledger = SqliteStore(path), Ledger(QuotaKind.DAILY, date(2026, 11, 23), 7)
    store.save_metering({A: [ledger], host: [ledger]}, {host: MARK}, NOON)
    store.save_limit(each, QuotaKind.DAILY, 5)
    with closing(sqlite3.connect(path)) as disk:
        assert disk.execute("SELECT department FROM ledger ORDER BY department").fetchall() == [("a",), ("a 10.0.0.1",)]
        assert disk.execute("SELECT department FROM mark").fetchall() == [("a 10.0.0.1",)]
        assert disk.execute("SELECT department FROM quota_limit").fetchall() == [("a *",)]
    assert (store.marks(), store.limits()) == ({host: MARK}, {each: {QuotaKind.DAILY: 5}})
    store.save_metering({}, {}, NOON, forgotten=[host])
    assert (store.ledgers(host), store.ledgers(A), store.marks()) == ([], [ledger], {})


def test_a_full_disk_takes_nothing_and_says_so_until_there_is_room(tmp_path: Path) -> None:
    program = ["unshare", "--mount", *command("store_on_a_full_disk", tmp_path)]
    run = subprocess.run(program, capture_output=True, text=True, check=False)
    assert run.stdout == "as promised\n", run.stderr


def test_what_cannot_be_synced_is_told(path: Path) -> None:
    store = SqliteStore(path)
    store.save_blocks([block("10.0.0.1")], [])
    store.sync()
    path.with_name(f"{path.name}-wal").unlink()
    with pytest.raises(Refused, match="a power cut may take it back"):
        store.sync()


def test_an_order_is_in_the_file_whole_or_not_at_all_and_others_are_saved_while_it_is_collected(path: Path) -> None:
    store, seen = SqliteStore(path), list[int]()
    many = [block(f"10.0.{number >> 8}.{number & 255}") for number in range(3 * COLLECTED_AT_ONCE)]

    def pause() -> None:
        store.save_limit(A, QuotaKind.DAILY, len(seen))
        with closing(sqlite3.connect(path)) as reader:
            seen.extend(reader.execute("SELECT count(*) FROM block").fetchone())

    def end() -> None:
        raise ConnectionAbortedError

    store.save_blocks(many, [], pause)
    assert (seen, len(store.blocks()), store.limits()) == ([0, 0, 0], len(many), {A: {QuotaKind.DAILY: 2}})
    with pytest.raises(ConnectionAbortedError):
        store.save_blocks([block("10.9.9.9")], many, end)
    assert len(store.blocks()) == len(many)
    store.save_blocks([block("10.9.9.9")], many, pause)
    assert store.blocks() == [block("10.9.9.9")]


def test_a_deleted_block_is_gone_and_its_namesake_for_a_department_stays(path: Path) -> None:
    store = SqliteStore(path)
    store.save_blocks([block("10.0.0.1"), block("10.0.0.1", "a")], [])
    store.save_blocks([], [block("10.0.0.1")])
    assert list(store.blocks()) == [block("10.0.0.1", "a")]


def test_a_maintenance_that_is_over_is_forgotten(path: Path) -> None:
    store = SqliteStore(path)
    store.save_maintenances([asked_for(NOON, None, 60, "Switch is replaced", "me")])
    store.save_maintenances([])
    assert store.maintenances() == []


def test_50_kills_in_the_middle_of_a_commit_leave_ledger_and_mark_in_step(tmp_path: Path) -> None:
    """The kernel kills a process in the write that passes RLIMIT_FSIZE: the log ends there, within a commit."""
    run = subprocess.run(command("kills_in_a_commit", tmp_path), capture_output=True, text=True, check=False)
    assert run.stdout == "as promised\n", run.stderr


def test_a_kill_at_any_moment_of_saving_loses_nothing_that_was_told(path: Path) -> None:
    writer = subprocess.Popen(command("save_until_killed", path), stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(50):
        told = int(writer.stdout.readline())
    writer.kill()
    writer.wait()
    store = SqliteStore(path)
    [ledger] = store.ledgers(A)
    assert ledger.used_bytes == store.marks()[A].up_bytes
    assert ledger.used_bytes >= told


def filled(path: Path, departments: int = 40) -> None:
    """Books, limits, blocks and a maintenance over many pages, and nothing in the log."""
    store = SqliteStore(path)
    names = [AccountKey(f"department{number}") for number in range(departments)]
    store.save_metering({name: ledgers_of(7) for name in names}, dict.fromkeys(names, MARK), NOON)
    for name in names:
        store.save_limit(name, QuotaKind.DAILY, 2**40)
    store.save_blocks([block(f"10.0.{number}.1") for number in range(200)], [])
    store.save_maintenances([asked_for(NOON, None, 60, "Switch is replaced", "me")])
    store.close()


def ledgers_of(used: int) -> list[Ledger]:
    return [Ledger(kind, date(2026, 11, 1), used) for kind in QuotaKind]


def root_page(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as disk:
        [page] = disk.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()
    return int(page)


def overwrite(path: Path, offset: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(random.Random(offset).randbytes(size))


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute(statement)


DAMAGES: Mapping[str, Callable[[Path], object]] = {
    "other content": lambda path: path.write_bytes(b"not a database, but long enough to be read as one" * 100),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "header": lambda path: overwrite(path, 0, 100),
    "a page of the books": lambda path: overwrite(path, (root_page(path, "ledger") - 1) * PAGE_BYTES, PAGE_BYTES),
    "a page of the blocks": lambda path: overwrite(path, (root_page(path, "block") - 1) * PAGE_BYTES, PAGE_BYTES),
    "no table": lambda path: execute(path, "DROP TABLE mark"),
    "kind": lambda path: execute(path, "UPDATE ledger SET kind = 'yearly' WHERE rowid = 5"),
    "raised": lambda path: execute(path, "UPDATE ledger SET raised = '[80' WHERE rowid = 5"),
    "day": lambda path: execute(path, "UPDATE ledger SET start = '2026-02-30' WHERE rowid = 5"),
    "bytes": lambda path: execute(path, "UPDATE mark SET up_bytes = 'many' WHERE rowid = 5"),
    "nothing": lambda path: execute(path, "UPDATE mark SET identity = NULL WHERE rowid = 5"),
    "time": lambda path: execute(path, "UPDATE saving SET at = 'noon'"),
    "maintenance": lambda path: execute(path, "UPDATE maintenance SET kind = 'sudden'"),
    "block": lambda path: execute(path, "UPDATE block SET started_at = NULL WHERE rowid = 5"),
}
KEEPS_THE_BOOKS = ("a page of the blocks", "maintenance", "block")
KEEPS_THE_BLOCKS = {*DAMAGES} - {"other content", "truncated", "empty", "header", "a page of the blocks", "block"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_opened_and_begun_anew_with_what_can_be_read(path: Path, damage: str) -> None:
    filled(path)
    DAMAGES[damage](path)
    with pytest.raises(StoreDamaged):
        SqliteStore(path)
    again = SqliteStore(path.with_name("another.sqlite3"))
    lost = again.take_over(path)
    assert lost
    has_books = damage in KEEPS_THE_BOOKS
    assert (BOOKS not in lost) is has_books
    assert set(again.ledgers(DEPARTMENT_7)) == (set(ledgers_of(7)) if has_books else set())
    assert again.marks().get(DEPARTMENT_7) == (MARK if has_books else None)
    assert again.saved_at() == (NOON if has_books else None)
    if damage in KEEPS_THE_BLOCKS:
        assert len(again.blocks()) == 200
        assert len(again.limits()) == 40
    if damage == "block":
        assert len(again.blocks()) == 199


def test_a_log_that_is_damaged_takes_back_ledger_and_mark_together(path: Path) -> None:
    filled(path)
    store = SqliteStore(path)
    for used in range(8, 30):
        store.save_metering({DEPARTMENT_7: ledgers_of(used)}, {DEPARTMENT_7: Mark("x", used, 0)}, NOON)
    log_path = path.with_name(f"{path.name}-wal")
    copy = path.with_name("copy.sqlite3")
    shutil.copy(path, copy)
    shutil.copy(log_path, copy.with_name("copy.sqlite3-wal"))
    store.close()
    content = copy.with_name("copy.sqlite3-wal").read_bytes().rstrip(b"\0")  # behind it the log has its zeros still
    overwrite(copy.with_name("copy.sqlite3-wal"), len(content) // 2, 64)
    again = SqliteStore(copy)
    used = again.ledgers(DEPARTMENT_7)[0].used_bytes
    assert 7 < used < 29
    assert again.marks()[DEPARTMENT_7] == Mark("x", used, 0)


def test_a_save_writes_over_what_the_log_has_and_the_log_does_not_grow(path: Path) -> None:
    store = SqliteStore(path)
    log_path = path.with_name(f"{path.name}-wal")
    before = log_path.stat()
    assert before.st_size == LOG_BYTES
    for used in range(100):
        store.save_metering({A: ledgers_of(used)}, {A: Mark("x", used, 0)}, NOON)
    after = log_path.stat()
    assert (after.st_size, after.st_blocks) == (before.st_size, before.st_blocks)


def test_a_log_that_has_outgrown_its_length_is_folded_and_then_written_over(path: Path) -> None:
    store = SqliteStore(path)
    log_path = path.with_name(f"{path.name}-wal")
    used = 0
    while log_path.stat().st_size <= LOG_BYTES:
        used += 1
        store.save_metering({A: ledgers_of(used)}, {A: Mark("x", used, 0)}, NOON)
    before = path.stat().st_size
    store.fold_long()
    assert path.stat().st_size > before
    store.save_metering({A: ledgers_of(used + 1)}, {A: Mark("x", used + 1, 0)}, NOON)
    assert log_path.stat().st_size == LOG_BYTES
    store.close()
    assert SqliteStore(path).marks()[A] == Mark("x", used + 1, 0)


def test_a_log_is_not_lengthened_while_another_program_writes_to_it(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("REPLACE INTO saving VALUES (1, ?)", [NOON.isoformat()])
        with pytest.raises(StoreUnavailable, match="locked"):
            SqliteStore(path)
        other.execute("COMMIT")
        assert path.with_name(f"{path.name}-wal").stat().st_size < LOG_BYTES
    assert SqliteStore(path).saved_at() == NOON


def test_a_folder_in_its_place_is_damage_and_another_program_s_hold_is_not(path: Path) -> None:
    (path / "something").mkdir(parents=True)
    with pytest.raises(StoreDamaged, match="a folder"):
        SqliteStore(path)
    other = path.with_name("other.sqlite3")
    filled(other)
    with closing(sqlite3.connect(other)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE").close()
        holder.execute("BEGIN EXCLUSIVE").close()
        with pytest.raises(StoreUnavailable, match="locked"):
            SqliteStore(other)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="state cannot be kept here"):
        SqliteStore(tmp_path / "file" / "appliance.sqlite3")


def test_what_hosts_were_told_comes_back_for_a_day_and_the_file_does_not_grow_on(path: Path) -> None:
    store, day_s = SqliteStore(path), 86_400.0
    heard = [
        HeardAddress(
            "a", f"n{number}.test", "10.0.0.1", float(number), number + 60.0, ("b.test", "c.test"), "10.0.0.53"
        )
        for number in range(1000)
    ]
    store.save_answers(heard)
    sqlite3.connect(path, isolation_level=None).execute("INSERT INTO answer (name, answered_s) VALUES (7, 999.5)")
    assert SqliteStore(path).answers(1000.0) == heard
    assert SqliteStore(path).answers(day_s + 990.0) == heard[991:]
    for second in range(4):
        store.save_answers([replace(heard[0], answered_s=2 * day_s + second)])
    assert sqlite3.connect(path).execute("SELECT count(*) FROM answer").fetchone() == (4,)
    assert [one.answered_s for one in store.answers(2 * day_s)] == [2 * day_s + 3]  # each address once


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
