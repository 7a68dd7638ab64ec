"""What the appliance says of its own work, over the simulator's kernel."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.config import parse
from appliance.core.blocking.block import BlockRequest
from appliance.core.blocking.place import Place
from appliance.core.machine import Position
from appliance.core.moment import Moment
from appliance.events import Event
from appliance.monitor.operations.self_check import SelfCheck
from appliance.monitor.operations.status import ServiceRun
from appliance.service.machines import Machine, simulated_machine
from appliance.service.monitors import Foundation, build_blocking, build_metering, build_self_check
from appliance.simulator import CONFIG
from appliance.simulator.firewall import SimulatedFirewall
from appliance.system.storage.store import SqliteStore

START = datetime(2026, 12, 1, tzinfo=UTC)
WELL = dict.fromkeys(("metering", "publishing", "enforcement", "store"), "ok")


class RefusingFirewall(SimulatedFirewall):
    """A kernel that takes no rules while it `refuses`."""

    refuses = False

    def install_rules(self, places: Sequence[Place]) -> str | None:
        return "Operation not permitted" if self.refuses else super().install_rules(places)


class Scene:
    """Metering and enforcement over a simulated machine, on a clock that tests set."""

    def __init__(self, folder: Path, position: Position) -> None:
        self.published: list[Event] = []
        self.obstacle: str | None = None
        config = parse(CONFIG.replace('"gateway"', f'"{position}"').encode(), "test")
        self.firewall = RefusingFirewall([one.interface for one in config.departments], lambda: 0.0)
        self._machine: Machine = replace(simulated_machine(config), firewall=self.firewall)
        self.store = SqliteStore(folder / "state.sqlite3")
        base = Foundation(
            config=config,
            machine=self._machine,
            store=self.store,
            publish=self.published.append,
            run=ServiceRun(0.0, lambda: 0, lambda: len(self.published)),
        )
        self.metering = build_metering(base)
        self.enforcement = build_blocking(
            config=config,
            packet_filter=self._machine,
            store=self.store,
            publish=self.published.append,
            require_writable=lambda: None,
        )
        self.check: SelfCheck = build_self_check(
            base, self.metering, self.enforcement, store_obstacle=lambda: self.obstacle
        )

    def work(self, at_s: float) -> dict[str, str]:
        """Take every step at this second; returns what is said then."""
        self.metering.step(moment(at_s))
        self.enforcement.step(moment(at_s))
        self.check.step(moment(at_s))
        return self.tasks(at_s)

    def stall(self, at_s: float) -> str | None:
        return self.check.stall(moment(at_s))

    def tasks(self, at_s: float) -> dict[str, str]:
        return dict(self.check.tasks(moment(at_s)))


def moment(at_s: float) -> Moment:
    return Moment(START + timedelta(seconds=at_s), 1000.0 + at_s, True)


@pytest.fixture(params=[Position.GATEWAY])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    one = Scene(tmp_path, request.param)
    with closing(one.store):
        yield one


def test_a_service_that_has_done_nothing_yet_says_so(scene: Scene) -> None:
    assert scene.tasks(0) == {
        **WELL,
        "metering": "the meters were not read yet",
        "publishing": "nothing was published yet",
    }


def test_a_service_that_does_its_work_says_ok_of_each_task(scene: Scene) -> None:
    scene.enforcement.restore(moment(0))
    assert scene.work(0) == WELL
    assert scene.work(1) == WELL


def test_a_service_that_stands_still_says_for_how_long(scene: Scene) -> None:
    scene.enforcement.restore(moment(0))
    scene.work(0)
    assert scene.tasks(40) == WELL
    assert scene.tasks(60) == {
        **WELL,
        "metering": "the meters were not read for 60 s",
        "publishing": "nothing was published for 60 s",
    }


def test_a_kernel_that_takes_no_rules_is_told_and_counts_no_more_when_it_does(scene: Scene) -> None:
    scene.firewall.refuses = True
    scene.enforcement.restore(moment(0))
    request = BlockRequest("203.0.113.9", "test", 0, None, "anna", "manual")
    scene.enforcement.block([request], moment(0))
    assert scene.work(0)["enforcement"] == "Operation not permitted"
    scene.firewall.refuses = False
    assert scene.work(10) == WELL


def test_a_state_that_takes_no_changes_is_told(scene: Scene) -> None:
    scene.obstacle = "attempt to write a readonly database"
    assert scene.tasks(0)["store"] == "attempt to write a readonly database"


@pytest.mark.parametrize("scene", [Position.MIRROR], indirect=True)
def test_where_nothing_can_be_enforced_nothing_is_missed(scene: Scene) -> None:
    scene.firewall.refuses = True
    assert scene.work(0)["enforcement"] == "ok"


def test_the_supervisor_hears_only_of_a_service_that_meters_publishes_and_whose_store_answers(scene: Scene) -> None:
    scene.enforcement.restore(moment(0))
    scene.work(0)
    assert scene.stall(40) is None
    assert scene.stall(46) == "nothing was published for 46 s"
    scene.published.append(scene.published[-1])
    scene.check.step(moment(46))
    assert scene.stall(46) == "the meters were not read for 46 s"
    scene.work(50)
    assert scene.stall(50) is None
    scene.store.close()
    assert scene.stall(50) == "the store does not answer"


def test_a_service_that_starts_has_time_for_its_first_event(scene: Scene) -> None:
    scene.metering.step(moment(0))
    scene.published.clear()
    scene.check.step(moment(0))
    assert scene.stall(40) is None
    assert scene.stall(46) == "nothing was published for 46 s"


def test_what_kernel_and_medium_refuse_is_told_and_does_not_end_the_service(scene: Scene) -> None:
    scene.obstacle = "attempt to write a readonly database"
    scene.firewall.refuses = True
    scene.enforcement.restore(moment(0))
    assert scene.work(0)["store"] == scene.obstacle
    assert scene.stall(0) is None
