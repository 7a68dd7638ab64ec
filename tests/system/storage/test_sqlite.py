"""Files that several programs open at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from appliance.system.storage.audit_store import SqliteAuditStore
from appliance.system.storage.people_store import SqlitePeopleStore

OPENERS, ROUNDS = 4, 10  # without a lock, one round of two openers fails in most cases


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
