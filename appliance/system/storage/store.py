"""The state that survives a power cut: ledgers with their marks, blocks and the maintenance, in one SQLite file.

A byte is charged and marked in one transaction, so that a crash can lose neither half. What a person ordered (a block,
a maintenance) is synced to the medium before the caller goes on; metering is not: SQLite's WAL keeps the file whole
through a power cut and may lose the last checkpoint, whose bytes the kernel forgot with the power anyway. Small pages
spare the SD card: `tests/bench/disk.py` measures what a day writes.

A file that is damaged, or holds a row that cannot be what was saved, is not opened (`StoreDamaged`): who opens it moves
it away, begins another and has that `take_over` what can still be read. The books go over whole or not at all, because
a mark without its ledger would lose bytes or charge them twice.

On a full disk what a person orders is refused, and metering stays in memory; a reserve is given up first.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlite_utils import Database, Migrations
from sqlite_utils.db import Table

from appliance.core.blocking.block import Block
from appliance.core.blocking.blocked_names import LearnedAddress
from appliance.core.metering.account import AccountKey
from appliance.core.metering.quota import Ledger, QuotaKind
from appliance.core.metering.usage import Mark
from appliance.core.operations.maintenance_window import Maintenance
from appliance.core.refusal import Code, Refused
from appliance.system.storage.rows import (
    BLOCK_COLUMNS,
    NOT_A_ROW,
    Row,
    account_from,
    account_text,
    block_from,
    block_key,
    block_of,
    block_values,
    learned_of,
    learned_values,
    ledger_from,
    ledger_row,
    limit_from,
    maintenance_from,
    maintenance_row,
    mark_from,
    mark_row,
    saving_from,
    saving_row,
)
from appliance.system.storage.schema import CHANGES

log = logging.getLogger(__name__)

PAGE_BYTES = 1024  # a commit touches a page of three tables: of 4096 bytes they were 24 MB a day, so they are 10
WAL_PAGES = 1000  # 1 MB: the log is folded back before it grows large on a small medium

# The last is what a table that is missing raises.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}  # as a full disk shows itself

# Blocks go by position: 100,000 of them by name cost three times as much.
READ_BLOCKS = f"SELECT {', '.join(BLOCK_COLUMNS)} FROM block"  # noqa: S608  our own names
SAVE_BLOCK = (
    f"REPLACE INTO block ({', '.join(BLOCK_COLUMNS)})"  # noqa: S608  our own names
    f" VALUES ({', '.join('?' * len(BLOCK_COLUMNS))})"
)
DELETE_BLOCK = "DELETE FROM block WHERE target = ? AND department = ? AND origin = ?"
READ_LEARNED = "SELECT target, department, origin, address, ends FROM learned"
SAVE_LEARNED = "REPLACE INTO learned (target, department, origin, address, ends) VALUES (?, ?, ?, ?, ?)"
DELETE_LEARNED = "DELETE FROM learned WHERE target = ? AND department = ? AND origin = ? AND address = ?"
DELETE_LEARNED_FOR = "DELETE FROM learned WHERE target = ? AND department = ? AND origin = ?"

BOOKS = "the books"  # ledgers and marks belong together

# What is kept, in the words of a person: its tables, and what reads a row of each.
CONTENTS: Mapping[str, Mapping[str, Callable[[Row], object]]] = {
    BOOKS: {"ledger": ledger_from, "mark": mark_from, "saving": saving_from},
    "limits": {"quota_limit": limit_from},
    "blocks": {"block": block_from},
    "the maintenance": {"maintenance": maintenance_from},
}

migrations = Migrations("appliance")
for _name, _change in CHANGES.items():
    migrations(name=_name)(_change)


class StoreUnavailable(Exception):
    """The state cannot be kept; the text says where and why."""


class StoreDamaged(Exception):
    """There is a file, and it is not what was saved; the text says why."""


class Reserve(Protocol):
    """Room on the medium that is kept for when there is no other (`system.storage.ballast.Ballast`)."""

    def lay(self) -> None:
        """Take the room again, if there is enough beside it."""

    def give_up(self) -> bool:
        """Free the room; false: there was none."""


class SqliteStore:
    """`ports.Store` in one SQLite file with a write-ahead log."""

    def __init__(self, path: Path, reserve: Reserve | None = None, *, is_checked: bool = True) -> None:
        """Open or create the file and bring its schema up to date. Raises `StoreUnavailable`, `StoreDamaged`.

        `is_checked`: whether all is read once, to see that it is whole; else what is damaged raises where it is read.
        """
        self._reserve = reserve
        self._log = path.with_name(f"{path.name}-wal")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._database = _opened(path)
            except sqlite3.OperationalError as error:
                self._make_room(error)
                self._database = _opened(path)
            if is_checked:
                self._check()
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"{path}: state cannot be kept here: {error}") from error
        if reserve is not None:
            reserve.lay()

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        self._database.close()

    def take_over(self, damaged: Path) -> Sequence[str]:
        """Save here what can be read of a damaged file; returns what could not be, or not all, in words.

        Raises `StoreUnavailable`.
        """
        if not damaged.is_file() or damaged.stat().st_size == 0:  # SQLite would delete the log of an empty file unread
            return list(CONTENTS)
        kept: dict[str, Sequence[Row]] = {}
        lost = []
        try:
            with closing(sqlite3.connect(damaged)) as connection:
                source = Database(connection, execute_plugins=False)
                for what, readers in CONTENTS.items():
                    read = {table: _readable(source, table, reader) for table, reader in readers.items()}
                    is_whole = all(complete for _, complete in read.values())
                    if not is_whole:
                        lost.append(what)
                    if is_whole or what != BOOKS:
                        kept |= {table: rows for table, (rows, _) in read.items()}
            self._commit(lambda: [self._table(table).insert_all(rows) for table, rows in kept.items()], synced=True)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{damaged}: what can be read cannot be taken over: {error}") from error
        return lost

    def ledgers(self, account: AccountKey) -> Sequence[Ledger]:
        """The account's newest ledger of each kind."""
        rows = self._database.query(
            "SELECT kind, max(start) AS start, used_bytes, raised, granted_bytes FROM ledger"
            " WHERE department = ? GROUP BY kind",
            [account_text(account)],
        )
        return [ledger_from(row) for row in rows]

    def marks(self) -> Mapping[AccountKey, Mark]:
        """By account, the meter up to which its bytes are charged."""
        return {account_from(row["department"]): mark_from(row) for row in self._table("mark").rows}

    def saved_at(self) -> datetime | None:
        """When metering was saved last, by the wall clock; `None`: never."""
        for row in self._table("saving").rows:
            return saving_from(row)
        return None

    def save_metering(
        self,
        ledgers: Mapping[AccountKey, Sequence[Ledger]],
        marks: Mapping[AccountKey, Mark],
        wall: datetime,
        *,
        forgotten: Collection[AccountKey] = (),
        synced: bool = False,
    ) -> bool:
        """Ledgers and marks by account, in one transaction; false where the medium does not take them."""

        def save() -> None:
            for name in map(account_text, forgotten):
                self._table("ledger").delete_where("department = ?", [name])
                self._table("mark").delete_where("department = ?", [name])
            self._table("ledger").upsert_all(
                ledger_row(account, ledger) for account, kept in ledgers.items() for ledger in kept
            )
            self._table("mark").upsert_all(mark_row(account, mark) for account, mark in marks.items())
            self._table("saving").upsert(saving_row(wall))

        try:
            self._commit(save, synced=synced)
        except sqlite3.OperationalError as error:
            log.error("the books cannot be saved and are kept in memory: %s", error)
            return False
        if self._reserve is not None:
            self._reserve.lay()
        return True

    def limits(self) -> Mapping[AccountKey, Mapping[QuotaKind, int | None]]:
        """By account and kind, the limits that were set by hand over the configured ones."""
        found: dict[AccountKey, dict[QuotaKind, int | None]] = {}
        for row in self._table("quota_limit").rows:
            account, kind, limit_bytes = limit_from(row)
            found.setdefault(account, {})[kind] = limit_bytes
        return found

    def save_limit(self, account: AccountKey, kind: QuotaKind, limit_bytes: int | None) -> None:
        """Remember a limit that was set by hand, synced to the medium."""
        row = {"department": account_text(account), "kind": kind, "limit_bytes": limit_bytes}
        self._order(lambda: self._table("quota_limit").upsert(row))

    def blocks(self) -> Sequence[Block]:
        """Every block that was saved and not deleted."""
        return [block_of(values) for values in self._database.execute(READ_BLOCKS)]

    def save_blocks(self, saved: Sequence[Block], deleted: Sequence[Block]) -> None:
        """Write or replace some blocks and forget others; not synced, because the kernel shall not wait for that."""

        def save() -> None:
            self._database.conn.executemany(DELETE_BLOCK, map(block_key, deleted))
            self._database.conn.executemany(DELETE_LEARNED_FOR, map(block_key, deleted))
            self._database.conn.executemany(SAVE_BLOCK, map(block_values, saved))

        self._order(save, synced=False)

    def sync(self) -> None:
        """See that all that was saved is on the medium; of SQLite's log that is all that it would do itself.

        Raises `Refused`, `E_MAINTENANCE`.
        """
        try:
            for path in (self._log, self._log.parent):  # the log may be new
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            log.error("what was ordered may not survive a power cut: %s", error)
            raise Refused(
                Code.MAINTENANCE,
                f"the disk fails ({error.strerror}): it is done, but a power cut may take it back; replace the disk",
            ) from error

    def learned(self) -> Sequence[LearnedAddress]:
        """What blocked names were seen to resolve to."""
        return [learned_of(values) for values in self._database.execute(READ_LEARNED)]

    def save_learned(self, saved: Sequence[LearnedAddress], deleted: Sequence[LearnedAddress]) -> None:
        """Note what names resolve to, and what no more; not synced, because it will be seen again."""

        def save() -> None:
            self._database.conn.executemany(DELETE_LEARNED, [learned_values(one)[:-1] for one in deleted])
            self._database.conn.executemany(SAVE_LEARNED, map(learned_values, saved))

        self._order(save, synced=False)

    def reckoned_at(self) -> datetime | None:
        """The time by which blocks were last reckoned; `None`: never."""
        for row in self._table("reckoning").rows:
            return saving_from(row)
        return None

    def save_reckoned(self, wall: datetime) -> None:
        """Remember the time by which blocks are reckoned; not synced, because the minute before will do."""
        self._order(lambda: self._table("reckoning").upsert(saving_row(wall), pk="id"), synced=False)

    def maintenance(self) -> Maintenance | None:
        """The maintenance that was announced or under way, or `None`."""
        for row in self._table("maintenance").rows:
            return maintenance_from(row)
        return None

    def save_maintenance(self, maintenance: Maintenance | None) -> None:
        """Remember the maintenance, or that there is none, synced to the medium."""

        def save() -> None:
            self._table("maintenance").delete_where()
            if maintenance is not None:
                self._table("maintenance").insert(maintenance_row(maintenance))

        self._order(save)

    def _table(self, name: str) -> Table:
        return self._database.table(name)

    def _order(self, save: Callable[[], object], *, synced: bool = True) -> None:
        """Save what a person ordered, or refuse it whole."""
        try:
            self._commit(save, synced=synced)
        except sqlite3.OperationalError as error:
            log.error("an order cannot be saved and is refused: %s", error)
            raise Refused(
                Code.MAINTENANCE, f"the disk takes no changes ({error}): nothing was changed; make room and try again"
            ) from error

    def _commit(self, save: Callable[[], object], *, synced: bool) -> None:
        """One transaction; where there is no room for it, the reserve is given up and it is tried once more."""
        self._database.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}").close()
        try:
            with self._database.atomic():
                save()
        except sqlite3.OperationalError as error:
            self._make_room(error)
            with self._database.atomic():
                save()

    def _make_room(self, error: sqlite3.OperationalError) -> None:
        """Give up the reserve; raises the error again where it is of another kind, or there is no reserve."""
        if _code(error) not in _NO_ROOM or self._reserve is None or not self._reserve.give_up():
            raise error
        log.warning("there is no room for the state (%s); the reserve is given up", error)

    def _check(self) -> None:
        """Close the file and raise `StoreDamaged` where it is not whole, or a row is none that was saved."""
        damage = self._damage()
        if damage is not None:
            self.close()
            raise StoreDamaged(damage)

    def _damage(self) -> str | None:
        try:
            [found] = self._database.execute("PRAGMA integrity_check (1)").fetchone()
        except sqlite3.DatabaseError as error:
            _require_damage(error)
            return str(error)
        if found != "ok":
            return str(found)
        tables = {table: reader for readers in CONTENTS.values() for table, reader in readers.items()}
        unreadable = [table for table, reader in tables.items() if not _readable(self._database, table, reader)[1]]
        return f"rows of {', '.join(unreadable)} cannot be read" if unreadable else None


