import os
from pathlib import Path

import pytest

from appliance.system.storage.files import UnsyncedFiles, sync_content, write_private, write_whole


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a longer old one")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [*tmp_path.iterdir()] == [path]


def test_a_draft_that_a_power_cut_left_opens_a_private_file_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "file.new").write_bytes(b"half of an earlier one")
    (tmp_path / "file.new").chmod(0o644)
    write_private(tmp_path / "file", b"key")
    assert (tmp_path / "file").read_bytes() == b"key"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_only_what_has_changed_since_is_waited_for_and_what_is_missing_is_not(tmp_path: Path) -> None:
    one, other, missing = (tmp_path / name for name in ("one", "other", "missing"))
    waited: list[Path] = []

    def wait(path: Path) -> None:
        sync_content(path)
        waited.append(path)

    unsynced = UnsyncedFiles([one, missing, other], wait)
    one.write_bytes(b"1")
    other.write_bytes(b"1")
    unsynced.settle()
    assert waited == [one, other]
    other.write_bytes(b"2")
    os.utime(other, ns=(0, 1))  # a change within one tick of the kernel's clock has the same time as the one before
    unsynced.settle()
    unsynced.settle()
    assert waited == [one, other, other]


def test_what_could_not_be_synced_is_waited_for_again(tmp_path: Path) -> None:
    path, failures = tmp_path / "file", [OSError(5, "Input/output error")]

    def wait(_: Path) -> None:
        if failures:
            raise failures.pop()
        settled.append(True)

    settled: list[bool] = []
    unsynced = UnsyncedFiles([path], wait)
    path.write_bytes(b"1")
    unsynced.settle()
    unsynced.settle()
    assert settled == [True]


def test_what_cannot_be_replaced_stays_and_no_draft_is_left(tmp_path: Path) -> None:
    (tmp_path / "folder" / "content").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", b"new")
    assert [*tmp_path.iterdir()] == [tmp_path / "folder"]
