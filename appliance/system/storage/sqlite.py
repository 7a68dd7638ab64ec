"""SQLite files: opened alike, checked alike, and moved aside where they are damaged.

What becomes of a damaged file is the store's decision: the state, the history and the audit trail are moved aside and
begin again; people and tokens are not, because revoked tokens would be let in again.
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database, Migrations

BUSY_S = 5.0  # patience with another connection's lock, such as the command line's, which is held for moments
LOGS = ("-wal", "-shm")  # what SQLite keeps beside a file
DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class UnsoundDatabase(sqlite3.DatabaseError):
    """SQLite opened the file, but its own check found damage; the text is the first finding."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def open_database(
    path: Path, migrations: Migrations, pragmas: Iterable[str], *, is_private: bool = False, is_checked: bool = False
) -> Database:
    """Open or create the file and bring its schema up to date. Raises `sqlite3.Error` and `OSError`.

    `is_private`: only the owner may read it. `is_checked`: look for damage now (`UnsoundDatabase`).
    """
    database = Database(sqlite3.connect(path, timeout=BUSY_S), execute_plugins=False)
    try:
        if is_private and path.exists():  # not `:memory:`
            path.chmod(0o600)
        for pragma in (*pragmas, "journal_mode = WAL"):  # WAL last: after it the page size is fixed
            database.execute(f"PRAGMA {pragma}").close()
        migrations.apply(database)
        if is_checked:
            require_sound(database, "quick_check (1)")
    except (OSError, sqlite3.Error):
        database.close()
        raise
    return database


def require_sound(database: Database, check: str) -> None:
    """Raise `UnsoundDatabase` where this check (`quick_check (1)`, `integrity_check (1)`) finds damage."""
    [found] = database.execute(f"PRAGMA {check}").fetchone()
    if found != "ok":
        raise UnsoundDatabase(found)


def code_of(error: Exception) -> int:
    """SQLite's primary result code; 0 where the error has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def move_aside(path: Path, wall: datetime, most: int) -> Path:
    """Rename a damaged file and its logs to `NAME.damaged-TIME`, and return that path.

    Of `most` earlier ones the latest is deleted, so that a medium that damages every file is not filled by them; the
    first ones are the best evidence.
    """
    former = moved_aside(path)
    if len(former) >= most and former[-1].is_file():
        for suffix in ("", *LOGS):
            former[-1].with_name(former[-1].name + suffix).unlink(missing_ok=True)
    moved = path.with_name(f"{path.name}.damaged-{wall:%Y%m%dT%H%M%S.%fZ}")
    for suffix in ("", *LOGS):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(moved.with_name(moved.name + suffix))
    return moved


def moved_aside(path: Path) -> list[Path]:
    """The damaged files that were moved aside, oldest first, without their logs."""
    found = path.parent.glob(f"{path.name}.damaged-*")
    return sorted(one for one in found if not one.name.endswith(LOGS))
