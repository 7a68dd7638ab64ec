from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.core.metering.account import Account
from appliance.core.metering.history_series import ALL_HOSTS, Step
from appliance.core.metering.meter import Reading
from appliance.core.metering.quota import Limits
from appliance.core.metering.usage import NOTHING, Passed
from appliance.core.moment import Moment
from appliance.monitor.metering.day_directions import DayDirections
from appliance.system.storage.history_store import SqliteHistoryStore

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEFORE_MIDNIGHT = datetime(2026, 11, 23, 22, 59, 59, tzinfo=UTC)  # in Berlin


class Books:
    """An account, charged step by step, and the directions of its day."""

    def __init__(self, history_store: SqliteHistoryStore | None = None, wall: datetime = NOON) -> None:
        self.account = Account(limits=Limits({}), zone=BERLIN)
        self.directions = DayDirections(history_store)
        self.now = Moment(wall, 5000.0, is_trusted=True)
        self._up = self._down = 0

    def charge(self, up: int, down: int, seconds: float = 1.0) -> None:
        self.now = Moment(self.now.wall + timedelta(seconds=seconds), self.now.monotonic_s + seconds, is_trusted=True)
        self._up, self._down = self._up + up, self._down + down
        reading = Reading("meter", up_bytes=self._up, down_bytes=self._down)
        amount, _ = self.account.charge_reading(reading, seconds, self.now)
        self.directions.add("a", self.account, amount)

    def passed(self) -> Passed | None:
        return self.directions.passed("a", self.account)


@pytest.fixture
def history_store(tmp_path: Path) -> Iterator[SqliteHistoryStore]:
    store = SqliteHistoryStore(tmp_path / "history.sqlite3")
    day = date(2026, 11, 23).toordinal()
    store.accumulate({("a", ALL_HOSTS): {(Step.DAY, day): [300, 700], (Step.DAY, day - 1): [1, 1]}})
    yield store
    store.close()


def test_both_directions_add_up_to_the_use_of_the_day() -> None:
    books = Books()
    books.charge(0, 0)
    assert books.passed() == NOTHING
    books.charge(100, 900)
    books.charge(1, 2)
    assert books.passed() == Passed(101, 902)


def test_a_start_goes_on_from_what_history_has_of_the_day(history_store: SqliteHistoryStore) -> None:
    books = Books(history_store)
    books.charge(0, 0)
    assert books.passed() is None  # the account is another one, which was charged with nothing
    books = Books(history_store)
    books.account.charge_reading(Reading("before", up_bytes=300, down_bytes=700), 1.0, books.now)
    books.charge(10, 20)
    assert books.passed() == Passed(310, 720)


def test_directions_are_not_told_while_history_lacks_more_than_a_hundredth(history_store: SqliteHistoryStore) -> None:
    books = Books(history_store)
    books.account.charge_reading(Reading("before", up_bytes=500, down_bytes=700), 1.0, books.now)
    books.charge(10, 20)
    assert books.passed() is None
    books.charge(10_000, 20_000)
    assert books.passed() == Passed(10_310, 20_720)  # of 31,230 bytes


def test_a_new_day_begins_with_its_part_of_the_step_over_midnight() -> None:
    books = Books(wall=BEFORE_MIDNIGHT)
    books.charge(5000, 5000, seconds=0.5)
    books.charge(100, 300, seconds=1.0)
    assert books.account.daily.used_bytes == 200
    assert books.passed() == Passed(50, 150)
    books.charge(7, 8)
    assert books.passed() == Passed(57, 158)
