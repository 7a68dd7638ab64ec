"""Runs the appliance: drives every part on time, and takes them apart in reverse order.

One table says which step is taken how often. A step that raises ends the process, and the supervisor starts it again:
what it would have lost is in the store or in the kernel. A stop leaves the kernel's state in force, on purpose: the
department's network goes on forwarding, and its blocks stay, without this program.
"""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from time import monotonic
from typing import Any

import eventlet
from eventlet import tpool
from eventlet.event import Event as GreenEvent
from eventlet.hubs import get_hub, trampoline
from msgspec import Struct

from appliance.core.machine import Press, vlan_of
from appliance.core.moment import Moment
from appliance.core.operations.panel_lights import DARK, STARTING, PanelState
from appliance.core.refusal import Refused
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.quota_requests import QuotaRequests
from appliance.monitor.metering.utilization import FLOWS_S
from appliance.monitor.operations.fast_path import FAST_PATH_S
from appliance.monitor.operations.schedule_watch import scheduled_blocks
from appliance.server.http.listener import Listener, listen
from appliance.server.pages.cut_off import CutOffPage
from appliance.service.composition import Appliance
from appliance.service.machines import SimulatedPeople
from appliance.system.device.memory import give_back
from appliance.system.device.supervisor import ALIVE, READY, STOPPING, VARIABLE, Supervisor
from appliance.system.storage.history_store import FOLD_S

log = logging.getLogger("appliance")

ENFORCEMENT_S = 1.0  # another program's flush is repaired, and a change of state published, within two seconds
AUDIT_S = 5.0  # the enforcement itself skips some
# After a few milliseconds of an audit or a count: it leaves half of a core while it runs, and no client waits.
PAUSE_S = 0.005
SWITCH_S = 0.0005  # a thread that computes beside the loop gives way so soon; Python's 5 ms are felt in each answer
HITS_S = 60.0  # a person looks for a blocked host in the log later; a flood costs as many lines as a quiet minute
PANEL_S = 0.1  # a finger expects an answer within a tenth of a second; signals are looked at as often
LIGHTS_S = 0.5  # what they tell is judged each second; after a press they follow at once
CAPTURE_S = 0.05  # the sockets' buffers hold far more than 50 ms of the filtered frames
# To wake up costs as much as a small step: all steps are taken at times of the most frequent one, each row of the
# timetable at others than the row before it, so that no client waits for many in a row.
SLOT_S = CAPTURE_S
INCIDENTS_S = 1.0  # a person hears of it within two seconds after a rule is met
ATTACH_S = 1.0  # an interface that appears is captured within a second
LISTS_S = 0.25  # a piece of a list each, so that one of 100,000 is in force within a minute
HISTORY_S = 1.0  # a slice of a batch each, so that a batch is done within a few seconds
MEDIUM_S = 10.0  # a power cut may take back what was saved so shortly before it; an order is waited for at once
TRIAL_S = 0.25  # a client has so long at least to read that its new configuration is tried
NOTICES_S = 1.0  # a transaction for all that was heard; a message waits for some seconds anyway
CHANNEL_S = 1.0  # a look into the database, where nothing waits
REPORTS_S = 10.0  # a report comes within seconds of its minute
BACKUPS_S = 5.0  # it takes seconds to minutes
UPDATES_S = 1.0  # the updater writes how far it is every few seconds
DEVICES_S = 1.0  # what a device said of itself is shown within a second
SELF_CHECK_S = 5.0  # nine looks within the time after which silence is a fault
SESSIONS_S = 1.0  # a token's expiry is in whole seconds
CERTIFICATE_S = 60.0  # a clock is right, and an address there, within minutes of a start; the certificate follows soon
CERTIFICATE_FILE_S = 10.0  # two looks at a file's time; a person who replaced it looks at once whether it is used
WATCHDOG_S = 5.0  # a loop that is held up for as long as deploy/systemd's WatchdogSec, a minute, serves nobody
CUT_OFF_CONNECTIONS, CUT_OFF_CONNECTIONS_PER_NETWORK = 100, 8  # each is answered at once and closed
MEMORY_S = 5.0  # a flood of strangers leaves some 15 MB behind; giving back takes a millisecond
SIMULATED_OPERATOR, SIMULATED_REASON = "simulated operator", "asked for on the page"
SIMULATED_GRANT_BYTES = 1_000_000_000  # of each quota that is used up: it lasts some rounds of the scenario
BACKLOG = 1024  # connections that wait to be accepted; one that finds no place is tried again only after a second


