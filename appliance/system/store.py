"""The state that survives a power cut: ledgers with their marks, blocks and the maintenance, in one SQLite file.

A byte is charged and marked in one transaction, so that a crash can lose neither half. What a person ordered (a block,
a maintenance) is synced to the medium before the caller goes on; metering is not: SQLite's WAL keeps the file whole
through a power cut and may lose the last checkpoint, whose bytes the kernel forgot with the power anyway. That spares
the SD card: measured for one commit a minute, 18.5 MB a day and not 24.
"""

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from sys import intern
from typing import Any

from sqlite_utils import Database, Migrations
from sqlite_utils.db import Table

from appliance.core.blocks import Block
from appliance.core.maintenance import Kind as MaintenanceKind
from appliance.core.maintenance import Maintenance
from appliance.core.moment import timestamp
from appliance.core.quota import Kind, Ledger
from appliance.core.usage import Mark

log = logging.getLogger(__name__)

# Blocks go by position: 100,000 of them by name cost three times as much.
READ_BLOCKS = """
SELECT target, department, origin, reason, actor, started_at, expires_at, announced, number, is_provisional FROM block
"""
SAVE_BLOCK = """
REPLACE INTO block
(target, department, origin, reason, actor, started_at, expires_at, announced, number, is_provisional)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
DELETE_BLOCK = "DELETE FROM block WHERE target = ? AND department = ? AND origin = ?"

WAL_PAGES = 250  # 1 MB: the log is folded back before it grows large on a small medium

migrations = Migrations("appliance")


@migrations(name="0001_ledgers_blocks_maintenance")
def _ledgers_blocks_maintenance(database: Database) -> None:
    """The books begin. Every later change of the schema is a numbered function of its own, below this one."""
    database.table("ledger").create(
        {"department": str, "kind": str, "start": str, "used_bytes": int, "raised": str, "granted_bytes": int},
        pk=("department", "kind", "start"),
    )
    database.table("quota_limit").create(
        {"department": str, "kind": str, "limit_bytes": int}, pk=("department", "kind")
    )
    database.table("mark").create(
        {"department": str, "identity": str, "up_bytes": int, "down_bytes": int}, pk="department"
    )
    database.table("saving").create({"id": int, "at": str}, pk="id")
    # SQLite counts every NULL in a key as different: all departments are the empty text here.
    database.table("block").create(
        {
            "target": str,
            "department": str,
            "reason": str,
            "actor": str,
            "origin": str,
            "started_at": str,
            "expires_at": str,
            "announced": int,
        },
        pk=("target", "department"),
    )
    database.table("maintenance").create(
        {"id": int, "kind": str, "start": str, "duration_s": int, "impact": str, "actor": str, "begun": int}, pk="id"
    )


@migrations(name="0002_blocks_by_origin")
def _blocks_by_origin(database: Database) -> None:
    """What two origins want, one lifts for itself only; the kernel knows a block by its number."""
    block = database.table("block")
    block.add_column("number", int, not_null_default=0)
    block.add_column("is_provisional", int, not_null_default=0)
    block.transform(pk=("target", "department", "origin"))


class StoreUnavailable(Exception):
    """The state cannot be kept; the text says where and why."""


class SqliteStore:
    """`ports.Store` in one SQLite file with a write-ahead log."""

    def __init__(self, path: Path) -> None:
        """Open or create the file and bring its schema up to date. Raises `StoreUnavailable`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = Database(sqlite3.connect(path), execute_plugins=False)
            self._database.execute("PRAGMA journal_mode = WAL").close()
            self._database.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}").close()
            migrations.apply(self._database)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"{path}: state cannot be kept here: {error}") from error

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        self._database.close()

    def ledgers(self, department: str) -> Sequence[Ledger]:
        """The department's newest ledger of each kind."""
        rows = self._database.query(
            "SELECT kind, max(start) AS start, used_bytes, raised, granted_bytes FROM ledger"
            " WHERE department = ? GROUP BY kind",
            [department],
        )
        return [_ledger(row) for row in rows]

    def marks(self) -> Mapping[str, Mark]:
        """By department, the meter up to which its bytes are charged."""
        return {
            row["department"]: Mark(row["identity"], row["up_bytes"], row["down_bytes"])
            for row in self._table("mark").rows
        }

    def saved_at(self) -> datetime | None:
        """When metering was saved last, by the wall clock; `None`: never."""
        for row in self._table("saving").rows:
            return datetime.fromisoformat(row["at"])
        return None

    def save_metering(self, ledgers: Mapping[str, Sequence[Ledger]], marks: Mapping[str, Mark], wall: datetime) -> bool:
        """Ledgers and marks by department, in one transaction; false where the medium does not take them."""
        try:
            with self._transaction(synced=False):
                self._table("ledger").upsert_all(
                    _ledger_row(department, ledger) for department, kept in ledgers.items() for ledger in kept
                )
                self._table("mark").upsert_all(_mark_row(department, mark) for department, mark in marks.items())
                self._table("saving").upsert({"id": 1, "at": timestamp(wall)})
        except sqlite3.OperationalError as error:
            log.error("the books cannot be saved and are kept in memory: %s", error)
            return False
        return True

    def limits(self) -> Mapping[str, Mapping[Kind, int | None]]:
        """By department and kind, the limits that were set by hand over the configured ones."""
        found: dict[str, dict[Kind, int | None]] = {}
        for row in self._table("quota_limit").rows:
            found.setdefault(row["department"], {})[Kind(row["kind"])] = row["limit_bytes"]
        return found

    def save_limit(self, department: str, kind: Kind, limit_bytes: int | None) -> None:
        """Remember a limit that was set by hand, synced to the medium."""
        with self._transaction(synced=True):
            self._table("quota_limit").upsert({"department": department, "kind": kind, "limit_bytes": limit_bytes})

    def blocks(self) -> Sequence[Block]:
        """Every block that was saved and not deleted."""
        return [_block(row) for row in self._database.execute(READ_BLOCKS)]

    def save_blocks(self, saved: Sequence[Block], deleted: Sequence[Block]) -> None:
        """Write or replace some blocks and forget others, synced to the medium."""
        with self._transaction(synced=True):
            self._database.conn.executemany(DELETE_BLOCK, map(_block_key, deleted))
            self._database.conn.executemany(SAVE_BLOCK, map(_block_row, saved))

    def maintenance(self) -> Maintenance | None:
        """The maintenance that was announced or under way, or `None`."""
        for row in self._table("maintenance").rows:
            return Maintenance(
                MaintenanceKind(row["kind"]),
                datetime.fromisoformat(row["start"]),
                row["duration_s"],
                row["impact"],
                row["actor"],
                bool(row["begun"]),
            )
        return None

    def save_maintenance(self, maintenance: Maintenance | None) -> None:
        """Remember the maintenance, or that there is none, synced to the medium."""
        with self._transaction(synced=True):
            self._table("maintenance").delete_where()
            if maintenance is not None:
                self._table("maintenance").insert(
                    {
                        "id": 1,
                        "kind": maintenance.kind,
                        "start": timestamp(maintenance.start),
                        "duration_s": maintenance.duration_s,
                        "impact": maintenance.impact,
                        "actor": maintenance.actor,
                        "begun": int(maintenance.begun),
                    }
                )

    def _table(self, name: str) -> Table:
        return self._database.table(name)

    @contextmanager
    def _transaction(self, *, synced: bool) -> Iterator[None]:
        self._database.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}").close()
        with self._database.atomic():
            yield


