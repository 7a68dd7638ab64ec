"""The queue of notices in the state: what is kept through a crash, damage, and a medium that takes nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.core.alerting.notice import ChannelState, Notice, Topic
from appliance.core.detection.incident import Severity
from appliance.system.storage.store import SqliteStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
STATE = ChannelState(NOON, "refused", NOON, 3, 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as opened:
        yield opened


def notice(text: str, at: datetime = NOON, department: str | None = "a") -> Notice:
    return Notice(at, Topic.INCIDENT, Severity.HIGH, department, text)


def texts(found: object) -> list[str]:
    return [one.text for one in found]  # type: ignore[attr-defined]


def test_notices_come_back_as_they_were_recorded(store: SqliteStore) -> None:
    assert store.notices.add([(notice("one"), {}), (notice("two", department=None), {})])
    found = store.notices.recorded(None, 10)
    assert texts(found) == ["two", "one"]
    assert (found[0].department, found[0].at, found[0].topic, found[0].severity) == (
        None,
        NOON,
        Topic.INCIDENT,
        Severity.HIGH,
    )
    assert texts(store.notices.recorded(found[0].number, 10)) == ["one"]


def test_a_channel_gets_what_is_due_in_order_and_the_same_until_it_is_settled(store: SqliteStore) -> None:
    later = NOON + timedelta(hours=1)
    store.notices.add([(notice("one"), {"it": None}), (notice("later"), {"it": later}), (notice("b"), {"b": None})])
    assert store.notices.has_waiting("it", NOON)
    tried = store.notices.attempt("it", NOON, 10)
    assert texts(tried) == ["one"]
    store.notices.add([(notice("two"), {"it": None})])
    assert texts(store.notices.attempt("it", later, 10)) == ["one"]
    assert store.notices.settle("it", STATE, [one.number for one in tried])
    assert dict(store.notices.waiting()) == {"it": 2, "b": 1}
    assert texts(store.notices.attempt("it", later, 10)) == ["later", "two"]
    assert store.notices.states() == {"it": STATE}


def test_what_is_due_later_leaves_where_the_clock_has_gone_back(store: SqliteStore) -> None:
    store.notices.add([(notice("one"), {"it": NOON + timedelta(hours=8)})])
    assert not store.notices.has_waiting("it", NOON)
    assert store.notices.has_waiting("it", NOON - timedelta(days=300))


def test_a_message_takes_no_more_than_its_most(store: SqliteStore) -> None:
    store.notices.add([(notice(str(number)), {"it": None}) for number in range(5)])
    assert texts(store.notices.attempt("it", NOON, 3)) == ["0", "1", "2"]
    assert texts(store.notices.attempt("it", NOON, 3)) == ["0", "1", "2"]


def test_what_is_given_up_is_counted(store: SqliteStore) -> None:
    store.notices.add([(notice("one"), {"it": None})])
    [one] = store.notices.attempt("it", NOON, 10)
    assert store.notices.give_up("it", [one.number])
    assert store.notices.states() == {"it": ChannelState(given_up=1, unreported=1)}
    assert dict(store.notices.waiting()) == {}


def test_a_medium_that_takes_nothing_lets_nothing_leave(store: SqliteStore, path: Path) -> None:
    store.notices.add([(notice("one"), {"it": None})])
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not store.notices.add([(notice("two"), {})])
        assert store.notices.attempt("it", NOON, 10) == ()
        other.rollback()
    assert texts(store.notices.attempt("it", NOON, 10)) == ["one"]


def test_a_damaged_notice_is_lost_and_the_others_are_taken_over(path: Path, tmp_path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.notices.add([(notice("one"), {"it": None}), (notice("two"), {"it": None})])
        store.notices.settle("it", STATE)
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE notice SET severity = 'dreadful' WHERE text = 'one'")
        other.commit()
    with closing(SqliteStore(tmp_path / "new.sqlite3")) as fresh:
        assert fresh.take_over(path) == ["the notices"]
        assert texts(fresh.notices.attempt("it", NOON, 10)) == ["two"]
        assert fresh.notices.states() == {"it": STATE}
