"""The former version of an appliance goes on with files that a later one has written: after an update that returns.

The present stores stand for the former version, and a file with more tables and columns for what a later one leaves.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from appliance.core.access.audit_entry import AuditEntry
from appliance.core.access.person import Person, Role, TokenOrigin, TokenRecord
from appliance.core.alerting.report_order import ReportKey
from appliance.core.blocking.block import Block
from appliance.core.metering.account import AccountKey
from appliance.core.metering.history_series import Step
from appliance.core.metering.quota import Ledger, QuotaKind, QuotaRequest
from appliance.core.metering.usage import Mark, Passed
from appliance.core.operations.maintenance_window import asked_for
from appliance.core.operations.schedule import Schedule, ScheduleEffect, Weekday, parse_window
from appliance.core.traffic.devices.clue import NameSource
from appliance.core.traffic.devices.device_register import KnownDevice, RegisterChanges
from appliance.core.traffic.devices.server_sign import ServerKey, ServerKind
from appliance.system.storage import audit_store, history_store, people_store, schema
from appliance.system.storage.audit_store import SqliteAuditStore
from appliance.system.storage.history_store import SqliteHistoryStore
from appliance.system.storage.people_store import SqlitePeopleStore
from appliance.system.storage.store import SqliteStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
A = AccountKey("a")
LEDGER = Ledger(QuotaKind.DAILY, date(2026, 11, 23), 7, frozenset({80}))
BLOCK = Block("10.0.0.1", "because", "me", "manual", NOON, "a", NOON + timedelta(hours=1))
REQUEST = QuotaRequest("1", "a", "10.0.0.2", "eva", "an exam", NOON, NOON + timedelta(hours=11))
MAINTENANCE = asked_for(NOON, NOON + timedelta(hours=1), 60, "Switch is replaced", "me")
REPORT = ReportKey("it", "a", QuotaKind.WEEKLY)
SCHEDULE = Schedule(
    ScheduleEffect.BLOCK, "10.0.0.1", "a", "school nights", "me", NOON, parse_window("22:00-06:00", [Weekday.MON])
)
DEVICE = KnownDevice("3c:52:82:1f:aa:07", 1.0, 2.5, {"10.0.0.2": 2.5}, {NameSource.DHCP: "lab"}, "Printer")
SERVER = ServerKey(ServerKind.DHCP, "10.0.0.3", "02:00:00:00:00:66")
ANNA = Person("anna", Role.ADMIN, None)
TOKEN = TokenRecord(
    "id1",
    subject="anna",
    role=Role.ADMIN,
    departments=None,
    origin=TokenOrigin.ISSUED,
    issued_at=NOON,
    expires_at=NOON + timedelta(hours=1),
)
SERIES = ("a", "10.0.0.2")
ENTRY = AuditEntry("2026-11-23T12:00:00.000Z", "anna", "admin", "192.168.1.9", "ip:block")

# The migrations of the first version that could be updated this way. What they did before is done.
FIRST = {
    schema.migrations: "0007_quota_requests",
    history_store.migrations: "0001_sums",
    people_store.migrations: "0002_last_seen",
    audit_store.migrations: "0001_entries",
}


def _state(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        assert store.save_metering({A: [LEDGER]}, {A: Mark("boot/3/x", 1, 2)}, NOON)
        store.save_limit(A, QuotaKind.DAILY, 9)
        store.save_blocks([BLOCK], [])
        store.save_quota_requests([REQUEST], [])
        store.save_maintenances([MAINTENANCE])
        store.save_devices({"a": RegisterChanges(7.0, [DEVICE])})
        store.save_known_server("a", SERVER)
        store.save_schedules([SCHEDULE], [])
        store.save_sent_reports({REPORT: date(2026, 11, 16)})
        store.save_reckoned(NOON)
        store.sync()
        assert store.ledgers(A) == [LEDGER]
        assert store.marks() == {A: Mark("boot/3/x", 1, 2)}
        assert store.limits() == {A: {QuotaKind.DAILY: 9}}
        assert store.blocks() == [BLOCK]
        assert list(store.quota_requests()) == [REQUEST]
        assert store.maintenances() == [MAINTENANCE]
        assert store.schedules() == [SCHEDULE]
        assert store.sent_reports() == {REPORT: date(2026, 11, 16)}
        assert (store.devices(), store.learning()) == ({"a": [DEVICE]}, {"a": 7.0})
        assert store.known_servers() == {"a": [SERVER]}
        assert (store.saved_at(), store.reckoned_at()) == (NOON, NOON)
    with closing(SqliteStore.in_memory(path, "a boot only reads it", is_checked=False)) as read:
        assert read.blocks() == [BLOCK]


def test_a_damaged_file_of_a_later_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "file.sqlite3"
    _state(path)
    _grow(path, schema.migrations)
    with closing(SqliteStore(tmp_path / "new.sqlite3")) as store:
        assert store.take_over(path) == []
        assert (store.blocks(), store.ledgers(A), store.maintenances()) == ([BLOCK], [LEDGER], [MAINTENANCE])


def _history(path: Path) -> None:
    store = SqliteHistoryStore(path)
    before = store.passed_in(Step.HOUR, SERIES, range(496_000, 496_001)).get(496_000, Passed(0, 0))
    for step, bucket in ((Step.MINUTE, 29_800_000), (Step.HOUR, 496_000), (Step.DAY, 739_943)):
        assert store.accumulate({SERIES: {(step, bucket): [3, 4]}}) is None
    assert store.passed_in(Step.HOUR, SERIES, range(496_000, 496_001)) == {
        496_000: Passed(before.up_bytes + 3, before.down_bytes + 4)
    }
    store.fold()
    store.close()


def _people(path: Path) -> None:
    with closing(SqlitePeopleStore(path)) as store:
        if store.person("anna") is None:
            assert store.add_person(ANNA, "a hash", NOON)
            store.remember(TOKEN)
        store.set_password("anna", "another", NOON)
        store.save_last_seen({"id1": NOON})
        store.save_floor(NOON)
        assert store.people() == [ANNA]
        assert store.person("anna") == (ANNA, "another")
        assert [one.id for one in store.tokens()] == ["id1"]
        assert store.last_seen() == {"id1": NOON}


def _trail(path: Path) -> None:
    with closing(SqliteAuditStore(path)) as store:
        store.record(ENTRY)
        assert store.entries(1)[0].entry == ENTRY
        assert store.is_intact()


STORES: dict[str, tuple[Migrations, Callable[[Path], None]]] = {
    "state": (schema.migrations, _state),
    "history": (history_store.migrations, _history),
    "people": (people_store.migrations, _people),
    "trail": (audit_store.migrations, _trail),
}


def _grow(path: Path, of: Migrations) -> None:
    """Do what a later version's migration may do."""
    later = Migrations(of.name)

    @later(name="9999_later")
    def _later(database: Database) -> None:
        for table in database.table_names():
            if not table.startswith(("_", "sqlite_")):
                database.table(table).add_column("later", str)
                database.table(table).add_column("counted", int, not_null_default=7)
        database.table("later").create({"id": int, "text": str}, pk="id")

    database = Database(path)
    later.apply(database)
    database.close()


