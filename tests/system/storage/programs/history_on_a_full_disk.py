"""Adds a batch on a disk that is full, and again when there is room."""

import os
import subprocess
import sys
from pathlib import Path

from appliance.core.metering.history_series import Step
from appliance.system.storage.history_store import SqliteHistoryStore


def main(disk: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    history_store = SqliteHistoryStore(disk / "history.sqlite3")
    batch = {("lab", str(host)): {(Step.HOUR, hour): [1, 1] for hour in range(100)} for host in range(200)}
    assert history_store.accumulate({("lab", "7"): {(Step.HOUR, 0): [1, 1]}}) is None
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - 16384))
    told = history_store.accumulate(batch)
    assert told is not None
    assert "full" in told
    history_store.fold()
    found = history_store.passed_in(Step.HOUR, ("lab", "7"), range(100))
    assert [(hour, one.total_bytes) for hour, one in found.items()] == [(0, 2)], found
    (disk / "filler").unlink()
    assert history_store.accumulate(batch) is None
    assert len(history_store.passed_in(Step.HOUR, ("lab", "199"), range(100))) == 100
    history_store.close()
    print("as promised")


main(Path(sys.argv[1]))
