import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.core.metering.history_series import (
    ALL_HOSTS,
    DEPARTMENT_STEPS,
    HOST_STEPS,
    Key,
    Retention,
    Series,
    Step,
    start_of,
)
from appliance.core.metering.usage import Passed
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.monitor.metering.history_recorder import MOST_SUMS, SLICE_SUMS, HistoryRecorder
from appliance.monitor.metering.history_schedule import BATCH_S, HOSTS_BATCH_S, PRUNE_S, RETRY_S, SETTLED_S
from appliance.system.storage.history_store import SqliteHistoryStore

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOST = ("lab", "10.0.0.1")
LONG = Retention(dict.fromkeys(DEPARTMENT_STEPS, 3650), dict.fromkeys(HOST_STEPS, 3650))
A_DAY = Retention(dict.fromkeys(DEPARTMENT_STEPS, 2), dict.fromkeys(HOST_STEPS, 1))


class Medium(SqliteHistoryStore):
    """The real store, on a medium that can refuse."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.refusal: str | None = None
        self.batches: list[Mapping[Series, Mapping[Key, Sequence[int]]]] = []

    def accumulate(self, sums: Mapping[Series, Mapping[Key, Sequence[int]]]) -> str | None:
        self.batches.append(sums)
        return self.refusal or super().accumulate(sums)


class Scene:
    """A recorder over a database, and its clock."""

    def __init__(self, folder: Path, retention: Retention = LONG) -> None:
        self.medium = Medium(folder / "history.sqlite3")
        self.retention = retention
        self.wall, self.monotonic_s = NOON, 1000.0
        self.observed = {"lab": (0, 0), HOST[1]: (0, 0)}
        self.start()

    @property
    def now(self) -> Moment:
        return Moment(self.wall, self.monotonic_s, is_trusted=True)

    def start(self) -> None:
        self.history = HistoryRecorder(BERLIN, self.medium, self.retention)

    def wait(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic_s += seconds

    def settle(self, seconds: float = 0) -> None:
        """Time passes, and everything due is done."""
        self.wait(seconds)
        for _ in range(20):
            self.history.step(self.now)

    def observe(self, up: int, down: int = 0, host: tuple[int, int] | None = None) -> None:
        self.history.record_passed({"lab": Passed(up, down)}, {HOST: Passed(*host)} if host else {}, self.now)
        for name, (one, other) in (("lab", (up, down)), (HOST[1], host or (0, 0))):
            before = self.observed[name]
            self.observed[name] = before[0] + one, before[1] + other

    def set_clock(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)

    def restart(self) -> None:
        self.medium.refusal = None
        self.history.save(self.now)
        self.medium.close()
        self.start()

    def refuse(self) -> None:
        self.medium.refusal = "the disk is full"

    def accept(self) -> None:
        self.medium.refusal = None

    def fold(self) -> None:
        self.medium.fold()

    def points(self, step: Step, host: str | None = None) -> list[tuple[datetime, int, int]]:
        """Every point within some days of now, queried in ranges that are short enough."""
        midnight = self.wall.replace(hour=0, minute=0, second=0, microsecond=0)
        length = timedelta(days=1 if step in {Step.MINUTE, Step.FIVE_MINUTES} else 60)
        begins = (
            [midnight + number * length for number in range(-4, 5)] if length.days == 1 else [midnight - length / 2]
        )
        return [
            (start, passed.up_bytes, passed.down_bytes)
            for begin in begins
            for start, passed in self.history.query([("lab", host or ALL_HOSTS)], begin, begin + length, step).items()
        ]

    def total(self, step: Step, host: str | None = None) -> tuple[int, int]:
        points = self.points(step, host)
        return sum(up for _, up, _ in points), sum(down for _, _, down in points)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


amounts = st.integers(0, 2**40)
seconds = st.integers(1, 4000)
actions = st.one_of(
    st.tuples(st.just(Scene.observe), amounts, amounts, st.tuples(amounts, amounts)),
    st.tuples(st.sampled_from([Scene.wait, Scene.settle]), seconds),
    st.tuples(st.just(Scene.set_clock), st.integers(-7200, 7200)),
    st.tuples(st.sampled_from([Scene.restart, Scene.refuse, Scene.accept, Scene.fold])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=25))
def test_the_points_of_every_step_add_up_to_what_was_observed(sequence: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        for action, *arguments in sequence:
            action(scene, *arguments)
        for step in Step:
            assert scene.total(step) == scene.observed["lab"]
        for step in (Step.FIVE_MINUTES, Step.HOUR, Step.DAY, Step.MONTH):
            assert scene.total(step, HOST[1]) == scene.observed[HOST[1]]
        scene.medium.close()


def test_bytes_are_added_to_the_buckets_of_their_step(scene: Scene) -> None:
    scene.observe(1, 10)
    scene.wait(59)
    scene.observe(2, 20)
    scene.wait(1)
    scene.observe(4, 40)
    assert scene.points(Step.MINUTE) == [(NOON, 3, 30), (NOON + timedelta(minutes=1), 4, 40)]
    assert scene.points(Step.FIVE_MINUTES) == [(NOON, 7, 70)]
    assert scene.points(Step.HOUR) == [(NOON, 7, 70)]
    assert scene.points(Step.DAY) == [(datetime(2026, 11, 22, 23, tzinfo=UTC), 7, 70)]
    assert scene.points(Step.MONTH) == [(datetime(2026, 10, 31, 23, tzinfo=UTC), 7, 70)]


def test_a_point_is_missing_without_metering_and_zero_without_traffic(scene: Scene) -> None:
    scene.observe(0)
    scene.wait(120)
    scene.observe(0)
    assert scene.points(Step.MINUTE) == [(NOON, 0, 0), (NOON + timedelta(minutes=2), 0, 0)]


def test_hosts_have_a_history_of_their_own(scene: Scene) -> None:
    scene.observe(100, 200, host=(1, 2))
    for step in Step:
        assert scene.total(step, HOST[1]) == (1, 2)
        assert scene.total(step, "10.0.0.2") == (0, 0)
        assert scene.total(step) == (100, 200)


def test_others_have_their_turn_between_the_names_of_a_host(scene: Scene) -> None:
    scene.observe(100, 200, host=(1, 2))
    turns: list[bool] = []
    until = scene.now.wall + timedelta(hours=1)
    found = scene.history.query(
        [(HOST[0], name) for name in (HOST[1], "10.0.0.2", "10.0.0.3")],
        NOON,
        until,
        Step.HOUR,
        lambda: turns.append(True),
    )
    assert (len(turns), sum(one.up_bytes for one in found.values())) == (2, 1)


def test_nothing_is_written_between_two_batches(scene: Scene) -> None:
    scene.settle()
    for _ in range(BATCH_S - 1):
        scene.observe(1)
        scene.wait(1)
        scene.history.step(scene.now)
    assert scene.medium.batches == []
    scene.settle(1)
    [[(series, sums)]] = [batch.items() for batch in scene.medium.batches]
    assert series == ("lab", ALL_HOSTS)
    assert Counter(step for step, _ in sums) == {
        Step.MINUTE: 15,
        Step.FIVE_MINUTES: 3,
        Step.HOUR: 1,
        Step.DAY: 1,
    }


def test_complete_buckets_are_written_once(scene: Scene) -> None:
    scene.settle()
    for _ in range(1441):
        scene.observe(1, 1, host=(1, 1))
        scene.settle(60)
    written = Counter((series, key) for batch in scene.medium.batches for series, sums in batch.items() for key in sums)
    often = {(bool(series[1]), step) for (series, (step, _)), count in written.items() if count > 1}
    assert often == {(False, Step.HOUR), (False, Step.DAY), (True, Step.DAY)}


def test_a_crash_loses_at_most_the_bytes_since_the_batch(scene: Scene) -> None:
    scene.settle()
    scene.observe(100)
    scene.settle(BATCH_S)
    scene.observe(1)
    scene.start()
    assert scene.total(Step.MINUTE) == scene.total(Step.DAY) == (100, 0)


def test_a_crash_loses_at_most_an_hour_of_hosts(scene: Scene) -> None:
    scene.settle()
    scene.observe(100, host=(50, 0))
    scene.settle(HOSTS_BATCH_S)
    scene.observe(1, host=(1, 0))
    scene.settle(BATCH_S)
    scene.start()
    for step in HOST_STEPS:
        assert scene.total(step) == (101, 0)
        assert scene.total(step, HOST[1]) == (50, 0)


def test_an_orderly_stop_loses_nothing(scene: Scene) -> None:
    scene.observe(100, host=(50, 50))
    scene.history.save(scene.now)
    scene.start()
    assert scene.total(Step.MINUTE) == scene.total(Step.DAY) == (100, 0)
    assert scene.total(Step.FIVE_MINUTES, HOST[1]) == scene.total(Step.MONTH, HOST[1]) == (50, 50)


def test_a_large_batch_is_written_in_slices(scene: Scene) -> None:
    scene.settle()
    hosts = {("lab", f"10.0.{number // 250}.{number % 250}"): Passed(1, 1) for number in range(2000)}
    scene.history.record_passed({"lab": Passed(1, 1)}, hosts, scene.now)
    scene.wait(BATCH_S)
    scene.history.step(scene.now)
    assert len(scene.medium.batches) == 1
    scene.settle()
    sizes = [sum(len(keys) for keys in batch.values()) for batch in scene.medium.batches]
    assert len(sizes) > 2
    assert max(sizes) < SLICE_SUMS + len(Step)
    assert scene.total(Step.DAY, "10.0.0.1") == (1, 1)


def test_a_full_disk_is_a_trouble_and_loses_nothing(scene: Scene) -> None:
    scene.settle()
    scene.observe(100)
    scene.medium.refusal = "the disk is full"
    scene.settle(BATCH_S)
    assert scene.history.troubles(scene.now) == ["the disk is full"]
    assert len(scene.medium.batches) == 1, "it is not tried again at once"
    assert scene.total(Step.DAY) == (100, 0)
    scene.medium.refusal = None
    scene.settle(RETRY_S)
    assert scene.history.troubles(scene.now) == []
    scene.start()
    assert scene.total(Step.DAY) == (100, 0)


def test_a_disk_that_stays_full_does_not_fill_the_memory(scene: Scene) -> None:
    scene.medium.refusal = "the disk is full"
    hosts = {("lab", f"10.0.{number // 250}.{number % 250}"): Passed(1, 1) for number in range(2000)}
    for _ in range(12 * 12):
        scene.history.record_passed({"lab": Passed(1, 1)}, hosts, scene.now)
        scene.settle(300)
    kept, _ = scene.total(Step.FIVE_MINUTES, "10.0.0.1")
    assert kept * 2000 <= MOST_SUMS, "the hosts' oldest detail is forgotten"
    assert scene.total(Step.DAY, "10.0.0.1") == (144, 144), "their days are not"
    assert scene.total(Step.MINUTE) == (144, 144), "and departments are few"


def test_old_history_is_deleted_and_that_of_hosts_first(tmp_path: Path) -> None:
    scene = Scene(tmp_path, A_DAY)
    scene.settle()
    scene.observe(1, host=(1, 0))
    for _ in range(30):
        scene.settle(3600)
    assert (scene.total(Step.FIVE_MINUTES), scene.total(Step.FIVE_MINUTES, HOST[1])) == ((1, 0), (0, 0))
    for _ in range(30):
        scene.settle(3600)
    assert (scene.total(Step.FIVE_MINUTES), scene.total(Step.DAY)) == ((0, 0), (0, 0))


def test_a_clock_that_is_wrong_for_a_moment_deletes_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path, A_DAY)
    scene.observe(100)
    scene.settle(math.ceil((SETTLED_S + PRUNE_S) / BATCH_S) * BATCH_S)
    scene.wall += timedelta(days=3650)
    scene.settle(PRUNE_S / 10)
    scene.settle(SETTLED_S - PRUNE_S / 10 - 1)
    scene.wall -= timedelta(days=3650)
    scene.settle(PRUNE_S + SETTLED_S)
    assert scene.total(Step.DAY) == (100, 0)


@pytest.mark.parametrize(
    ("step", "days", "advice"),
    [
        (Step.MINUTE, 7, 'use the step "hour" or'),
        (Step.MINUTE, 2, 'use the step "5min" or'),
        (Step.FIVE_MINUTES, 8, 'use the step "hour" or'),
        (Step.HOUR, 90, 'use the step "day" or'),
        (Step.DAY, 3000, 'use the step "month" or'),
        (Step.MONTH, 4001, "ask for a shorter range"),
    ],
)
def test_too_long_a_range_is_refused_with_the_step_to_use(scene: Scene, step: Step, days: int, advice: str) -> None:
    with pytest.raises(Refused, match=advice) as refused:
        scene.history.query([("lab", ALL_HOSTS)], NOON - timedelta(days=days), NOON, step)
    assert refused.value.code is Code.BAD_REQUEST


def test_a_range_that_ends_before_it_begins_is_refused(scene: Scene) -> None:
    with pytest.raises(Refused, match="must begin before it ends"):
        scene.history.query([("lab", ALL_HOSTS)], NOON, NOON, Step.DAY)


def test_a_range_excludes_its_end(scene: Scene) -> None:
    scene.observe(1)
    scene.wait(60)
    scene.observe(2)
    found = scene.history.query([("lab", ALL_HOSTS)], NOON, NOON + timedelta(minutes=1), Step.MINUTE)
    assert found == {NOON: Passed(1, 0)}


def test_bytes_of_an_untrusted_clock_move_to_their_buckets_once_it_is_trusted(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    wrong = datetime(2020, 1, 1, tzinfo=UTC)
    for minute in range(3):
        now = Moment(wrong + timedelta(minutes=minute), 30.0 + 60 * minute, is_trusted=False)
        scene.history.record_passed({"lab": Passed(1, minute)}, {HOST: Passed(0, minute)}, now)
        scene.history.step(now)
    assert scene.medium.batches == []
    scene.history.record_passed({"lab": Passed(10, 0)}, {}, Moment(NOON, 210.0, is_trusted=True))
    found = scene.history.query(
        [("lab", ALL_HOSTS)], NOON - timedelta(hours=1), NOON + timedelta(minutes=1), Step.MINUTE
    )
    assert [(NOON - start, passed) for start, passed in found.items()] == [
        (timedelta(minutes=3), Passed(1, 0)),
        (timedelta(minutes=2), Passed(1, 1)),
        (timedelta(minutes=1), Passed(1, 2)),
        (timedelta(0), Passed(10, 0)),
    ]
    hosts = scene.history.query([HOST], NOON - timedelta(hours=1), NOON + timedelta(minutes=1), Step.HOUR)
    assert hosts == {NOON - timedelta(hours=1): Passed(0, 3)}
    assert scene.history.query([("lab", ALL_HOSTS)], wrong, wrong + timedelta(days=1), Step.HOUR) == {}


def test_held_bytes_are_written_by_the_untrusted_clock_at_the_end(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.history.record_passed({"lab": Passed(1, 2)}, {}, replace(scene.now, is_trusted=False))
    scene.history.save(scene.now)
    scene.start()
    found = scene.history.query([("lab", ALL_HOSTS)], NOON - timedelta(hours=1), NOON + timedelta(hours=1), Step.DAY)
    assert list(found.values()) == [Passed(1, 2)]


WEEK_S = 7 * 86400


def used_each_week(scene: Scene, *amounts: int) -> None:
    """The same weekday and hour in the weeks before now, oldest first."""
    scene.set_clock(-WEEK_S * len(amounts))
    for amount in amounts:
        scene.observe(amount // 4, amount - amount // 4)
        scene.wait(WEEK_S)


def expected(scene: Scene, step: Step, hours: int = 1) -> dict[datetime, tuple[int, int]]:
    until = scene.wall + timedelta(hours=hours)
    return dict(scene.history.expected([("lab", ALL_HOSTS)], scene.wall, until, step))


def test_the_same_hour_of_earlier_weeks_says_what_is_usual(scene: Scene) -> None:
    used_each_week(scene, 1_000_000_000, 1_200_000_000, 1_100_000_000)
    [(start, (low, high))] = expected(scene, Step.HOUR).items()
    assert start == scene.wall
    assert 600_000_000 < low < 1_000_000_000 < 1_200_000_000 < high < 2_000_000_000
    five_minutes = expected(scene, Step.FIVE_MINUTES)
    assert list(five_minutes) == [scene.wall + timedelta(minutes=5 * number) for number in range(12)]
    assert set(five_minutes.values()) == {(low // 12, high // 12)}
    assert list(expected(scene, Step.DAY).values()) == [(low, high)]
    assert list(expected(scene, Step.HOUR, hours=3)) == [scene.wall]


def test_two_weeks_say_nothing_of_what_is_usual(scene: Scene) -> None:
    used_each_week(scene, 1_000_000_000, 1_200_000_000)
    for step in Step:
        assert expected(scene, step) == {}


def test_the_usual_hour_is_that_of_the_peoples_clock(scene: Scene) -> None:
    scene.wall = datetime(2026, 10, 26, 7, tzinfo=UTC)  # 8:00 in Berlin, the day after its winter time began
    for week in (3, 2, 1):
        scene.wall = datetime(2026, 10, 26, 6, tzinfo=UTC) - timedelta(weeks=week)  # 8:00 too
        scene.observe(1_000_000_000)
    scene.wall = datetime(2026, 10, 26, 5, tzinfo=UTC)
    assert list(expected(scene, Step.HOUR, hours=6)) == [datetime(2026, 10, 26, 7, tzinfo=UTC)]


def test_a_sum_of_departments_has_its_own_usual_range(scene: Scene) -> None:
    scene.set_clock(-3 * WEEK_S)
    for _ in range(3):
        scene.history.record_passed({"lab": Passed(10**9), "ward": Passed(10**9)}, {}, scene.now)
        scene.wait(WEEK_S)
    series = [("lab", ALL_HOSTS), ("ward", ALL_HOSTS)]
    [(low, high)] = scene.history.expected(series, scene.wall, scene.wall + timedelta(hours=1), Step.HOUR).values()
    assert low < 2 * 10**9 < high


def test_gaps_are_told_by_the_narrowest_width_that_is_kept(scene: Scene) -> None:
    scene.observe(0)
    scene.wait(600)
    scene.observe(0)
    for begin in (NOON, NOON - timedelta(days=20)):
        step, runs = scene.history.gaps("lab", begin, NOON + timedelta(days=1), scene.now)
        starts = [(start_of(step, run.start, BERLIN), start_of(step, run.stop, BERLIN)) for run in runs]
        assert step is (Step.MINUTE if begin == NOON else Step.HOUR)
        if step is Step.MINUTE:
            assert starts == [(NOON + timedelta(minutes=1), NOON + timedelta(minutes=10))]
        else:
            assert starts == [(begin, NOON)]
    assert scene.history.gaps("lab", NOON + timedelta(days=2), NOON + timedelta(days=3), scene.now) == (Step.MINUTE, [])


def test_minutes_that_are_not_kept_any_more_are_no_gap(tmp_path: Path) -> None:
    scene = Scene(tmp_path, A_DAY)
    scene.observe(1)
    step, runs = scene.history.gaps("lab", NOON - timedelta(days=3), NOON, scene.now)
    assert (step, len(runs)) == (Step.HOUR, 1)
    assert scene.history.gaps("lab", NOON - timedelta(hours=1), NOON, scene.now)[0] is Step.MINUTE
