"""Saves on a disk that is full, and again when there is room."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from appliance.core.metering.account import AccountKey
from appliance.core.metering.quota import Ledger, QuotaKind
from appliance.core.metering.usage import Mark
from appliance.system.storage.store import SqliteStore


def save(store: SqliteStore, used: int) -> bool:
    ledgers = [Ledger(kind, date(2026, 11, 23), used) for kind in QuotaKind]
    departments = [AccountKey(f"department-{number}") for number in range(200)]
    marks = dict.fromkeys(departments, Mark("x", used, 0))
    return store.save_metering(dict.fromkeys(departments, ledgers), marks, datetime.now(UTC))


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            pass


def main(disk: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=True)
    store = SqliteStore(disk / "appliance.sqlite3")
    assert save(store, 1)
    fill(disk)
    used = 1
    while save(store, used + 1):
        used += 1
        assert used < 1000
        fill(disk)
    assert not save(store, used + 1)
    assert {one.used_bytes for one in store.ledgers(AccountKey("department-7"))} == {used}
    assert store.marks()[AccountKey("department-7")] == Mark("x", used, 0)
    (disk / "ballast").unlink()
    assert save(store, used + 2)
    store.close()
    again = SqliteStore(disk / "appliance.sqlite3")
    assert {one.used_bytes for one in again.ledgers(AccountKey("department-7"))} == {used + 2}
    assert again.marks()[AccountKey("department-7")] == Mark("x", used + 2, 0)
    print("as promised")


main(Path(sys.argv[1]))
