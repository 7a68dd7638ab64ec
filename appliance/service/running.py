"""Running: everything is built, driven on time, and taken apart in reverse order.

One table says what is done how often. A step that raises ends the process, for the supervisor to start it anew: what
it would have lost is in the store or in the kernel. Stopping leaves the kernel's state in force, on purpose: a
department's network goes on forwarding, and its blocks go on holding, without this program.
"""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import AF_INET6
from time import monotonic
from typing import Any

import eventlet
from eventlet import tpool
from eventlet.event import Event as GreenEvent
from eventlet.hubs import get_hub

from appliance.config import Config
from appliance.config.values import SendPath
from appliance.core.blocking.block import BlockRequest
from appliance.core.blocking.protection import Protected
from appliance.core.machine import Press
from appliance.core.metering.department import networks_of
from appliance.core.moment import Moment
from appliance.core.operations.panel_lights import DARK
from appliance.core.refusal import Code, Refused
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.blocking.list_imports import ListImports
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.history_recorder import HistoryRecorder
from appliance.monitor.operations.config_trial import ConfigTrial
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.monitor.operations.status import StatusMonitor
from appliance.monitor.traffic.insight import Insight
from appliance.server.app import Server
from appliance.server.delivery.fanout import Fanout
from appliance.server.http.listener import Listener
from appliance.server.pages.cut_off import CutOffPage
from appliance.server.services import Services
from appliance.service.authentication import Authentication
from appliance.service.machines import CannotStart, Machine
from appliance.service.state_recovery import RecoveredState, open_state
from appliance.system.device.memory import give_back
from appliance.system.device.supervisor import ALIVE, READY, STOPPING, VARIABLE, Supervisor
from appliance.system.list_source import fetch
from appliance.system.public_suffixes import PublicSuffixes
from appliance.system.storage.alert_file import AlertFile
from appliance.system.storage.history_store import FOLD_S, SqliteHistoryStore
from appliance.system.storage.store import StoreUnavailable

log = logging.getLogger("appliance")

ENFORCEMENT_S = 1.0  # another program's flush is healed, and a change of state told, within two seconds
AUDIT_S = 5.0  # it is up to the enforcement to skip some
PAUSE_S = (
    0.005  # after a few milliseconds of an audit, so that it leaves half of a core while it runs, and no client waits
)
SWITCH_S = 0.0005  # a thread that reckons beside the loop lets it go on so soon; Python's 5 ms are felt in each answer
HITS_S = 60.0  # who looks for a blocked host in the log does so later; a flood costs as many lines as a quiet minute
PANEL_S = 0.1  # a finger expects an answer within a tenth of a second; signals are looked at as often
CAPTURE_S = 0.05  # the sockets' buffers hold far more than 50 ms of the filtered frames
ATTACH_S = 1.0  # an interface that appears is listened to within a second
LISTS_S = 0.25  # a piece of a list each, so that one of 100,000 is in force within a minute
HISTORY_S = 1.0  # a slice of a batch each, so that a batch is done within a few seconds
TRIAL_S = 0.25  # the answer to who asked for another configuration is out by then
SESSIONS_S = 1.0  # a token's expiry is in whole seconds
CERTIFICATE_S = 3600.0  # a clock is right within minutes of a start; the certificate follows within the hour
WATCHDOG_S = 5.0  # a loop that is held up for as long as deploy/systemd's WatchdogSec, a minute, serves nobody
NOTICE_CONNECTIONS, NOTICE_CONNECTIONS_PER_ADDRESS = 100, 8  # each is answered at once and closed
MEMORY_S = 5.0  # a flood of strangers leaves some 15 MB behind; giving back takes a millisecond
BACKLOG = 1024  # connections that wait to be accepted; one that finds no place is tried again only after a second


@dataclass(frozen=True, slots=True)
class Timed:
    """A row of the timetable: what is done, and every how many seconds."""

    name: str
    period_s: float
    step: Callable[[Moment], object]


