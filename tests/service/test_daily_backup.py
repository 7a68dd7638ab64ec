"""The process that makes a day's backup: a whole file each day, the latest few kept, and why there is none."""

import os
import time
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from appliance.service.backup.daily_backup import BackupProcess, make
from appliance.service.backup.state_backup import BackupFailed
from appliance.system.backup_file import read_backup
from appliance.system.storage.sqlite import at_once
from appliance.system.storage.store import SqliteStore

PASSPHRASE = "correct horse battery"
PATIENCE_S = 120
DAY = date(2026, 11, 29)


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, Any]:
    state, folder = tmp_path / "state", tmp_path / "nas"
    folder.mkdir()
    with closing(SqliteStore(state / "appliance.sqlite3")):
        pass
    (state / "secrets").mkdir()
    (state / "secrets/backup").write_text(f"{PASSPHRASE}\n")
    server = {"user": None, "password": None, "ca": None}
    return {"place": str(folder), "state_dir": str(state), "secret": "backup", "keep": 2, "config_file": "", **server}


def names(facts: dict[str, Any]) -> list[str]:
    return sorted(path.name.partition("-20")[2] for path in Path(facts["place"]).iterdir())


def outcome(process: BackupProcess) -> str:
    """How the process ended, as soon as it has."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := process.outcome()) is None:
        assert time.monotonic() < deadline, "it does not end"
        time.sleep(0.05)
    return found


def test_a_process_makes_one_file_for_each_day_that_its_passphrase_opens(facts: dict[str, Any], tmp_path: Path) -> None:
    process = BackupProcess({key: value for key, value in facts.items() if key != "config_file"}, lambda: "", at_once)
    process.begin(DAY)
    assert outcome(process) == ""
    [file] = Path(facts["place"]).iterdir()
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    assert read_backup(file, PASSPHRASE, unpacked)["madeAt"]
    assert (unpacked / "appliance.sqlite3").exists()
    made = file.stat().st_mtime_ns
    process.begin(DAY)
    assert outcome(process) == ""
    assert file.stat().st_mtime_ns == made, "it is not made twice"


def test_the_latest_few_are_kept_and_other_files_are_left_alone(facts: dict[str, Any]) -> None:
    (Path(facts["place"]) / "appliance-else-2020-01-01.backup").touch()
    for day in (26, 27, 28, 29):
        make(facts, date(2026, 11, day))
    assert names(facts) == ["20-01-01.backup", "26-11-28.backup", "26-11-29.backup"]


def test_why_there_is_none_is_told(facts: dict[str, Any]) -> None:
    own = BackupProcess({**facts, "place": "http://127.0.0.1:1/"}, lambda: "", at_once)
    own.begin(DAY)
    assert outcome(own) == "no backup is sent to 127.0.0.1: it is this computer"
    gone = BackupProcess({**facts, "place": "/nowhere"}, lambda: "", at_once)
    gone.begin(DAY)
    assert outcome(gone) == "/nowhere is not there; is its disk or server mounted?"
    (Path(facts["state_dir"]) / "secrets/backup").unlink()
    process = BackupProcess(facts, lambda: "", at_once)
    process.begin(DAY)
    assert "secrets/backup cannot be read" in outcome(process)
    (Path(facts["state_dir"]) / "secrets/backup").write_text("short\n")
    with pytest.raises(BackupFailed, match="at least 12 characters"):
        make(facts, DAY)


def test_one_that_is_ended_leaves_no_half_a_backup(facts: dict[str, Any]) -> None:
    process = BackupProcess(facts, lambda: "", at_once)
    process.begin(DAY)
    process.end()
    outcome(process)  # before or after it began to write, as it happens
    assert not [*Path(facts["place"]).glob("*.new"), *Path(facts["state_dir"]).glob("backup-*")]
    make(facts, DAY)
    assert names(facts) == ["26-11-29.backup"]


def test_who_waits_for_one_that_is_ended_waits_until_it_writes_nothing_more(facts: dict[str, Any]) -> None:
    state = Path(facts["state_dir"])
    (state / "lists").mkdir()
    with (state / "lists/long").open("wb") as file:
        file.truncate(400_000_000)  # it takes a while to pack and to seal
    process = BackupProcess(facts, lambda: "", at_once)
    process.begin(DAY)
    deadline = time.monotonic() + PATIENCE_S
    while not [*state.glob("backup-*")]:
        assert time.monotonic() < deadline, "it does not begin"
        time.sleep(0.01)
    process.end()
    process.settle()
    assert process.outcome() is not None
    assert not [*state.glob("backup-*")]


def test_what_a_killed_one_has_left_is_removed_and_what_another_is_at_is_not(facts: dict[str, Any]) -> None:
    names = ("backup-scratch-left", "backup-scratch-other", "backup-20201129")
    left, other, a_person_s = (Path(facts["state_dir"]) / name for name in names)
    two_days_ago = time.time() - 2 * 86_400
    for folder in (left, other, a_person_s):
        folder.mkdir()
        (folder / "appliance.sqlite3").touch()
        if folder is not other:
            os.utime(folder, (two_days_ago, two_days_ago))
    make(facts, DAY)
    assert not left.exists()
    assert other.exists()
    assert a_person_s.exists()
