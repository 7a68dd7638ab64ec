"""Status: how each department's connection is, and how the computer itself is.

A department's status is published when it changes, and often enough that a dashboard can tell silence from a fault.
"""

from collections.abc import Callable, Collection, Sequence

from msgspec import UNSET, Struct

from appliance import events
from appliance.core.machine import Link, ports_of
from appliance.core.metering.department import Department
from appliance.core.moment import Moment, began_at, timestamp
from appliance.core.operations import health
from appliance.core.operations.health import HealthFacts
from appliance.core.operations.issues.issue import Issue
from appliance.core.operations.panel_lights import STARTING, PanelState
from appliance.core.operations.setup import Effect
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.metering.departments import Metering
from appliance.monitor.operations.issues.issue_watch import IssueWatch
from appliance.monitor.operations.setup_monitor import SetupMonitor
from appliance.monitor.traffic.insight import Insight
from appliance.ports import Capture, Publisher, Sensors

MOST_PORTS = 16  # in an event: the largest network card has eight
LEAST_UTILIZATION = 0.001  # of a line of which no rate is known, and that carries something
REPEAT_S = 30.0  # the contract's longest time between two status events


class ServiceRun(Struct, frozen=True):
    """The service as it runs. `started_s`: since when, by the monotonic clock; `count_clients`: those logged in now.

    `count_published`: the events that were published so far.
    """

    started_s: float
    count_clients: Callable[[], int]
    count_published: Callable[[], int] = lambda: 0


NO_RUN = ServiceRun(0.0, lambda: 0)  # of monitors that no service drives


