from pathlib import Path

import pytest

from appliance.system.storage.files import write_private, write_whole


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


def test_what_cannot_be_replaced_stays_and_no_draft_is_left(tmp_path: Path) -> None:
    (tmp_path / "folder" / "content").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", b"new")
    assert [*tmp_path.iterdir()] == [tmp_path / "folder"]
