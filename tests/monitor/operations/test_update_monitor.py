"""Updates as people and the schedule order them, over a real trail and a real folder, without an updater."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from appliance.core.moment import Moment, timestamp
from appliance.core.operations.update import RunningRoot, Update, UpdateAction, UpdateState
from appliance.core.operations.update_window import window_of
from appliance.core.refusal import Code, Refused
from appliance.events import Event, SystemUpdate
from appliance.monitor.operations.update_monitor import SCHEDULE, UpdateMonitor, UpdatePlan
from appliance.system.storage.audit_store import SqliteAuditStore
from appliance.system.storage.files import write_whole
from appliance.system.update.image_updates import ImageUpdates
from appliance.system.update.update_folder import LatestLook, UpdateFolder

ROOT = RunningRoot("A", "20261129T120000Z-00000000000000aa")
URL = "https://192.0.2.1/appliance.raucb"
PLAN = UpdatePlan(URL, window_of("03:00-05:00"), ZoneInfo("Europe/Berlin"), 0.5)
NIGHT = datetime(2026, 12, 1, 2, 30, tzinfo=UTC)  # half past three in Berlin, when a jitter of a half has passed
BUSY = Update(UpdateState.INSTALLING, "anna", "", boot="boot", percent=5)


class Scene:
    """A monitor, and what it has published."""

    def __init__(self, folder: Path, *, plan: UpdatePlan | None = None, root: RunningRoot | None = ROOT) -> None:
        self.folder = UpdateFolder(folder, write_whole)
        self.published: list[Event] = []
        self.trail = SqliteAuditStore(folder / "audit.sqlite3")
        self.is_held = False
        self._plan, self._root = plan, root
        self.monitor = self.again()

    def again(self) -> UpdateMonitor:
        """The monitor of a service that starts again."""
        updates = ImageUpdates(self.folder, self._root, "boot")
        return UpdateMonitor(updates, self.published.append, self.trail, plan=self._plan, is_held=lambda: self.is_held)

    def orders(self, at: datetime, *, is_trusted: bool = True) -> list[tuple[UpdateAction, str, str]]:
        """What is ordered by a step at this time, and taken from the folder."""
        self.monitor.step(moment(at, is_trusted=is_trusted))
        order = self.folder.take_order()
        return [] if order is None else [(order.action, order.actor, order.url)]

    def actions(self) -> list[tuple[str, str]]:
        """Who and what is in the trail, the oldest first."""
        return [(one.entry.who, one.entry.action) for one in reversed(self.trail.entries(100))]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, plan=PLAN)


def moment(wall: datetime, *, is_trusted: bool = True) -> Moment:
    return Moment(wall, 1000.0, is_trusted)


def test_a_change_is_published_once_and_what_runs_with_it(scene: Scene) -> None:
    scene.monitor.step(moment(NIGHT - timedelta(hours=12)))
    scene.monitor.step(moment(NIGHT - timedelta(hours=12)))
    scene.folder.save(BUSY)
    scene.monitor.step(moment(NIGHT - timedelta(hours=12)))
    first, second = scene.published
    assert isinstance(first, SystemUpdate)
    assert (first.version, first.root, first.update) == (ROOT.version, "A", None)
    assert isinstance(second, SystemUpdate)
    assert second.payload()["update"] == {
        "state": "installing",
        "version": "",
        "actor": "anna",
        "startedAt": "",
        "percent": 5,
        "reason": None,
    }


def test_what_has_become_of_an_update_is_in_the_trail_once_however_often_the_service_starts(scene: Scene) -> None:
    returned = replace(BUSY, state=UpdateState.RETURNED, version="v", reason="it hung")
    for update in (BUSY, returned, returned):
        scene.folder.save(update)
        scene.monitor.step(moment(NIGHT - timedelta(hours=12)))
        scene.monitor = scene.again()
        scene.monitor.step(moment(NIGHT - timedelta(hours=12)))
    assert scene.actions() == [("anna", "update:returned")]
    [entry] = scene.trail.entries(1)
    assert entry.entry.what == '{"version":"v","startedAt":"","reason":"it hung"}'


def test_people_begin_an_update_and_none_beside_it_or_in_a_trial(scene: Scene) -> None:
    scene.monitor.start(URL, "anna", moment(NIGHT))
    with pytest.raises(Refused, match="under way already") as refused:
        scene.monitor.start(URL, "ben", moment(NIGHT))
    assert refused.value.code is Code.CONFLICT
    order = scene.folder.take_order()
    assert order is not None
    assert (order.url, order.actor, order.at, order.is_unattended) == (URL, "anna", timestamp(NIGHT), False)
    refusals = {
        UpdateState.FETCHING: "under way",
        UpdateState.TRIAL: "on trial itself",
        UpdateState.INSTALLED: "waits for a restart",
    }
    for state, words in refusals.items():
        scene.folder.save(replace(BUSY, state=state))
        with pytest.raises(Refused, match=words):
            scene.monitor.start(URL, "anna", moment(NIGHT))


def test_a_restart_takes_an_update_that_waits_for_it(scene: Scene) -> None:
    with pytest.raises(Refused, match="no update waits"):
        scene.monitor.restart("anna", moment(NIGHT))
    scene.folder.save(replace(BUSY, state=UpdateState.INSTALLED))
    scene.monitor.restart("anna", moment(NIGHT))
    order = scene.folder.take_order()
    assert order is not None
    assert order.action is UpdateAction.RESTART


def test_a_computer_without_the_image_says_how_it_is_updated_and_does_nothing_by_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path, plan=PLAN, root=None)
    with pytest.raises(Refused, match="deploy/install"):
        scene.monitor.start(URL, "anna", moment(NIGHT))
    with pytest.raises(Refused, match="deploy/install"):
        scene.monitor.restart("anna", moment(NIGHT))
    assert scene.orders(NIGHT) == []


def test_an_order_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.folder.path.write_text("in the place of the folder")
    with pytest.raises(Refused, match="cannot be written") as refused:
        scene.monitor.start(URL, "anna", moment(NIGHT))
    assert refused.value.code is Code.MAINTENANCE


def test_in_its_window_it_looks_once_and_installs_and_restarts(scene: Scene) -> None:
    assert scene.orders(NIGHT - timedelta(minutes=1)) == []
    assert scene.orders(NIGHT) == [(UpdateAction.INSTALL, SCHEDULE, URL)]
    scene.folder.save_look(LatestLook(timestamp(NIGHT), URL))
    assert scene.orders(NIGHT + timedelta(minutes=1)) == []
    scene.folder.save(replace(BUSY, state=UpdateState.INSTALLED, is_unattended=True, version="v"))
    assert scene.orders(NIGHT + timedelta(minutes=9)) == [(UpdateAction.RESTART, SCHEDULE, "")]
    assert scene.actions() == [
        (SCHEDULE, "update:start"),
        ("anna", "update:installed"),
        (SCHEDULE, "update:restart"),
    ]
    assert scene.orders(NIGHT + timedelta(hours=2)) == []  # five o'clock is over
    assert scene.orders(NIGHT + timedelta(days=1)) == [(UpdateAction.RESTART, SCHEDULE, "")]


def test_what_a_person_has_installed_is_not_started_by_the_schedule(scene: Scene) -> None:
    scene.folder.save(replace(BUSY, state=UpdateState.INSTALLED))
    assert scene.orders(NIGHT) == []


@pytest.mark.parametrize("state", [UpdateState.TRIAL, UpdateState.FETCHING, UpdateState.INSTALLING])
def test_nothing_is_begun_while_a_root_is_on_trial_or_an_update_goes_on(scene: Scene, state: UpdateState) -> None:
    scene.folder.save(replace(BUSY, state=state))
    assert scene.orders(NIGHT) == []


def test_nothing_is_begun_while_it_is_held_or_the_clock_may_be_wrong(scene: Scene) -> None:
    scene.is_held = True
    assert scene.orders(NIGHT) == []
    scene.is_held = False
    assert scene.orders(NIGHT, is_trusted=False) == []
    assert len(scene.orders(NIGHT)) == 1


def test_after_a_failure_it_looks_again_in_the_next_night(scene: Scene) -> None:
    scene.folder.save_look(LatestLook(timestamp(NIGHT), URL))
    scene.folder.save(replace(BUSY, state=UpdateState.FAILED, reason="the server answers 404"))
    for minutes in range(90):
        assert scene.orders(NIGHT + timedelta(minutes=minutes)) == []
    assert scene.orders(NIGHT + timedelta(days=1)) == [(UpdateAction.INSTALL, SCHEDULE, URL)]


def test_without_a_plan_nothing_happens_by_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    every_hour: Callable[[int], datetime] = lambda hour: NIGHT + timedelta(hours=hour)  # noqa: E731
    assert [scene.orders(every_hour(hour)) for hour in range(24)] == [[]] * 24
