import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from msgspec.structs import replace

from appliance.core.access.audit_entry import AuditEntry, first_break
from appliance.system.storage import audit_store as module
from appliance.system.storage.audit_store import AuditStoreUnavailable, SqliteAuditStore, altered_at
from tests.system.storage.programs import command

ENTRY = AuditEntry("2026-11-23T12:00:00.000Z", "anna", "admin", "192.168.1.9", "ip:block", '{"address":"10.0.0.1"}')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.sqlite3"


@pytest.fixture
def trail(path: Path) -> Iterator[SqliteAuditStore]:
    with closing(SqliteAuditStore(path)) as trail:
        yield trail


def test_what_was_recorded_is_read_newest_first_and_chained(trail: SqliteAuditStore) -> None:
    for number in range(5):
        trail.record(replace(ENTRY, what=str(number)))
    found = trail.entries(10)
    assert [one.entry.what for one in found] == ["4", "3", "2", "1", "0"]
    assert [one.number for one in found] == [5, 4, 3, 2, 1]
    assert first_break(found[::-1]) is None


def test_it_is_read_page_by_page_and_by_who_did_what(trail: SqliteAuditStore) -> None:
    for number in range(6):
        trail.record(replace(ENTRY, who="anna" if number % 2 else "ben", action="a" if number < 3 else "b"))
    assert [one.number for one in trail.entries(2)] == [6, 5]
    assert [one.number for one in trail.entries(2, before=5)] == [4, 3]
    assert [one.number for one in trail.entries(9, who="anna")] == [6, 4, 2]
    assert [one.number for one in trail.entries(9, who="anna", action="a")] == [2]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.1", [1, 2, 3]),
        ("ANNA", [1, 3]),
        ("Müller", [2]),
        ('say "no"', [3]),
        ("192.168.1.9", [1]),
        ("%", []),
        ("_", []),
        ("nnanna", []),
    ],
)
def test_an_entry_is_found_by_a_text_anywhere_in_it(trail: SqliteAuditStore, text: str, found: list[int]) -> None:
    trail.record(ENTRY)
    trail.record(replace(ENTRY, who="ben", address=None, before=json.dumps("for Müller")))
    trail.record(replace(ENTRY, address=None, after=json.dumps('say "no"')))
    assert [one.number for one in trail.entries(9, contains=text)] == found[::-1]


@pytest.mark.parametrize(
    "change", ["UPDATE entry SET who = 'x'", "DELETE FROM entry", "DELETE FROM entry WHERE number = 1"]
)
def test_the_database_itself_refuses_to_change_or_delete(trail: SqliteAuditStore, path: Path, change: str) -> None:
    trail.record(ENTRY)
    with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.IntegrityError, match="only grows"):
        other.execute(change)
    assert len(trail.entries(10)) == 1


def test_it_is_bounded_and_what_is_old_goes_a_little_at_a_time(trail: SqliteAuditStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        columns = "number, at, who, role, action, what, before, after, outcome, digest"
        other.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {module.MOST_ENTRIES + 20})"
            f" INSERT INTO entry ({columns}) SELECT i, '', '', '', '', '', '', '', '', '' FROM n"
        )
        other.commit()
    counts = []
    for _ in range(5):
        trail.record(ENTRY)
        with closing(sqlite3.connect(path)) as other:
            counts.append(other.execute("SELECT count(*) FROM entry").fetchone()[0] - module.MOST_ENTRIES)
    assert counts == [13, 6, 1, 1, 1]
    assert trail.entries(1)[0].number == module.MOST_ENTRIES + 25


