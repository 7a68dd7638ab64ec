"""The plan of maintenances as it is saved, told and driven by the clock."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import eventlet
import pytest
from eventlet.event import Event as GreenEvent
from eventlet.semaphore import Semaphore

from appliance.core.moment import Moment
from appliance.core.operations.maintenance_window import Repeat
from appliance.core.refusal import Refused
from appliance.events import Event, SystemMaintenance
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.monitor.operations.state_hold import StateHold
from appliance.system.storage.store import SqliteStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


def at(hours: float) -> Moment:
    return Moment(NOON + timedelta(hours=hours), 1000.0 + hours * 3600, is_trusted=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "state.sqlite3")) as store:
        yield store


def told(published: list[Event]) -> list[tuple[str, bool, int]]:
    """Of each event, the type, whether it has begun, and how many are planned; forgets them."""
    found = [
        (str(one.maintenance.type), one.maintenance.begun is True, len(one.planned or ()))
        for one in published
        if isinstance(one, SystemMaintenance)
    ]
    published.clear()
    return found


def test_the_plan_survives_a_restart_and_goes_on_with_what_is_due(store: SqliteStore) -> None:
    published: list[Event] = []
    mode = MaintenanceMode(store, published.append, UTC_ZONE)
    mode.start(None, 3600, "now", "me", at(0))
    mode.start(at(30).wall, 3600, "again", "me", at(0), Repeat.DAILY)
    mode.start(at(2).wall, 3600, "later", "me", at(0))
    assert told(published) == [
        ("manual", True, 0),
        ("scheduled", False, 1),
        ("manual", True, 1),
        ("scheduled", False, 2),
        ("manual", True, 2),
    ]
    again = MaintenanceMode(store, published.append, UTC_ZONE)
    assert (again.is_read_only, len(again.plan.planned)) == (True, 2)
    again.begin(at(0.5))
    assert told(published) == [("manual", True, 2)]
    again.step(at(1))
    assert told(published) == [("completed", True, 2), ("scheduled", False, 2)]  # the next one is announced again
    again.step(at(2))
    assert told(published) == [("scheduled", True, 1)]
    again.step(at(3))
    last = MaintenanceMode(store, published.append, UTC_ZONE)
    assert [one.impact for one in last.plan.saved] == ["again"]


class FullStore:
    """A store of a medium that takes nothing."""

    def __init__(self, store: SqliteStore) -> None:
        self.maintenances, self.sync = store.maintenances, store.sync

    def save_maintenances(self, plan: object) -> None:
        raise Refused(code="E_MAINTENANCE", message="the disk takes no changes")  # type: ignore[arg-type]


def test_it_ends_on_a_medium_that_takes_nothing_and_none_begins(store: SqliteStore) -> None:
    published: list[Event] = []
    MaintenanceMode(store, published.append, UTC_ZONE).start(None, 3600, "now", "me", at(0))
    mode = MaintenanceMode(FullStore(store), published.append, UTC_ZONE)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        mode.start(at(2).wall, 3600, "later", "me", at(0))
    assert mode.plan.planned == ()
    published.clear()
    with pytest.raises(Refused):
        mode.stop("me", at(0.5))
    assert not mode.is_read_only
    assert told(published) == [("completed", True, 0)]


class WaitingStore:
    """A store that gives others their turn while it waits for the medium, until `synced`."""

    def __init__(self, store: SqliteStore) -> None:
        self.maintenances, self.save_maintenances = store.maintenances, store.save_maintenances
        self.synced = GreenEvent()

    def sync(self) -> None:
        self.synced.wait()


class WaitingFile:
    """A file that takes until `settled` to be on the medium."""

    def __init__(self) -> None:
        self.settled = GreenEvent()

    def hold(self) -> None:
        pass

    release = hold

    def settle(self) -> None:
        self.settled.wait()


def test_an_order_is_answered_when_the_files_are_held_also_where_a_step_has_begun_to(store: SqliteStore) -> None:
    slow, file = WaitingStore(store), WaitingFile()
    mode = MaintenanceMode(slow, lambda _: None, UTC_ZONE, StateHold([file], Semaphore()))  # type: ignore[arg-type]
    answered: list[str] = []
    order = eventlet.spawn(lambda: answered.append(mode.start(None, 3600, "now", "me", at(0)).impact))
    eventlet.sleep(0)  # the order is saved, and waits for the medium
    step = eventlet.spawn(mode.step, at(0))
    eventlet.sleep(0)  # the step holds the files
    slow.synced.send()
    eventlet.sleep(0)
    eventlet.sleep(0)
    assert answered == []
    file.settled.send()
    order.wait()
    step.wait()
    assert answered == ["now"]
