"""Schedules over the real store, with a kernel of blocks and one of meters in memory, and a clock that a test moves."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.core.metering.quota import Action, Limits, QuotaKind
from appliance.core.operations.schedule import MOST_SCHEDULES, Schedule, ScheduleEffect, parse_window
from appliance.core.refusal import Code, Refused
from appliance.events import IpBlocked, IpUnblocked
from appliance.monitor.operations.schedule_watch import ScheduleWatch, scheduled_blocks
from tests.monitor.blocking.test_enforcement import NOON, Rig
from tests.monitor.metering.test_departments import Appliance

HOUR = 3600.0
HOST = "02:00:00:00:00:11"
LIMITED = Limits({QuotaKind.DAILY: 1000}, on_exceeded=Action.BLOCK)
DEPARTMENTS = ["sales", "lab", "a", "b"]
UTC_ZONE = ZoneInfo("UTC")


class Scene(Rig):
    """Blocks and metering that follow schedules. The rig's clock begins at noon in UTC, the zone of the windows."""

    def __init__(self, folder: Path) -> None:
        self.metered = Appliance(folder / "books.sqlite3", LIMITED, host_limits=LIMITED)
        super().__init__(folder / "state.sqlite3")

    def start(self) -> None:
        super().start()
        self.watch = ScheduleWatch(
            self.store,
            departments=DEPARTMENTS,
            zone=UTC_ZONE,
            enforcement=self.enforcement,
            metering=self.metered.metering,
        )

    def boot(self) -> None:
        """Start over with what the store has; the schedules are in force before the first step."""
        self.store.close()
        self.start()
        self.enforcement.restore(self.now(), scheduled_blocks(self.store, DEPARTMENTS, self.now(), UTC_ZONE))

    def pass_(self, seconds: float) -> None:
        self.at_s += seconds
        self.watch.step(self.now())
        self.enforcement.step(self.now())

    def add(
        self,
        effect: str,
        target: str | None,
        window: str | None = None,
        seconds: int | None = None,
        department: str | None = "sales",
    ) -> Schedule:
        until = None if seconds is None else self.now().wall + timedelta(seconds=seconds)
        made = parse_window(window, []) if window else None
        wall = self.now().wall
        asked = Schedule(ScheduleEffect(effect), target, department, "because", "me", wall, made, until)
        return self.watch.add(asked, self.now())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    one = Scene(tmp_path)
    with closing(one.store), closing(one.metered.store):
        yield one


def test_a_block_by_schedule_begins_and_ends_in_time_and_is_told_once_each(scene: Scene) -> None:
    scene.add("block", "10.0.0.1", "13:00-14:00")
    assert scene.in_force("sales") == set()
    scene.pass_(HOUR)
    assert scene.in_force("sales") == {"10.0.0.1"}
    [block] = scene.enforcement.blocks(scene.now())
    assert (block.origin, block.actor, block.expires_at) == ("schedule", "me", NOON + timedelta(hours=2))
    scene.pass_(HOUR - 1)
    assert (scene.in_force("sales"), scene.told(IpUnblocked)) == ({"10.0.0.1"}, [])
    scene.pass_(1)
    assert scene.in_force("sales") == set()
    assert scene.told(IpBlocked) == scene.told(IpUnblocked) == [("sales", "10.0.0.1")]
    scene.pass_(23 * HOUR)
    assert scene.in_force("sales") == {"10.0.0.1"}, "the next day"


def test_it_is_in_force_before_the_first_step_after_a_boot_and_in_no_table_of_the_former_version(scene: Scene) -> None:
    scene.add("block", "10.0.0.1", "10:00-14:00")
    scene.pass_(1)
    assert scene.store.blocks() == []
    scene.kernel.flush(None)
    scene.boot()
    assert scene.in_force("sales") == {"10.0.0.1"}
    scene.pass_(3 * HOUR)
    assert scene.in_force("sales") == set()
    scene.boot()
    assert scene.in_force("sales") == set()


