"""SQLite files: opened alike, checked alike, and moved aside where they are damaged.

What becomes of a damaged file is the store's decision: the state, the history and the audit trail are moved aside and
begin again; people and tokens are not, because revoked tokens would be let in again. A file that can be read and not
written, as on a read-only medium, is copied into memory with the log that a power cut has left beside it.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlite_utils.db import Database
from sqlite_utils.migrations import Migrations

from appliance.system.storage.files import sync

log = logging.getLogger(__name__)

BUSY_S = 5.0  # patience with another connection's lock, such as the command line's, which is held for moments
LOOP_BUSY_S = 0.02  # the same in the event loop, where everybody waits: what must not be lost is tried again
IN_MEMORY = ":memory:"  # SQLite's name for no file
NO_FILE = Path("/dev/null/none")  # exists nowhere
MIGRATIONS = "_sqlite_migrations"  # by which sqlite-utils knows a schema
LOGS = ("-wal", "-shm")  # what SQLite keeps beside a file
# Ways to read a file with a log and write nothing. The second takes no locks and needs no `-shm`, which a read-only
# medium cannot be given: SQLite indexes the log in memory (wal.html, "Use of WAL Without Shared-Memory").
READINGS = {"mode=ro": "locking_mode = NORMAL", "mode=ro&vfs=unix-none": "locking_mode = EXCLUSIVE"}
WITHOUT_LOG = {"immutable=1": "locking_mode = NORMAL"}  # it would ignore a log, and lets SQLite make none
DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


Aside = Callable[..., Any]  # (function, *arguments) -> its result, computed beside the event loop


def at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    """The `Aside` of a program without an event loop."""
    return work(*arguments)


class UnsoundDatabase(sqlite3.DatabaseError):
    """SQLite opened the file, but its own check found damage; the text is the first finding."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class DatabaseUnreadable(Exception):
    """A database could not be copied or is damaged; the text names it and says why."""


def open_database(
    path: Path,
    migrations: Migrations,
    pragmas: Iterable[str],
    *,
    busy_s: float = BUSY_S,
    is_private: bool = False,
    is_checked: bool = False,
) -> Database:
    """Open or create the file and bring its schema up to date. Raises `sqlite3.Error` and `OSError`.

    `busy_s`: patience with other connections' locks. `is_private`: only the owner may read it. `is_checked`: look for
    damage now (`UnsoundDatabase`). Any thread may use the database, one at a time.
    """
    is_new = not path.exists()
    connection = sqlite3.connect(path, timeout=busy_s, check_same_thread=False)
    database = Database(connection, execute_plugins=False)
    try:
        if is_private and path.exists():  # not `:memory:`
            path.chmod(0o600)
        for pragma in (*pragmas, "journal_mode = WAL"):  # WAL last: after it the page size is fixed
            database.execute(f"PRAGMA {pragma}").close()
        require_own(database)
        migrations.apply(database)
        if is_checked:
            require_sound(database, "quick_check (1)")
    except (OSError, sqlite3.Error):
        database.close()
        if is_new and path.is_file() and path.stat().st_size == 0:
            path.unlink()  # a full disk leaves it, which would be taken for a loss later
        raise
    return database


def make_database(path: Path, migrations: Migrations) -> None:
    """Make a missing file that only its owner may read, whole or not at all; where two programs do, the first's stays.

    A killed program leaves no empty file. And the service and the command line, started together for the first time, do
    not meet half of each other's: SQLite does not wait for another connection that turns the same new file into WAL
    mode, and a schema is made in several transactions. Raises `sqlite3.Error` and `OSError`.
    """
    if str(path) == IN_MEMORY or path.exists() or path.is_symlink():  # a link that leads nowhere is no missing file
        return
    draft = path.with_name(f"{path.name}.{token_hex(8)}")
    try:
        open_database(draft, migrations, (), is_private=True).close()
        sync(draft)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        _delete(draft)
    sync(path.parent)


def _delete(path: Path) -> None:
    for suffix in ("", *LOGS):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def writing(database: Database) -> Iterator[None]:
    """One transaction, which waits at its start until another program's is over. Raises `sqlite3.Error`.

    One that has read before it writes does not wait: SQLite fails at once where another has written meanwhile.
    """
    database.execute("BEGIN IMMEDIATE").close()
    with database.conn:
        yield


def copy_in_memory(path: Path, migrations: Migrations) -> Database:
    """A copy of the file with its log, with the newest schema, by reading alone; an empty one where there is no file.

    Raises `sqlite3.Error`.
    """
    copy = Database(sqlite3.connect(":memory:", check_same_thread=False), execute_plugins=False)
    try:
        if path.exists() or path.is_symlink():  # a link that leads nowhere is no missing file
            with closing(open_for_reading(path)) as source:
                source.backup(copy.conn)
            require_own(copy)
        migrations.apply(copy)
    except sqlite3.Error:
        copy.close()
        raise
    return copy


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseUnreadable(f"{path.name}: {error}") from None


COPIED_PAGES = 2048  # 8 MB: a second or two on a slow card


def copy_whole(path: Path, target: Path) -> None:
    """Copy the file with its log as it is at this moment, while others write it. Raises `DatabaseUnreadable`."""
    with _readable(path), closing(open_for_reading(path)) as source, closing(sqlite3.connect(target)) as copy:
        # A signal is obeyed only between two portions: a process that is to end does not copy on for a minute.
        source.backup(copy, pages=COPIED_PAGES, progress=lambda *_: None)


def require_whole(path: Path) -> None:
    """Raise `DatabaseUnreadable` where the file is no sound database of the appliance."""
    with _readable(path), closing(open_for_reading(path)) as connection:
        database = Database(connection, execute_plugins=False)
        require_own(database)
        require_sound(database, "integrity_check (1)")


def open_for_reading(path: Path) -> sqlite3.Connection:
    """The file with its log, unchanged while the connection is open. Raises `sqlite3.Error`."""
    failure = sqlite3.OperationalError(f"{path} cannot be read")
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    for reading, locking in (READINGS if has_log else WITHOUT_LOG).items():
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{reading}", uri=True, timeout=LOOP_BUSY_S, isolation_level=None
        )
        try:
            connection.execute(f"PRAGMA {locking}").close()
            # The copy is made within this transaction; without it, `backup` would wait for a lock without end.
            connection.execute("BEGIN").close()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except sqlite3.OperationalError as error:
            connection.close()
            failure = error
        except sqlite3.Error:
            connection.close()
            raise
        else:
            return connection
    raise failure


def fold_whole(path: Path) -> None:
    """Fold the whole log into its file, and wait until all of it is on the medium: reading it writes nothing then.

    The log's index is written through memory, late; so it is synced too. A failure is logged: what is saved is whole.
    """
    name = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(name, uri=True, timeout=BUSY_S)) as connection:
            connection.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchall()
        for one in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in LOGS), path.parent):
            if one.exists():
                sync(one)
    except (OSError, sqlite3.Error) as error:
        log.warning("%s is not folded: %s", path, error)


def require_own(database: Database) -> None:
    """Raise `UnsoundDatabase` for tables of another program: new ones beside them would hide the loss."""
    names = database.table_names()
    if names and MIGRATIONS not in names:
        raise UnsoundDatabase(f"it has other tables ({', '.join(names[:3])})")


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
        _delete(former[-1])
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