class Timed(Struct, frozen=True):
    """A row of the timetable: a step, and every how many seconds it is taken.

    `wait`: returns when there may be work; until then no step is due.
    """

    name: str
    period_s: float
    step: Callable[[Moment], object]
    wait: Callable[[], object] | None = None


class Service:
    """The appliance as it runs."""

    def __init__(self, appliance: Appliance) -> None:
        """Nothing moves before `run`."""
        self._appliance = appliance
        self._clock = appliance.machine.clock
        self._supervisor = Supervisor(os.environ.get(VARIABLE, ""))
        self._stopping = GreenEvent()
        self._is_ending = False

    def run(self, listening_sockets: Sequence[Any], when_ready: Callable[[], None]) -> int:
        """Serve and step until a signal or a failure; returns the exit code. `when_ready`: is called once."""
        sys.setswitchinterval(SWITCH_S)
        end_without_memory()
        parts, now = self._appliance, self._clock()
        parts.machine.panel.show(STARTING)
        self._restore(now)  # first of all: what is blocked stays so
        self._meter(now)  # the other steps look at the links that this one reads
        parts.monitors.maintenance_mode.begin(now)
        self._obey_signals()
        loops = [
            eventlet.spawn(self._drive, row.name, partial(_repeat, row, slot * SLOT_S, self._clock))
            for slot, row in enumerate(self._timetable())
        ]
        serves = [partial(parts.server.serve, one) for one in listening_sockets]
        loops += [eventlet.spawn(self._drive, "the server", serve) for serve in serves]
        loops += self._serve_cut_off_page()
        self._supervisor.tell(READY)
        when_ready()
        parts.authentication.pairing.announce_code(self._clock())
        exit_code: int = self._stopping.wait()
        self._supervisor.tell(STOPPING)
        for loop in reversed(loops):
            loop.kill()
        self._close()
        return exit_code

    def _timetable(self) -> Sequence[Timed]:
        parts, periods = self._appliance, self._appliance.config.periods
        interfaces = {one.interface for one in parts.config.departments}
        pause = partial(eventlet.sleep, PAUSE_S)
        return (
            Timed("connections", FLOWS_S, lambda _: parts.monitors.metering.count_connections(pause)),
            Timed("metering", periods.metering, self._meter),
            Timed("enforcement", ENFORCEMENT_S, self._enforce),
            Timed("audit", AUDIT_S, lambda now: parts.monitors.enforcement.audit(now, pause)),
            Timed("hits", HITS_S, self._count_hits),
            Timed("attach", ATTACH_S, lambda _: self._attach_capture(interfaces)),
            Timed("capture", CAPTURE_S, self._observe, self._await_frames),
            Timed("incidents", INCIDENTS_S, parts.monitors.insight.judge),
            Timed("analytics", periods.analytics, self._analyse),
            Timed("devices", DEVICES_S, parts.monitors.device_watch.step),
            Timed("health", periods.health, parts.monitors.status.health_step),
            Timed("lists", LISTS_S, parts.monitors.lists.step),
            Timed("history", HISTORY_S, self._keep_history),
            Timed("medium", MEDIUM_S, lambda _: tpool.execute(parts.disk.settle)),
            Timed("fold", FOLD_S, lambda _: tpool.execute(parts.disk.history_store.fold)),  # it waits for the medium
            Timed("panel", PANEL_S, self._panel),
            Timed("lights", LIGHTS_S, self._show_lights),
            Timed("trial", TRIAL_S, self._try),
            Timed("fast path", FAST_PATH_S, lambda _: parts.monitors.fast_path.step(parts.monitors.metering.links)),
            Timed("notices", NOTICES_S, parts.notifications.step),
            *(Timed(f"channel {one.name}", CHANNEL_S, one.step) for one in parts.notifications.channels.values()),
            *self._reports(),
            *self._backups(),
            Timed("updates", UPDATES_S, parts.monitors.updates.step),
            Timed("self-check", SELF_CHECK_S, parts.monitors.self_check.step),
            Timed("memory", MEMORY_S, lambda _: give_back()),
            Timed("watchdog", WATCHDOG_S, self._tell_alive),
            Timed("sessions", SESSIONS_S, parts.server.expire_sessions),
            Timed("certificate", CERTIFICATE_S, self._renew_certificate),
            Timed("certificate file", CERTIFICATE_FILE_S, parts.authentication.reload_certificate),
        )

    def _tell_alive(self, now: Moment) -> None:
        """Let the supervisor know that all works; what does not, and is not mended in time, ends in a restart."""
        stall = self._appliance.monitors.self_check.stall(now)
        if stall is None:
            self._supervisor.tell(ALIVE)
        else:
            log.error("the supervisor is not told that all works: %s", stall)

    def _reports(self) -> Sequence[Timed]:
        """The step of reports by mail, where any is ordered; its modules are loaded only there."""
        if not self._appliance.config.notifications.reports:
            return ()
        from appliance.service.alerting.report_mail import build_report_desk

        return (Timed("reports", REPORTS_S, build_report_desk(self._appliance).step),)

    def _backups(self) -> Sequence[Timed]:
        watch = self._appliance.backups
        return () if watch is None else (Timed("backups", BACKUPS_S, watch.step),)

    def _attach_capture(self, interfaces: Collection[str]) -> None:
        links = self._appliance.monitors.metering.links
        self._appliance.machine.capture.attach(interfaces, [vlan_of(name, links) for name in interfaces])

    def _drive(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # the one place where any failure ends the process
            log.exception("%s failed; the service ends, and the supervisor starts it again", name)
        self._stop(1)

    def _serve_cut_off_page(self) -> list[Any]:
        """The loop that serves the page for hosts that are cut off, where the kernel sends them to it."""
        config, machine = self._appliance.config, self._appliance.machine
        find, port = self._appliance.monitors.metering.find_cut_off, machine.cut_off_port
        if port is None:
            return []
        try:
            listening_socket = listen("::", port, BACKLOG)
        except OSError as error:
            log.warning("port %d cannot be used; hosts that are cut off find no page: %s", port, error.strerror)
            return []
        page = CutOffPage(
            find,
            self._appliance.monitors.requests,
            zone=config.zone,
            contact=config.notice.contact,
            clock=self._clock,
            simulated=machine.is_simulated,
        )
        listener = Listener(
            page,
            connections=CUT_OFF_CONNECTIONS,
            connections_per_network=CUT_OFF_CONNECTIONS_PER_NETWORK,
            request_s=config.limits.request_deadline,
        )
        return [eventlet.spawn(self._drive, "the cut-off page", partial(listener.serve, listening_socket))]

    def _restore(self, now: Moment) -> None:
        """Put the saved blocks in force, without looking for garbage among 100,000 blocks, then or later."""
        parts, config = self._appliance, self._appliance.config
        departments = [one.id for one in config.departments]
        gc.disable()
        scheduled = scheduled_blocks(parts.disk.state.store, departments, now, config.zone)
        parts.monitors.enforcement.restore(now, scheduled)
        parts.monitors.enforcement.remember(now)
        gc.freeze()  # else each full collection would walk them all, and stop everybody for a second
        gc.enable()

    def _meter(self, now: Moment) -> None:
        passed = self._appliance.monitors.metering.step(now)
        self._appliance.monitors.history.record_passed(passed.departments, passed.hosts, now)
        self._appliance.monitors.rate_watch.record_passed(passed.departments, passed.hosts, now)

    def _analyse(self, now: Moment) -> None:
        self._appliance.monitors.rate_watch.step(now)
        self._appliance.monitors.insight.step(now)

    def _count_hits(self, now: Moment) -> None:
        self._appliance.monitors.insight.report_stopped(self._appliance.monitors.enforcement.log_hits(), now)

    def _enforce(self, now: Moment) -> None:
        parts = self._appliance
        if parts.machine.people is not None:
            monitors = parts.monitors
            act_for(parts.machine.people, monitors.enforcement, monitors.metering, monitors.requests, now)
        parts.monitors.schedules.step(now)
        parts.monitors.enforcement.step(now)
        parts.monitors.opening.step(now)
        parts.monitors.status.status_step(now)  # after it: no department is called well before its blocks hold

    def _observe(self, now: Moment) -> None:
        while self._appliance.monitors.insight.process_frames(now):
            eventlet.sleep(0)  # a line that is always busy must not starve the clients

    def _await_frames(self) -> None:
        """Return when frames wait, so that a quiet line wakes nobody."""
        descriptor = self._appliance.machine.capture.descriptor
        if descriptor is not None:
            trampoline(descriptor, read=True)

    def _panel(self, now: Moment) -> None:
        monitors = self._appliance.monitors
        monitors.maintenance_mode.step(now)
        if monitors.panel.step(now):
            self._show_lights(now)

    def _show_lights(self, now: Moment) -> None:
        monitors = self._appliance.monitors
        trial = [PanelState.TRIAL] if monitors.updates.is_on_trial else []
        monitors.panel.show([*monitors.status.panel_states(now), *trial], monitors.status.utilization(), now)
        monitors.status.lights = monitors.panel.shown

    def _keep_history(self, now: Moment) -> None:
        monitors = self._appliance.monitors
        monitors.history.step(now, is_held=monitors.maintenance_mode.is_read_only)

    def _renew_certificate(self, now: Moment) -> None:
        if not self._appliance.monitors.maintenance_mode.is_read_only:  # it is written to the state directory
            self._appliance.authentication.renew_certificate(now)

    def _try(self, now: Moment) -> None:
        """End a step after that was asked for: the client that asked reads the answer meanwhile."""
        parts = self._appliance
        if self._is_ending:
            self._stop(0)
        parts.trial.step(now)
        parts.trial_events.step(now)
        self._is_ending = parts.trial.successor is not None or parts.release.is_requested

    def _obey_signals(self) -> None:
        # Python runs these between two instructions of the main thread. The hub notices at its next timer, which the
        # panel's step sets a tenth of a second ahead at most.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: get_hub().schedule_call_global(0, self._stop, 0))
        signal.signal(signal.SIGHUP, lambda *_: get_hub().schedule_call_global(0, eventlet.spawn, self._reload))
        press = self._appliance.machine.press
        if press is not None:
            signal.signal(signal.SIGUSR1, lambda *_: press(Press.HELD))
            signal.signal(signal.SIGUSR2, lambda *_: press(Press.SHORT))

    def _reload(self) -> None:
        """Take what the configuration file has now, or log why not."""
        monitors = self._appliance.monitors
        try:
            monitors.maintenance_mode.require_writable()
            monitors.updates.require_no_trial()
            if not self._appliance.trial.reload("SIGHUP"):
                log.info("the configuration file has not changed")
        except Refused as refused:
            log.error("the configuration file is not taken, and the former one stays in force: %s", refused.message)

    def _stop(self, exit_code: int) -> None:
        if not self._stopping.ready():
            self._stopping.send(exit_code)

    def _close(self) -> None:
        parts, now = self._appliance, self._clock()
        parts.server.close()
        parts.disk.page_backups.hold()
        if parts.backups is not None:
            parts.backups.end()
        parts.monitors.maintenance_mode.end(now)
        for save in parts.monitors.savers:
            save(now)
        parts.disk.history_store.close()
        parts.machine.panel.show(DARK)
        if parts.release.is_requested:
            parts.machine.release()
        parts.machine.close()
        parts.authentication.close()
        parts.disk.state.store.close()


def end_without_memory() -> None:
    """Have a want of memory end the process: eventlet only prints it, and what it could not wake sleeps for ever."""
    hub = get_hub()
    hub.SYSTEM_EXCEPTIONS = (*hub.SYSTEM_EXCEPTIONS, MemoryError)


def _repeat(row: Timed, phase_s: float, clock: Callable[[], Moment]) -> None:
    """Take the step now, and whenever the monotonic time less `phase_s` is a multiple of its period.

    A late step is not made up for: two in a row would show nothing that one does not.
    """
    while True:
        row.step(clock())
        if row.wait is not None:
            row.wait()
        eventlet.sleep(row.period_s - (monotonic() - phase_s) % row.period_s)


def act_for(
    people: SimulatedPeople, enforcement: Enforcement, metering: Metering, requests: QuotaRequests, now: Moment
) -> None:
    """Carry out what simulated people do now: an operator blocks and grants, a person who is cut off asks."""
    try:
        for order in people.orders_due(now):
            enforcement.block([order], now)
        for address, name, text in people.pleas_due(now):
            cut_off = metering.find_cut_off(address, now)
            if cut_off is not None:
                requests.ask(cut_off, address, name, text, now)
        for department in people.grants_due(now):
            for kind in metering.exceeded_kinds(department) if requests.requests([department], now) else ():
                metering.extend(department, kind, SIMULATED_GRANT_BYTES, SIMULATED_REASON, SIMULATED_OPERATOR, now)
            requests.grant(department, None, SIMULATED_OPERATOR, SIMULATED_REASON, now)
    except Refused as refused:
        log.info("simulated people are refused: %s", refused.message)
