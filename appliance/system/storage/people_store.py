"""Keeps people with their password hashes, and issued and revoked tokens, in a SQLite file of its own.

The command line writes here too, with or without a running service, which notices by `version`.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

from msgspec import convert, to_builtins
from sqlite_utils.db import Database
from sqlite_utils.migrations import Migrations

from appliance.core.access.person import Person, TokenOrigin, TokenRecord, departments_of, departments_text
from appliance.core.moment import timestamp
from appliance.core.refusal import Code, Refused
from appliance.system.storage.rows import NOT_A_ROW, moment_from
from appliance.system.storage.sqlite import (
    LOOP_BUSY_S,
    Aside,
    UnsoundDatabase,
    at_once,
    code_of,
    copy_in_memory,
    fold_whole,
    make_database,
    open_database,
    require_sound,
    writing,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

MOST_HELD = 10_000  # changes that wait for the end of maintenance: a login each ten seconds for a day
MOST_TICKETS = 10_000  # 2 MB; 100 people who log in each day would fill it in three months if no token expired

migrations = Migrations("register")


@migrations(name="0001_people_tickets")
def _people_tickets(database: Database) -> None:
    """All departments are the text `*`."""
    database.table("person").create(
        {"name": str, "role": str, "departments": str, "password": str, "since": str}, pk="name", not_null={"password"}
    )
    columns = ("id", "subject", "role", "departments", "origin", "issued_at", "expires_at", "person", "revoked_at")
    database.table("ticket").create(dict.fromkeys(columns, str), pk="id")
    database.table("known_moment").create({"id": int, "at": str}, pk="id")


@migrations(name="0002_last_seen")
def _last_seen(database: Database) -> None:
    database.table("last_seen").create({"id": str, "at": str}, pk="id")


ADD_PERSON = "INSERT OR IGNORE INTO person (name, role, departments, password, since) VALUES (?, ?, ?, ?, ?)"
END_LOGINS = "UPDATE ticket SET revoked_at = ? WHERE person = ? AND revoked_at IS NULL"


class PeopleStoreUnavailable(Exception):
    """The register cannot be used; the text says where and why."""


class SqlitePeopleStore:
    """`ports.PeopleStore` in one SQLite file, and people's token records.

    `obstacle`: why the file takes no changes, and what it has was read into memory; `None`: it does.
    """

    _held: list[Callable[[Database], object]] | None = None  # what waits for `release`; `None`: nothing is held
    _revoked_while_held: frozenset[str] = frozenset()

    def __init__(self, path: Path, aside: Aside = at_once) -> None:
        """Open or create the file. Raises `PeopleStoreUnavailable`. `aside`: runs what may wait for the medium."""
        self.obstacle: str | None = None
        self._path = path
        try:
            _require_content(path)
            make_database(path, migrations)
            # Password hashes must not be open to guessing, and damage must show now instead of during a login.
            writer = open_database(path, migrations, (), is_private=True, is_checked=True)
            reader = Database(sqlite3.connect(path, timeout=LOOP_BUSY_S), execute_plugins=False)
            self._use(reader, writer, aside)
            self._require_rows()
        except (OSError, sqlite3.Error, *NOT_A_ROW) as error:
            raise PeopleStoreUnavailable(f"{path}: people and tokens cannot be kept here: {_reason(error)}") from error

    @classmethod
    def in_memory(cls, path: Path, obstacle: str) -> "SqlitePeopleStore":
        """What a file has that takes no changes: people can log in. Raises `PeopleStoreUnavailable`."""
        store = cls.__new__(cls)
        store.obstacle = obstacle
        try:
            _require_content(path)
            copy = copy_in_memory(path, migrations)
            require_sound(copy, "quick_check (1)")
            store._use(copy, copy, at_once)
            store._require_rows()
        except (OSError, sqlite3.Error, *NOT_A_ROW) as error:
            raise PeopleStoreUnavailable(f"{path}: people and tokens cannot be read: {_reason(error)}") from error
        return store

    def close(self) -> None:
        """Fold the log into the file and close it, once a thread has done what it does with it."""
        with self._turn:  # SQLite crashes where a connection is closed while another thread is in it
            self._reader.close()
            self._writer.close()

    def hold(self) -> None:
        """Write nothing from now on: tokens and what was seen are kept in memory, and people stay as they are."""
        self._held = [] if self._held is None else self._held

    def settle(self) -> None:
        """Wait until all that was saved is in the file and on the medium, while others have their turn."""
        if self.obstacle is None:
            self._aside(fold_whole, self._path)

    def release(self) -> None:
        """Save what was held, in its order; what is revoked stays so even where the medium takes nothing."""
        held, self._held = self._held or [], None
        for work in held:
            with suppress(Refused):
                self._change(work)

    def version(self) -> int:
        with _reading():  # `data_version` counts the changes of other connections, `total_changes` our own
            (others,) = self._reader.execute("PRAGMA data_version").fetchone()
            return int(others) + int(self._reader.conn.total_changes) + len(self._revoked_while_held)

    def people(self) -> Sequence[Person]:
        with _reading():
            return [_person(row) for row in self._reader.query("SELECT * FROM person ORDER BY name")]

    def person(self, name: str) -> tuple[Person, str] | None:
        with _reading():
            row = next(self._reader.query("SELECT * FROM person WHERE name = ?", [name]), None)
            return None if row is None else (_person(row), row["password"])

    def add_person(self, person: Person, password_hash: str, wall: datetime) -> bool:
        facts = [person.name, person.role, departments_text(person.departments), password_hash, timestamp(wall)]

        def add(database: Database) -> int:
            with closing(database.execute(ADD_PERSON, facts)) as cursor:
                return int(cursor.rowcount)

        return self._change(add) == 1

    def set_password(self, name: str, password_hash: str, wall: datetime) -> None:

        def change(database: Database) -> None:
            database.execute("UPDATE person SET password = ? WHERE name = ?", [password_hash, name]).close()
            database.execute(END_LOGINS, [timestamp(wall), name]).close()

        self._change(change)

    def remove_person(self, name: str, wall: datetime) -> None:

        def remove(database: Database) -> None:
            database.execute("DELETE FROM person WHERE name = ?", [name]).close()
            database.execute(END_LOGINS, [timestamp(wall), name]).close()

        self._change(remove)

    def tokens(self) -> Sequence[TokenRecord]:
        with _reading():
            return [_ticket(row) for row in self._reader.query("SELECT * FROM ticket ORDER BY issued_at DESC, id")]

    def remember(self, ticket: TokenRecord) -> None:
        """Record a token, unless it is recorded already. Beyond the limit those that expire soonest are deleted."""

        def insert(database: Database) -> None:
            database.table("ticket").insert(_ticket_row(ticket), ignore=True)
            database.execute(
                "DELETE FROM ticket WHERE id IN (SELECT id FROM ticket WHERE revoked_at IS NULL"
                " ORDER BY expires_at LIMIT max(0, (SELECT count(*) FROM ticket) - ?))",
                [MOST_TICKETS],
            ).close()

        # An issuer's token is recorded again when it is shown again: not worth waiting for the medium. Where the medium
        # takes nothing, people must still be able to log in and see why.
        self._change(insert, synced=ticket.origin is not TokenOrigin.ISSUER, also_in_memory=True)

    def revoke(self, ticket: TokenRecord, wall: datetime) -> None:

        def revoke(database: Database) -> None:
            database.table("ticket").insert(_ticket_row(ticket), ignore=True)
            database.execute(
                "UPDATE ticket SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", [timestamp(wall), ticket.id]
            ).close()

        if self._held is not None:
            self._revoked_while_held |= {ticket.id}
        self._change(revoke, also_in_memory=True)
        if self.obstacle is not None:
            text = f"the disk takes no changes ({self.obstacle}): it is revoked until the service starts again"
            raise Refused(Code.MAINTENANCE, f"{text}; replace the medium, and revoke it once more")

    def forget(self, before: datetime) -> None:
        """Delete the tokens that expired before this moment: they are refused as expired."""
        with suppress(Refused):  # a full disk keeps them a little longer
            self._change(
                lambda database: database.execute(
                    "DELETE FROM ticket WHERE expires_at < ?", [timestamp(before)]
                ).close()
            )

    def revoked(self) -> frozenset[str]:
        with _reading():
            rows = self._reader.query("SELECT id FROM ticket WHERE revoked_at IS NOT NULL")
            return frozenset(row["id"] for row in rows) | self._revoked_while_held

    def last_seen(self) -> Mapping[str, datetime]:
        with _reading():
            return {row["id"]: moment_from(row["at"]) for row in self._reader.query("SELECT * FROM last_seen")}

    def save_last_seen(self, seen: Mapping[str, datetime | None]) -> None:

        def save(database: Database) -> None:
            rows = [{"id": key, "at": timestamp(at)} for key, at in seen.items() if at is not None]
            database.table("last_seen").upsert_all(rows)
            for key in [key for key, at in seen.items() if at is None]:
                database.execute("DELETE FROM last_seen WHERE id = ?", [key]).close()

        if seen:
            with suppress(Refused):  # a full disk forgets it
                self._change(save, synced=False, also_in_memory=True)

    def floor(self) -> datetime | None:
        with _reading():
            row = next(self._reader.query("SELECT at FROM known_moment"), None)
            return None if row is None else moment_from(row["at"])

    def save_floor(self, wall: datetime) -> None:
        with suppress(Refused):  # on a full disk the earlier one stays
            self._change(lambda database: database.table("known_moment").upsert({"id": 1, "at": timestamp(wall)}))

    def _use(self, reader: Database, writer: Database, aside: Aside) -> None:
        """The event loop reads and never waits for what is written beside it: SQLite's log lets one read meanwhile."""
        self._reader, self._writer, self._aside = reader, writer, aside
        self._turn = Lock()

    def _require_rows(self) -> None:
        """Raise one of `NOT_A_ROW` where a row cannot have been saved, or `sqlite3.Error`."""
        for row in self._reader.query("SELECT * FROM person"):
            _person(row)
            if not isinstance(row["password"], str):
                raise TypeError(f"the password of {row['name']} is no hash")
        for row in self._reader.query("SELECT * FROM ticket"):
            _ticket(row)
        for row in self._reader.query("SELECT at FROM known_moment"):
            moment_from(row["at"])

    def _change(self, work: Callable[[Database], T], *, synced: bool = True, also_in_memory: bool = False) -> T:
        """Run one transaction. Raises `Refused` where the medium takes nothing; then nothing is changed.

        `also_in_memory`: it is worth having until the end of this process, where the file takes nothing. While held,
        such a change waits for `release`, and any other is refused: a power cut would take it back, and bring a person
        back who was removed.
        """
        if self._held is not None and (not also_in_memory or len(self._held) >= MOST_HELD):
            raise Refused(Code.MAINTENANCE, "in maintenance nothing about people is changed; end it, and try again")
        if self._held is not None:
            self._held.append(work)
            return cast(T, None)  # what waits has no result yet, and nobody asks for one
        try:
            if self.obstacle is not None and not also_in_memory:
                raise sqlite3.OperationalError(self.obstacle)
            done: T = self._aside(self._transact, work, synced)
        except sqlite3.Error as error:
            log.error("people and tokens cannot be saved: %s", error)
            raise Refused(
                Code.MAINTENANCE, f"the disk takes no changes ({error}): nothing was changed; make room and try again"
            ) from error
        return done

    def _transact(self, work: Callable[[Database], T], synced: bool) -> T:
        with self._turn:
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}").close()
            with writing(self._writer):
                return work(self._writer)