@pytest.mark.parametrize("name", STORES)
def test_a_file_that_a_later_version_has_changed_is_read_and_written(name: str, tmp_path: Path) -> None:
    migrations, work = STORES[name]
    path = tmp_path / "file.sqlite3"
    work(path)
    _grow(path, migrations)
    work(path)
    assert not list(tmp_path.glob("*.damaged-*"))


Columns = dict[str, dict[str, tuple[str, bool, str | None, int]]]  # by table and column: type, not null, default, key


def columns(database: Database) -> Columns:
    return {
        table: {
            row[1]: (row[2], bool(row[3]), row[4], row[5]) for row in database.execute(f"PRAGMA table_info({table})")
        }
        for table in database.table_names()
        if not table.startswith(("_", "sqlite_"))
    }


def losses(before: Columns, after: Columns) -> Iterator[str]:
    """What a former version would miss, or could not write."""
    for table, former in before.items():
        present = after.get(table, {})
        for column, kind in former.items():
            if present.get(column) != kind:
                yield f"{table}.{column} was {kind} and is {present.get(column)}"
        for column, (_, is_required, default, key) in present.items():
            if column not in former and (key or (is_required and default is None)):
                yield f"{table}.{column} is new, and the former version does not write it"


def growth(migrations: Migrations, first: str) -> Iterator[str]:
    """What the migrations after this one take away."""
    database = Database(sqlite3.connect(":memory:"))
    names = [one.name for one in migrations.pending(database)]
    for name in names[names.index(first) + 1 :]:
        migrations.apply(database, stop_before=name)
        before = columns(database)
        migrations.apply(database, stop_before=names[names.index(name) + 1 :])
        yield from losses(before, columns(database))
    database.close()


@pytest.mark.parametrize("name", STORES)
def test_a_migration_only_adds(name: str) -> None:
    migrations = STORES[name][0]
    assert list(growth(migrations, FIRST[migrations])) == []


def _drop_column(database: Database) -> None:
    database.table("mark").transform(drop={"up_bytes"})


def _rename(database: Database) -> None:
    database.table("mark").transform(rename={"up_bytes": "up"})


def _other_key(database: Database) -> None:
    database.table("mark").transform(pk="identity")


def _drop_table(database: Database) -> None:
    database.table("mark").drop()


def _require(database: Database) -> None:
    database.table("mark").transform(drop={"later"}, not_null={"identity"})


@pytest.mark.parametrize("change", [_drop_column, _rename, _other_key, _drop_table, _require])
def test_a_migration_that_takes_something_away_would_be_noticed(change: Callable[[Database], None]) -> None:
    wrong = Migrations("wrong")

    @wrong(name="1")
    def _first(database: Database) -> None:
        database.table("mark").create({"department": str, "identity": str, "up_bytes": int}, pk="department")

    wrong(name="2")(change)
    assert list(growth(wrong, "1"))
