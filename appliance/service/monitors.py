"""Builds each monitor over a machine and a store, in the order in which one needs the other.

    maintenance mode     the store
    panel                maintenance, which its button begins and ends
    metering             the meters and the interfaces
    blocking             the packet filter; refuses changes in maintenance
    opening              maintenance, in which blocking and metering may stop nothing
    rate watch           what metering passes on; learns what is usual
    device watch         what metering knows of devices, and the captured packets that insight hands over
    insight              captured packets; asks metering for rates, orders blocks
    status               all of these
    self-check           metering and blocking
    schedules            blocking and metering, which follow them
    updates              maintenance and a configuration on trial, during which it begins nothing by itself

The service, the restore at a boot, the tests and the benches build their monitors here, and nowhere else. Nothing that
the server needs is imported, because the restore holds a boot up.
"""

from collections.abc import Callable, Mapping, Sequence
from random import random

from msgspec import Struct, field

from appliance.config import Config
from appliance.core.moment import Moment
from appliance.core.operations.issues.issue import IssueSource
from appliance.core.operations.update_window import window_of
from appliance.core.traffic.devices.device_register import LEARNING_S
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.blocking.opening import Opening
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.device_directory import DeviceDirectory
from appliance.monitor.metering.history_recorder import HistoryRecorder
from appliance.monitor.operations.config_trial import ConfigTrial
from appliance.monitor.operations.issues.issue_watch import IssueWatch, TroubleSource
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.monitor.operations.panel_watch import PanelWatch
from appliance.monitor.operations.schedule_watch import ScheduleWatch
from appliance.monitor.operations.self_check import SelfCheck
from appliance.monitor.operations.setup_monitor import SetupMonitor
from appliance.monitor.operations.state_hold import StateHold
from appliance.monitor.operations.status import NO_RUN, ServiceRun, StatusMonitor
from appliance.monitor.operations.update_monitor import UpdateMonitor, UpdatePlan
from appliance.monitor.traffic.device_watch import DeviceWatch
from appliance.monitor.traffic.incident_log import IncidentLog
from appliance.monitor.traffic.incident_watch import IncidentWatch
from appliance.monitor.traffic.insight import Insight
from appliance.monitor.traffic.rate_watch import RateWatch
from appliance.monitor.traffic.server_watch import ServerWatch
from appliance.ports import AuditStore, HistoryStore, Publisher, RateStore, Store
from appliance.service.machines import Machine, PacketFilter
from appliance.system.public_suffixes import PublicSuffixes


class Foundation(Struct, frozen=True, kw_only=True):
    """What every monitor is built on. `publish`: the way of an event to people; `troubles`: of what is below them.

    `hold`: holds the files still in maintenance; `None`: nothing does.
    """

    config: Config
    machine: Machine
    store: Store
    publish: Publisher
    run: ServiceRun = NO_RUN
    troubles: Mapping[IssueSource, TroubleSource] = field(default_factory=dict)
    hold: StateHold | None = None


def build_maintenance(base: Foundation) -> MaintenanceMode:
    """The read-only mode."""
    config = base.config
    return MaintenanceMode(base.store, base.publish, config.zone, base.hold, config.as_in_maintenance())


def build_panel(
    base: Foundation,
    *,
    maintenance_mode: MaintenanceMode,
    audit_store: AuditStore,
    short_press_actions: Sequence[Callable[[Moment], bool]] = (),
    reset: Callable[[str], None] | None = None,
) -> PanelWatch:
    """The button and the lights. `short_press_actions`: the first that returns true has taken the press."""
    return PanelWatch(base.machine.panel, maintenance_mode, audit_store, short_press_actions, reset)


def build_metering(base: Foundation, *, history_store: HistoryStore | None = None) -> Metering:
    """The meters of departments and hosts, and their quotas. `history_store`: what was used before."""
    return Metering(
        departments=base.config.as_departments(),
        position=base.config.position,
        zone=base.config.zone,
        interfaces=base.machine.interfaces,
        flows=base.machine.flows,
        meters=base.machine.meters,
        devices=DeviceDirectory(
            base.config.as_departments(), base.config.position, base.machine.neighbours, base.machine.upstream
        ),
        store=base.store,
        publish=base.publish,
        history_store=history_store,
    )


def build_blocking(
    *,
    config: Config,
    packet_filter: PacketFilter,
    store: Store,
    publish: Publisher,
    require_writable: Callable[[], None],
) -> Enforcement:
    """The blocks. `require_writable`: raises `Refused` in maintenance."""
    return Enforcement(
        departments=config.as_departments(),
        position=config.position,
        protected=config.as_protected(),
        interfaces=packet_filter.interfaces,
        upstream=packet_filter.upstream,
        firewall=packet_filter.firewall,
        dns_filter=packet_filter.dns_filter,
        store=store,
        require_writable=require_writable,
        publish=publish,
        shared=config.protection.shared,
    )


