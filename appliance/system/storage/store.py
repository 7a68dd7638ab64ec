"""Keeps the state through a power cut: ledgers with their marks, blocks and maintenances, in one SQLite file.

One transaction charges a byte and marks it, so that a crash can lose neither half. No transaction waits for the medium,
because everybody would. A person's order (a block, a limit, a maintenance) is saved, obeyed, and answered after `sync`,
which waits beside the event loop. The rest is synced seconds later, beside the loop too: SQLite's WAL keeps the file
whole through a power cut, which may lose the latest save. The log has its length from the start, so that a save writes
over what is there: where a file grows, the file system writes four blocks more. Small pages spare the SD card too:
`tests/bench/disk.py` measures the writes of a day.

A damaged file, or one with a row that cannot have been saved, is not opened (`StoreDamaged`): the caller moves it
aside, creates another and lets it `take_over` the readable rows. The books are taken over whole or not at all, because
a mark without its ledger would lose bytes or charge them twice.

On a full disk a person's orders are refused, and metering stays in memory; before that the ballast is given up. A file
that can only be read, or that another program has locked, is like a full disk: its content is read into memory, and
each attempt to save tries the file again.
"""

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from datetime import date, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from sqlite_utils.db import Database, Table

from appliance.core.alerting.report_order import ReportKey
from appliance.core.blocking.answer_cache import KEPT_S, HeardAddress
from appliance.core.blocking.block import Block
from appliance.core.blocking.blocked_names import LearnedAddress
from appliance.core.detection.habits.habit import Habit
from appliance.core.detection.incident_record import IncidentRecord, Mute
from appliance.core.metering.account import AccountKey
from appliance.core.metering.quota import MOST_CLOSED, Ledger, QuotaKind, QuotaRequest
from appliance.core.metering.usage import Mark
from appliance.core.operations.maintenance_window import Maintenance
from appliance.core.operations.schedule import Schedule
from appliance.core.refusal import Code, Refused
from appliance.core.traffic.devices.device_register import KnownDevice, RegisterChanges
from appliance.core.traffic.devices.server_sign import ServerKey
from appliance.system.storage import rows
from appliance.system.storage.ballast import Ballast, lengthen
from appliance.system.storage.files import sync, sync_content
from appliance.system.storage.queue import notice_tables
from appliance.system.storage.schema import migrations
from appliance.system.storage.sqlite import (
    DAMAGE,
    LOOP_BUSY_S,
    NO_FILE,
    Aside,
    at_once,
    code_of,
    copy_in_memory,
    fold_whole,
    open_database,
    open_for_reading,
    require_sound,
)

log = logging.getLogger(__name__)

PAGE_BYTES = 1024  # a commit touches a page of three tables: of 4096 bytes they were 24 MB a day, so they are 10
LOG_BYTES = 1 << 20  # of the log, six hours of saves: then it is folded back, beside the loop, and written over
BACKSTOP_PAGES = 4096  # 4 MB: a commit folds the log, and waits for the medium, only where `fold_long` does not
PRAGMAS = (
    f"page_size = {PAGE_BYTES}",  # of a new file; an existing one keeps its own
    "secure_delete = OFF",  # Debian's is on: it would write each page once more, in zeros, when its rows are deleted
    f"wal_autocheckpoint = {BACKSTOP_PAGES}",
    f"journal_size_limit = {LOG_BYTES}",  # of the file of a log that was folded
    "temp_store = MEMORY",
    "synchronous = NORMAL",  # a commit does not wait for the medium; `sync` does
)

_DAMAGED = {*DAMAGE, sqlite3.SQLITE_ERROR}  # the last: a table is missing
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}  # errors of a full disk

