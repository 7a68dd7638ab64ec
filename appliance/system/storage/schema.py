"""The schema of the state: changes in their order, each of which a file has had or not had.

A change that was released stays as it is, for files that have had it; what is to be otherwise is another, at the end.
They are given the database (`sqlite_utils.Database`), and say what is to be in it.
"""

from collections.abc import Callable, Mapping
from typing import Any


def _ledgers_blocks_maintenance(database: Any) -> None:
    """The books begin."""
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


def _blocks_by_origin(database: Any) -> None:
    """What two origins want, one lifts for itself only; the kernel knows a block by its number."""
    block = database.table("block")
    block.add_column("number", int, not_null_default=0)
    block.add_column("is_provisional", int, not_null_default=0)
    block.transform(pk=("target", "department", "origin"))


def _what_blocked_names_resolve_to(database: Any) -> None:
    """What blocked names were seen to resolve to, and by which time blocks were reckoned last."""
    database.table("learned").create(
        {"target": str, "department": str, "origin": str, "address": str, "ends": float},
        pk=("target", "department", "origin", "address"),
    )
    database.table("reckoning").create({"id": int, "at": str}, pk="id")


CHANGES: Mapping[str, Callable[[Any], None]] = {
    "0001_ledgers_blocks_maintenance": _ledgers_blocks_maintenance,
    "0002_blocks_by_origin": _blocks_by_origin,
    "0003_what_blocked_names_resolve_to": _what_blocked_names_resolve_to,
}
