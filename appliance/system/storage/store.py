"""Keeps the state through a power cut: ledgers with their marks, blocks and the maintenance, in one SQLite file.

One transaction charges a byte and marks it, so that a crash can lose neither half. A person's orders (a block, a
maintenance) are synced to the medium before the caller goes on. Metering is not: SQLite's WAL keeps the file whole
through a power cut and may lose the last checkpoint, whose bytes the kernel forgot with the power anyway. Small pages
spare the SD card: `tests/bench/disk.py` measures the writes of a day.

A damaged file, or one with a row that cannot have been saved, is not opened (`StoreDamaged`): the caller moves it
aside, creates another and lets it `take_over` the readable rows. The books are taken over whole or not at all, because
a mark without its ledger would lose bytes or charge them twice.

On a full disk a person's orders are refused, and metering stays in memory; before that the ballast is given up.
"""

import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.db import Table

from appliance.core.blocking.answer_cache import KEPT_S, HeardAddress
from appliance.core.blocking.block import Block
from appliance.core.blocking.blocked_names import LearnedAddress
from appliance.core.metering.account import AccountKey
from appliance.core.metering.quota import Ledger, QuotaKind
from appliance.core.metering.usage import Mark
from appliance.core.operations.maintenance_window import Maintenance
from appliance.core.refusal import Code, Refused
from appliance.system.storage import rows
from appliance.system.storage.ballast import Ballast
from appliance.system.storage.files import sync
from appliance.system.storage.schema import migrations
from appliance.system.storage.sqlite import DAMAGE, code_of, open_database, require_sound

log = logging.getLogger(__name__)

PAGE_BYTES = 1024  # a commit touches a page of three tables: of 4096 bytes they were 24 MB a day, so they are 10
WAL_PAGES = 1000  # 1 MB: the log is folded back before it grows large on a small medium
PRAGMAS = (
    f"page_size = {PAGE_BYTES}",  # of a new file; an existing one keeps its own
    "secure_delete = OFF",  # Debian's is on: it would write each page once more, in zeros, when its rows are deleted
    f"wal_autocheckpoint = {WAL_PAGES}",
)

_DAMAGED = {*DAMAGE, sqlite3.SQLITE_ERROR}  # the last: a table is missing
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}  # errors of a full disk

# Blocks go by position: 100,000 of them by name cost three times as much.
READ_BLOCKS = f"SELECT {rows.BLOCK_COLUMNS} FROM block"  # noqa: S608  our own names
SAVE_BLOCK = f"REPLACE INTO block ({rows.BLOCK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
DELETE_BLOCK = "DELETE FROM block WHERE target = ? AND department = ? AND origin = ?"
READ_LEARNED = "SELECT target, department, origin, address, ends, why FROM learned"
SAVE_LEARNED = "REPLACE INTO learned (target, department, origin, address, ends, why) VALUES (?, ?, ?, ?, ?, ?)"
DELETE_LEARNED = "DELETE FROM learned WHERE target = ? AND department = ? AND origin = ? AND address = ?"
DELETE_LEARNED_FOR = "DELETE FROM learned WHERE target = ? AND department = ? AND origin = ?"

ANSWER_COLUMNS = "department, name, address, answered_s, kept_until_s, aliases, server"
MOST_ANSWERS = 8192  # read at a start, the latest: a day of a hundred people, in a tenth of a second
# Each address once, by its latest row: SQLite takes the other columns from the row that has the maximum.
READ_ANSWERS = (
    f"SELECT {ANSWER_COLUMNS}, max(rowid) AS latest FROM answer WHERE answered_s > ?"  # noqa: S608
    f" GROUP BY department, name, address ORDER BY latest DESC LIMIT {MOST_ANSWERS}"
)
SAVE_ANSWER = f"INSERT INTO answer ({ANSWER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
PRUNE_ANSWERS = (
    "DELETE FROM answer WHERE rowid IN (SELECT rowid FROM answer ORDER BY rowid LIMIT 400) AND answered_s < ?"
)

BOOKS = "the books"  # ledgers and marks belong together

# Content by its name for people: its tables, each with the function that reads a row.
CONTENTS: Mapping[str, Mapping[str, Callable[[rows.Row], object]]] = {
    BOOKS: {"ledger": rows.ledger_from, "mark": rows.mark_from, "saving": rows.saving_from},
    "limits": {"quota_limit": rows.limit_from},
    "blocks": {"block": rows.block_from},
    "the maintenance": {"maintenance": rows.maintenance_from},
}


class StoreUnavailable(Exception):
    """The state cannot be kept; the text says where and why."""


class StoreDamaged(Exception):
    """The file is not as it was saved; the text says why."""


