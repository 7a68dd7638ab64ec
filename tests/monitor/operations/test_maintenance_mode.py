"""The button: who holds it, who presses it, and what the audit trail says of it."""

import json
from contextlib import closing
from datetime import UTC, datetime

import pytest

from appliance.core.machine import Press
from appliance.core.moment import Moment
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.system.storage.audit_store import SqliteAuditStore
from appliance.system.storage.store import SqliteStore

NOW = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), 1000.0, is_trusted=True)


class Panel:
    """A button that is used as a test says."""

    def __init__(self) -> None:
        self.used: list[Press] = []

    def presses(self) -> list[Press]:
        used, self.used = self.used, []
        return used

    def show(self, lights: object) -> None:
        pass


@pytest.fixture
def trail(tmp_path):
    with closing(SqliteAuditStore(tmp_path / "audit.sqlite3")) as trail:
        yield trail


@pytest.fixture
def maintenance_mode(tmp_path, trail):
    """Makes an upkeep whose short presses go to these; and its panel."""
    with closing(SqliteStore(tmp_path / "state.sqlite3")) as store:

        def maintenance_mode(*pressed):
            panel = Panel()
            return MaintenanceMode(store, panel, lambda event: None, trail, pressed), panel

        yield maintenance_mode


def test_a_hold_is_recorded_as_the_buttons(maintenance_mode, trail):
    maintenance_mode, panel = maintenance_mode()
    for _ in range(2):
        panel.used = [Press.HELD]
        maintenance_mode.step(NOW)
    end, begin = (one.entry for one in trail.read(10))
    assert [(one.who, one.action) for one in (begin, end)] == [
        ("button", "maintenance:start"),
        ("button", "maintenance:stop"),
    ]
    assert json.loads(begin.before) is None
    assert json.loads(begin.after)["type"] == "manual"
    assert json.loads(end.before) == json.loads(begin.after)
    assert json.loads(end.after) is None


def test_a_short_press_goes_to_the_first_who_waits_for_one_and_to_nobody_else(maintenance_mode, trail):
    asked = []
    waiting = {"confirm": False, "pair": True}

    def offer(name):
        return lambda now: asked.append(name) or waiting[name]

    maintenance_mode, panel = maintenance_mode(offer("confirm"), offer("pair"), offer("never"))
    panel.used = [Press.SHORT]
    maintenance_mode.step(NOW)
    assert asked == ["confirm", "pair"]
    waiting["confirm"] = True
    panel.used = [Press.SHORT]
    maintenance_mode.step(NOW)
    assert asked == ["confirm", "pair", "confirm"]
    assert maintenance_mode.current is None
    assert [one.entry.action for one in trail.read(10)] == ["button:press"] * 2


def test_a_press_that_nobody_waits_for_does_nothing(maintenance_mode, trail):
    maintenance_mode, panel = maintenance_mode()
    panel.used = [Press.SHORT]
    maintenance_mode.step(NOW)
    assert maintenance_mode.current is None
    assert trail.read(10) == []
