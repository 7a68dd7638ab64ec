"""Running: everything is built, driven on time, and taken apart in reverse order.

One table says what is done how often. A step that raises ends the process, for the supervisor to start it anew: what
it would have lost is in the store or in the kernel. Stopping leaves the kernel's state in force, on purpose: a
department's network goes on forwarding, and its blocks go on holding, without this program.
"""

import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import eventlet
from eventlet.event import Event as GreenEvent
from eventlet.hubs import get_hub

from appliance import config as configuration
from appliance.client import reachable_url
from appliance.config import Config
from appliance.core.blocks import Protected
from appliance.core.department import networks_of
from appliance.core.machine import Press
from appliance.core.moment import Moment
from appliance.core.panel import DARK
from appliance.monitor.condition import Condition
from appliance.monitor.enforcement import Enforcement
from appliance.monitor.insight import Insight
from appliance.monitor.metering import Metering
from appliance.monitor.upkeep import Upkeep
from appliance.server.access import load_secret
from appliance.server.app import Server
from appliance.server.calls import Desk
from appliance.server.fanout import Fanout
from appliance.service.machines import CannotStart, Machine, choose_config, clock, real_machine, simulated_machine
from appliance.system.store import SqliteStore, StoreUnavailable
from appliance.system.suffixes import Suffixes

log = logging.getLogger("appliance")

ENFORCEMENT_S = 1.0  # another program's flush is healed, and a change of state told, within two seconds
PANEL_S = 0.1  # a finger expects an answer within a tenth of a second; signals are looked at as often
CAPTURE_S = 0.05  # the sockets' buffers hold far more than 50 ms of the filtered frames
ATTACH_S = 1.0  # an interface that appears is listened to within a second
SESSIONS_S = 1.0  # a token's expiry is in whole seconds
BACKLOG = 128  # connections that wait to be accepted, when all dashboards return after a restart


@dataclass(frozen=True, slots=True)
class Timed:
    """A row of the timetable: what is done, and every how many seconds."""

    name: str
    period_s: float
    step: Callable[[Moment], object]