class StatusMonitor:
    """Judges departments, and reads the gauges. `issues`: of the appliance itself.

    `facts`: by department, those of its latest judgement.
    """

    def __init__(
        self,
        *,
        departments: Sequence[Department],
        setup: SetupMonitor,
        metering: Metering,
        enforcement: Enforcement,
        insight: Insight,
        issues: IssueWatch,
        capture: Capture,
        sensors: Sensors,
        publish: Publisher,
        run: ServiceRun,
    ) -> None:
        self._departments = tuple(departments)
        self._setup = setup
        self._metering, self._enforcement, self._insight = metering, enforcement, insight
        self._issues = issues
        self._capture, self._sensors = capture, sensors
        self._publish, self._run = publish, run
        self._lost, self._has_troubles = 0, False
        self.lights = STARTING  # as the panel shows them
        self.facts: dict[str, HealthFacts] = {}
        self._published: dict[str, tuple[events.DepartmentCondition, float]] = {}

    def panel_states(self, now: Moment) -> Collection[PanelState]:
        """What the panel should tell, by the latest judgement; of incidents, those that nobody has acknowledged."""
        facts = self.facts.values()
        found = {
            PanelState.DISK: not self._metering.is_filed,
            PanelState.ENFORCEMENT: self._enforcement.fault() is not None,
            PanelState.INCIDENT: any(one.open_incidents for one in facts) and self._insight.has_unseen(now),
            PanelState.OVER_QUOTA: any(one.quotas_exceeded for one in facts),
            PanelState.NO_UPLINK: not self._setup.has_uplink,
            PanelState.FAULT: self._has_troubles or any(not one.active for one, _ in self._published.values()),
        }
        return [state for state, is_so in found.items() if is_so]

    def utilization(self) -> float:
        """The share of the fullest line that is used, 0 to 1; above 0 where there is any traffic."""
        lines, names = self._metering.lines, [one.id for one in self._departments]
        return max(lines.utilization(name) or LEAST_UTILIZATION * (lines.rate_bytes_s(name) > 0) for name in names)

    def troubles(self, now: Moment) -> list[str]:
        """What the appliance itself does not do, a sentence each."""
        return self._issues.troubles(now)

    def status_step(self, now: Moment) -> None:
        """Judge each department; publish what changed or was not published for `REPEAT_S`."""
        lost, troubles = self._capture.lost(), tuple(self.troubles(now))
        self._has_troubles = bool(troubles)
        self._setup.look(self._metering.links, now)
        for department in self._departments:
            facts = self._gather(department, lost - self._lost, troubles, now)
            self.facts[department.id] = facts
            self._publish_status(department, facts, now)
        self._lost = lost

    def health_step(self, now: Moment) -> None:
        """Read the computer's gauges, look for issues, and publish both."""
        vitals, ports = self._sensors.vitals(), self._ports()
        self._issues.look(vitals.signs, ports, self._capture.lost(), now)
        self._publish(
            events.SystemHealth(
                timestamp=timestamp(now.wall),
                status=events.SystemState(
                    cpu=events.CpuHealth(usage=vitals.cpu_percent, temperature=vitals.cpu_temperature_c),
                    memory=events.Fill(used=vitals.memory_used_bytes, total=vitals.memory_total_bytes),
                    storage=events.Fill(used=vitals.storage_used_bytes, total=vitals.storage_total_bytes),
                    troubles=self.troubles(now) or UNSET,
                    clients=self._run.count_clients(),
                    started_at=timestamp(began_at(self._run.started_s, now)),
                    interfaces=[_port_state(one) for one in ports[:MOST_PORTS]],
                    panel=events.PanelLights(
                        status=self.lights.status, alert=self.lights.alert, activity=self.lights.brightness
                    ),
                    issues=[_issue(one) for one in self._issues.issues(now)] or UNSET,
                    unchecked=[*self._issues.unchecked] or UNSET,
                ),
            )
        )

    def _ports(self) -> list[Link]:
        return ports_of((one.interface for one in self._departments), self._metering.links)

    def _gather(self, department: Department, frames_lost: int, troubles: tuple[str, ...], now: Moment) -> HealthFacts:
        link = self._metering.links.get(department.interface)
        wanted, enforced = self._enforcement.tally(department)
        faults = self._setup.faults(department, self._metering.links)
        return HealthFacts(
            interface=department.interface,
            is_present=link is not None,
            is_up=link is not None and link.up,
            can_enforce=self._enforcement.can_enforce,
            wanted=wanted,
            enforced=enforced,
            frames_lost=frames_lost,
            setup_faults=tuple(f"{one.text}; {one.advice}" for one in faults),
            can_work=all(one.effect is not Effect.STOPS for one in faults),
            troubles=troubles,
            strangers=tuple(self._metering.lines.strangers(department.id)),
            quotas_exceeded=self._metering.exceeded_kinds(department.id),
            utilization=self._metering.lines.utilization(department.id),
            open_incidents=self._insight.open_incidents(department.id, now),
            is_open=self._enforcement.is_open,
            notes=(*self._enforcement.notes(department.id, now), *self._pauses(department.id)),
        )

    def _pauses(self, department: str) -> Sequence[str]:
        return ["its quotas count and limit nobody for now, as a schedule says"] * self._metering.is_paused(department)

    def _publish_status(self, department: Department, facts: HealthFacts, now: Moment) -> None:
        judged = health.judge(facts)
        near = self._metering.devices.present(department.interface)
        devices = self._insight.devices(department.id, now) | near
        condition = events.DepartmentCondition(
            active=judged.active,
            connected_users=len(devices),
            health_score=judged.score,
            reasons=[one.text for one in judged.faults] or UNSET,
            losses=[events.HealthLoss(reason=one.reason, points=one.points) for one in judged.losses] or UNSET,
            kinds=[events.HealthReason(kind=one.kind, values=dict(one.values)) for one in judged.faults] or UNSET,
            blocks=events.BlockTally(wanted=facts.wanted, enforced=facts.enforced),
        )
        before = self._published.get(department.id)
        if before is not None and before[0] == condition and now.monotonic_s - before[1] < REPEAT_S:
            return
        self._published[department.id] = condition, now.monotonic_s
        self._publish(
            events.DepartmentStatus(timestamp=timestamp(now.wall), department_id=department.id, status=condition)
        )


def _port_state(link: Link) -> events.PortState:
    return events.PortState(
        port=link.name,
        up=link.up,
        speed=link.speed_bps // 8 if link.speed_bps else None,
        errors=link.counters.errors,
        drops=link.counters.drops,
    )


def _issue(issue: Issue) -> events.HealthIssue:
    return events.HealthIssue(
        id=issue.id,
        severity=issue.severity,
        cause=issue.cause,
        suggestion=issue.suggestion,
        since=timestamp(issue.since),
        values=dict(issue.values) or UNSET,
    )
