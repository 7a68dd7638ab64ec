"""The button: who holds it, who presses it, and what the audit trail says of it."""

import json
from contextlib import closing
from datetime import UTC, datetime

import pytest

from appliance.core.machine import Press
from appliance.core.moment import Moment
from appliance.monitor.operations.maintenance_mode import Upkeep
from appliance.system.storage.audit_store import SqliteTrail
from appliance.system.storage.store import SqliteStore

NOW = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), 1000.0)


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
    with closing(SqliteTrail(tmp_path / "audit.sqlite3")) as trail:
        yield trail


@pytest.fixture
def upkeep(tmp_path, trail):
    """Makes an upkeep whose short presses go to these; and its panel."""
    with closing(SqliteStore(tmp_path / "state.sqlite3")) as store:

        def upkeep(*pressed):
            panel = Panel()
            return Upkeep(store, panel, lambda event: None, trail, pressed), panel

        yield upkeep


def test_a_hold_is_recorded_as_the_buttons(upkeep, trail):
    upkeep, panel = upkeep()
    for _ in range(2):
        panel.used = [Press.HELD]
        upkeep.step(NOW)
    end, begin = (one.entry for one in trail.read(10))
    assert [(one.who, one.action) for one in (begin, end)] == [
        ("button", "maintenance:start"),
        ("button", "maintenance:stop"),
    ]
    assert json.loads(begin.before) is None
    assert json.loads(begin.after)["type"] == "manual"
    assert json.loads(end.before) == json.loads(begin.after)
    assert json.loads(end.after) is None


def test_a_short_press_goes_to_the_first_who_waits_for_one_and_to_nobody_else(upkeep, trail):
    asked = []
    waiting = {"confirm": False, "pair": True}

    def offer(name):
        return lambda now: asked.append(name) or waiting[name]

    upkeep, panel = upkeep(offer("confirm"), offer("pair"), offer("never"))
    panel.used = [Press.SHORT]
    upkeep.step(NOW)
    assert asked == ["confirm", "pair"]
    waiting["confirm"] = True
    panel.used = [Press.SHORT]
    upkeep.step(NOW)
    assert asked == ["confirm", "pair", "confirm"]
    assert upkeep.current is None
    assert [one.entry.action for one in trail.read(10)] == ["button:press"] * 2


def test_a_press_that_nobody_waits_for_does_nothing(upkeep, trail):
    upkeep, panel = upkeep()
    panel.used = [Press.SHORT]
    upkeep.step(NOW)
    assert upkeep.current is None
    assert trail.read(10) == []
