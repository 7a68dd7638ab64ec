from pathlib import Path

import pytest

from appliance.core.operations.trial import LARGEST_CONFIG_BYTES, StoredConfig
from appliance.core.refusal import Refused
from appliance.system.storage.config_files import ConfigFileWriter


def drafts(tmp_path: Path) -> ConfigFileWriter:
    (tmp_path / "appliance.toml").write_bytes(b"old")
    (tmp_path / "state").mkdir()
    return ConfigFileWriter(tmp_path / "appliance.toml", tmp_path / "state")


def test_a_draft_leaves_the_configuration_file_alone(tmp_path: Path) -> None:
    kept = drafts(tmp_path)
    assert kept.save(b"new") is None
    assert (kept.read(), (tmp_path / "appliance.toml").read_bytes()) == (b"new", b"old")
    kept.discard()
    kept.discard()
    assert kept.read() is None


def test_a_commit_replaces_the_file_keeps_its_mode_and_the_former_one(tmp_path: Path) -> None:
    kept = drafts(tmp_path)
    (tmp_path / "appliance.toml").chmod(0o640)
    kept.save(b"new")
    assert kept.commit(b"new") is None
    assert (tmp_path / "appliance.toml").read_bytes() == b"new"
    assert (tmp_path / "appliance.toml").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "state" / "former.toml").read_bytes() == b"old"
    assert kept.read() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["appliance.toml", "state"]


def test_a_link_to_the_configuration_stays_a_link(tmp_path: Path) -> None:
    kept = drafts(tmp_path)
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "appliance.toml")
    assert ConfigFileWriter(link, tmp_path / "state").commit(b"new") is None
    assert link.is_symlink()
    assert (tmp_path / "appliance.toml").read_bytes() == b"new"
    assert kept.obstacle() is None


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    nowhere = ConfigFileWriter(tmp_path / "none" / "a.toml", tmp_path / "state")
    assert "may not write in" in (nowhere.obstacle() or "")
    assert "No such file" in (nowhere.save(b"new") or "")
    assert "No such file" in (nowhere.commit(b"new") or "")
    assert "without a configuration file" in (ConfigFileWriter(None, tmp_path).obstacle() or "")


def test_the_file_is_read_as_it_is_now_or_the_reason_is_told(tmp_path: Path) -> None:
    kept, path = drafts(tmp_path), tmp_path / "appliance.toml"
    assert kept.stored() == StoredConfig(str(path), b"old")
    path.write_bytes(b"#" * (LARGEST_CONFIG_BYTES + 1))
    with pytest.raises(Refused, match="which no configuration is"):
        kept.stored()
    path.unlink()
    with pytest.raises(Refused, match="cannot be read: No such file"):
        kept.stored()
    assert ConfigFileWriter(None, tmp_path).stored() is None
