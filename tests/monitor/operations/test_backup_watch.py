"""Backups of each day, by a clock that a test moves and a maker that says how it went."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from appliance.core.moment import Moment
from appliance.monitor.operations.backup_watch import FIRST_RETRY_S, LONGEST_RETRY_S, BackupWatch

START = datetime(2026, 3, 28, 0, tzinfo=UTC)  # 01:00 in Berlin, on the day before the clocks change
HOUR, DAY = 3600.0, 86_400.0


class Scene:
    """A watch over a maker that answers what a test wants."""

    def __init__(self) -> None:
        self.begun: list[date] = []
        self.answer: str | None = ""
        self.passed_s, self.is_trusted, self.is_held = 0.0, True, False
        self.settled = 0
        self.watch = BackupWatch(self, at=time(2, 30), zone=ZoneInfo("Europe/Berlin"), is_held=lambda: self.is_held)

    def begin(self, day: date) -> None:
        self.begun.append(day)

    def outcome(self) -> str | None:
        return self.answer

    def end(self) -> None:
        self.answer = "ended"

    def settle(self) -> None:
        self.settled += 1

    @property
    def now(self) -> Moment:
        return Moment(START + timedelta(seconds=self.passed_s), 1000.0 + self.passed_s, self.is_trusted)

    def pass_(self, seconds: float) -> list[int]:
        """Time passes; returns the days of the backups that were begun, and have ended if the maker says so."""
        self.passed_s += seconds
        before = len(self.begun)
        for _ in range(3):
            self.watch.step(self.now)
        return [one.day for one in self.begun[before:]]


def test_each_day_has_one_at_its_local_time_also_when_the_clocks_change() -> None:
    scene = Scene()
    assert scene.pass_(0) == [27], "the first is made at once"
    assert scene.pass_(HOUR) == []
    assert scene.pass_(HOUR / 2) == [28]
    assert scene.pass_(DAY - 1) == []
    assert scene.pass_(1) == [29]  # 02:30 is lacking on this day: it is 03:30
    assert scene.pass_(DAY - HOUR - 1) == []
    assert scene.pass_(1) == [30]


def test_one_that_fails_is_a_trouble_and_is_tried_again_less_and_less_often() -> None:
    scene = Scene()
    scene.answer = "/mnt/nas is not there"
    assert scene.pass_(0) == [27]
    assert scene.watch.troubles(scene.now) == ["the backup of the day fails and is tried again: /mnt/nas is not there"]
    assert scene.pass_(FIRST_RETRY_S - 1) == []
    assert scene.pass_(1) == [27]
    assert scene.pass_(FIRST_RETRY_S) == []
    for _ in range(20):
        scene.pass_(LONGEST_RETRY_S)
    scene.answer = ""
    scene.pass_(LONGEST_RETRY_S)
    assert scene.watch.troubles(scene.now) == []
    assert scene.pass_(HOUR) == []


def test_none_begins_beside_another_in_maintenance_or_while_the_time_is_not_known() -> None:
    scene = Scene()
    scene.answer = None
    assert scene.pass_(0) == [27]
    assert scene.pass_(2 * DAY) == []
    scene.answer, scene.is_held = "", True
    assert scene.pass_(1) == []
    scene.is_held, scene.is_trusted = False, False
    assert scene.pass_(1) == []
    scene.is_trusted = True
    assert scene.pass_(1) == [29], "the latest day's alone"


def test_one_that_goes_on_gives_way_to_maintenance_and_is_begun_again_afterwards() -> None:
    scene = Scene()
    scene.answer = None
    assert scene.pass_(0) == [27]
    scene.watch.hold()
    scene.watch.settle()
    assert (scene.answer, scene.settled) == ("ended", 1)
    scene.is_held = True
    assert scene.pass_(60) == []
    assert scene.watch.troubles(scene.now) == [], "nothing has failed"
    scene.watch.release()
    scene.is_held, scene.answer = False, None
    assert scene.pass_(1) == [27]
    scene.answer = ""
    assert scene.pass_(1) == []


def test_one_that_was_made_just_before_the_maintenance_is_not_made_again() -> None:
    scene = Scene()
    scene.answer = None
    assert scene.pass_(0) == [27]
    scene.watch.hold()
    scene.answer = ""
    scene.watch.release()
    assert scene.pass_(60) == []
