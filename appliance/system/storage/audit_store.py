"""Keeps the audit trail in a SQLite file of its own, which the database itself allows to grow only.

Triggers refuse every change, and every deletion except that of entries too old to be kept, so that neither a bug in
this program nor a person with the `sqlite3` command removes an entry without dropping the triggers first. Each new
entry deletes a few that are too old.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import astuple, fields, replace
from sqlite_utils.db import Database
from sqlite_utils.migrations import Migrations

from appliance.core.access.audit_entry import AuditEntry, StoredEntry, digest, first_break
from appliance.core.refusal import Code, Refused
from appliance.system.storage.sqlite import (
    BUSY_S,
    DAMAGE,
    NO_FILE,
    Aside,
    UnsoundDatabase,
    at_once,
    code_of,
    copy_in_memory,
    fold_whole,
    make_database,
    move_aside,
    moved_aside,
    open_database,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

MOST_ENTRIES = 20_000  # 8 MB of usual ones, 130 MB of the longest; at 50 changes a day more than a year
MOST_HELD = 2000  # entries that wait for the end of maintenance, the latest: a call each minute for more than a day
SLICE = 250  # entries whose digests are computed before others may write: 3 ms, and some 15 ms on a Pi
BATCH = 8  # deleted at most with one entry: faster than they come, without a noticeable pause
COLUMNS = [field.name for field in fields(AuditEntry)]
# What a person may look for. JSON writes quotation marks and letters beyond ASCII in its own way.
SEARCHED = "lower(" + " || char(10) || ".join(f"ifnull({name}, '')" for name in COLUMNS if name != "at") + ")"
CONTAINS = f"instr({SEARCHED}, lower(:contains)) > 0 OR instr({SEARCHED}, lower(:escaped)) > 0"
FIND = (
    "SELECT * FROM entry WHERE (:before IS NULL OR number < :before) AND (:who IS NULL OR who = :who)"  # noqa: S608
    f" AND (:action IS NULL OR action = :action) AND (:contains IS NULL OR {CONTAINS})"
    " ORDER BY number DESC LIMIT :most"
)

migrations = Migrations("audit")


@migrations(name="0001_entries")
def _entries(database: Database) -> None:
    """Numbers are never used twice, so that a gap shows."""
    columns = ", ".join(f"{name} TEXT{'' if name == 'address' else ' NOT NULL'}" for name in COLUMNS)
    database.execute(
        f"CREATE TABLE entry (number INTEGER PRIMARY KEY AUTOINCREMENT, {columns}, digest TEXT NOT NULL)"
    ).close()
    database.execute(
        "CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END"
    ).close()
    database.execute(
        "CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry"
        " WHEN old.number > (SELECT max(number) FROM entry) - MOST"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END".replace("MOST", str(MOST_ENTRIES))
    ).close()


class AuditStoreUnavailable(Exception):
    """The audit trail cannot be kept; the text says where and why."""


class Checked(Struct, frozen=True):
    """How far the chain has been checked. `version`: of the file, which differs after another connection's change.

    `number`, `digest`: of the newest entry that was checked; `is_broken`: an entry does not follow from the one before.
    """

    version: int = -1
    number: int = 0
    digest: str = ""
    is_broken: bool = False


UNCHECKED = Checked()


class SqliteAuditStore:
    """`ports.AuditStore` in one SQLite file.

    A file that is damaged, also in the meantime, is moved aside, and the trail begins again.
    """

    _checked = UNCHECKED
    _held: list[AuditEntry] | None = None  # what waits for `release`; `None`: nothing is held

    def __init__(self, path: Path, aside: Aside = at_once) -> None:
        """Open or create the file. Raises `AuditStoreUnavailable`. `aside`: runs what may wait for the medium."""
        self.obstacle: str | None = None
        self.moved = moved_aside(path)  # the damaged files, until a person takes them away
        self._path, self._aside, self._turn = path, aside, Lock()
        try:
            try:
                self._database = _opened(path)
            except sqlite3.DatabaseError as error:
                self._require_damage(error)
                self._begin_again(error)
        except (OSError, sqlite3.Error) as error:
            raise AuditStoreUnavailable(f"{path}: the audit trail cannot be kept here: {error}") from error

    @classmethod
    def in_memory(cls, path: Path, obstacle: str) -> "SqliteAuditStore":
        """The entries of a file that takes none, as far as they can be read; new ones go to the program's log."""
        store = cls.__new__(cls)
        store.obstacle, store.moved = obstacle, moved_aside(path)
        store._path, store._aside, store._turn = path, at_once, Lock()
        try:
            store._database = copy_in_memory(path, migrations)
        except (OSError, sqlite3.Error) as error:
            log.error("%s: cannot be read: %s", path, error)
            store._database = copy_in_memory(NO_FILE, migrations)
        return store

    def close(self) -> None:
        """Fold the log into the file and close it, once a thread has done what it does with it."""
        with self._turn:  # SQLite crashes where a connection is closed while another thread is in it
            self._database.close()

    def hold(self) -> None:
        """Write nothing from now on: entries are kept in memory, and in the program's log."""
        self._held = [] if self._held is None else self._held

    def settle(self) -> None:
        """Wait until all entries are in the file and on the medium, while others have their turn."""
        if self.obstacle is None:
            self._aside(fold_whole, self._path)

    def release(self) -> None:
        """Append the entries that were held, in their order."""
        held, self._held = self._held or [], None
        for entry in held:
            self.record(entry)

    def record(self, entry: AuditEntry) -> None:
        """Append this entry, synced to the medium; where the medium does not take it, the program's log has it."""
        if self._held is not None:
            log.info("an entry of the audit trail waits for the end of maintenance: %s", entry)
            self._held = [*self._held, entry][-MOST_HELD:]
            return
        try:
            if self.obstacle is not None:
                raise sqlite3.OperationalError(self.obstacle)
            self._aside(self._in_turn, self._append_whole, entry)
        except (OSError, sqlite3.Error) as error:
            # Refusing the change would be worse: on a full disk no block could be lifted.
            log.error("the audit trail does not take an entry (%s): %s", error, entry)

    def entries(
        self,
        most: int,
        *,
        before: int | None = None,
        who: str | None = None,
        action: str | None = None,
        contains: str | None = None,
    ) -> Sequence[StoredEntry]:
        """The newest entries, newest first; raises `Refused` (`E_MAINTENANCE`) where the medium fails.

        `before`: only those with a smaller number; `contains`: in any letters' case of ASCII.
        """
        wanted = {"before": before, "who": who, "action": action, "contains": contains, "most": most}
        wanted["escaped"] = contains and json.dumps(contains)[1:-1]
        try:
            found: Sequence[StoredEntry] = self._aside(self._in_turn, self._find, wanted)
        except (OSError, sqlite3.Error, TypeError, ValueError) as error:
            log.error("the audit trail cannot be read: %s", error)
            raise Refused(Code.MAINTENANCE, f"the audit trail cannot be read: {error}") from error
        return found

    def is_intact(self) -> bool | None:
        """Whether each entry follows from the one before; `None`: it cannot be told.

        What this process has checked and nobody else has touched since is not checked again.
        """
        if self.obstacle is not None:
            return None
        try:
            while not self._aside(self._in_turn, self._check, SLICE):
                pass
        except (OSError, sqlite3.Error, TypeError, ValueError, AttributeError) as error:
            log.error("the audit trail cannot be read: %s", error)
            return None
        return not self._checked.is_broken

    def _check(self, most: int) -> bool:
        """Check so many entries more; returns whether that was all, or one does not follow."""
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        known = self._checked if self._checked.version == version else Checked(version)
        rows = self._database.execute(
            f"SELECT number, {', '.join(COLUMNS)}, digest FROM entry WHERE number > ? ORDER BY number LIMIT ?",  # noqa: S608
            [known.number, most],
        ).fetchall()
        chain = [StoredEntry(number, AuditEntry(*values), kept) for number, *values, kept in rows]
        if first_break(chain, known.digest) is not None:
            self._checked = replace(known, is_broken=True)
            return True
        newest = (chain[-1].number, chain[-1].digest) if chain else (known.number, known.digest)
        self._checked = replace(known, number=newest[0], digest=newest[1])
        return len(chain) < most

    def _in_turn(self, work: Callable[[T], R], argument: T) -> R:
        """Do this; where the file turns out to be damaged, once more with a new one."""
        with self._turn:
            try:
                return work(argument)
            except sqlite3.DatabaseError as error:
                self._require_damage(error)
                self._database.close()
                self._begin_again(error)
                return work(argument)

    def _begin_again(self, damage: sqlite3.DatabaseError) -> None:
        aside = move_aside(self._path, datetime.now(UTC), most=1)
        log.error("%s is damaged (%s): moved to %s; the audit trail begins again", self._path, damage, aside)
        self.moved = moved_aside(self._path)
        self._database, self._checked = _opened(self._path), UNCHECKED

    def _require_damage(self, error: sqlite3.DatabaseError) -> None:
        """Raise the error again where it is not about damage; a folder in the file's place is, and a missing table."""
        if code_of(error) not in {*DAMAGE, sqlite3.SQLITE_ERROR} and not self._path.is_dir():
            raise error

    def _find(self, wanted: dict[str, object]) -> Sequence[StoredEntry]:
        rows = self._database.query(FIND, wanted)
        return [
            StoredEntry(row["number"], AuditEntry(**{name: row[name] for name in COLUMNS}), row["digest"])
            for row in rows
        ]

    def _append_whole(self, entry: AuditEntry) -> None:
        with self._database.atomic():
            self._append(entry)

    def _append(self, entry: AuditEntry) -> None:
        # The deletion comes first: it takes the lock, so that no other program's entry comes between the two digests.
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        self._database.execute(
            "DELETE FROM entry WHERE number IN (SELECT number FROM entry WHERE number <="
            " (SELECT max(number) FROM entry) - ? ORDER BY number LIMIT ?)",
            [MOST_ENTRIES, BATCH],
        ).close()
        newest = next(self._database.query("SELECT digest FROM entry ORDER BY number DESC LIMIT 1"), {"digest": ""})
        self._database.execute(
            f"INSERT INTO entry ({', '.join(COLUMNS)}, digest) VALUES ({marks})",  # noqa: S608  names of our own
            [*astuple(entry), digest(newest["digest"], entry)],
        ).close()


def _opened(path: Path) -> Database:
    make_database(path, migrations)
    database = open_database(path, migrations, ["synchronous = FULL"], is_private=True, is_checked=True)
    try:
        found = database.table("entry").columns_dict.keys()
        if not found >= {"number", *COLUMNS, "digest"}:  # a later version, whose update has returned, may have more
            raise UnsoundDatabase(f"its columns are {', '.join(found) or 'missing'}")
        with database.atomic():  # a medium that can only be read shows it now
            database.execute("DELETE FROM entry WHERE number < 0").close()
    except sqlite3.Error:
        database.close()
        raise
    return database


def altered_at(path: Path) -> int | None:
    """Number of the first entry that was altered, or whose predecessor is missing; `None`: there is none.

    Reads only, at most 20,000 digests. Raises `AuditStoreUnavailable`.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as database:
            rows = database.execute(f"SELECT number, {', '.join(COLUMNS)}, digest FROM entry ORDER BY number")  # noqa: S608
            return first_break(StoredEntry(number, AuditEntry(*values), kept) for number, *values, kept in rows)
    except (sqlite3.Error, TypeError, ValueError, AttributeError) as error:
        raise AuditStoreUnavailable(f"{path}: cannot be read: {error}") from error
