"""Condition: how each department's connection is, and how the computer itself is.

A department's status is told when it changes, and often enough that a dashboard can tell silence from a fault.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import UNSET

from appliance.core.machine import Sighting
from appliance.core.metering.department import Department
from appliance.core.moment import Moment, timestamp
from appliance.core.operations import health
from appliance.core.operations.health import HealthFacts
from appliance.core.traffic.presence import WINDOW_S
from appliance.events import (
    BlockTally,
    CpuHealth,
    DepartmentCondition,
    DepartmentStatus,
    Fill,
    SystemHealth,
    SystemState,
)
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.metering.departments import Metering
from appliance.monitor.traffic.insight import Insight
from appliance.ports import Capture, Neighbours, Publisher, Sensors

REPEAT_S = 30.0  # the contract's longest silence
SIGHTINGS_S = 10.0  # the window is 5 minutes; asking the kernel for thousands of neighbours takes tens of milliseconds

UNSAVED = "the books cannot be saved and are kept in memory; is the disk full?"


class StatusMonitor:
    """Judges departments and reads the gauges."""

    def __init__(
        self,
        departments: Sequence[Department],
        metering: Metering,
        enforcement: Enforcement,
        insight: Insight,
        other_troubles: Callable[[], Sequence[str]],
        capture: Capture,
        neighbours: Neighbours,
        sensors: Sensors,
        publish: Publisher,
    ) -> None:
        self._departments = tuple(departments)
        self._metering = metering
        self._enforcement = enforcement
        self._insight = insight
        self._other_troubles = other_troubles
        self._capture = capture
        self._neighbours = neighbours
        self._sensors = sensors
        self._publish = publish
        self._sightings: Sequence[Sighting] = ()
        self._sighted_s: float | None = None
        self._lost = 0
        self._facts: dict[str, HealthFacts] = {}
        self._told: dict[str, tuple[DepartmentCondition, float]] = {}

    @property
    def facts(self) -> Mapping[str, HealthFacts]:
        """By department, what it was judged by last."""
        return self._facts

    @property
    def is_alarmed(self) -> bool:
        """Whether something hostile goes on, or a quota is used up."""
        return any(facts.open_incidents or facts.quotas_exceeded for facts in self._facts.values())

    @property
    def is_troubled(self) -> bool:
        """Whether some department cannot work as configured, or the appliance itself."""
        return bool(self.troubles()) or any(not condition.active for condition, _ in self._told.values())

    @property
    def is_busy(self) -> bool:
        """Whether any department carried something in the last metering period."""
        return any(self._metering.lines.rate_bytes_s(one.id) > 0 for one in self._departments)

    def troubles(self) -> list[str]:
        """What the appliance itself does not do, a sentence each."""
        unsaved = [] if self._metering.is_saved else [UNSAVED]
        return [*unsaved, *self._other_troubles()]

    def status_step(self, now: Moment) -> None:
        """Judge each department, and tell what has changed or was not told for long."""
        self._look_around(now)
        lost, troubles = self._capture.lost(), tuple(self.troubles())
        for department in self._departments:
            facts = self._gather(department, lost - self._lost, troubles)
            self._facts[department.id] = facts
            self._tell(department, facts, now)
        self._lost = lost

    def health_step(self, now: Moment) -> None:
        """Read the computer's gauges and tell them."""
        vitals = self._sensors.vitals()
        self._publish(
            SystemHealth(
                timestamp=timestamp(now.wall),
                status=SystemState(
                    cpu=CpuHealth(usage=vitals.cpu_percent, temperature=vitals.cpu_temperature_c),
                    memory=Fill(used=vitals.memory_used_bytes, total=vitals.memory_total_bytes),
                    storage=Fill(used=vitals.storage_used_bytes, total=vitals.storage_total_bytes),
                    troubles=self.troubles() or UNSET,
                ),
            )
        )

    def _look_around(self, now: Moment) -> None:
        if self._sighted_s is None or now.monotonic_s - self._sighted_s >= SIGHTINGS_S:
            self._sightings = self._neighbours.sightings()
            self._sighted_s = now.monotonic_s

    def _gather(self, department: Department, frames_lost: int, troubles: tuple[str, ...]) -> HealthFacts:
        link = self._metering.links.get(department.interface)
        wanted, enforced = self._enforcement.tally(department)
        return HealthFacts(
            interface=department.interface,
            is_present=link is not None,
            is_up=link is not None and link.up,
            can_enforce=self._enforcement.can_enforce,
            wanted=wanted,
            enforced=enforced,
            frames_lost=frames_lost,
            troubles=troubles,
            quotas_exceeded=self._metering.exceeded_kinds(department.id),
            utilization=self._metering.lines.utilization(department.id),
            open_incidents=self._insight.open_incidents(department.id),
        )

    def _tell(self, department: Department, facts: HealthFacts, now: Moment) -> None:
        judged = health.judge(facts)
        condition = DepartmentCondition(
            active=judged.active,
            connected_users=len(self._devices(department, now)),
            health_score=judged.score,
            reasons=[reason.text for reason in judged.reasons] or UNSET,
            blocks=BlockTally(wanted=facts.wanted, enforced=facts.enforced),
        )
        told = self._told.get(department.id)
        if told is not None and told[0] == condition and now.monotonic_s - told[1] < REPEAT_S:
            return
        self._told[department.id] = condition, now.monotonic_s
        self._publish(DepartmentStatus(timestamp=timestamp(now.wall), department_id=department.id, status=condition))

    def _devices(self, department: Department, now: Moment) -> frozenset[str]:
        sighted = {
            one.mac for one in self._sightings if one.interface == department.interface and one.age_s <= WINDOW_S
        }
        return self._insight.devices(department.id, now).union(sighted)