class ClosedPeopleStore:
    """`ports.PeopleStore` in place of a file that cannot be read: nobody is let in, and nobody is added.

    A register that began again would let revoked tokens in, and let the next person pair as its administrator.
    """

    obstacle = None

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def close(self) -> None:
        """Nothing is open."""

    def hold(self) -> None:
        """Nothing is kept."""

    settle = release = hold

    def forget(self, before: datetime) -> None:
        """Nothing is kept."""

    def save_floor(self, wall: datetime) -> None:
        """Nothing is kept."""

    def last_seen(self) -> Mapping[str, datetime]:
        """Nothing is kept."""
        return {}

    def save_last_seen(self, seen: Mapping[str, datetime | None]) -> None:
        """Nothing is kept."""

    def _refuse(self, *_: object, **__: object) -> Any:
        raise Refused(Code.MAINTENANCE, self.reason)

    people = person = add_person = set_password = remove_person = tokens = remember = revoke = revoked = _refuse
    version = floor = _refuse


def _require_content(path: Path) -> None:
    """Raise `UnsoundDatabase` for what SQLite would take for a new file."""
    if path.exists() and path.stat().st_size == 0:
        raise UnsoundDatabase("it is empty")


@contextmanager
def _reading() -> Iterator[None]:
    """Raise `Refused` for what cannot be read: it must neither let a person in nor end the service."""
    try:
        yield
    except (sqlite3.Error, *NOT_A_ROW) as error:
        log.error("people and tokens cannot be read: %s", error)
        raise Refused(Code.MAINTENANCE, f"people and tokens cannot be read, so nobody is let in: {error}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError | sqlite3.OperationalError) and code_of(error) != sqlite3.SQLITE_ERROR:
        return str(error)
    # Not begun again by itself: revoked tokens would be let in.
    return f"it is damaged ({error}); delete it and token.secret with it, and add people and tokens anew"


def _person(row: dict[str, Any]) -> Person:
    return convert(row | {"departments": departments_of(row["departments"])}, Person)


def _ticket_row(ticket: TokenRecord) -> dict[str, Any]:
    return {
        **to_builtins(ticket),
        "departments": departments_text(ticket.departments),
        "issued_at": timestamp(ticket.issued_at),
        "expires_at": timestamp(ticket.expires_at),
        "revoked_at": ticket.revoked_at and timestamp(ticket.revoked_at),
    }


def _ticket(row: dict[str, Any]) -> TokenRecord:
    return convert(row | {"departments": departments_of(row["departments"])}, TokenRecord)