def _ledger_row(department: str, ledger: Ledger) -> dict[str, Any]:
    return {
        "department": department,
        "kind": ledger.kind,
        "start": ledger.start.isoformat(),
        "used_bytes": ledger.used_bytes,
        "raised": json.dumps(sorted(ledger.raised)),
        "granted_bytes": ledger.granted_bytes,
    }


def _ledger(row: dict[str, Any]) -> Ledger:
    return Ledger(
        kind=Kind(row["kind"]),
        start=date.fromisoformat(row["start"]),
        used_bytes=row["used_bytes"],
        raised=frozenset(json.loads(row["raised"])),
        granted_bytes=row["granted_bytes"],
    )


def _mark_row(department: str, mark: Mark) -> dict[str, Any]:
    return {
        "department": department,
        "identity": mark.identity,
        "up_bytes": mark.up_bytes,
        "down_bytes": mark.down_bytes,
    }


def _block_key(block: Block) -> tuple[str, str, str]:
    return block.target, block.department or "", block.origin


def _block_row(block: Block) -> tuple[Any, ...]:
    return (
        *_block_key(block),
        block.reason,
        block.actor,
        timestamp(block.started_at),
        timestamp(block.expires_at) if block.expires_at else None,
        block.announced,
        block.number,
        block.is_provisional,
    )


def _block(row: Sequence[Any]) -> Block:
    target, department, origin, reason, actor, started_at, expires_at, announced, number, is_provisional = row
    return Block(
        target=target,
        reason=intern(reason),  # a list's blocks share theirs
        actor=intern(actor),
        origin=intern(origin),
        started_at=datetime.fromisoformat(started_at),
        department=department or None,
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        announced=bool(announced),
        number=number,
        is_provisional=bool(is_provisional),
    )