class Service:
    """The appliance as it runs: monitors over a machine, and a server over the monitors."""

    def __init__(self, config: Config, machine: Machine, state_dir: Path, trial: ConfigTrial) -> None:
        """Build everything; nothing moves before `run`. Raises `CannotStart`, `AccessError`."""
        self._trial = trial
        self._is_releasing = False
        self._machine = machine
        self._clock = clock = machine.clock
        self._supervisor = Supervisor(os.environ.get(VARIABLE, ""))
        self._stopping = GreenEvent()
        self._kept = _open_state(state_dir, machine)
        self._store = self._kept.store
        departments = config.as_departments()
        by_id = {one.id: one for one in departments}
        simulated = "simulated-" if machine.is_simulated else ""
        fanout = Fanout(
            machine.is_simulated,
            config.limits,
            AlertFile(state_dir / f"{simulated}alerts.jsonl"),
            plain=config.server.send_path is SendPath.PLAIN,
        )
        publish = fanout.publish
        self._authentication = Authentication(config, machine, state_dir)
        self._maintenance_mode = MaintenanceMode(
            self._store,
            machine.panel,
            publish,
            self._authentication.audit_store,
            [trial.confirm_by_hand, self._authentication.pairing.open_window],
        )
        self._metering = Metering(
            departments,
            config.position,
            config.zone,
            machine.interfaces,
            machine.flows,
            machine.meters,
            self._store,
            publish,
        )
        self._enforcement = Enforcement(
            departments,
            config.position,
            [Protected(one.network, "the configuration protects it") for one in config.protection.addresses],
            lambda: self._metering.links or machine.interfaces.links(),  # before the first metering too
            machine.upstream,
            machine.firewall,
            machine.dns_filter,
            self._store,
            self._maintenance_mode.require_writable,
            publish,
        )
        self._insight = Insight(
            departments,
            machine.capture,
            PublicSuffixes(),
            self._metering.lines.rate_bytes_s,
            lambda department: networks_of(by_id[department], self._metering.links),
            self._enforcement.hear,
            config.as_response(),
            self._order,
            publish,
        )
        self._history_store = SqliteHistoryStore(state_dir / f"{simulated}history.sqlite3")
        self._history = HistoryRecorder(config.zone, self._history_store, config.as_retention())
        self._lists = ListImports(config.as_block_lists(), self._enforcement, fetch, tpool.execute)
        self._condition = StatusMonitor(
            departments,
            self._metering,
            self._enforcement,
            self._insight,
            self._troubles,
            machine.capture,
            machine.neighbours,
            machine.sensors,
            publish,
        )
        services = Services(
            departments=frozenset(by_id),
            clock=clock,
            metering=self._metering,
            enforcement=self._enforcement,
            history=self._history,
            lists=self._lists,
            maintenance_mode=self._maintenance_mode,
            configuration=trial,
            status=self._condition,
            troubles=self._condition.troubles,
            release=self._release,
            authenticator=self._authentication.authenticator,
            people=self._authentication.people,
            pairing=self._authentication.pairing,
            audit=self._authentication.audit,
        )
        self._server = Server(
            fanout=fanout,
            services=services,
            limits=config.limits,
            tls=self._authentication.tls,
            hsts_max_age=config.server.hsts_max_age,
        )
        self._notice = CutOffPage(
            self._metering.cut_off, config.zone, config.notice.contact, clock, machine.is_simulated
        )
        self._request_s = config.limits.request_deadline
        self._timetable = self._build_timetable(config, {one.interface for one in departments})

    @property
    def fingerprint(self) -> str | None:
        """Of the certificate that clients see; `None` where HTTP is spoken."""
        return self._authentication.tls.fingerprint if self._authentication.tls else None

    def run(self, listener: Any) -> int:
        """Serve and step until a signal or a failure; returns the exit code."""
        sys.setswitchinterval(SWITCH_S)
        _restore(self._enforcement, self._clock())  # first of all: what is blocked stays so
        self._metering.step(self._clock())  # the other steps look at the links that this one reads
        self._maintenance_mode.begin(self._clock())
        self._obey_signals()
        self._authentication.pairing.announce_code(self._clock())
        loops = [eventlet.spawn(self._drive, row.name, partial(_repeat, row, self._clock)) for row in self._timetable]
        loops.append(eventlet.spawn(self._drive, "the server", partial(self._server.serve, listener)))
        loops += self._serve_notice()
        self._supervisor.tell(READY)
        exit_code: int = self._stopping.wait()
        self._supervisor.tell(STOPPING)
        for loop in reversed(loops):
            loop.kill()
        self._close()
        return exit_code

    def _build_timetable(self, config: Config, interfaces: set[str]) -> Sequence[Timed]:
        periods = config.periods
        return (
            Timed("metering", periods.metering, self._meter),
            Timed("enforcement", ENFORCEMENT_S, self._enforce),
            Timed("audit", AUDIT_S, lambda now: self._enforcement.audit(now, _pause)),
            Timed("hits", HITS_S, lambda _: self._enforcement.log_hits()),
            Timed("attach", ATTACH_S, lambda _: self._machine.capture.attach(interfaces)),
            Timed("capture", CAPTURE_S, self._observe),
            Timed("analytics", periods.analytics, self._insight.step),
            Timed("health", periods.health, self._condition.health_step),
            Timed("lists", LISTS_S, self._lists.step),
            Timed("history", HISTORY_S, self._history.step),
            Timed("fold", FOLD_S, lambda _: tpool.execute(self._history_store.fold)),  # it waits for the medium
            Timed("panel", PANEL_S, self._panel),
            Timed("trial", TRIAL_S, self._try),
            Timed("memory", MEMORY_S, lambda _: give_back()),
            Timed("watchdog", WATCHDOG_S, lambda _: self._supervisor.tell(ALIVE)),
            Timed("sessions", SESSIONS_S, self._server.expire_sessions),
            Timed("certificate", CERTIFICATE_S, self._authentication.renew_certificate),
        )

    def _drive(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # the one place where whatever is wrong ends the process
            log.exception("%s failed; the service ends, to be started anew", name)
        self._stop(1)

    def _serve_notice(self) -> list[Any]:
        """The loop that serves the page for people who are cut off, where the kernel leads them to it."""
        port = self._machine.notice_port
        if port is None:
            return []
        try:
            listener = eventlet.listen(("::", port), AF_INET6, backlog=BACKLOG)
        except OSError as error:
            log.warning("port %d cannot be used; people who are cut off find no page: %s", port, error.strerror)
            return []
        door = Listener(self._notice, NOTICE_CONNECTIONS, NOTICE_CONNECTIONS_PER_ADDRESS, self._request_s)
        return [eventlet.spawn(self._drive, "the notice", partial(door.serve, listener))]

    def _troubles(self) -> Sequence[str]:
        blocks = self._enforcement.troubles(self._clock())
        own = [self._history.trouble(), self._trial.trouble(self._clock())]
        return [*self._kept.troubles(), *(one for one in own if one), *self._lists.troubles(), *blocks]

    def _meter(self, now: Moment) -> None:
        self._metering.step(now)
        passed, hosts = self._metering.take_passed(), self._metering.hosts.take_passed()
        self._history.observe(passed, hosts, now)

    def _enforce(self, now: Moment) -> None:
        if self._machine.orders_due is not None:
            for request in self._machine.orders_due(now):
                self._order(request, now)
        self._enforcement.step(now)
        self._condition.status_step(now)  # after it, so that a department is not called well before its blocks hold

    def _order(self, request: BlockRequest, now: Moment) -> bool:
        """Block what nobody waits for an answer about; false: it is worth asking again."""
        try:
            self._enforcement.block([request], now)
        except Refused as refused:
            log.info("%s is refused: %s", request.actor, refused.message)
            return refused.code is not Code.MAINTENANCE
        return True

    def _observe(self, now: Moment) -> None:
        while self._insight.observe(now):
            eventlet.sleep(0)  # a line that is always busy must not starve the clients

    def _panel(self, now: Moment) -> None:
        self._maintenance_mode.step(now)
        self._maintenance_mode.show(
            alarmed=self._condition.is_alarmed, troubled=self._condition.is_troubled, busy=self._condition.is_busy
        )

    def _try(self, now: Moment) -> None:
        self._trial.step(now)
        if self._trial.successor is not None or self._is_releasing:
            self._stop(0)

    def _release(self, actor: str) -> None:
        log.warning("%s opens everything: the service ends, and nothing is metered, held or blocked any more", actor)
        self._is_releasing = True

    def _obey_signals(self) -> None:
        # Python runs these between two instructions of the main thread. The hub notices at its next timer, which the
        # panel's step sets a tenth of a second ahead at most.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: get_hub().schedule_call_global(0, self._stop, 0))
        press = self._machine.press
        if press is not None:
            signal.signal(signal.SIGUSR1, lambda *_: press(Press.HELD))
            signal.signal(signal.SIGUSR2, lambda *_: press(Press.SHORT))

    def _stop(self, exit_code: int) -> None:
        if not self._stopping.ready():
            self._stopping.send(exit_code)

    def _close(self) -> None:
        self._server.close()
        self._metering.save(self._clock(), synced=True)
        self._history.save(self._clock())
        self._history_store.close()
        self._machine.panel.show(DARK)
        if self._is_releasing:
            self._machine.release()
        self._machine.close()
        self._authentication.close()
        self._store.close()


def _restore(enforcement: Enforcement, now: Moment) -> None:
    """Put in force what was saved, without looking for garbage among 100,000 blocks, then or later."""
    gc.disable()
    enforcement.restore(now)
    gc.freeze()  # else each full collection would walk them all, and stop everybody for a second
    gc.enable()


def _pause() -> None:
    eventlet.sleep(PAUSE_S)


def _repeat(row: Timed, clock: Callable[[], Moment]) -> None:
    due_s = monotonic()
    while True:
        row.step(clock())
        # A step that was late is not made up for: two in a row would tell nothing that one does not.
        due_s = max(due_s + row.period_s, monotonic())
        eventlet.sleep(due_s - monotonic())


def _open_state(state_dir: Path, machine: Machine) -> RecoveredState:
    # The simulation keeps books of its own: they must never be taken for real ones.
    name = "simulated.sqlite3" if machine.is_simulated else "appliance.sqlite3"
    try:
        return open_state(state_dir / name, machine.clock().wall)
    except StoreUnavailable as error:
        raise CannotStart(str(error)) from None