def _opened(path: Path) -> Database:
    if path.is_dir():
        raise StoreDamaged("a folder stands in its place")
    if path.exists() and path.stat().st_size == 0:
        raise StoreDamaged("it is empty")  # SQLite would take it for a new one, and delete its log unread
    database = Database(sqlite3.connect(path), execute_plugins=False)
    try:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}").close()  # of a new file; of another it stays what it is
        # Debian's is on: it would write each page once more, in zeros, when its rows are deleted.
        database.execute("PRAGMA secure_delete = OFF").close()
        database.execute("PRAGMA journal_mode = WAL").close()
        database.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}").close()
        migrations.apply(database)
    except sqlite3.DatabaseError as error:
        database.close()
        _require_damage(error)
        raise StoreDamaged(str(error)) from error
    return database


def _readable(source: Database, table: str, reader: Callable[[Row], object]) -> tuple[Sequence[Row], bool]:
    """The rows of a table that can be read, and whether these are all, in a table that is whole."""
    rows: list[Row] = []
    wrong: list[str] = []
    try:
        [found] = source.execute(f"PRAGMA integrity_check ({table})").fetchone()
        if found != "ok":
            wrong.append(found)
        for row in source.query(f"SELECT * FROM {table}"):  # noqa: S608  our own names
            try:
                reader(row)
            except NOT_A_ROW as error:
                wrong.append(f"{row}: {error}")
            else:
                rows.append(row)
    except sqlite3.DatabaseError as error:
        _require_damage(error)
        wrong.append(str(error))
    if wrong:
        log.error("%s: %d faults, the first: %s", table, len(wrong), wrong[0])
    return rows, not wrong


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _require_damage(error: sqlite3.DatabaseError) -> None:
    """Raise the error again where it says something else, such as that another program holds the file."""
    if _code(error) not in _DAMAGED:
        raise error