def test_while_the_time_is_not_known_it_blocks_allows_nothing_and_says_so(scene: Scene) -> None:
    scene.block("10.0.0.2", department="sales")
    scene.pass_(1)
    scene.add("block", "10.0.0.1", "18:00-19:00")
    scene.add("allow", "10.0.0.2", "00:00-24:00")
    scene.add("unlimited", None, "00:00-24:00", department="a")
    scene.pass_(1)
    assert scene.metered.metering.is_paused("a")
    assert scene.watch.troubles(scene.now()) == []
    scene.lose_power(60)
    scene.pass_(1)
    assert scene.in_force("sales") == {"10.0.0.1", "10.0.0.2"}
    assert not scene.metered.metering.is_paused("a")
    [trouble] = scene.watch.troubles(scene.now())
    assert "the time is not known" in trouble
    with pytest.raises(Refused, match="time is not known"):
        scene.add("allow", "10.0.0.1", seconds=600)
    scene.error_s, scene.is_trusted = 0.0, True
    scene.pass_(1)
    assert scene.in_force("sales") == {"10.0.0.2"}, "it was blocked after the allowance of this day began"
    assert scene.watch.troubles(scene.now()) == []


def test_a_block_pauses_for_half_an_hour_and_comes_back_by_itself(scene: Scene) -> None:
    scene.block("10.0.0.1", department="sales")
    scene.pass_(1)
    scene.add("allow", "10.0.0.1", seconds=1800)
    assert scene.in_force("sales") == set()
    assert [one.target for one in scene.store.blocks()] == ["10.0.0.1"], "a former version finds it in force"
    scene.boot()
    scene.pass_(1)
    assert scene.in_force("sales") == set()
    scene.pass_(1799)
    assert scene.in_force("sales") == {"10.0.0.1"}
    assert scene.store.schedules() == []
    assert scene.told(IpUnblocked)[0] == ("sales", "10.0.0.1")


def test_what_is_blocked_during_an_allowance_holds(scene: Scene) -> None:
    scene.block("10.0.0.1", department="sales")
    scene.pass_(1)
    scene.add("allow", "10.0.0.1", seconds=1800)
    scene.pass_(60)
    scene.block("10.0.0.1", department="sales", origin="detection", seconds=60)
    scene.pass_(1)
    assert scene.in_force("sales") == {"10.0.0.1"}
    scene.pass_(60)
    assert scene.in_force("sales") == set()
    scene.block("10.0.0.1", department="sales")
    scene.pass_(1)
    assert scene.in_force("sales") == {"10.0.0.1"}
    scene.pass_(1800)
    assert len(scene.store.blocks()) == len(scene.enforcement.blocks(scene.now())) == 1


def test_a_block_that_ends_or_is_lifted_during_its_pause_does_not_come_back(scene: Scene) -> None:
    scene.block("10.0.0.1", department="sales", seconds=600)
    scene.block("10.0.0.2", department="sales")
    scene.pass_(1)
    scene.add("allow", "10.0.0.1", seconds=1800)
    scene.add("allow", "10.0.0.2", seconds=1800)
    scene.unblock("10.0.0.2", department="sales")
    scene.pass_(600)
    assert scene.store.blocks() == []
    scene.pass_(1800)
    assert scene.in_force("sales") == set()


def test_entries_of_lists_hold_whatever_is_allowed(scene: Scene) -> None:
    scene.block("10.0.0.1", origin="list:bad")
    scene.pass_(1)
    scene.add("allow", "10.0.0.1", seconds=1800, department=None)
    assert scene.in_force() == {"10.0.0.1"}


def test_what_a_schedule_blocks_is_lifted_by_the_schedule_alone(scene: Scene) -> None:
    added = scene.add("block", "10.0.0.1", "12:00-14:00")
    with pytest.raises(Refused, match="blocked by a schedule; schedule:list"):
        scene.unblock("10.0.0.1", department="sales")
    scene.block("10.0.0.1", department="sales")
    scene.unblock("10.0.0.1", department="sales")
    assert scene.in_force("sales") == {"10.0.0.1"}
    scene.watch.remove(added, "me", scene.now())
    assert (scene.in_force("sales"), scene.store.schedules()) == (set(), [])