def build_opening(mode: MaintenanceMode, metering: Metering, enforcement: Enforcement) -> Opening:
    """What opens the enforcement in maintenance."""
    return Opening(mode.open_s, [enforcement.let_pass, metering.let_pass])


def build_schedules(base: Foundation, metering: Metering, enforcement: Enforcement) -> ScheduleWatch:
    """The schedules of blocks and quotas."""
    departments, zone = [one.id for one in base.config.departments], base.config.zone
    return ScheduleWatch(base.store, departments=departments, zone=zone, enforcement=enforcement, metering=metering)


def build_rate_watch(base: Foundation, *, metering: Metering, store: RateStore) -> RateWatch:
    """What is usual for each department's line, and the anomalies."""
    departments = [one.id for one in base.config.departments]
    return RateWatch(departments, base.config.zone, store, metering.devices, base.publish)


def build_device_watch(base: Foundation, *, metering: Metering, learning_s: float = LEARNING_S) -> DeviceWatch:
    """The register of devices. `learning_s`: for which it is learned before a device is new."""
    return DeviceWatch(
        base.config.as_departments(),
        position=base.config.position,
        metering=metering,
        vendors=base.machine.vendors,
        store=base.store,
        publish=base.publish,
        servers=ServerWatch([one.id for one in base.config.departments], base.config.as_servers(), base.store),
        learning_s=learning_s,
    )


def _incident_watch(base: Foundation, enforcement: Enforcement, register: DeviceWatch) -> IncidentWatch:
    return IncidentWatch(
        incident_log=IncidentLog(base.store),
        neighbours=base.machine.neighbours,
        register=register,
        blocks=enforcement,
        publish=base.publish,
    )


def build_insight(
    base: Foundation,
    *,
    metering: Metering,
    enforcement: Enforcement,
    rate_watch: RateWatch,
    device_watch: DeviceWatch,
) -> Insight:
    """Analytics and incidents from captured packets, and the blocks that follow from them."""
    return Insight(
        departments=base.config.as_departments(),
        capture=base.machine.capture,
        rules=base.config.as_name_rules(PublicSuffixes()),
        metering=metering,
        blocking=enforcement,
        response=base.config.as_response(),
        usual_rates=rate_watch,
        devices=device_watch,
        incidents=_incident_watch(base, enforcement, device_watch),
        publish=base.publish,
    )


def build_history(*, config: Config, history_store: HistoryStore) -> HistoryRecorder:
    """The history of what departments and hosts used."""
    return HistoryRecorder(config.zone, history_store, config.as_retention())


def build_status(
    base: Foundation,
    *,
    metering: Metering,
    enforcement: Enforcement,
    insight: Insight,
    trouble_sources: Mapping[IssueSource, TroubleSource],
) -> StatusMonitor:
    """The departments' status and the computer's health. `trouble_sources`: beside those of the foundation."""
    departments, machine = base.config.as_departments(), base.machine
    setup = SetupMonitor(base.config.position, forwarding=machine.forwarding, upstream=machine.upstream)
    return StatusMonitor(
        departments=departments,
        setup=setup,
        metering=metering,
        enforcement=enforcement,
        insight=insight,
        issues=IssueWatch(
            {**trouble_sources, **base.troubles, IssueSource.PANEL: machine.troubles}, machine.updates.latest
        ),
        capture=machine.capture,
        sensors=machine.sensors,
        publish=base.publish,
        run=base.run,
    )


def build_self_check(
    base: Foundation, metering: Metering, enforcement: Enforcement, *, store_obstacle: Callable[[], str | None]
) -> SelfCheck:
    """What the service says of its own work. `store_obstacle`: why the state takes no changes; `None`: it does."""
    return SelfCheck(
        metering=metering,
        enforcement=enforcement,
        period_s=base.config.periods.metering,
        count_published=base.run.count_published,
        store_obstacle=store_obstacle,
        store_answers=base.store.is_answering,
    )


def build_updates(
    base: Foundation, *, audit_store: AuditStore, maintenance_mode: MaintenanceMode, trial: ConfigTrial
) -> UpdateMonitor:
    """The updates of the whole computer."""
    section = base.config.update
    plan = section.url and UpdatePlan(section.url, window_of(section.window), base.config.zone, random())  # noqa: S311
    return UpdateMonitor(
        base.machine.updates,
        base.publish,
        audit_store,
        plan=plan or None,
        is_held=lambda: maintenance_mode.is_read_only or trial.upcoming is not None,
    )