# Blocks go by position: 100,000 of them by name cost three times as much.
READ_BLOCKS = f"SELECT {rows.BLOCK_COLUMNS} FROM block"  # noqa: S608  our own names
# An order is collected in memory a slice at a time, and then taken into the file by SQLite itself, whole or not at all.
COLLECTED = f"CREATE TEMP TABLE collected (part, is_deleted, {rows.BLOCK_COLUMNS})"
COLLECT = "INSERT INTO temp.collected VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
COLLECTED_AT_ONCE = 500  # rows: two milliseconds
# CROSS JOIN: SQLite begins with the few that were collected, and not with the 100,000 of the table.
DELETE_COLLECTED = (
    "DELETE FROM {0} WHERE rowid IN (SELECT {0}.rowid FROM temp.collected AS one CROSS JOIN {0}"
    " USING (target, department, origin) WHERE part = ? AND is_deleted)"
)
SAVE_COLLECTED = (
    f"REPLACE INTO block ({rows.BLOCK_COLUMNS}) SELECT {rows.BLOCK_COLUMNS} FROM temp.collected"  # noqa: S608
    " WHERE part = ? AND NOT is_deleted ORDER BY target, department, origin"
)
FORGET_COLLECTED = "DELETE FROM temp.collected WHERE part = ?"
LEDGER_COLUMNS = "kind, used_bytes, raised, granted_bytes, closed_at_bytes, grants, exceeded_at, limit_bytes"
READ_CLOSED = (
    f"SELECT {LEDGER_COLUMNS}, start FROM ledger WHERE department = ? AND kind = ? AND start < ?"  # noqa: S608
    " ORDER BY start DESC LIMIT ?"
)
PRUNE_CLOSED = (
    "DELETE FROM ledger WHERE department = ? AND kind = ? AND start <"  # noqa: S608
    f" (SELECT start FROM ledger WHERE department = ? AND kind = ? ORDER BY start DESC LIMIT 1 OFFSET {MOST_CLOSED})"
)

READ_LEARNED = "SELECT target, department, origin, address, ends, why FROM learned"
SAVE_LEARNED = "REPLACE INTO learned (target, department, origin, address, ends, why) VALUES (?, ?, ?, ?, ?, ?)"
DELETE_LEARNED = "DELETE FROM learned WHERE target = ? AND department = ? AND origin = ? AND address = ?"

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

MOST_HELD = 4096  # orders that wait for the end of maintenance, a few MB: those of a day, and what names resolve to

BOOKS = "the books"  # ledgers and marks belong together
BLOCKS = "blocks"

# Content by its name for people: its tables, each with the function that reads a row.
CONTENTS: Mapping[str, Mapping[str, Callable[[rows.Row], object]]] = {
    BOOKS: {"ledger": rows.ledger_from, "mark": rows.mark_from, "saving": rows.saving_from},
    "limits": {"quota_limit": rows.limit_from},
    BLOCKS: {"block": rows.block_from},
    "maintenances": {"maintenance": rows.maintenance_from},
    "the addresses of blocked names": {"learned": rows.learned_from},
    "the blocks' clock": {"reckoning": rows.saving_from},
    "requests for more": {"quota_request": rows.request_from},
    "the devices": {"device": rows.device_from, "device_learning": rows.learning_from},
    "known servers": {"known_server": rows.server_from},
    "incidents": {"incident": rows.incident_from},
    "what is muted": {"incident_mute": rows.mute_from},
    "what is usual": {"habit": rows.habit_from},
    "the schedules": {"schedule": rows.schedule_from},
    "sent reports": {"sent_report": rows.sent_report_from},
    "the notices": notice_tables.READERS,
}
COLUMNS = {
    "ledger": {"department", "start", *LEDGER_COLUMNS.split(", ")},
    "mark": {"department", "identity", "up_bytes", "down_bytes"},
    "saving": {"id", "at"},
    "quota_limit": {"department", "kind", "limit_bytes"},
    "quota_request": {"id", "department", "address", "name", "text", "at", "until", "state", "actor", "reason"},
    "incident": {"id", "latest_at", "facts"},
    "incident_mute": {"id", "at", "facts"},
    "habit": {"id", "facts"},
    "schedule": {"id", "added_at", "facts"},
    "sent_report": {"channel", "department", "kind", "first"},
    "block": {*rows.BLOCK_COLUMNS.split(", ")},
    "maintenance": {"id", "kind", "start", "duration_s", "impact", "actor", "begun", "repeat", "anchor", "noticed"},
    "learned": {"target", "department", "origin", "address", "ends", "why"},
    "answer": {*ANSWER_COLUMNS.split(", ")},
    "reckoning": {"id", "at"},
    **notice_tables.COLUMNS,
    "device": {"department", "mac", "label", "dhcp_name", "mdns_name", "addresses", "first_s", "seen_s"},
    "device_learning": {"department", "began_s"},
    "known_server": {"department", "kind", "address", "mac"},
}