def test_what_becomes_protected_is_open_and_is_blocked_again_afterwards(scene: Scene) -> None:
    scene.add("block", "10.0.0.250", "12:00-24:00")
    scene.gateway = "10.0.0.250"
    scene.pass_(30)
    scene.pass_(30)
    assert scene.in_force("sales") == set()
    scene.gateway = "10.0.0.254"
    scene.pass_(30)
    scene.pass_(30)
    assert scene.in_force("sales") == {"10.0.0.250"}


def test_it_goes_on_in_maintenance(scene: Scene) -> None:
    scene.add("block", "10.0.0.1", "13:00-14:00")
    scene.writable = Refused(Code.MAINTENANCE, "in maintenance")
    scene.store.hold()
    scene.pass_(HOUR)
    assert scene.in_force("sales") == {"10.0.0.1"}


def test_a_pause_does_not_last_longer_when_the_clock_is_set_back(scene: Scene) -> None:
    scene.block("10.0.0.1", department="sales")
    scene.pass_(1)
    scene.add("allow", "10.0.0.1", seconds=600)
    scene.pass_(300)
    scene.error_s = -100.0
    scene.pass_(299)
    assert scene.in_force("sales") == set()
    scene.pass_(1)
    assert scene.in_force("sales") == {"10.0.0.1"}


def test_a_quota_counts_and_limits_nobody_while_it_pauses(scene: Scene) -> None:
    metered = scene.metered
    metered.kernel.pass_on_host("a", HOST, 300, 900)
    metered.step(20)
    assert metered.kernel.plan("a").stop_at_bytes == 1000
    assert metered.kernel.left["a"][HOST] == -200
    scene.add("unlimited", None, seconds=600, department="a")
    assert metered.kernel.plan("a").stop_at_bytes is None
    assert metered.kernel.left["a"][HOST] > 1 << 60
    assert metered.metering.books("a", metered.now)[0].is_paused
    metered.use("a", 500)
    assert metered.saved("a").popitem()[1] <= 1700
    assert metered.kernel.plan("b").stop_at_bytes == 1000
    scene.pass_(600)
    assert metered.kernel.plan("a").stop_at_bytes == 1000
    assert metered.kernel.left["a"][HOST] == -200


def test_the_quota_of_one_host_pauses_alone(scene: Scene) -> None:
    metered = scene.metered
    metered.kernel.pass_on_host("a", HOST, 300, 900)
    metered.step(20)
    scene.add("unlimited", HOST, seconds=600, department="a")
    assert metered.kernel.left["a"][HOST] > 1 << 60
    assert metered.kernel.plan("a").stop_at_bytes == 1000
    scene.pass_(600)
    assert metered.kernel.left["a"][HOST] == -200


def test_there_is_a_bound_and_an_id_for_each(scene: Scene) -> None:
    added = [scene.add("block", "10.0.0.1", "13:00-14:00") for _ in range(MOST_SCHEDULES)]
    assert len({one.id for one in added}) == MOST_SCHEDULES
    assert added[1].id == "block-20261123T120000Z-2"
    with pytest.raises(Refused, match="remove one"):
        scene.add("block", "10.0.0.1", "13:00-14:00")


def test_of_a_department_that_is_not_configured_any_more_it_is_kept_and_not_in_force(scene: Scene) -> None:
    scene.add("block", "10.0.0.1", "12:00-14:00", department="gone")
    assert scene.enforcement.blocks(scene.now()) == []
    assert len(scene.store.schedules()) == 1


def test_the_moment_of_a_step_is_all_that_counts(scene: Scene) -> None:
    scene.add("block", "10.0.0.1", "13:00-14:00")
    scene.pass_(1.5 * HOUR)
    assert scene.in_force("sales") == {"10.0.0.1"}
    scene.error_s = 5 * HOUR
    scene.pass_(1)
    assert scene.in_force("sales") == set()
    scene.error_s = 0
    scene.pass_(1)
    assert scene.in_force("sales") == {"10.0.0.1"}