class SqliteStore:
    """`ports.Store` in one SQLite file with a write-ahead log."""

    def __init__(self, path: Path, ballast: Ballast | None = None, *, is_checked: bool = True) -> None:
        """Open or create the file and bring its schema up to date. Raises `StoreUnavailable`, `StoreDamaged`.

        `is_checked`: read everything once to find damage now; else damage raises when it is read.
        """
        self._ballast = ballast
        self._log = path.with_name(f"{path.name}-wal")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._database = _opened(path)
            except sqlite3.OperationalError as error:
                self._make_room(error)
                self._database = _opened(path)
            damage = self._damage() if is_checked else None
            if damage is not None:
                self.close()
                raise StoreDamaged(damage)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"{path}: state cannot be kept here: {error}") from error
        if ballast is not None:
            ballast.lay()

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._database.close()

    def take_over(self, damaged: Path) -> Sequence[str]:
        """Save here the readable rows of a damaged file; returns the names of the contents that are incomplete.

        Raises `StoreUnavailable`.
        """
        if not damaged.is_file() or damaged.stat().st_size == 0:  # SQLite would delete the log of an empty file unread
            return list(CONTENTS)
        kept: dict[str, Sequence[rows.Row]] = {}
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
                        kept |= {table: sound for table, (sound, _) in read.items()}
            self._commit(lambda: [self._table(table).insert_all(sound) for table, sound in kept.items()], synced=True)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{damaged}: what can be read cannot be taken over: {error}") from error
        return lost

    def ledgers(self, account: AccountKey) -> Sequence[Ledger]:
        found = self._database.query(
            "SELECT kind, max(start) AS start, used_bytes, raised, granted_bytes, closed_at_bytes"
            " FROM ledger"
            " WHERE department = ? GROUP BY kind",
            [rows.account_text(account)],
        )
        return [rows.ledger_from(row) for row in found]

    def marks(self) -> Mapping[AccountKey, Mark]:
        return {rows.account_from(row["department"]): rows.mark_from(row) for row in self._table("mark").rows}

    def saved_at(self) -> datetime | None:
        return next(map(rows.saving_from, self._table("saving").rows), None)

    def save_metering(
        self,
        ledgers: Mapping[AccountKey, Sequence[Ledger]],
        marks: Mapping[AccountKey, Mark],
        wall: datetime,
        *,
        forgotten: Collection[AccountKey] = (),
        synced: bool = False,
    ) -> bool:
        """Save ledgers and marks by account in one transaction; false where the medium does not take them."""

        def save() -> None:
            for name in map(rows.account_text, forgotten):
                self._table("ledger").delete_where("department = ?", [name])
                self._table("mark").delete_where("department = ?", [name])
            self._table("ledger").upsert_all(
                rows.ledger_row(account, ledger) for account, kept in ledgers.items() for ledger in kept
            )
            self._table("mark").upsert_all(rows.mark_row(account, mark) for account, mark in marks.items())
            self._table("saving").upsert(rows.saving_row(wall))

        try:
            self._commit(save, synced=synced)
        except sqlite3.OperationalError as error:
            log.error("the books cannot be saved and are kept in memory: %s", error)
            return False
        if self._ballast is not None:
            self._ballast.lay()
        return True

    def limits(self) -> Mapping[AccountKey, Mapping[QuotaKind, int | None]]:
        found: dict[AccountKey, dict[QuotaKind, int | None]] = {}
        for row in self._table("quota_limit").rows:
            account, kind, limit_bytes = rows.limit_from(row)
            found.setdefault(account, {})[kind] = limit_bytes
        return found

    def save_limit(self, account: AccountKey, kind: QuotaKind, limit_bytes: int | None) -> None:
        row = {"department": rows.account_text(account), "kind": kind, "limit_bytes": limit_bytes}
        self._order(lambda: self._table("quota_limit").upsert(row))

    def blocks(self) -> Sequence[Block]:
        return [rows.block_of(values) for values in self._database.execute(READ_BLOCKS)]

    def save_blocks(self, saved: Sequence[Block], deleted: Sequence[Block]) -> None:
        """Save some blocks and delete others; not synced, because the kernel must not wait for the medium."""

        def save() -> None:
            self._database.conn.executemany(DELETE_BLOCK, map(rows.block_key, deleted))
            self._database.conn.executemany(DELETE_LEARNED_FOR, map(rows.block_key, deleted))
            self._database.conn.executemany(SAVE_BLOCK, map(rows.block_values, saved))

        self._order(save, synced=False)

    def sync(self) -> None:
        """Wait until everything saved is on the medium; SQLite itself would do no more than sync its log.

        Raises `Refused`, `E_MAINTENANCE`.
        """
        try:
            for path in (self._log, self._log.parent):  # the log may be new
                sync(path)
        except OSError as error:
            log.error("orders may not survive a power cut: %s", error)
            raise Refused(
                Code.MAINTENANCE,
                f"the disk fails ({error.strerror}): it is done, but a power cut may take it back; replace the disk",
            ) from error

    def learned(self) -> Sequence[LearnedAddress]:
        return [rows.learned_of(values) for values in self._database.execute(READ_LEARNED)]

    def save_learned(self, saved: Sequence[LearnedAddress], deleted: Sequence[LearnedAddress]) -> None:

        def save() -> None:
            self._database.conn.executemany(DELETE_LEARNED, map(rows.learned_key, deleted))
            self._database.conn.executemany(SAVE_LEARNED, map(rows.learned_values, saved))

        self._order(save, synced=False)

    def answers(self, at_s: float) -> Sequence[HeardAddress]:
        found = []
        for values in self._database.execute(READ_ANSWERS, [at_s - KEPT_S]):
            with suppress(*rows.NOT_A_ROW):
                found.append(rows.answer_of(values[:-1]))
        return found[::-1]

    def save_answers(self, saved: Sequence[HeardAddress]) -> None:
        """Add some, and delete some of those that are older than a day: the file does not grow on."""

        def save() -> None:
            self._database.conn.executemany(SAVE_ANSWER, map(rows.answer_values, saved))
            self._database.conn.execute(PRUNE_ANSWERS, [max(one.answered_s for one in saved) - KEPT_S])

        self._order(save, synced=False)

    def reckoned_at(self) -> datetime | None:
        return next(map(rows.saving_from, self._table("reckoning").rows), None)

    def save_reckoned(self, wall: datetime) -> None:
        self._order(lambda: self._table("reckoning").upsert(rows.saving_row(wall), pk="id"), synced=False)

    def maintenance(self) -> Maintenance | None:
        return next(map(rows.maintenance_from, self._table("maintenance").rows), None)

    def save_maintenance(self, maintenance: Maintenance | None) -> None:

        def save() -> None:
            self._table("maintenance").delete_where()
            if maintenance is not None:
                self._table("maintenance").insert(rows.maintenance_row(maintenance))

        self._order(save)

    def _table(self, name: str) -> Table:
        return self._database.table(name)

    def _order(self, save: Callable[[], object], *, synced: bool = True) -> None:
        """Save a person's order, or refuse it whole."""
        try:
            self._commit(save, synced=synced)
        except sqlite3.OperationalError as error:
            log.error("an order cannot be saved and is refused: %s", error)
            raise Refused(
                Code.MAINTENANCE, f"the disk takes no changes ({error}): nothing was changed; make room and try again"
            ) from error

    def _commit(self, save: Callable[[], object], *, synced: bool) -> None:
        """Run one transaction; without room for it, give up the ballast and try once more."""
        self._database.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}").close()
        try:
            with self._database.atomic():
                save()
        except sqlite3.OperationalError as error:
            self._make_room(error)
            with self._database.atomic():
                save()

    def _make_room(self, error: sqlite3.OperationalError) -> None:
        """Give up the ballast; raises the error again where it is of another kind, or there is no ballast."""
        if code_of(error) not in _NO_ROOM or self._ballast is None or not self._ballast.give_up():
            raise error
        log.warning("there is no room for the state (%s); the ballast is given up", error)

    def _damage(self) -> str | None:
        """What SQLite finds damaged, or the tables with rows that cannot have been saved; `None`: neither."""
        try:
            require_sound(self._database, "integrity_check (1)")
        except sqlite3.DatabaseError as error:
            _require_damage(error)
            return str(error)
        tables = {table: reader for readers in CONTENTS.values() for table, reader in readers.items()}
        unreadable = [table for table, reader in tables.items() if not _readable(self._database, table, reader)[1]]
        return f"rows of {', '.join(unreadable)} cannot be read" if unreadable else None