def run(config_file: Path | None, state_dir: Path, *, simulate: bool) -> int:
    """Run until a signal asks to stop; returns the exit code. Raises `CannotStart`, `ConfigError` or `AccessError`."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    config, origin = _config(config_file, simulate)
    listener = _listen(config.server.host, config.server.port)
    _make_folder(state_dir)
    machine = simulated_machine(config) if simulate else real_machine(config, state_dir)
    service = Service(config, machine, state_dir)
    _announce(config, origin, state_dir, machine)
    return service.run(listener)


class Service:
    """The appliance as it runs: monitors over a machine, and a server over the monitors."""

    def __init__(self, config: Config, machine: Machine, state_dir: Path) -> None:
        """Build everything; nothing moves before `run`. Raises `CannotStart`, `AccessError`."""
        self._machine = machine
        self._stopping = GreenEvent()
        self._store = _open_store(state_dir, machine)
        departments = config.as_departments()
        by_id = {one.id: one for one in departments}
        fanout = Fanout(simulated=machine.is_simulated)
        publish = fanout.publish
        self._upkeep = Upkeep(self._store, machine.panel, publish)
        self._metering = Metering(departments, config.zone, machine.interfaces, machine.flows, self._store, publish)
        self._enforcement = Enforcement(
            departments,
            config.position,
            [Protected(one.network, "the configuration protects it") for one in config.protection.addresses],
            lambda: self._metering.links,
            machine.firewall,
            self._store,
            self._upkeep.require_writable,
            publish,
        )
        self._insight = Insight(
            departments,
            machine.capture,
            Suffixes(),
            self._metering.rate_bytes_s,
            lambda department: networks_of(by_id[department], self._metering.links),
            publish,
        )
        self._condition = Condition(
            departments,
            self._metering,
            self._enforcement,
            self._insight,
            machine.capture,
            machine.neighbours,
            machine.sensors,
            publish,
        )
        desk = Desk(self._metering, self._enforcement, self._upkeep)
        self._server = Server(fanout, load_secret(state_dir), by_id, desk, clock)
        self._timetable = self._build_timetable(config, {one.interface for one in departments})

    def run(self, listener: Any) -> int:
        """Serve and step until a signal or a failure; returns the exit code."""
        self._metering.step(clock())  # the other steps look at the links that this one reads
        self._upkeep.begin(clock())
        self._obey_signals()
        loops = [eventlet.spawn(self._drive, row.name, partial(_repeat, row)) for row in self._timetable]
        loops.append(eventlet.spawn(self._drive, "the server", partial(self._server.serve, listener)))
        exit_code: int = self._stopping.wait()
        for loop in reversed(loops):
            loop.kill()
        self._close()
        return exit_code

    def _build_timetable(self, config: Config, interfaces: set[str]) -> Sequence[Timed]:
        periods = config.periods
        return (
            Timed("metering", periods.metering, self._metering.step),
            Timed("enforcement", ENFORCEMENT_S, self._enforce),
            Timed("attach", ATTACH_S, lambda _: self._machine.capture.attach(interfaces)),
            Timed("capture", CAPTURE_S, self._observe),
            Timed("analytics", periods.analytics, self._insight.step),
            Timed("health", periods.health, self._condition.health_step),
            Timed("panel", PANEL_S, self._panel),
            Timed("sessions", SESSIONS_S, self._server.expire_sessions),
        )

    def _drive(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # the one place where whatever is wrong ends the process
            log.exception("%s failed; the service ends, to be started anew", name)
        self._stop(1)

    def _enforce(self, now: Moment) -> None:
        if self._machine.orders_due is not None:
            for request in self._machine.orders_due(now):
                self._enforcement.block(request, now)
        self._enforcement.step(now)
        self._condition.status_step(now)  # after it, so that a department is not called well before its blocks hold

    def _observe(self, now: Moment) -> None:
        while self._insight.observe(now):
            eventlet.sleep(0)  # a line that is always busy must not starve the clients

    def _panel(self, now: Moment) -> None:
        self._upkeep.step(now)
        self._upkeep.show(
            alarmed=self._condition.is_alarmed, troubled=self._condition.is_troubled, busy=self._condition.is_busy
        )

    def _obey_signals(self) -> None:
        # Python runs these between two instructions of the main thread. The hub notices at its next timer, which the
        # panel's step sets a tenth of a second ahead at most.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: get_hub().schedule_call_global(0, self._stop, 0))
        press = self._machine.press
        if press is not None:
            signal.signal(signal.SIGUSR1, lambda *_: press(Press.HELD))

    def _stop(self, exit_code: int) -> None:
        if not self._stopping.ready():
            self._stopping.send(exit_code)

    def _close(self) -> None:
        self._server.close()
        self._metering.save(clock())
        self._machine.panel.show(DARK)
        self._machine.close()
        self._store.close()


def _repeat(row: Timed) -> None:
    due_s = monotonic()
    while True:
        row.step(clock())
        # A step that was late is not made up for: two in a row would tell nothing that one does not.
        due_s = max(due_s + row.period_s, monotonic())
        eventlet.sleep(due_s - monotonic())


def _config(config_file: Path | None, simulate: bool) -> tuple[Config, str]:
    """The configuration and where it comes from, for a person."""
    if config_file is not None:
        return configuration.load(config_file), f"Configuration: {config_file}"
    if simulate:
        from appliance.simulator import CONFIG

        return configuration.parse(CONFIG.encode(), "the simulator's configuration"), "Configuration: the simulator's"
    config, text = choose_config()
    return config, f"No configuration was given. Chosen for a first look:\n\n{text}"


def _listen(host: str, port: int) -> Any:
    family = eventlet.wsgi.socket.AF_INET6 if ":" in host else eventlet.wsgi.socket.AF_INET
    try:
        return eventlet.listen((host, port), family, backlog=BACKLOG)
    except OSError as error:
        raise CannotStart(f"port {port} on {host} cannot be used: {error.strerror}") from None


def _make_folder(state_dir: Path) -> None:
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CannotStart(f"{state_dir}: cannot be made: {error.strerror}; choose another with --state-dir") from None


def _open_store(state_dir: Path, machine: Machine) -> SqliteStore:
    # The simulation keeps books of its own: they must never be taken for real ones.
    try:
        return SqliteStore(state_dir / ("simulated.sqlite3" if machine.is_simulated else "appliance.sqlite3"))
    except StoreUnavailable as error:
        raise CannotStart(str(error)) from None


def _announce(config: Config, origin: str, state_dir: Path, machine: Machine) -> None:
    url = reachable_url(config.server.host, config.server.port)
    simulated = "\n*** SIMULATED: nothing that this appliance reports is real. ***\n" if machine.is_simulated else ""
    button = "The button is mocked: kill -USR1 of this process holds it.\n" if machine.press else ""
    text = (
        f"{simulated}{origin}\nState: {state_dir}\n{button}"
        f"Page: {url}/\nToken: {sys.argv[0]} token --state-dir {state_dir} --role viewer --departments '*'\n"
    )
    print(text, flush=True)  # for the person who started it; the log is for later
