"""Kills 50 of its children in the middle of a commit and looks at what they have left."""

import os
import random
import resource
import signal
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from appliance.core.metering.account import AccountKey
from appliance.core.metering.quota import Ledger, QuotaKind
from appliance.core.metering.usage import Mark
from appliance.system.storage.store import PAGE_BYTES, SqliteStore

NAMES = [AccountKey(f"department{number}") for number in range(8)]
FRAME_BYTES = 24 + PAGE_BYTES  # of the log (SQLite's file format, 4.1)


def save(store: SqliteStore, used: int) -> None:
    ledgers = [Ledger(kind, date(2026, 11, 1), used) for kind in QuotaKind]
    marks = dict.fromkeys(NAMES, Mark("x", used, 0))
    assert store.save_metering(dict.fromkeys(NAMES, ledgers), marks, datetime.now(UTC))


def save_until_killed(path: Path, told_path: Path, used: int, most_bytes: int) -> None:
    store = SqliteStore(path)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    told = os.open(told_path, os.O_RDWR | os.O_CREAT)
    while True:
        used += 1
        save(store, used)
        os.pwrite(told, b"%d" % used, 0)


def main(folder: Path) -> None:
    path, log_path, told_path = (folder / name for name in ("a.sqlite3", "a.sqlite3-wal", "told"))
    chance = random.Random(50)
    used = 0
    for _ in range(50):
        most_bytes = chance.randrange(50_000, 400_000)
        child = os.fork()
        if child == 0:
            save_until_killed(path, told_path, used, most_bytes)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGXFSZ
        written = len(log_path.read_bytes().rstrip(b"\0"))  # behind it are the zeros that the log begins with
        assert most_bytes - FRAME_BYTES < written <= most_bytes, "it was killed in the middle of a commit to the log"
        told = int(told_path.read_bytes())
        assert told > used
        store = SqliteStore(path)
        books = [{one.used_bytes for one in store.ledgers(name)} for name in NAMES]
        marks = [mark.up_bytes for mark in store.marks().values()]
        assert books == [{told}] * 8, (books, told)
        assert marks == [told] * 8, (marks, told)
        store.close()
        used = told
    print("as promised")


main(Path(sys.argv[1]))
