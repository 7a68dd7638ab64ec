"""Files that several programs open at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest

from appliance.core.access.person import Role, TokenOrigin, TokenRecord
from appliance.system.storage.audit_store import SqliteAuditStore
from appliance.system.storage.people_store import SqlitePeopleStore

OPENERS, ROUNDS = 4, 10  # of two that make the same file in its place, one fails in most rounds
CHANGES = 100


@pytest.mark.parametrize("store", [SqlitePeopleStore, SqliteAuditStore])
def test_a_new_file_that_several_open_at_once_serves_all_of_them(
    store: Callable[[Path], SqlitePeopleStore | SqliteAuditStore], tmp_path: Path
) -> None:
    start = Barrier(OPENERS)

    def opened(path: Path) -> str | None:
        start.wait()
        with closing(store(path)) as one:
            return one.obstacle

    with ThreadPoolExecutor(OPENERS) as pool:
        for number in range(ROUNDS):
            assert list(pool.map(opened, [tmp_path / f"{number}.sqlite3"] * OPENERS)) == [None] * OPENERS


def test_changes_of_two_programs_wait_for_each_other(tmp_path: Path) -> None:
    """Each change reads before it writes."""
    path, at = tmp_path / "people.sqlite3", datetime(2026, 11, 29, tzinfo=UTC)

    def remember(name: str) -> None:
        with closing(SqlitePeopleStore(path)) as store:
            for number in range(CHANGES):
                store.remember(TokenRecord(f"{name}{number}", name, Role.VIEWER, None, TokenOrigin.ISSUED, at, at))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(remember, ["cli", "service"])) == [None, None]
    with closing(SqlitePeopleStore(path)) as store:
        assert len(store.tokens()) == 2 * CHANGES
