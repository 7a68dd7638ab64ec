"""The erasure of a state: nothing of it is left, links lead nowhere else, and an interrupted one goes on."""

from pathlib import Path

import pytest

from appliance.core.state_files import RESET_MARKER
from appliance.system.erasure import erase, is_marked
from appliance.system.storage.config_files import ConfigFileWriter

SECRET = "geheim-7391"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    for name in (
        "appliance.sqlite3",
        "token.secret",
        "secrets/mail",
        "before-restore-1/people.sqlite3",
        "lists/bad.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(SECRET * 1000)
    return folder


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and SECRET in path.read_text()]


def test_state_and_configuration_are_erased_and_nothing_else(state: Path, tmp_path: Path) -> None:
    config, other = tmp_path / "etc/appliance.toml", tmp_path / "other"
    config.parent.mkdir()
    for path in (config, other, config.with_name("own.pem")):
        path.write_text(SECRET)
    (state / "link").symlink_to(other)
    (state / "folder").symlink_to(config.parent)
    assert ConfigFileWriter(config, state).order_reset() is None
    assert is_marked(state)
    erased = erase(state)
    assert (erased.files, erased.bytes) == (7, 5 * len(SECRET) * 1000 + len(SECRET))
    assert list(state.iterdir()) == []
    assert left(tmp_path) == ["other", "own.pem"]
    assert not is_marked(state)


def test_what_a_file_had_is_overwritten_before_its_name_goes(state: Path) -> None:
    kept = state.parent / "kept"
    kept.hardlink_to(state / "token.secret")  # another name of the same blocks
    with kept.open("rb") as opened:
        ConfigFileWriter(None, state).order_reset()
        erase(state)
        assert opened.read() == b"", "it was overwritten, and cut to nothing"


def test_an_erasure_that_was_interrupted_goes_on(state: Path, tmp_path: Path) -> None:
    config = tmp_path / "appliance.toml"
    config.write_text(SECRET)
    ConfigFileWriter(config, state).order_reset()
    (state / "secrets/mail").unlink()  # as far as it came
    config.unlink()
    assert [path.name for path in state.iterdir() if path.name == RESET_MARKER] == [RESET_MARKER]
    erase(state)
    assert list(state.iterdir()) == []
