import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.detection.rates.anomaly import StoredAnomaly
from appliance.core.metering.history_series import ALL_HOSTS, Series, Step
from appliance.core.metering.usage import NOTHING, Passed, plus
from appliance.system.storage.history_store import MOST_ANOMALIES, TABLES, SqliteHistoryStore
from tests.system.storage.programs import command

LAB, HOST, OTHER = ("lab", ALL_HOSTS), ("lab", "10.0.0.1"), ("sales", "10.0.0.1")
MINUTE = 29_800_000  # of 2026, as all numbers of buckets here
DAY = 739_943


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.sqlite3"


@pytest.fixture
def history_store(path: Path) -> Iterator[SqliteHistoryStore]:
    history_store = SqliteHistoryStore(path)
    yield history_store
    history_store.close()


def add(
    history_store: SqliteHistoryStore, step: Step, bucket: int, *series: Series, up: int = 1, down: int = 2
) -> str | None:
    return history_store.accumulate({one: {(step, bucket): [up, down]} for one in series})


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    [[count]] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    connection.close()
    return count


def test_what_was_added_is_there_after_a_restart(path: Path) -> None:
    history_store = SqliteHistoryStore(path)
    assert add(history_store, Step.MINUTE, MINUTE, LAB, HOST, OTHER, up=2**40, down=7) is None
    history_store.close()
    again = SqliteHistoryStore(path)
    assert again.passed_in(Step.MINUTE, HOST, range(MINUTE, MINUTE + 1)) == {MINUTE: Passed(2**40, 7)}
    again.close()


def test_a_series_is_told_from_all_others(history_store: SqliteHistoryStore) -> None:
    for number, series in enumerate((LAB, HOST, OTHER), 1):
        add(history_store, Step.HOUR, 500_000, series, up=number)
    for number, series in enumerate((LAB, HOST, OTHER), 1):
        assert history_store.passed_in(Step.HOUR, series, range(400_000, 600_000)) == {500_000: Passed(number, 2)}
    assert history_store.passed_in(Step.DAY, LAB, range(400_000, 600_000)) == {}
    assert history_store.passed_in(Step.HOUR, ("nobody", ""), range(400_000, 600_000)) == {}


def test_what_is_added_to_a_bucket_again_adds_up(history_store: SqliteHistoryStore) -> None:
    for _ in range(3):
        add(history_store, Step.DAY, DAY, LAB, up=10, down=20)
    assert history_store.passed_in(Step.DAY, LAB, range(DAY, DAY + 1)) == {DAY: Passed(30, 60)}


def test_a_range_reads_its_own_buckets_and_no_other(history_store: SqliteHistoryStore) -> None:
    sums = {(Step.MINUTE, MINUTE + number): [number, 0] for number in range(10)}
    history_store.accumulate({LAB: sums, HOST: dict.fromkeys(sums, (9, 9))})
    found = history_store.passed_in(Step.MINUTE, LAB, range(MINUTE + 3, MINUTE + 6))
    assert found == {MINUTE + number: Passed(number, 0) for number in (3, 4, 5)}
    assert history_store.passed_in(Step.MINUTE, LAB, range(0)) == {}
    assert len(history_store.passed_in(Step.MINUTE, LAB, range(10**12))) == 10


