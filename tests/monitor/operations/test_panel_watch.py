"""The button: holding it, pressing it shortly, and the records of both in the audit trail."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from appliance.core.machine import Light, Lights, Press
from appliance.core.moment import Moment
from appliance.core.operations.panel_lights import DARK, RHYTHMS, PanelState
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.monitor.operations.panel_watch import ARMED_S, PanelWatch
from appliance.system.storage.audit_store import SqliteAuditStore
from appliance.system.storage.store import SqliteStore

NOW = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), 1000.0, is_trusted=True)


class Panel:
    """A button that a test presses."""

    def __init__(self) -> None:
        self.used: list[Press] = []
        self.lights = DARK

    def presses(self) -> list[Press]:
        used, self.used = self.used, []
        return used

    def show(self, lights: Lights) -> None:
        self.lights = lights


Action = Callable[[Moment], bool]
Make = Callable[..., tuple[MaintenanceMode, PanelWatch, Panel]]


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[SqliteAuditStore]:
    with closing(SqliteAuditStore(tmp_path / "audit.sqlite3")) as trail:
        yield trail


@pytest.fixture
def make(tmp_path: Path, trail: SqliteAuditStore) -> Iterator[Make]:
    """Makes a maintenance mode, and the watch of a panel with these actions for a short press."""
    with closing(SqliteStore(tmp_path / "state.sqlite3")) as store:

        def make(
            *actions: Action, reset: Callable[[str], None] | None = None
        ) -> tuple[MaintenanceMode, PanelWatch, Panel]:
            panel, mode = Panel(), MaintenanceMode(store, lambda event: None, ZoneInfo("UTC"))
            return mode, PanelWatch(panel, mode, trail, actions, reset), panel

        yield make


def test_maintenance_by_the_button_is_recorded_in_the_audit_trail(make: Make, trail: SqliteAuditStore) -> None:
    _, watch, panel = make()
    for _ in range(2):
        panel.used = [Press.HELD]
        watch.step(NOW)
    end, begin = (one.entry for one in trail.entries(10))
    assert [(one.who, one.action) for one in (begin, end)] == [
        ("button", "maintenance:start"),
        ("button", "maintenance:stop"),
    ]
    assert json.loads(begin.before) is None
    assert json.loads(begin.after)["type"] == "manual"
    assert json.loads(end.before) == json.loads(begin.after)
    assert json.loads(end.after) is None


def test_a_short_press_goes_only_to_the_first_action_that_waits_for_one(make: Make, trail: SqliteAuditStore) -> None:
    tried: list[str] = []
    waiting = {"confirm": False, "pair": True}

    def action(name: str) -> Action:
        def act(now: Moment) -> bool:
            tried.append(name)
            return waiting[name]

        return act

    mode, watch, panel = make(action("confirm"), action("pair"), action("never"))
    panel.used = [Press.SHORT]
    watch.step(NOW)
    assert tried == ["confirm", "pair"]
    waiting["confirm"] = True
    panel.used = [Press.SHORT]
    watch.step(NOW)
    assert tried == ["confirm", "pair", "confirm"]
    assert mode.current is None
    assert [one.entry.action for one in trail.entries(10)] == ["button:press"] * 2


def test_a_short_press_without_a_waiting_action_does_nothing(make: Make, trail: SqliteAuditStore) -> None:
    mode, watch, panel = make()
    panel.used = [Press.SHORT]
    watch.step(NOW)
    assert mode.current is None
    assert trail.entries(10) == []


def test_a_hold_is_seen_at_its_moment_and_the_state_follows(make: Make) -> None:
    _, watch, panel = make()
    watch.show([PanelState.INCIDENT], 0.5, NOW)
    assert panel.lights == Lights(Light.ON, Light.THRICE, Light.ON, 0.7)
    panel.used = [Press.HELD]
    watch.step(NOW)
    watch.show([PanelState.INCIDENT], 0.5, NOW)
    assert panel.lights.status is Light.DIP


def test_a_test_plays_every_rhythm_on_all_leds_and_then_the_state_again(make: Make) -> None:
    _, watch, panel = make()
    lasts_s = watch.test(NOW)
    seen = []
    for second in range(int(lasts_s) + 2):
        watch.show([], 0.0, replace(NOW, monotonic_s=NOW.monotonic_s + second))
        seen.append(panel.lights)
    assert seen[: int(lasts_s) : 2] == [Lights(light, light, light) for light in RHYTHMS]
    assert seen[-1] == Lights(Light.ON, Light.OFF, Light.OFF, 0.0) == watch.shown


def press(watch: PanelWatch, panel: Panel, after_s: float, *kinds: Press) -> None:
    panel.used = list(kinds)
    watch.step(replace(NOW, monotonic_s=NOW.monotonic_s + after_s))


def test_a_long_press_and_a_confirming_one_reset_and_leave_no_maintenance(make: Make) -> None:
    by: list[str] = []
    mode, watch, panel = make(reset=by.append)
    press(watch, panel, 0, Press.HELD)
    assert mode.is_read_only
    press(watch, panel, 7, Press.LONG)
    assert (mode.is_read_only, by) == (False, [])
    watch.show([], 0.0, replace(NOW, monotonic_s=NOW.monotonic_s + 7))
    assert panel.lights.status is Light.FAST
    press(watch, panel, 12, Press.SHORT)
    assert by == ["button"]
    press(watch, panel, 13, Press.SHORT)
    assert by == ["button"]


def test_a_long_press_that_nobody_confirms_in_time_is_forgotten(make: Make) -> None:
    by: list[str] = []
    _, watch, panel = make(reset=by.append)
    press(watch, panel, 0, Press.HELD, Press.LONG)
    press(watch, panel, ARMED_S, Press.SHORT)
    watch.show([], 0.0, replace(NOW, monotonic_s=NOW.monotonic_s + ARMED_S))
    assert (by, panel.lights.status) == ([], Light.ON)


def test_a_simulation_is_not_reset(make: Make) -> None:
    mode, watch, panel = make()
    press(watch, panel, 0, Press.HELD, Press.LONG)
    press(watch, panel, 1, Press.SHORT)
    assert mode.is_read_only, "a long press is a hold there"