class StoreUnavailable(Exception):
    """The state cannot be kept; the text says where and why."""


class StoreDamaged(Exception):
    """The file is not as it was saved; the text says why."""


# What reading a state that was not checked may raise.
NOT_READABLE = (StoreDamaged, StoreUnavailable, sqlite3.Error, *rows.NOT_A_ROW)


class SqliteStore:
    """`ports.Store` in one SQLite file with a write-ahead log."""

    _held: list[Callable[[], object]] | None = None  # what waits for `release`; `None`: nothing is held

    def __init__(self, path: Path, ballast: Ballast | None = None, *, is_checked: bool = True) -> None:
        """Open or create the file and bring its schema up to date. Raises `StoreUnavailable`, `StoreDamaged`.

        `is_checked`: read everything once to find damage now; else damage raises when it is read.
        """
        self.obstacle: str | None = None  # why the file takes no changes
        self.aside: Aside = at_once  # waits for the medium
        self._parts = count()  # of `collected`, one for each order
        self._ballast = ballast
        self._path: Path | None = path
        self._log = path.with_name(f"{path.name}-wal")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._database = _opened(path)
            except sqlite3.OperationalError as error:
                self._make_room(error)
                self._database = _opened(path)
            self._prove_writable()
            if is_checked:
                self._require_whole()
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"{path}: state cannot be kept here: {error}") from error
        if ballast is not None:
            ballast.lay()

    @classmethod
    def in_memory(cls, path: Path, obstacle: str, *, is_empty: bool = False, is_checked: bool = True) -> "SqliteStore":
        """What this file has, in memory; it takes changes once the file does.

        `obstacle`: why the file takes none. `is_empty`: the file cannot be read either, and is left alone; what of it
        can be read is taken over. Raises `StoreUnavailable`, `StoreDamaged`.
        """
        store = cls.__new__(cls)
        store.aside, store._parts = at_once, count()
        store.obstacle, store._ballast, store._path = obstacle, None, None if is_empty else path
        store._log = path.with_name(f"{path.name}-wal")
        try:
            if not is_empty:
                _require_content(path)
            store._database = copy_in_memory(NO_FILE if is_empty else path, migrations)
            if is_checked:
                store._require_whole()
        except OSError as error:
            raise StoreUnavailable(f"{path}: the state cannot be read: {error}") from error
        except sqlite3.DatabaseError as error:
            if code_of(error) not in _DAMAGED:
                raise StoreUnavailable(f"{path}: the state cannot be read: {error}") from error
            raise StoreDamaged(str(error)) from error
        return store

    @property
    def is_held(self) -> bool:
        """Whether nothing is written until `release`."""
        return self._held is not None

    def hold(self) -> None:
        """Write nothing from now on: orders are kept in memory, and metering is not saved."""
        self._held = [] if self._held is None else self._held

    def settle(self) -> None:
        """Wait until all that was saved is in the file and on the medium, while others have their turn."""
        if self._path is not None and self.obstacle is None:
            self.aside(fold_whole, self._path)

    def release(self) -> None:
        """Save what was held; what the medium does not take then is lost, and logged."""
        held, self._held = self._held or [], None
        for save in held:
            with suppress(Refused):
                self._order(save)

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._database.close()

    def take_over(self, damaged: Path) -> Sequence[str]:
        """Save here the readable rows of a damaged file; returns the names of the contents that are incomplete.

        Raises `StoreUnavailable`.
        """
        kept: dict[str, Sequence[rows.Row]] = {}
        lost = []
        try:
            if not damaged.is_file() or damaged.stat().st_size == 0:  # SQLite takes an empty file for a new one
                return list(CONTENTS)
            with closing(open_for_reading(damaged)) as connection:
                source = Database(connection, execute_plugins=False)
                for what, readers in CONTENTS.items():
                    read = {table: _readable(source, table, reader) for table, reader in readers.items()}
                    is_whole = all(complete for _, complete in read.values())
                    if not is_whole:
                        lost.append(what)
                    if is_whole or what != BOOKS:
                        kept |= {table: sound for table, (sound, _) in read.items()}
        except (OSError, sqlite3.Error) as error:
            log.error("%s cannot be read: %s", damaged, error)
            return list(CONTENTS)
        try:
            with self._database.atomic():
                for table, sound in kept.items():
                    self._table(table).insert_all(sound)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{damaged}: what can be read cannot be taken over: {error}") from error
        return lost

    def ledgers(self, account: AccountKey) -> Sequence[Ledger]:
        found = self._database.query(
            f"SELECT {LEDGER_COLUMNS}, max(start) AS start FROM ledger WHERE department = ? GROUP BY kind",  # noqa: S608
            [rows.account_text(account)],
        )
        return [rows.ledger_from(row) for row in found]

    def closed_ledgers(self, account: AccountKey, kind: QuotaKind, before: date, most: int) -> Sequence[Ledger]:
        found = self._database.query(READ_CLOSED, [rows.account_text(account), kind, str(before), most])
        return [rows.ledger_from(row) for row in found]

    def used_by_day(self, account: AccountKey) -> Mapping[date, int]:
        found = self._database.execute(
            "SELECT start, used_bytes FROM ledger WHERE department = ? AND kind = ?",
            [rows.account_text(account), QuotaKind.DAILY],
        )
        return {date.fromisoformat(start): used_bytes for start, used_bytes in found}

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
    ) -> bool:
        """Save ledgers and marks by account in one transaction; false while held, or where the medium takes nothing."""
        if self.is_held:
            return False

        def save() -> None:
            for name in map(rows.account_text, forgotten):
                self._table("ledger").delete_where("department = ?", [name])
                self._table("mark").delete_where("department = ?", [name])
            # A ledger that begins earlier than the saved one is the newer: the billing day has changed.
            running = {(account, one.kind): one.start for account, kept in ledgers.items() for one in kept}
            self._database.conn.executemany(
                "DELETE FROM ledger WHERE department = ? AND kind = ? AND start > ?",
                ((rows.account_text(account), kind, str(start)) for (account, kind), start in running.items()),
            )
            self._table("ledger").upsert_all(
                rows.ledger_row(account, ledger) for account, kept in ledgers.items() for ledger in kept
            )
            kinds = Counter((rows.account_text(account), one.kind) for account, kept in ledgers.items() for one in kept)
            self._database.conn.executemany(PRUNE_CLOSED, [(*key, *key) for key, number in kinds.items() if number > 1])
            self._table("mark").upsert_all(rows.mark_row(account, mark) for account, mark in marks.items())
            self._table("saving").upsert(rows.saving_row(wall))

        try:
            self._commit(save)
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

    def quota_requests(self) -> Sequence[QuotaRequest]:
        return [rows.request_from(row) for row in self._table("quota_request").rows_where(order_by="at")]

    def save_quota_requests(self, saved: Sequence[QuotaRequest], deleted: Sequence[str]) -> None:

        self._order(partial(self._replace, "quota_request", [*map(rows.request_row, saved)], deleted))

    def incidents(self) -> Sequence[IncidentRecord]:
        return [rows.incident_from(row) for row in self._table("incident").rows_where(order_by="latest_at")]

    def save_incidents(self, saved: Sequence[IncidentRecord], deleted: Sequence[str]) -> None:
        self._order(partial(self._replace, "incident", [*map(rows.incident_row, saved)], deleted))

    def mutes(self) -> Sequence[Mute]:
        return [rows.mute_from(row) for row in self._table("incident_mute").rows_where(order_by="at")]

    def save_mutes(self, saved: Sequence[Mute], deleted: Sequence[str]) -> None:
        self._order(partial(self._replace, "incident_mute", [*map(rows.mute_row, saved)], deleted))

    def habits(self) -> Sequence[Habit]:
        return [rows.habit_from(row) for row in self._table("habit").rows]

    def save_habits(self, saved: Sequence[Habit], deleted: Sequence[str]) -> None:
        self._order(partial(self._replace, "habit", [*map(rows.habit_row, saved)], deleted))

    def _replace(self, table: str, saved: Sequence[dict[str, Any]], deleted: Sequence[str]) -> None:
        for one in deleted:
            self._table(table).delete_where("id = ?", [one])
        self._table(table).upsert_all(saved, pk="id")

    def devices(self) -> Mapping[str, Sequence[KnownDevice]]:
        found: dict[str, list[KnownDevice]] = {}
        for department, device in map(rows.device_from, self._table("device").rows):
            found.setdefault(department, []).append(device)
        return found

    def learning(self) -> Mapping[str, float]:
        return dict(map(rows.learning_from, self._table("device_learning").rows))

    def save_devices(self, changes: Mapping[str, RegisterChanges]) -> None:

        def save() -> None:
            for department, one in changes.items():
                for mac in one.deleted:
                    self._table("device").delete_where("department = ? AND mac = ?", [department, mac])
                self._table("device").upsert_all(
                    (rows.device_row(department, device) for device in one.saved), pk=("department", "mac")
                )
                if one.began_s is not None:
                    self._table("device_learning").upsert(
                        {"department": department, "began_s": one.began_s}, pk="department"
                    )

        self._order(save)

    def known_servers(self) -> Mapping[str, Sequence[ServerKey]]:
        found: dict[str, list[ServerKey]] = {}
        for department, server in map(rows.server_from, self._table("known_server").rows):
            found.setdefault(department, []).append(server)
        return found

    def save_known_server(self, department: str, server: ServerKey) -> None:
        self._order(lambda: self._table("known_server").upsert(rows.server_row(department, server)))

    def blocks(self) -> Sequence[Block]:
        return [rows.block_of(values) for values in self._database.execute(READ_BLOCKS)]

    def save_blocks(
        self, saved: Sequence[Block], deleted: Sequence[Block], pause: Callable[[], None] | None = None
    ) -> None:
        """Save some blocks and delete others. `pause`: gives others their turn while they are collected."""
        part, ordered = next(self._parts), [*((True, one) for one in deleted), *((False, one) for one in saved)]
        slices = [ordered[at : at + COLLECTED_AT_ONCE] for at in range(0, len(ordered), COLLECTED_AT_ONCE)]
        few = slices.pop() if len(slices) == 1 else []
        try:
            for some in slices:
                self._order(partial(self._collect, part, some))
                if pause is not None:
                    pause()
            self._order(lambda: self._take(part, few))
        except BaseException:  # the end of the caller's connection too
            with suppress(Refused):
                self._order(lambda: self._database.conn.execute(FORGET_COLLECTED, [part]))
            raise

    def _collect(self, part: int, some: Sequence[tuple[bool, Block]]) -> None:
        values = ((part, is_deleted, *rows.block_values(one)) for is_deleted, one in some)
        self._database.conn.executemany(COLLECT, values)

    def _take(self, part: int, few: Sequence[tuple[bool, Block]]) -> None:
        self._collect(part, few)
        for table in ("block", "learned"):
            self._database.conn.execute(DELETE_COLLECTED.format(table), [part])
        for statement in (SAVE_COLLECTED, FORGET_COLLECTED):
            self._database.conn.execute(statement, [part])

    def sync(self) -> None:
        """Wait until everything saved is on the medium; SQLite itself would do no more than sync its log.

        Raises `Refused`, `E_MAINTENANCE`.
        """
        if self.is_held:
            return
        try:
            self.aside(_sync_and_fold, self._log)
        except OSError as error:
            log.error("orders may not survive a power cut: %s", error)
            raise Refused(
                Code.MAINTENANCE,
                f"the disk fails ({error.strerror}): it is done, but a power cut may take it back; replace the disk",
            ) from error

    def fold_long(self) -> None:
        """Fold the log where it has outgrown its length; it waits for the medium, and may run in another thread."""
        with suppress(OSError):  # in memory there is none; what fails is told where something is saved
            _fold_long(self._log)

    def learned(self) -> Sequence[LearnedAddress]:
        return [rows.learned_of(values) for values in self._database.execute(READ_LEARNED)]

    def save_learned(self, saved: Sequence[LearnedAddress], deleted: Sequence[LearnedAddress]) -> None:

        def save() -> None:
            self._database.conn.executemany(DELETE_LEARNED, map(rows.learned_key, deleted))
            self._database.conn.executemany(SAVE_LEARNED, map(rows.learned_values, saved))

        self._order(save)

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

        self._order(save)

    def reckoned_at(self) -> datetime | None:
        return next(map(rows.saving_from, self._table("reckoning").rows), None)

    def save_reckoned(self, wall: datetime) -> None:
        self._order(lambda: self._table("reckoning").upsert(rows.saving_row(wall), pk="id"))

    def maintenances(self) -> Sequence[Maintenance]:
        return [rows.maintenance_from(row) for row in self._table("maintenance").rows_where(order_by="id")]

    def save_maintenances(self, plan: Sequence[Maintenance]) -> None:

        def save() -> None:
            self._table("maintenance").delete_where()
            self._table("maintenance").insert_all(rows.maintenance_row(*one) for one in enumerate(plan, start=1))

        self._order(save)

    def schedules(self) -> Sequence[Schedule]:
        return [rows.schedule_from(row) for row in self._table("schedule").rows_where(order_by="added_at, id")]

    def save_schedules(self, saved: Sequence[Schedule], deleted: Sequence[str]) -> None:
        self._order(partial(self._replace, "schedule", [*map(rows.schedule_row, saved)], deleted))

    def sent_reports(self) -> Mapping[ReportKey, date]:
        return dict(map(rows.sent_report_from, self._table("sent_report").rows))

    def save_sent_reports(self, sent: Mapping[ReportKey, date]) -> None:
        key = ("channel", "department", "kind")
        made = [{**dict(zip(key, one, strict=True)), "first": str(first)} for one, first in sent.items()]
        self._order(lambda: self._table("sent_report").upsert_all(made, pk=key))

    @property
    def notices(self) -> notice_tables.NoticeTables:
        """The queue of notices."""
        return notice_tables.NoticeTables(lambda: self._database, self._commit, lambda: self.is_held)

    def _table(self, name: str) -> Table:
        return self._database.table(name)

    def _order(self, save: Callable[[], object]) -> None:
        """Save a person's order, or refuse it whole."""
        if self._held is not None:
            if len(self._held) >= MOST_HELD:
                raise Refused(Code.MAINTENANCE, "too much waits for the end of maintenance; end it, and try again")
            self._held.append(save)
            return
        try:
            self._commit(save)
        except sqlite3.OperationalError as error:
            log.error("an order cannot be saved and is refused: %s", error)
            raise Refused(
                Code.MAINTENANCE, f"the disk takes no changes ({error}): nothing was changed; make room and try again"
            ) from error

    def _commit(self, save: Callable[[], object]) -> None:
        """Run one transaction; without room for it, give up the ballast and try once more."""
        if self.obstacle is not None:
            self._reopen(self.obstacle)
        try:
            with self._database.atomic():
                save()
        except sqlite3.OperationalError as error:
            self._make_room(error)
            with self._database.atomic():
                save()

    def _reopen(self, obstacle: str) -> None:
        """Go on in the file, which has what the memory has; raises `sqlite3.OperationalError` if it takes nothing."""
        if self._path is None:  # what was lost must not be written over what is there
            raise sqlite3.OperationalError(obstacle)
        try:
            database = _opened(self._path)
        except (OSError, StoreDamaged) as error:
            raise sqlite3.OperationalError(f"{obstacle}; {error}") from error
        former, self._database = self._database, database
        try:
            self._prove_writable()
        except sqlite3.OperationalError:
            self._database = former
            raise
        former.close()
        self.obstacle = None
        log.warning("%s takes changes again", self._path)

    def _prove_writable(self) -> None:
        """Close it and raise `sqlite3.OperationalError` where it is locked or can only be read."""
        try:
            self._database.execute("BEGIN IMMEDIATE").close()  # which alone would only read where there is no writing
            self._database.execute("DELETE FROM saving WHERE id < 0").close()
            lengthen(self._log, LOG_BYTES)  # nobody else may write to it now
            self._database.execute("ROLLBACK").close()
        except sqlite3.OperationalError:
            self._database.close()  # SQLite would share what it found out with later connections
            raise

    def _make_room(self, error: sqlite3.OperationalError) -> None:
        """Give up the ballast; raises the error again where it is of another kind, or there is no ballast."""
        if code_of(error) not in _NO_ROOM or self._ballast is None or not self._ballast.give_up():
            raise error
        log.warning("there is no room for the state (%s); the ballast is given up", error)

    def _require_whole(self) -> None:
        damage = self._damage()
        if damage is not None:
            self.close()
            raise StoreDamaged(damage)

    def _damage(self) -> str | None:
        """What SQLite finds damaged, or the tables with rows that cannot have been saved; `None`: neither."""
        try:
            require_sound(self._database, "integrity_check (1)")
        except sqlite3.DatabaseError as error:
            _require_damage(error)
            return str(error)
        tables = {table: reader for readers in CONTENTS.values() for table, reader in readers.items()}
        # More columns are those of a later version, whose update has returned.
        unreadable = [one for one, columns in COLUMNS.items() if columns - self._table(one).columns_dict.keys()]
        unreadable = unreadable or [
            table for table, reader in tables.items() if not _readable(self._database, table, reader)[1]
        ]
        return f"rows of {', '.join(unreadable)} cannot be read" if unreadable else None


