"""Builds the whole appliance over a machine, rung by rung.

    access ──> state ──> maintenance ──> metering ──> blocking ──> insight, lists ──> status, updates ──> server

Each rung takes by name what the rungs before it have built. Nothing moves yet: `running` starts what is built here.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import time
from pathlib import Path
from typing import Protocol

from eventlet import tpool
from eventlet.semaphore import Semaphore
from msgspec import Struct

from appliance.config import Config
from appliance.core.blocking.lists.list_contents import Fetched
from appliance.core.moment import Moment
from appliance.core.operations.issues.issue import IssueSource
from appliance.core.traffic.devices.device_register import LEARNING_S
from appliance.events import Event
from appliance.monitor.alerting.notification_desk import NotificationDesk
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.blocking.list_imports import ListImports
from appliance.monitor.blocking.opening import Opening
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.history_recorder import HistoryRecorder
from appliance.monitor.metering.quota_requests import QuotaRequests
from appliance.monitor.operations.backup_watch import BackupWatch
from appliance.monitor.operations.config_trial import ConfigTrial
from appliance.monitor.operations.fast_path import FastPath
from appliance.monitor.operations.issues.issue_watch import TroubleSource
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.monitor.operations.panel_watch import PanelWatch
from appliance.monitor.operations.schedule_watch import ScheduleWatch
from appliance.monitor.operations.self_check import SelfCheck
from appliance.monitor.operations.state_hold import Held, StateHold
from appliance.monitor.operations.status import ServiceRun, StatusMonitor
from appliance.monitor.operations.trial_events import TrialEvents
from appliance.monitor.operations.update_monitor import UpdateMonitor
from appliance.monitor.traffic.device_watch import DeviceWatch
from appliance.monitor.traffic.insight import Insight
from appliance.monitor.traffic.rate_watch import RateWatch
from appliance.server.app import Server
from appliance.server.delivery.fanout import Fanout
from appliance.server.profile import profile_of
from appliance.server.services import Services
from appliance.service.access.authentication import Authentication, aside_in_turn
from appliance.service.alerting.building import build_notifications
from appliance.service.backup.backup_desk import BackupDesk
from appliance.service.machines import Machine
from appliance.service.monitors import (
    Foundation,
    build_blocking,
    build_device_watch,
    build_history,
    build_insight,
    build_maintenance,
    build_metering,
    build_opening,
    build_panel,
    build_rate_watch,
    build_schedules,
    build_self_check,
    build_status,
    build_updates,
)
from appliance.service.releasing import ReleaseRequest
from appliance.service.state_recovery import RecoveredState, open_state
from appliance.service.supervision.crash_reports import CrashFolder
from appliance.system.storage.alert_file import AlertFile
from appliance.system.storage.files import UnsyncedFiles
from appliance.system.storage.history_store import SqliteHistoryStore

SIMULATED_LEARNING_S = 15.0  # a simulation shows each event within its first minute
# The monitors that tell what they do not do, in the order of `build_monitors`.
TELLING = (
    IssueSource.METERING,
    IssueSource.HISTORY,
    IssueSource.TRIAL,
    IssueSource.LISTS,
    IssueSource.ENFORCEMENT,
    IssueSource.SCHEDULES,
    IssueSource.OPENING,
)
LISTS = "lists"  # the folder of block lists, in the state directory


class Telling(Protocol):
    """What tells in sentences what it does not do."""

    def troubles(self, now: Moment, /) -> Sequence[str]:
        """A sentence for each thing."""


class Disk(Struct, frozen=True, kw_only=True):
    """The open files that the monitors write to, and the folders of block lists and crash reports that they read.

    `page_backups`: makes and restores backups of the state directory.
    """

    state: RecoveredState
    history_store: SqliteHistoryStore
    alerts: AlertFile
    lists: Path
    crashes: CrashFolder
    unsynced: UnsyncedFiles
    page_backups: BackupDesk

    @property
    def held(self) -> Sequence[Held]:
        """What keeps still in maintenance."""
        return self.state.store, self.history_store, self.alerts, self.page_backups

    def settle(self) -> None:
        """Wait until what was saved is on the medium; it may run in another thread."""
        self.unsynced.settle()
        self.state.store.fold_long()


class Monitors(Struct, frozen=True, kw_only=True):
    """The monitors, built over one foundation."""

    maintenance_mode: MaintenanceMode
    panel: PanelWatch
    metering: Metering
    requests: QuotaRequests
    enforcement: Enforcement
    schedules: ScheduleWatch
    opening: Opening
    rate_watch: RateWatch
    device_watch: DeviceWatch
    insight: Insight
    history: HistoryRecorder
    lists: ListImports
    status: StatusMonitor
    fast_path: FastPath
    updates: UpdateMonitor
    self_check: SelfCheck

    @property
    def savers(self) -> Sequence[Callable[[Moment], object]]:
        """What saves all that is in memory, before the end and before the state directory is held still."""
        return (
            lambda now: self.metering.save(now, everything=True),
            self.history.save,
            self.rate_watch.save,
            lambda now: self.device_watch.save(now, everything=True),
            lambda _: self.enforcement.save(),
        )


class Appliance(Struct, frozen=True, kw_only=True):
    """All parts, built and at rest."""

    config: Config
    machine: Machine
    trial: ConfigTrial
    trial_events: TrialEvents
    disk: Disk
    authentication: Authentication
    monitors: Monitors
    notifications: NotificationDesk
    backups: BackupWatch | None
    release: ReleaseRequest
    server: Server


def build_appliance(*, config: Config, machine: Machine, state_dir: Path, trial: ConfigTrial) -> Appliance:
    """The appliance over this machine. Raises `CannotStart`, `AccessError`."""
    authentication, disk = Authentication(config, machine, state_dir), open_disk(machine, state_dir, trial)
    fanout, release = Fanout(simulated=machine.is_simulated, alerts=disk.alerts), ReleaseRequest()
    desk = build_notifications(config, disk.state.store.notices, state_dir, is_simulated=machine.is_simulated)
    backups = None if machine.is_simulated else _backups_over(config, disk, state_dir, trial)
    held = [*disk.held, *authentication.files, fanout]
    hold = StateHold(held if backups is None else [*held, backups], Semaphore())
    base = lay_foundation(config, machine, disk, fanout, authentication, desk=desk, hold=hold, backups=backups)
    monitors = build_monitors(base, disk=disk, authentication=authentication, trial=trial)
    hold.savers = monitors.savers
    services = gather_services(base, monitors, desk, disk, authentication=authentication, trial=trial, release=release)
    return Appliance(
        config=config,
        machine=machine,
        trial=trial,
        trial_events=TrialEvents(trial, fanout.publish),
        disk=disk,
        authentication=authentication,
        monitors=monitors,
        notifications=desk,
        backups=backups,
        release=release,
        server=_server_over(config, fanout, services, authentication),
    )


def _server_over(config: Config, fanout: Fanout, services: Services, authentication: Authentication) -> Server:
    limits, section = config.limits, config.server
    return Server(fanout=fanout, services=services, limits=limits, section=section, tls=authentication.tls)


def _backups_over(config: Config, disk: Disk, state_dir: Path, trial: ConfigTrial) -> BackupWatch | None:
    """What makes a backup each day; `None`: the configuration wants none."""
    section = config.backup
    place = section.folder or section.url
    if place is None:
        return None
    from appliance.service.backup.daily_backup import BackupProcess  # what it needs is loaded only where it is wanted

    facts = {"place": place, "state_dir": str(state_dir)}
    facts |= {name: getattr(section, name) for name in ("secret", "keep", "user", "password", "ca")}
    process = BackupProcess(facts, lambda: trial.read().path, aside_in_turn())
    at = time.fromisoformat(section.at)
    return BackupWatch(process, at=at, zone=config.zone, is_held=lambda: disk.state.store.is_held)


def lay_foundation(
    config: Config,
    machine: Machine,
    disk: Disk,
    fanout: Fanout,
    authentication: Authentication,
    *,
    desk: NotificationDesk,
    hold: StateHold,
    backups: BackupWatch | None = None,
) -> Foundation:
    """What every monitor is built on. An event goes to the dashboards, and to those who are not connected."""

    def publish(event: Event) -> None:
        fanout.publish(event)
        desk.hear(event)

    return Foundation(
        config=config,
        machine=machine,
        store=disk.state.store,
        publish=publish,
        run=ServiceRun(machine.clock().monotonic_s, fanout.count_clients, lambda: fanout.published),
        troubles={
            IssueSource.STATE: disk.state.troubles,
            IssueSource.ACCESS: authentication.troubles,
            IssueSource.CERTIFICATE: authentication.certificate_troubles,
            IssueSource.NOTIFICATIONS: desk.troubles,
            IssueSource.CRASH: disk.crashes.troubles,
            **({} if backups is None else {IssueSource.BACKUP: backups.troubles}),
        },
        hold=hold,
    )


def open_disk(machine: Machine, state_dir: Path, trial: ConfigTrial) -> Disk:
    """Open what is kept on the disk."""
    # A simulation has files of its own: they must never be taken for real ones.
    state, others = ("simulated", "simulated-") if machine.is_simulated else ("appliance", "")
    with suppress(OSError):  # without it each list says that it is missing
        (state_dir / LISTS).mkdir(exist_ok=True)
    recovered = open_state(state_dir / f"{state}.sqlite3", machine.clock().wall)
    recovered.store.aside = aside_in_turn()
    history, alerts = (state_dir / f"{others}{name}" for name in ("history.sqlite3", "alerts.jsonl"))
    return Disk(
        state=recovered,
        history_store=SqliteHistoryStore(history),
        alerts=AlertFile(alerts),
        lists=state_dir / LISTS,
        crashes=CrashFolder(state_dir),
        unsynced=UnsyncedFiles([state_dir / f"{state}.sqlite3-wal", history.with_name(f"{history.name}-wal"), alerts]),
        page_backups=BackupDesk(state_dir, trial, aside_in_turn()),
    )


def build_monitors(base: Foundation, *, disk: Disk, authentication: Authentication, trial: ConfigTrial) -> Monitors:
    """All monitors, each over those before it."""
    mode, metering = build_maintenance(base), build_metering(base, history_store=disk.history_store)
    enforcement, schedules, opening = _blocking_over(base, mode, metering)
    rates, devices, insight = _traffic_over(base, disk, metering, enforcement)
    history, lists = _history_over(base, disk), _lists_over(base, disk, enforcement)
    parts: Sequence[Telling] = (metering, history, trial, lists, enforcement, schedules, opening)
    return Monitors(
        maintenance_mode=mode,
        panel=_panel_over(base, mode, authentication, trial, insight),
        metering=metering,
        requests=QuotaRequests(base.store, metering, base.publish),
        enforcement=enforcement,
        schedules=schedules,
        opening=opening,
        rate_watch=rates,
        device_watch=devices,
        insight=insight,
        history=history,
        lists=lists,
        fast_path=FastPath(base.config.as_departments(), base.config.position, base.machine.forwarding),
        updates=build_updates(base, audit_store=authentication.audit_store, maintenance_mode=mode, trial=trial),
        self_check=build_self_check(base, metering, enforcement, store_obstacle=lambda: disk.state.store.obstacle),
        status=_status_over(base, metering, enforcement, insight, _sources(parts)),
    )


def _sources(parts: Sequence[Telling]) -> Mapping[IssueSource, TroubleSource]:
    return {name: one.troubles for name, one in zip(TELLING, parts, strict=True)}


def _traffic_over(
    base: Foundation, disk: Disk, metering: Metering, enforcement: Enforcement
) -> tuple[RateWatch, DeviceWatch, Insight]:
    learning_s = SIMULATED_LEARNING_S if base.machine.is_simulated else LEARNING_S
    rates = build_rate_watch(base, metering=metering, store=disk.history_store)
    devices = build_device_watch(base, metering=metering, learning_s=learning_s)
    insight = build_insight(base, metering=metering, enforcement=enforcement, rate_watch=rates, device_watch=devices)
    return rates, devices, insight


def _blocking_over(
    base: Foundation, maintenance_mode: MaintenanceMode, metering: Metering
) -> tuple[Enforcement, ScheduleWatch, Opening]:
    enforcement = build_blocking(
        config=base.config,
        packet_filter=base.machine,
        store=base.store,
        publish=base.publish,
        require_writable=maintenance_mode.require_writable,
    )
    opening = build_opening(maintenance_mode, metering, enforcement)
    return enforcement, build_schedules(base, metering, enforcement), opening


def _history_over(base: Foundation, disk: Disk) -> HistoryRecorder:
    return build_history(config=base.config, history_store=disk.history_store)


def _lists_over(base: Foundation, disk: Disk, enforcement: Enforcement) -> ListImports:
    def fetch(source: str, version: str) -> Fetched:
        from appliance.system.web.list_source import ListSource  # what speaks HTTP is loaded only where there is a list

        return ListSource(disk.lists).fetch(source, version)

    return ListImports(base.config.as_block_lists(), enforcement, fetch, tpool.execute)


def _status_over(
    base: Foundation,
    metering: Metering,
    enforcement: Enforcement,
    insight: Insight,
    trouble_sources: Mapping[IssueSource, TroubleSource],
) -> StatusMonitor:
    return build_status(
        base, metering=metering, enforcement=enforcement, insight=insight, trouble_sources=trouble_sources
    )


def _panel_over(
    base: Foundation,
    maintenance_mode: MaintenanceMode,
    authentication: Authentication,
    trial: ConfigTrial,
    insight: Insight,
) -> PanelWatch:
    def greet(now: Moment) -> bool:
        """Take note of somebody at the panel: they have seen what is open, and may pair."""
        return any([insight.incidents.log.acknowledge_by_hand(now), authentication.pairing.open_window(now)])

    return build_panel(
        base,
        maintenance_mode=maintenance_mode,
        audit_store=authentication.audit_store,
        short_press_actions=(trial.confirm_by_hand, greet),
        reset=None if base.machine.is_simulated else trial.reset,
    )


def gather_services(
    base: Foundation,
    monitors: Monitors,
    desk: NotificationDesk,
    disk: Disk,
    *,
    authentication: Authentication,
    trial: ConfigTrial,
    release: ReleaseRequest,
) -> Services:
    """Gather what calls and pages may use; nothing new is built."""
    return Services(
        departments=frozenset(one.id for one in base.config.departments),
        profile=profile_of(base.config, base.run.started_s, is_simulated=base.machine.is_simulated),
        certificate=authentication.certificate_facts,
        clock=base.machine.clock,
        metering=monitors.metering,
        requests=monitors.requests,
        enforcement=monitors.enforcement,
        schedules=monitors.schedules,
        history=monitors.history,
        insight=monitors.insight,
        devices=monitors.device_watch,
        lists=monitors.lists,
        maintenance_mode=monitors.maintenance_mode,
        panel=monitors.panel,
        configuration=trial,
        status=monitors.status,
        updates=monitors.updates,
        backups=disk.page_backups,
        notifications=desk,
        work=lambda: monitors.self_check.tasks(base.machine.clock()),
        release=release.request,
        authenticator=authentication.authenticator,
        people=authentication.people,
        pairing=authentication.pairing,
        audit=authentication.audit,
    )
