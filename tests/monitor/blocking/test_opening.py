"""The opening of the enforcement in maintenance, by a clock that a test moves and parts that remember."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.core.moment import Moment
from appliance.core.operations.maintenance_window import InMaintenance
from appliance.events import Event, SystemMaintenance
from appliance.monitor.blocking.opening import LEASE_S, RENEWED_S, Opening
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.system.storage.store import SqliteStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds: float, *, jumped_s: float = 0.0) -> Moment:
    return Moment(NOON + timedelta(seconds=seconds + jumped_s), 1000.0 + seconds, is_trusted=True)


class Kernel:
    """Remembers for how long it was to let pass, and refuses where a test says so."""

    def __init__(self) -> None:
        self.told: list[float] = []
        self.refusal: str | None = None

    def let_pass(self, for_s: float) -> str | None:
        self.told.append(for_s)
        return self.refusal

    def heard(self) -> list[float]:
        found, self.told = self.told, []
        return found


class Scene:
    """A maintenance mode and the opening over it. `published`: its events."""

    def __init__(self, store: SqliteStore, enforcement: InMaintenance = InMaintenance.OPENS) -> None:
        self.kernel, self.published = Kernel(), list[Event]()
        self.mode = MaintenanceMode(store, self.published.append, ZoneInfo("UTC"), None, enforcement)
        self.opening = Opening(self.mode.open_s, [self.kernel.let_pass])

    def step(self, now: Moment) -> list[float]:
        """Both take their step; returns what the kernel was told."""
        self.mode.step(now)
        self.opening.step(now)
        return self.kernel.heard()

    def told(self) -> list[tuple[str, str]]:
        """Of each event, what it says of the enforcement, and its sentence; forgets them."""
        events = [one.maintenance for one in self.published if isinstance(one, SystemMaintenance)]
        self.published.clear()
        return [(str(one.enforcement), one.impact) for one in events]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "state.sqlite3")) as store:
        yield store


def test_it_is_open_by_leases_while_the_maintenance_runs_and_closed_at_its_end(store: SqliteStore) -> None:
    scene = Scene(store)
    assert scene.step(at(0)) == [0.0], "a former process may have opened it"
    assert scene.step(at(1)) == []
    scene.mode.start(None, 60, "cables", "me", at(2))
    assert scene.step(at(2)) == [LEASE_S]
    assert scene.step(at(3)) == []
    assert scene.step(at(2 + RENEWED_S)) == [LEASE_S]
    assert scene.step(at(52)) == [10.0], "no lease lasts longer than the maintenance"
    assert scene.opening.troubles(at(52)) == ["blocks and quotas are not enforced, until 12:01:02 UTC at the latest"]
    assert scene.step(at(62)) == [0.0]
    assert scene.opening.troubles(at(62)) == []
    assert scene.step(at(63)) == []


def test_an_order_closes_it_at_the_next_step(store: SqliteStore) -> None:
    scene = Scene(store)
    scene.mode.start(None, 3600, "cables", "me", at(0))
    assert scene.step(at(0)) == [LEASE_S]
    scene.mode.stop("me", at(1))
    assert scene.step(at(1)) == [0.0]


def test_it_stays_closed_where_the_configuration_does_not_open_it(store: SqliteStore) -> None:
    scene = Scene(store, InMaintenance.STAYS)
    scene.mode.start(None, 3600, "cables", "me", at(0))
    assert scene.step(at(0)) == [0.0]
    assert scene.step(at(600)) == []
    assert scene.told() == [("stays", "cables")]


def test_the_next_process_opens_it_again_and_no_longer_than_the_first_was_to(store: SqliteStore) -> None:
    first = Scene(store)
    first.mode.start(None, 60, "cables", "me", at(0))
    assert first.step(at(0)) == [LEASE_S]
    again = Scene(store)
    assert again.mode.open_s(at(50)) == 0.0, "its end is not known before the first step"
    assert again.step(at(50)) == [10.0]
    late = Scene(store)
    assert late.step(at(70)) == [0.0]


def test_a_wall_clock_that_is_set_back_opens_it_for_no_second_more(store: SqliteStore) -> None:
    scene = Scene(store)
    scene.mode.start(None, 60, "cables", "me", at(0))
    assert scene.step(at(0)) == [LEASE_S]
    assert scene.step(at(55, jumped_s=-3600)) == [5.0]
    assert scene.step(at(60, jumped_s=-3600)) == [0.0]


def test_a_kernel_that_refuses_is_told_and_asked_again(store: SqliteStore) -> None:
    scene = Scene(store)
    scene.step(at(0))
    scene.mode.start(None, 60, "cables", "me", at(1))
    scene.kernel.refusal = "No such file or directory"
    assert scene.step(at(1)) == [LEASE_S]
    assert scene.opening.troubles(at(1)) == ["the kernel refuses to stop nothing: No such file or directory"]
    scene.kernel.refusal = None
    assert scene.step(at(2)) == [LEASE_S]
    scene.kernel.refusal = "Device or resource busy"
    assert scene.step(at(61)) == [0.0]
    assert scene.opening.troubles(at(61)) == ["the kernel refuses to enforce again at once: Device or resource busy"]
    scene.kernel.refusal = None
    assert scene.step(at(62)) == [0.0]
    assert scene.opening.troubles(at(62)) == []


def test_announcement_beginning_and_end_say_what_becomes_of_the_enforcement(store: SqliteStore) -> None:
    scene = Scene(store)
    scene.mode.start(at(60).wall, 60, "cables", "me", at(0))
    scene.step(at(60))
    scene.step(at(120))
    assert scene.told() == [
        ("opens", "cables; blocks and quotas are not enforced meanwhile"),
        ("opens", "cables; blocks and quotas are not enforced meanwhile"),
        ("stays", "Maintenance is over; changes are accepted again; blocks and quotas are enforced again"),
    ]
    scene.mode.start(at(600).wall, 60, "cables", "me", at(120))
    scene.mode.stop("me", at(121))
    assert scene.told()[-1] == ("stays", "Maintenance is over; changes are accepted again")