def test_buckets_before_1970_are_kept_too(history_store: SqliteHistoryStore) -> None:
    add(history_store, Step.MINUTE, -5, LAB)
    assert history_store.passed_in(Step.MINUTE, LAB, range(-9, 9)) == {-5: Passed(1, 2)}


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(TABLES)),
    st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 2**70), st.integers(0, 2**70))),
)
def test_whatever_is_added_is_read(step: Step, added: list[tuple[int, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        history_store = SqliteHistoryStore(Path(folder) / "history.sqlite3")
        expected: dict[int, Passed] = {}
        for bucket, up, down in added:
            add(history_store, step, bucket, LAB, HOST, up=up, down=down)
            expected[bucket] = plus(expected.get(bucket, NOTHING), Passed(up, down))
        assert history_store.passed_in(step, LAB, range(-99, 99)) == expected
        history_store.close()


def test_old_sums_are_deleted_in_small_steps(history_store: SqliteHistoryStore, path: Path) -> None:
    hosts = [("lab", f"10.0.0.{number}") for number in range(20)]
    for bucket in range(500_000, 500_010):
        add(history_store, Step.HOUR, bucket, LAB, *hosts)
    deleted = []
    while not deleted or deleted[-1]:
        deleted.append(history_store.prune(Step.HOUR, 500_002, 500_005, most=30))
    assert deleted == [30, 30, 30, 10, 2, 0]
    assert sorted(history_store.passed_in(Step.HOUR, LAB, range(10**9))) == list(range(500_002, 500_010))
    assert sorted(history_store.passed_in(Step.HOUR, hosts[7], range(10**9))) == list(range(500_005, 500_010))
    assert rows(path, "hour") == 8 + 5 * 20


def test_a_record_is_deleted_when_the_last_of_its_buckets_is_old(history_store: SqliteHistoryStore) -> None:
    assert MINUTE % 15 == 10
    for bucket in range(MINUTE, MINUTE + 10):
        add(history_store, Step.MINUTE, bucket, LAB)
    assert history_store.prune(Step.MINUTE, MINUTE + 4, MINUTE + 4, most=100) == 0
    assert history_store.prune(Step.MINUTE, MINUTE + 5, MINUTE + 5, most=100) == 1
    assert sorted(history_store.passed_in(Step.MINUTE, LAB, range(10**9))) == list(range(MINUTE + 5, MINUTE + 10))


def test_deleting_goes_on_where_it_stopped_and_begins_anew_after_a_restart(
    history_store: SqliteHistoryStore, path: Path
) -> None:
    for bucket in range(10):
        add(history_store, Step.HOUR, bucket, LAB)
    assert history_store.prune(Step.HOUR, 3, 3, most=100) == 3
    assert history_store.prune(Step.HOUR, 6, 6, most=100) == 3
    add(history_store, Step.HOUR, 0, LAB)  # by a clock that was set back
    again = SqliteHistoryStore(path)
    assert again.prune(Step.HOUR, 6, 6, most=100) == 1
    again.close()


def test_a_host_that_is_nowhere_any_more_is_forgotten(history_store: SqliteHistoryStore, path: Path) -> None:
    add(history_store, Step.DAY, DAY, LAB, HOST, OTHER)
    add(history_store, Step.DAY, DAY + 1, LAB, OTHER)
    assert history_store.prune(Step.DAY, DAY, DAY + 1, most=100) == 2
    assert rows(path, "series") == 2
    add(history_store, Step.DAY, DAY + 2, HOST, OTHER)
    assert history_store.passed_in(Step.DAY, HOST, range(DAY + 9)) == {DAY + 2: Passed(1, 2)}
    assert history_store.passed_in(Step.DAY, OTHER, range(DAY + 9)) == {DAY + 1: Passed(1, 2), DAY + 2: Passed(1, 2)}


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 100, b"short"])
def test_a_damaged_file_is_moved_aside_and_begun_anew(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    history_store = SqliteHistoryStore(path)
    assert history_store.passed_in(Step.HOUR, LAB, range(9)) == {}
    assert add(history_store, Step.HOUR, 5, LAB) is None
    assert history_store.passed_in(Step.HOUR, LAB, range(9)) == {5: Passed(1, 2)}
    [aside] = path.parent.glob("history.sqlite3.damaged-*")
    assert aside.read_bytes() == content
    assert "is damaged" in caplog.text
    history_store.close()


def test_a_file_that_is_damaged_while_it_is_used_is_begun_anew(history_store: SqliteHistoryStore, path: Path) -> None:
    for bucket in range(2000):
        add(history_store, Step.HOUR, bucket, LAB, HOST)
    history_store.close()
    content = bytearray(path.read_bytes())
    content[8192:-8192] = bytes(len(content) - 16384)
    path.write_bytes(content)
    reasons = [add(history_store, Step.HOUR, bucket, LAB, HOST) for bucket in range(2000)]
    told = [reason for reason in reasons if reason]
    assert len(told) == 1
    assert "malformed" in told[0]
    assert len([*path.parent.glob("history.sqlite3.damaged-*Z")]) == 1


def test_a_file_that_vanishes_is_begun_anew_after_a_restart(path: Path) -> None:
    for _ in range(2):
        history_store = SqliteHistoryStore(path)
        assert history_store.passed_in(Step.HOUR, LAB, range(9)) == {}
        assert add(history_store, Step.HOUR, 5, LAB) is None
        history_store.close()
        path.unlink()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history_store = SqliteHistoryStore(tmp_path / "file" / "history.sqlite3")
    told = add(history_store, Step.HOUR, 5, LAB)
    assert told is not None
    assert "history is kept in memory only" in told
    assert history_store.passed_in(Step.HOUR, LAB, range(9)) == {}
    assert history_store.prune(Step.HOUR, 5, 5, most=9) == 0


def test_a_full_disk_takes_nothing_in_part_and_all_of_it_when_there_is_room(tmp_path: Path) -> None:
    program = ["unshare", "--mount", *command("history_on_a_full_disk", tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.stdout == "as promised\n", done.stderr


def test_a_kill_in_the_middle_of_adding_leaves_whole_batches(path: Path) -> None:
    writer = subprocess.Popen(command("add_until_killed", path), stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(50):
        told = int(writer.stdout.readline())
    writer.kill()
    writer.wait()
    history_store = SqliteHistoryStore(path)
    hour, day = (history_store.passed_in(step, LAB, range(9))[7].up_bytes for step in (Step.HOUR, Step.DAY))
    assert hour == day >= told
    history_store.close()


def test_the_log_is_folded_from_another_thread_while_sums_are_added(
    history_store: SqliteHistoryStore, path: Path
) -> None:
    history_store.fold()
    assert not path.exists(), "nothing to fold yet"
    folding = threading.Thread(target=lambda: [history_store.fold() for _ in range(50)])
    folding.start()
    for bucket in range(500):
        assert add(history_store, Step.HOUR, bucket, LAB, HOST) is None
    folding.join()
    assert len(history_store.passed_in(Step.HOUR, HOST, range(500))) == 500
    history_store.fold()
    before = path.stat().st_size
    history_store.close()
    assert path.stat().st_size == before, "closing had nothing left to fold"
    assert not path.with_name("history.sqlite3-wal").exists()


def test_deleted_sums_are_not_written_once_more_as_zeros(history_store: SqliteHistoryStore) -> None:
    add(history_store, Step.HOUR, 5, LAB)
    assert history_store._database is not None
    [[secure_delete]] = history_store._database.execute("PRAGMA secure_delete").fetchall()
    assert secure_delete == 0


def test_every_width_that_is_kept_has_its_table(history_store: SqliteHistoryStore, path: Path) -> None:
    add(history_store, Step.HOUR, 5, LAB)
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert names == {*TABLES.values(), "series", "learned_rates", "sent_volume", "anomaly", "_sqlite_migrations"}


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_what_is_usual_is_there_after_a_restart_the_latest_of_each_department(path: Path) -> None:
    history_store = SqliteHistoryStore(path)
    assert history_store.learned_rates() == {}
    history_store.save_learned_rates({"lab": b"1", "sales": b"\x00\xff"})
    history_store.save_learned_rates({"lab": b"2"})
    history_store.save_sent_volumes({"lab": b"3"})
    history_store.close()
    again = SqliteHistoryStore(path)
    assert again.learned_rates() == {"lab": b"2", "sales": b"\x00\xff"}
    assert again.sent_volumes() == {"lab": b"3"}
    again.close()


def test_anomalies_are_found_by_department_and_time_newest_first(history_store: SqliteHistoryStore) -> None:
    stored = [
        StoredAnomaly("sales" if number % 2 else "lab", NOON + timedelta(minutes=number), str(number).encode())
        for number in range(6)
    ]
    for one in stored:
        history_store.add_anomaly(one)
    span = (NOON + timedelta(minutes=1), NOON + timedelta(minutes=5))
    assert history_store.anomalies(["lab", "sales"], *span, 10) == stored[4:0:-1]
    assert history_store.anomalies(["sales"], *span, 1) == [stored[3]]
    assert history_store.anomalies([], *span, 10) == []


def test_the_oldest_of_too_many_anomalies_is_deleted(history_store: SqliteHistoryStore, path: Path) -> None:
    history_store.learned_rates()  # makes the file
    with closing(sqlite3.connect(path)) as connection:
        rows = [(number, "lab", 0.0, b"") for number in range(1, MOST_ANOMALIES + 1)]
        connection.executemany("INSERT INTO anomaly VALUES (?, ?, ?, ?)", rows)
        connection.commit()
    history_store.add_anomaly(StoredAnomaly("lab", NOON, b"new"))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT min(id), max(id) FROM anomaly").fetchone() == (2, MOST_ANOMALIES + 1)


def test_on_a_file_that_cannot_be_opened_nothing_is_known_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite3").mkdir()
    broken = SqliteHistoryStore(tmp_path / "history.sqlite3")
    broken.save_learned_rates({"lab": b"1"})
    broken.add_anomaly(StoredAnomaly("lab", NOON, b""))
    assert (broken.learned_rates(), broken.anomalies(["lab"], NOON, NOON, 1)) == ({}, [])