def test_two_programs_write_one_chain(trail: SqliteAuditStore, path: Path) -> None:
    other = subprocess.Popen(command("record_50_entries", path))
    for number in range(50):
        trail.record(replace(ENTRY, what=str(number)))
    assert other.wait(30) == 0
    found = trail.entries(200)
    assert len(found) == 100
    assert first_break(found[::-1]) is None


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ("SELECT 1", None),
        ("UPDATE entry SET who = 'x' WHERE number = 3", 3),
        ("DELETE FROM entry WHERE number = 3", 4),
        ("DELETE FROM entry WHERE number < 3", None),  # as what is too old goes
    ],
)
def test_an_entry_that_was_altered_shows_while_the_service_writes(
    trail: SqliteAuditStore, path: Path, change: str, number: int
) -> None:
    for _ in range(5):
        trail.record(ENTRY)
    with closing(sqlite3.connect(path)) as other:
        for trigger in ("entry_stays", "entry_is_kept"):
            other.execute(f"DROP TRIGGER {trigger}")
        other.execute(change)
        other.commit()
    assert altered_at(path) == number
    assert trail.is_intact() is (number is None)


def test_a_trail_vouches_for_itself_and_for_what_comes_after(trail: SqliteAuditStore, path: Path) -> None:
    assert trail.is_intact()
    for _ in range(module.SLICE + 5):
        trail.record(ENTRY)
    assert trail.is_intact()
    other = subprocess.Popen(command("record_50_entries", path))
    assert other.wait(30) == 0
    trail.record(ENTRY)
    assert trail.is_intact()
    with closing(sqlite3.connect(path)) as stranger:
        stranger.execute("DROP TRIGGER entry_stays")
        stranger.execute("UPDATE entry SET who = 'x' WHERE number = 7")
        stranger.commit()
    assert trail.is_intact() is False
    trail.record(ENTRY)
    assert trail.is_intact() is False


def test_a_trail_that_takes_no_entries_vouches_for_nothing(path: Path) -> None:
    with closing(SqliteAuditStore.in_memory(path, "read-only")) as kept:
        assert kept.is_intact() is None


def test_a_file_that_is_no_trail_cannot_be_looked_through(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(AuditStoreUnavailable, match="cannot be read"):
        altered_at(path)


def test_a_full_disk_loses_no_entry_unseen(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(SqliteAuditStore(path)) as trail:
        trail.record(ENTRY)
        trail._database.execute("PRAGMA max_page_count = 1").close()
        for _ in range(50):
            trail.record(replace(ENTRY, what="x" * 2000))
        assert "does not take an entry" in caplog.text
        assert "10.0.0.1" in trail.entries(100)[-1].entry.what


def test_a_place_that_takes_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(AuditStoreUnavailable, match="cannot be kept here"):
        SqliteAuditStore(tmp_path / "no" / "audit.sqlite3")


@pytest.mark.parametrize("content", [b"no database at all, and long enough to look like one " * 100, None])
def test_a_damaged_trail_is_moved_aside_and_begun_anew(path: Path, content: bytes | None) -> None:
    with closing(SqliteAuditStore(path)) as trail:
        for _ in range(50):
            trail.record(replace(ENTRY, what="x" * 1000))
    whole = path.read_bytes()
    path.write_bytes(content or whole[:8192] + b"\xff" * 8192 + whole[16384:])
    with closing(SqliteAuditStore(path)) as trail:
        assert trail.entries(100) == []
        trail.record(ENTRY)
        assert len(trail.entries(100)) == 1
    [aside] = path.parent.glob(f"{path.name}.damaged-*Z")
    assert aside.stat().st_size > 0


def test_a_close_waits_for_the_entry_that_a_thread_is_writing(tmp_path: Path) -> None:
    for number in range(30):
        store = SqliteAuditStore(tmp_path / f"{number}.sqlite3")
        writers = [Thread(target=lambda trail=store: [trail.record(ENTRY) for _ in range(10)]) for _ in range(3)]
        for one in writers:
            one.start()
        store.close()  # without its turn, the process ends here by a crash
        for one in writers:
            one.join()
        assert altered_at(tmp_path / f"{number}.sqlite3") is None
