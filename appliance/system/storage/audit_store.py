"""Keeps the audit trail in a SQLite file of its own, which the database itself allows to grow only.

Triggers refuse every change, and every deletion except that of entries too old to be kept, so that neither a bug in
this program nor a person with the `sqlite3` command removes an entry without dropping the triggers first. Each new
entry deletes a few that are too old.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database, Migrations

from appliance.core.access.audit_entry import AuditEntry, StoredEntry, digest, first_break
from appliance.core.refusal import Code, Refused
from appliance.system.storage.sqlite import BUSY_S, DAMAGE, code_of, move_aside, open_database

log = logging.getLogger(__name__)

MOST_ENTRIES = 20_000  # 8 MB of usual ones, 130 MB of the longest; at 50 changes a day more than a year
BATCH = 8  # deleted at most with one entry: faster than they come, without a noticeable pause
COLUMNS = [field.name for field in fields(AuditEntry)]

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


class SqliteAuditStore:
    """`ports.AuditStore` in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, in place of a damaged one. Raises `AuditStoreUnavailable`."""
        try:
            try:
                self._database = _opened(path)
            except sqlite3.DatabaseError as error:
                if code_of(error) not in DAMAGE:
                    raise
                aside = move_aside(path, datetime.now(UTC), most=1)
                log.error("%s is damaged (%s): moved to %s; the audit trail begins again", path, error, aside)
                self._database = _opened(path)
        except (OSError, sqlite3.Error) as error:
            raise AuditStoreUnavailable(f"{path}: the audit trail cannot be kept here: {error}") from error

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._database.close()

    def record(self, entry: AuditEntry) -> None:
        """Append this entry, synced to the medium; where the medium does not take it, the program's log has it."""
        try:
            with self._database.atomic():
                self._append(entry)
        except sqlite3.Error as error:
            # Refusing the change would be worse: on a full disk no block could be lifted.
            log.error("the audit trail does not take an entry (%s): %s", error, entry)

    def entries(
        self, most: int, before: int | None = None, who: str | None = None, action: str | None = None
    ) -> Sequence[StoredEntry]:
        """The newest entries, newest first. `before`: only those with a smaller number. Raises `Refused`."""
        try:
            rows = self._rows(most, before, who, action)
        except sqlite3.Error as error:
            log.error("the audit trail cannot be read: %s", error)
            raise Refused(
                Code.MAINTENANCE, f"the audit trail cannot be read ({error}); is the medium at its end?"
            ) from None
        return [
            StoredEntry(row["number"], AuditEntry(**{name: row[name] for name in COLUMNS}), row["digest"])
            for row in rows
        ]

    def _rows(self, most: int, before: int | None, who: str | None, action: str | None) -> Sequence[Mapping[str, Any]]:
        found = self._database.query(
            "SELECT * FROM entry WHERE (:before IS NULL OR number < :before) AND (:who IS NULL OR who = :who)"
            " AND (:action IS NULL OR action = :action) ORDER BY number DESC LIMIT :most",
            {"before": before, "who": who, "action": action, "most": most},
        )
        return list(found)

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
    return open_database(path, migrations, ["synchronous = FULL"], is_private=True, is_checked=True)


def altered_at(path: Path) -> int | None:
    """Number of the first entry that was altered, or whose predecessor is missing; `None`: there is none.

    Reads only, at most 20,000 digests. Raises `AuditStoreUnavailable`.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as database:
            rows = database.execute(f"SELECT number, {', '.join(COLUMNS)}, digest FROM entry ORDER BY number")  # noqa: S608
            return first_break(StoredEntry(number, AuditEntry(*values), kept) for number, *values, kept in rows)
    except sqlite3.Error as error:
        raise AuditStoreUnavailable(f"{path}: cannot be read: {error}") from error
