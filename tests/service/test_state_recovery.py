"""The state is opened, and where it is damaged begun anew in full view."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.core.blocking.block import Block
from appliance.core.metering.account import AccountKey
from appliance.core.metering.usage import Mark
from appliance.core.moment import Moment
from appliance.service.state_recovery import MOST_ASIDE, open_state
from appliance.system.storage.store import StoreUnavailable

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = Moment(NOON, 1000.0, is_trusted=True)
BLOCK = Block("10.0.0.1", "because", "me", "manual", NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "appliance.sqlite3"


def test_a_state_that_is_whole_is_opened_without_a_word(path: Path) -> None:
    for _ in range(2):
        kept = open_state(path, NOON)
        assert kept.troubles(NOW) == []
        kept.store.close()
    assert {one.name for one in path.parent.iterdir()} == {path.name, f"{path.name}.ballast"}


def test_a_damaged_state_lies_aside_whole_and_is_told_until_it_is_taken_away(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"evidence" * 1000)
    with closing(open_state(path, NOON).store):
        pass
    [aside] = path.parent.glob("*.damaged-*")
    assert aside.name == "appliance.sqlite3.damaged-20261123T120000.000000Z"
    assert aside.read_bytes() == b"evidence" * 1000
    assert "is damaged (file is not a database): moved to" in caplog.text
    assert "lost: the books, limits, blocks, the maintenance" in caplog.text
    kept = open_state(path, NOON)
    [trouble] = kept.troubles(NOW)
    assert str(aside) in trouble
    aside.unlink()
    assert kept.troubles(NOW) == []


def test_what_can_be_read_of_a_damaged_state_goes_on(path: Path) -> None:
    with closing(open_state(path, NOON).store) as store:
        store.save_blocks([BLOCK, replace(BLOCK, target="10.0.0.2")], [])
        store.save_metering({}, {AccountKey("a"): Mark("x", 1, 2)}, NOON)
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute("UPDATE block SET started_at = 'some day' WHERE target = '10.0.0.2'")
    kept = open_state(path, NOON)
    assert len(kept.aside) == 1
    assert kept.store.blocks() == [BLOCK]
    assert (kept.store.saved_at(), kept.store.marks()) == (NOON, {AccountKey("a"): Mark("x", 1, 2)})


def test_a_folder_is_moved_aside_with_what_is_in_it(path: Path) -> None:
    (path / "something").mkdir(parents=True)
    kept = open_state(path, NOON)
    assert kept.store.saved_at() is None
    assert (kept.aside[0] / "something").is_dir()


def test_no_more_than_a_few_lie_aside_and_the_first_ones_stay(path: Path) -> None:
    path.parent.mkdir()
    for number in range(MOST_ASIDE + 3):
        path.write_bytes(bytes([number]) * 5000)
        open_state(path, NOON + timedelta(days=number)).store.close()
    aside = open_state(path, NOON).aside
    assert [one.read_bytes()[0] for one in aside] == [*range(MOST_ASIDE - 1), MOST_ASIDE + 2]


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="state cannot be kept here"):
        open_state(tmp_path / "file" / "appliance.sqlite3", NOON)
