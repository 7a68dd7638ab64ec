from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.core.detection.incident import Incident, IncidentChange, IncidentUpdate, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.incident_record import IncidentRecord, Mute
from appliance.core.detection.open_incidents import Incidents
from appliance.core.moment import Moment
from appliance.core.refusal import Refused
from appliance.core.traffic.packet import decode
from appliance.monitor.traffic.incident_log import MOST_MUTES, MOST_RECORDS, IncidentLog
from appliance.system.storage.store import SqliteStore
from tests.core import frames

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(second: float) -> Moment:
    return Moment(NOON + timedelta(seconds=second), 1000.0 + second, is_trusted=True)


def update(
    source: str = "192.168.1.66", change: IncidentChange = IncidentChange.OPENED, times: int = 1
) -> IncidentUpdate:
    found = Incident(IncidentKind.PORT_SCAN, source, Severity.MEDIUM, 20, "20 ports", 1000.0, 1000.0, times)
    return IncidentUpdate(change, found)


def record(log: IncidentLog, one: IncidentUpdate, second: float = 0) -> IncidentRecord:
    return log.record("sales", one, is_inside=True, is_proven=False, known_devices=(), now=at(second))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "state.sqlite3")) as opened:
        yield opened


def test_an_incident_that_comes_back_is_the_same_one_also_after_a_restart(store: SqliteStore) -> None:
    log = IncidentLog(store)
    first = record(log, update())
    record(log, update(change=IncidentChange.CLOSED), 200)
    again = IncidentLog(store)
    incidents = Incidents()
    again.restore("sales", incidents, at(300))
    again.restore("lab", Incidents(), at(300))  # which has none
    for port in range(1, 21):
        packet = decode(frames.syn("192.168.1.66", "192.168.1.20", port))
        assert packet is not None
        incidents.follow(packet, 1300.0)
    [told] = incidents.judge(1304.0)
    assert (told.incident.times, told.incident.began_s) == (2, 1000.0)
    back = record(again, told, 304)
    assert (back.id, back.times, back.opened_at, back.ended_at) == (first.id, 2, NOON, None)
    assert [one.change for one in back.course] == ["opened", "closed", "opened"]


def test_its_counts_by_time_go_on_after_a_restart(store: SqliteStore) -> None:
    first = update()
    first.incident.series.follow(20, 0.0)
    record(IncidentLog(store), first)
    again, incidents = IncidentLog(store), Incidents()
    again.restore("sales", incidents, at(10))
    for port in range(1, 31):
        packet = decode(frames.syn("192.168.1.66", "192.168.1.20", port))
        assert packet is not None
        incidents.follow(packet, 1012.0)
    [told] = incidents.judge(1016.0)
    assert record(again, told, 16).series.counts == [20, 0, 0, 30]


def test_what_was_open_when_the_service_ended_is_over(store: SqliteStore) -> None:
    record(IncidentLog(store), update(), 7)
    [found] = IncidentLog(store).records({"sales"})
    assert found.ended_at == NOON + timedelta(seconds=7)


def test_who_has_seen_it_and_what_is_muted_outlive_a_restart(store: SqliteStore) -> None:
    log = IncidentLog(store)
    seen = log.acknowledge(record(log, update()), "eva", at(3))
    muted = Mute(
        id="m", department="sales", by="eva", at=NOON, source="192.168.1.0/24", until=NOON + timedelta(hours=1)
    )
    log.mute(muted, at(3))
    again = IncidentLog(store)
    assert (seen.acknowledged_by, again.find(seen.id)) == ("eva", replace_end(seen))
    assert again.mutes({"sales"}, at(4)) == [muted]
    assert again.mutes({"lab"}, at(4)) == []
    assert again.muting("sales", seen, at(4)) == muted
    assert again.muting("lab", seen, at(4)) is None
    assert again.covered(muted) == [replace_end(seen)]
    assert again.mutes({"sales"}, at(3600)) == []
    assert IncidentLog(store).mutes({"sales"}, at(0)) == []  # it is forgotten on the disk, too


def replace_end(one: IncidentRecord) -> IncidentRecord:
    """The record as a restart ends it."""
    return IncidentRecord(**{name: getattr(one, name) for name in one.__slots__} | {"ended_at": one.latest_at})


def test_a_mute_that_is_lifted_covers_nothing(store: SqliteStore) -> None:
    log = IncidentLog(store)
    seen, muted = record(log, update()), Mute(id="m", department="sales", by="eva", at=NOON, source="192.168.1.66")
    log.mute(muted, at(1))
    log.unmute(muted)
    assert (log.muting("sales", seen, at(1)), log.find_mute("m", at(1))) == (None, None)


def test_records_and_mutes_are_bounded(store: SqliteStore) -> None:
    log = IncidentLog(store)
    for number in range(MOST_RECORDS + 5):
        record(log, update(f"10.0.{number // 250}.{number % 250}"), number)
    assert len(log.records({"sales"})) == MOST_RECORDS
    assert len(IncidentLog(store).records({"sales"})) == MOST_RECORDS
    for number in range(MOST_MUTES):
        log.mute(Mute(id=str(number), department="sales", by="eva", at=NOON, port="22"), at(0))
    with pytest.raises(Refused, match="mutes are kept"):
        log.mute(Mute(id="one more", department="sales", by="eva", at=NOON, port="22"), at(0))


def test_whoever_presses_the_button_has_seen_what_is_open_until_it_comes_back(store: SqliteStore) -> None:
    log = IncidentLog(store)
    muted = Mute(id="m", department="sales", by="eva", at=NOON, source="192.168.1.67")
    log.mute(muted, at(0))
    record(log, update())
    record(log, update("192.168.1.67"))
    record(log, update("192.168.1.68", IncidentChange.CLOSED))
    assert [one.source for one in log.unseen(at(1))] == ["192.168.1.66"]
    assert log.acknowledge_by_hand(at(2))
    assert not log.acknowledge_by_hand(at(3))
    assert [one.acknowledged_by for one in log.records({"sales"})] == [None, None, "button"]
    record(log, update(change=IncidentChange.ESCALATED), 4)
    assert len(log.unseen(at(5))) == 1