def _opened(path: Path) -> Database:
    if path.is_dir():
        raise StoreDamaged("a folder is in its place")
    if path.exists() and path.stat().st_size == 0:
        raise StoreDamaged("it is empty")  # SQLite would take it for a new file, and delete its log unread
    try:
        return open_database(path, migrations, PRAGMAS)
    except sqlite3.DatabaseError as error:
        _require_damage(error)
        raise StoreDamaged(str(error)) from error


def _readable(source: Database, table: str, reader: Callable[[rows.Row], object]) -> tuple[Sequence[rows.Row], bool]:
    """The readable rows of a table, and whether the table is whole and all of its rows are readable."""
    sound: list[rows.Row] = []
    wrong: list[str] = []
    try:
        [found] = source.execute(f"PRAGMA integrity_check ({table})").fetchone()
        if found != "ok":
            wrong.append(found)
        for row in source.query(f"SELECT * FROM {table}"):  # noqa: S608  our own names
            try:
                reader(row)
            except rows.NOT_A_ROW as error:
                wrong.append(f"{row}: {error}")
            else:
                sound.append(row)
    except sqlite3.DatabaseError as error:
        _require_damage(error)
        wrong.append(str(error))
    if wrong:
        log.error("%s: %d faults, the first: %s", table, len(wrong), wrong[0])
    return sound, not wrong


def _require_damage(error: sqlite3.DatabaseError) -> None:
    """Raise the error again where it is not about damage, but for instance about a lock of another program."""
    if code_of(error) not in _DAMAGED:
        raise error
