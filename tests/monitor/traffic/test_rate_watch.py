from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.core.detection.rates.anomaly import StoredAnomaly
from appliance.core.metering.history_series import Series
from appliance.core.metering.usage import Passed
from appliance.core.moment import Moment
from appliance.events import AnalyticsAnomaly, AnomalyFacts, Event
from appliance.monitor.metering.device_directory import HostName
from appliance.monitor.traffic.rate_watch import SAVE_S, RateWatch
from appliance.system.storage.history_store import SqliteHistoryStore
from tests.bench import traffic
from tests.bench.traffic import DAY, Line

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 22, 23, tzinfo=UTC)  # midnight in Berlin
PHONE = "02:00:00:00:00:0a"


def at(minute: float, *, is_trusted: bool = True) -> Moment:
    return Moment(MONDAY + timedelta(minutes=minute), 1000.0 + minute * 60, is_trusted)


class Directory:
    """Knows a phone by its address."""

    def describe(self, department: str, host: str) -> HostName:
        return HostName("192.168.1.30" if host == PHONE else host, host, ["192.168.1.30"] if host == PHONE else [])


class Watched:
    """A `RateWatch` of two departments over a history in a file."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteHistoryStore(path)
        self.published: list[Event] = []
        self.watch = RateWatch(["sales", "lab"], BERLIN, self.store, Directory(), self.published.append)
        self.watch.step(at(0))

    def minute(self, minute: int, sales: Passed, hosts: Mapping[Series, Passed] | None = None) -> None:
        """Lets a minute pass in which so many bytes did."""
        self.watch.record_passed({"sales": sales, "lab": Passed(0, 0)}, hosts or {}, at(minute + 1))
        self.watch.step(at(minute + 1))

    def follow(self, line: Line, minutes: range) -> None:
        for minute in minutes:
            self.minute(minute, Passed(int(line.up[minute] * 60), int(line.down[minute] * 60)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


def told(watched: Watched) -> list[AnalyticsAnomaly]:
    return [one for one in watched.published if isinstance(one, AnalyticsAnomaly)]


def test_a_week_is_learned_and_outlives_a_restart_and_what_is_unusual_is_told_and_kept(path: Path) -> None:
    line = traffic.small(1, 8)
    before = Watched(path)
    before.follow(line, range(7 * DAY))
    before.watch.save(at(7 * DAY))
    before.store.close()
    watched = Watched(path)
    noon = 7 * DAY + 12 * 60
    usual = watched.watch.expected("sales", at(noon))
    assert usual is not None
    assert usual[0] < 15e3 < usual[1] < 200e3
    assert watched.watch.expected("lab", at(noon)) is None, "nobody has used it yet"
    watched.watch.step(at(noon))
    for minute in range(noon, noon + 5):
        amount = Passed(int(line.up[minute] * 60), 30_000_000)
        watched.minute(minute, amount, {("sales", PHONE): Passed(1000, 25_000_000)})
    [found] = told(watched)
    assert found.department_id == "sales"
    facts = found.anomaly
    assert (facts.type, facts.direction, facts.top) == ("usage_spike", "down", "192.168.1.30")
    assert "since 12:00, where" in facts.details  # by the clock of the people
    assert "on a Monday at this hour" in facts.details
    assert facts.since == "2026-11-30T11:00:00.000Z"
    span = (at(noon).wall, at(noon + 60).wall)
    assert watched.watch.anomalies(["sales", "lab"], *span, 10) == [found]
    assert watched.watch.anomalies(["lab"], *span, 10) == watched.watch.anomalies(["sales"], *span, 0) == []
    watched.store.close()


def test_a_jump_within_the_first_minutes_is_told_although_nothing_is_known_of_the_day(path: Path) -> None:
    watched = Watched(path)
    for second in range(1, 40):
        now = Moment(MONDAY, 1000.0 + second, is_trusted=False)
        now = Moment(now.wall + timedelta(seconds=second), now.monotonic_s, is_trusted=False)
        watched.watch.record_passed({"sales": Passed(0, 20_000_000 if second > 30 else 200_000)}, {}, now)
        watched.watch.step(now)
    assert [(one.department_id, one.anomaly.type, one.anomaly.severity) for one in told(watched)] == [
        ("sales", "usage_spike", "critical")
    ]
    watched.store.close()


def test_what_was_learned_is_saved_each_hour(path: Path) -> None:
    watched = Watched(path)
    line = traffic.small(1, 1)
    watched.follow(line, range(59))
    assert watched.store.learned_rates() == {}
    watched.follow(line, range(59, 62))
    assert SAVE_S == 60 * 60
    assert set(watched.store.learned_rates()) == {"sales", "lab"}
    watched.store.close()


def test_a_device_that_sends_far_too_much_is_found_by_its_addresses_also_after_a_restart(path: Path) -> None:
    sent, much = Passed(30_000_000, 0), Passed(900_000_000, 0)
    watched = Watched(path)
    for day in range(9):
        watched.minute(day * DAY + 600, sent, {("sales", PHONE): sent, ("lab", PHONE): sent})
    assert watched.watch.outflows("sales") == ()
    watched.watch.save(at(9 * DAY))
    watched.store.close()
    again = Watched(path)
    again.watch.step(at(9 * DAY + 600))
    again.minute(9 * DAY + 600, much, {("sales", PHONE): much, ("lab", PHONE): sent})
    [found, *_] = again.watch.outflows("sales")
    assert (found.source, found.mac, found.addresses, found.found.own_bytes) == (
        "192.168.1.30",
        PHONE,
        ("192.168.1.30",),
        30_000_000,
    )
    assert again.watch.outflows("sales") == again.watch.outflows("lab") == ()


class FullDisk:
    """A disk that keeps nothing."""

    def save_learned_rates(self, learned: Mapping[str, bytes]) -> None:
        """Nothing is kept."""

    def learned_rates(self) -> Mapping[str, bytes]:
        return {}

    def save_sent_volumes(self, learned: Mapping[str, bytes]) -> None:
        """Nothing is kept."""

    def sent_volumes(self) -> Mapping[str, bytes]:
        return {}

    def add_anomaly(self, one: StoredAnomaly) -> None:
        """Nothing is kept."""

    def anomalies(
        self, departments: Sequence[str], since: datetime, until: datetime, most: int
    ) -> Sequence[StoredAnomaly]:
        return []


def test_without_a_disk_anomalies_are_told_all_the_same() -> None:
    published: list[Event] = []
    watch = RateWatch(["sales"], BERLIN, FullDisk(), Directory(), published.append)
    for second in range(60):
        now = Moment(MONDAY + timedelta(seconds=second), 1000.0 + second, is_trusted=True)
        watch.record_passed({"sales": Passed(0, 20_000_000 if second > 30 else 200_000)}, {}, now)
        watch.step(now)
    [found] = published
    assert isinstance(found, AnalyticsAnomaly)
    assert isinstance(found.anomaly, AnomalyFacts)