def _sync_and_fold(log_path: Path) -> None:
    """Sync the log, which may be new, and fold it where it has outgrown its length."""
    sync_content(log_path)
    sync(log_path.parent)
    _fold_long(log_path)


def _fold_long(log_path: Path) -> None:
    """Fold the log into its file, over a connection of its own, where it has outgrown its length."""
    if log_path.stat().st_size <= LOG_BYTES:
        return
    name = f"{log_path.with_name(log_path.name.removesuffix('-wal')).absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(name, uri=True, timeout=0)) as connection:
            connection.execute("PRAGMA wal_checkpoint (PASSIVE)").close()
    except sqlite3.Error as error:  # the log has everything; the next one tries again
        log.info("%s is not folded: %s", log_path, error)


def _require_content(path: Path) -> None:
    """Raise `StoreDamaged` for what SQLite would take for a new file, whose log it would delete unread."""
    if path.is_dir():
        raise StoreDamaged("a folder is in its place")
    if path.exists() and path.stat().st_size == 0:
        raise StoreDamaged("it is empty")


def _opened(path: Path) -> Database:
    _require_content(path)
    try:
        database = open_database(path, migrations, PRAGMAS, busy_s=LOOP_BUSY_S)
        database.execute(COLLECTED).close()
    except sqlite3.DatabaseError as error:
        _require_damage(error)
        raise StoreDamaged(str(error)) from error
    return database


def _readable(source: Database, table: str, reader: Callable[[rows.Row], object]) -> tuple[Sequence[rows.Row], bool]:
    """The readable rows of a table, and whether the table is whole and all of its rows are readable."""
    sound: list[rows.Row] = []
    wrong: list[str] = []
    try:
        [found] = source.execute(f"PRAGMA integrity_check ({table})").fetchone()
        if found != "ok":
            wrong.append(found)
        for found_row in source.query(f"SELECT * FROM {table}"):  # noqa: S608  our own names
            row = {name: value for name, value in found_row.items() if name in COLUMNS[table]}
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
