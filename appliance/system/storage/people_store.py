"""Keeps people with their password hashes, and issued and revoked tokens, in a SQLite file of its own.

The command line writes here too, with or without a running service, which notices by `version`.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import convert, to_builtins
from sqlite_utils import Database, Migrations

from appliance.core.access.person import Person, TokenOrigin, TokenRecord, departments_text
from appliance.core.moment import timestamp
from appliance.core.refusal import Code, Refused
from appliance.system.storage.sqlite import DAMAGE, code_of, open_database

log = logging.getLogger(__name__)

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


class PeopleStoreUnavailable(Exception):
    """The register cannot be used; the text says where and why."""


class SqlitePeopleStore:
    """`ports.PeopleStore` in one SQLite file, and people's token records."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises `PeopleStoreUnavailable`."""
        try:
            # Password hashes must not be open to guessing, and damage must show now instead of during a login.
            self._database = open_database(path, migrations, (), is_private=True, is_checked=True)
        except (OSError, sqlite3.Error) as error:
            reason = str(error)
            if code_of(error) in DAMAGE:  # not begun again by itself: revoked tokens would be let in
                reason = f"it is damaged ({error}); delete it and token.secret with it, and add people and tokens anew"
            raise PeopleStoreUnavailable(f"{path}: people and tokens cannot be kept here: {reason}") from error

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._database.close()

    def version(self) -> int:
        # `data_version` counts changes of other processes, `total_changes` our own.
        (others,) = self._database.execute("PRAGMA data_version").fetchone()
        return int(others) + int(self._database.conn.total_changes)

    def people(self) -> Sequence[Person]:
        return [_person(row) for row in self._database.query("SELECT * FROM person ORDER BY name")]

    def person(self, name: str) -> tuple[Person, str] | None:
        row = next(self._database.query("SELECT * FROM person WHERE name = ?", [name]), None)
        return None if row is None else (_person(row), row["password"])

    def add_person(self, person: Person, password_hash: str, wall: datetime) -> bool:
        with self._transaction() as database:
            cursor = database.execute(
                "INSERT OR IGNORE INTO person (name, role, departments, password, since) VALUES (?, ?, ?, ?, ?)",
                [person.name, person.role, departments_text(person.departments), password_hash, timestamp(wall)],
            )
            added: int = cursor.rowcount
            cursor.close()
        return added == 1

    def set_password(self, name: str, password_hash: str, wall: datetime) -> None:
        with self._transaction():
            self._database.execute("UPDATE person SET password = ? WHERE name = ?", [password_hash, name]).close()
            self._end_logins(name, wall)

    def remove_person(self, name: str, wall: datetime) -> None:
        with self._transaction():
            self._database.execute("DELETE FROM person WHERE name = ?", [name]).close()
            self._end_logins(name, wall)

    def tokens(self) -> Sequence[TokenRecord]:
        return [_ticket(row) for row in self._database.query("SELECT * FROM ticket ORDER BY issued_at DESC, id")]

    def remember(self, ticket: TokenRecord) -> None:
        """Record a token, unless it is recorded already. Beyond the limit those that expire soonest are deleted."""
        # An issuer's token is recorded again when it is shown again: not worth waiting for the medium.
        with self._transaction(synced=ticket.origin is not TokenOrigin.ISSUER):
            self._database.table("ticket").insert(_ticket_row(ticket), ignore=True)
            self._database.execute(
                "DELETE FROM ticket WHERE id IN (SELECT id FROM ticket WHERE revoked_at IS NULL"
                " ORDER BY expires_at LIMIT max(0, (SELECT count(*) FROM ticket) - ?))",
                [MOST_TICKETS],
            ).close()

    def revoke(self, ticket: TokenRecord, wall: datetime) -> None:
        with self._transaction():
            self._database.table("ticket").insert(_ticket_row(ticket), ignore=True)
            self._database.execute(
                "UPDATE ticket SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", [timestamp(wall), ticket.id]
            ).close()

    def forget(self, before: datetime) -> None:
        """Delete the tokens that expired before this moment: they are refused as expired."""
        with suppress(Refused), self._transaction():  # a full disk keeps them a little longer
            self._database.execute("DELETE FROM ticket WHERE expires_at < ?", [timestamp(before)]).close()

    def revoked(self) -> frozenset[str]:
        rows = self._database.query("SELECT id FROM ticket WHERE revoked_at IS NOT NULL")
        return frozenset(row["id"] for row in rows)

    def floor(self) -> datetime | None:
        row = next(self._database.query("SELECT at FROM known_moment"), None)
        return None if row is None else datetime.fromisoformat(row["at"])

    def save_floor(self, wall: datetime) -> None:
        with suppress(Refused), self._transaction():  # on a full disk the earlier one stays
            self._database.table("known_moment").upsert({"id": 1, "at": timestamp(wall)})

    @contextmanager
    def _transaction(self, *, synced: bool = True) -> Iterator[Database]:
        """One transaction. Raises `Refused` where the medium takes nothing; then nothing is changed."""
        self._database.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}").close()
        try:
            with self._database.atomic():
                yield self._database
        except sqlite3.OperationalError as error:
            log.error("people and tokens cannot be saved: %s", error)
            raise Refused(
                Code.MAINTENANCE, f"the disk takes no changes ({error}): nothing was changed; make room and try again"
            ) from error

    def _end_logins(self, name: str, wall: datetime) -> None:
        self._database.execute(
            "UPDATE ticket SET revoked_at = ? WHERE person = ? AND revoked_at IS NULL", [timestamp(wall), name]
        ).close()


def _person(row: dict[str, Any]) -> Person:
    return convert(row | {"departments": _departments(row["departments"])}, Person)


def _departments(text: str) -> frozenset[str] | None:
    return None if text == "*" else frozenset(one for one in text.split(",") if one)


def _ticket_row(ticket: TokenRecord) -> dict[str, Any]:
    return {
        **to_builtins(ticket),
        "departments": departments_text(ticket.departments),
        "issued_at": timestamp(ticket.issued_at),
        "expires_at": timestamp(ticket.expires_at),
        "revoked_at": ticket.revoked_at and timestamp(ticket.revoked_at),
    }


def _ticket(row: dict[str, Any]) -> TokenRecord:
    return convert(row | {"departments": _departments(row["departments"])}, TokenRecord)
