"""Runs the real server in a process of its own, on a loopback port, and takes orders from a socket.

The calls reach the real monitors and a real database, over a machine in memory. Time passes only by the order
`advance`. In and out: a JSON object a line.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import socket
from typing import Any

import eventlet
import msgspec

from appliance import events
from appliance.config import LimitsSection, ServerSection, parse
from appliance.core.detection.rates.anomaly import StoredAnomaly
from appliance.core.machine import Connection, Counters, Frame, Lights, Link, Position, Press, Sighting
from appliance.core.metering.meter import Plan, Reading
from appliance.core.metering.usage import Passed
from appliance.core.moment import Moment
from appliance.core.operations.issues.issue import IssueSource
from appliance.core.pause import Pause, no_pause
from appliance.core.traffic.dns import DnsAnswer
from appliance.monitor.blocking.list_imports import ListImports
from appliance.monitor.metering.departments import CutOff
from appliance.monitor.metering.quota_requests import QuotaRequests
from appliance.monitor.operations.config_trial import ConfigTrial
from appliance.monitor.operations.status import ServiceRun
from appliance.monitor.operations.trial_events import TrialEvents
from appliance.server.access import Authenticator
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.pairing import Pairing
from appliance.server.access.password_judge import PasswordJudge
from appliance.server.access.people import People
from appliance.server.app import Server
from appliance.server.delivery.fanout import Fanout
from appliance.server.http.tls import Tls
from appliance.server.profile import profile_of
from appliance.server.services import Services
from appliance.service.access.authentication import aside_in_turn
from appliance.service.access.password_hashing import GreenPasswordHashing
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
    build_panel,
    build_rate_watch,
    build_schedules,
    build_status,
    build_updates,
)
from appliance.simulator.device import SimulatedUpdates
from appliance.simulator.dns_filter import SimulatedDnsFilter
from appliance.simulator.firewall import SimulatedFirewall, SimulatedForwarding, SimulatedUpstream
from appliance.simulator.network import SimulatedVendors
from appliance.system import certificate
from appliance.system.storage.alert_file import AlertFile
from appliance.system.storage.audit_store import SqliteAuditStore
from appliance.system.storage.config_files import ConfigFileWriter
from appliance.system.storage.files import write_private
from appliance.system.storage.history_store import SqliteHistoryStore
from appliance.system.storage.people_store import SqlitePeopleStore
from appliance.system.storage.secret_file import load_secret
from appliance.system.storage.store import SqliteStore
from appliance.system.web.list_source import ListSource
from tests.server import BOOT, GHOST, START
from tests.server.orders import lines

log = logging.getLogger("harness")

DEPARTMENTS = ("dept123", "dept456")
ANOMALY = b'{"type":"usage_drop","severity":"high","details":"0 B/s down","confidence":0.9,"direction":"down"}'


CONFIG = """
[appliance]
position = "{position}"
timezone = "UTC"

[[departments]]
id = "dept123"
interface = "dept123"
quota.daily = "5 GiB"
subnets = ["10.20.0.0/16"]

[[departments]]
id = "dept456"
name = "Second"
interface = "dept456"
line_rate = "100 Mbit"
quota.daily = "5 GiB"
subnets = ["10.99.0.0/16"]
quota.thresholds = [50, 80]
quota.on_exceeded = "throttle"
quota.throttle_rate = "1 Mbit"

[[block_lists]]
name = "bad"
source = "{state_dir}/lists/bad.txt"
refresh = 60

[[block_lists]]
name = "own"
source = "/none"
refresh = 60
department = "dept456"
"""


class Hardware:
    """Interfaces, no connections, no button, meters that show nothing."""

    def __init__(self) -> None:
        self._metered: Sequence[str] = ()
        self.seen: Mapping[str, str] = {}
        self.open: Sequence[tuple[str, str, int]] = ()
        self.waiting: Sequence[Frame] = ()

    def links(self) -> Mapping[str, Link]:
        return {name: Link(name, 7, "02:00:00:00:00:01", "boot", True, Counters(1000, 500)) for name in DEPARTMENTS}

    def connections(self, _: Pause = no_pause) -> Mapping[Connection, int]:
        return {Connection(source, destination): number for source, destination, number in self.open}

    def apply(self, plans: Sequence[Plan]) -> str | None:
        self._metered = [plan.department for plan in plans]
        return None

    def read(self) -> Mapping[str, Reading]:
        return {name: Reading("meter") for name in self._metered}

    def hosts(self) -> Mapping[str, Mapping[str, Reading]]:
        return {name: {} for name in self._metered}

    def unread(self) -> Mapping[str, Mapping[str, int]]:
        return {}

    def newcomers(self) -> Mapping[str, tuple[int, int]]:
        return {}

    def spoofed(self) -> int:
        return 0

    def refused_hosts(self) -> Mapping[str, frozenset[str]]:
        return {}

    def let_pass(self, for_s: float) -> str | None:
        return None

    def hold_hosts(self, left: Mapping[str, Mapping[str, int]]) -> str | None:
        return None

    def make_room(self, used: Mapping[str, Mapping[str, int]]) -> Mapping[str, Sequence[str]]:
        return {}

    def sightings(self) -> Sequence[Sighting]:
        return [Sighting("dept123", mac, 1.0, ip_address(address)) for address, mac in self.seen.items()]

    def presses(self) -> Sequence[Press]:
        return []

    def frames(self) -> Sequence[Frame]:
        """What was given to be captured."""
        found, self.waiting = self.waiting, ()
        return found

    def show(self, lights: Lights) -> None:
        pass


class Harness:
    """The composition, and the orders that it takes."""

    def __init__(
        self,
        state_dir: Path,
        position: Position,
        simulated: bool,
        limits: LimitsSection,
        section: ServerSection,
        tls: Tls | None,
    ) -> None:
        self.offset_s = self.jumped_s = 0.0
        self.troubles: list[str] = []
        self.is_clock_trusted = True
        self.fanout = fanout = Fanout(simulated=simulated, alerts=AlertFile(state_dir / "alerts"))
        text = CONFIG.format(position=position, state_dir=state_dir)
        config = parse(text.encode(), "the harness's configuration")
        machine, store = self._machine(), SqliteStore(state_dir / "state.db")
        base = Foundation(
            config=config,
            machine=machine,
            store=store,
            publish=fanout.publish,
            run=ServiceRun(self.now().monotonic_s, fanout.count_clients),
        )
        config_file = state_dir / "appliance.toml"
        config_file.touch()
        trial = ConfigTrial(ConfigFileWriter(config_file, state_dir), None, None, aside_in_turn())
        trial.run(config, text)
        self.trial_events = TrialEvents(trial, fanout.publish)
        audit_store = SqliteAuditStore(state_dir / "audit.sqlite3")
        maintenance_mode = build_maintenance(base)
        self.updates = build_updates(base, audit_store=audit_store, maintenance_mode=maintenance_mode, trial=trial)
        self.metering = metering = build_metering(base)
        metering.step(self.now())
        self.metering, self.requests = metering, QuotaRequests(store, metering, fanout.publish)
        self.departments = {one.id: one for one in config.as_departments()}
        enforcement = build_blocking(
            config=config,
            packet_filter=machine,
            store=store,
            publish=fanout.publish,
            require_writable=maintenance_mode.require_writable,
        )
        enforcement.restore(self.now())
        self.schedules = build_schedules(base, metering, enforcement)
        self.hear = enforcement.hear
        self._rate_store = history_store = SqliteHistoryStore(state_dir / "history.db")
        self.history = build_history(config=config, history_store=history_store)
        self.rate_watch = build_rate_watch(base, metering=metering, store=history_store)
        source = ListSource(state_dir / "lists")
        self.lists = ListImports(
            config.as_block_lists(), enforcement, source.fetch, lambda work, *arguments: work(*arguments)
        )
        audit = AuditRecords(audit_store)
        authenticator, people = self._access(state_dir, audit)
        self.pairing = Pairing(lambda: not people.has_administrator(), log.warning)
        self.device_watch = build_device_watch(base, metering=metering)
        self.insight = build_insight(
            base,
            metering=metering,
            enforcement=enforcement,
            rate_watch=self.rate_watch,
            device_watch=self.device_watch,
        )
        services = Services(
            departments=frozenset([*DEPARTMENTS, GHOST]),
            certificate=lambda: None,
            profile=profile_of(config, base.run.started_s, is_simulated=simulated),
            clock=self.now,
            metering=metering,
            requests=self.requests,
            enforcement=enforcement,
            schedules=self.schedules,
            history=self.history,
            insight=self.insight,
            devices=self.device_watch,
            lists=self.lists,
            maintenance_mode=maintenance_mode,
            panel=build_panel(base, maintenance_mode=maintenance_mode, audit_store=audit_store),
            configuration=trial,
            status=build_status(
                base,
                metering=metering,
                enforcement=enforcement,
                insight=self.insight,
                trouble_sources={IssueSource.METERING: lambda _: self.troubles},
            ),
            updates=self.updates,
            backups=BackupDesk(state_dir, trial, aside_in_turn()),
            notifications=build_notifications(config, store.notices, state_dir, is_simulated=simulated),
            work=dict,
            release=lambda actor: None,
            authenticator=authenticator,
            people=people,
            pairing=self.pairing,
            audit=audit,
            page_folder=state_dir / "page",
        )
        self.server = Server(fanout=fanout, services=services, limits=limits, section=section, tls=tls)

    def _access(self, state_dir: Path, audit: AuditRecords) -> tuple[Authenticator, People]:
        people_store = SqlitePeopleStore(state_dir / "people.sqlite3")
        authenticator = Authenticator(load_secret(state_dir), {}, people_store, BOOT, self.now())
        judge = PasswordJudge(people_store, GreenPasswordHashing(), audit, audit.logins())
        return authenticator, People(people_store, authenticator, judge, audit)

    def _machine(self) -> Machine:
        self.hardware = hardware = Hardware()
        return Machine(
            interfaces=hardware,
            neighbours=hardware,
            flows=hardware,
            sensors=hardware,
            panel=hardware,
            firewall=SimulatedFirewall(DEPARTMENTS, lambda: self.offset_s),
            dns_filter=SimulatedDnsFilter(DEPARTMENTS, lambda: self.offset_s),
            upstream=SimulatedUpstream(),
            forwarding=SimulatedForwarding(),
            meters=hardware,
            capture=hardware,
            updates=SimulatedUpdates(lambda: self.offset_s),
            vendors=SimulatedVendors(),
            clock=self.now,
            close=lambda: None,
            release=lambda: None,
        )

    def now(self) -> Moment:
        return Moment(
            START + timedelta(seconds=self.offset_s + self.jumped_s), 1000.0 + self.offset_s, self.is_clock_trusted
        )

    def obey(self, order: dict[str, Any]) -> Any:  # noqa: C901  a row for each order
        match order:
            case {"publish": published}:
                self._publish(published)
            case {"pass": departments, "hosts": hosts}:
                passed = {one: Passed(*sums) for one, sums in departments.items()}
                self.history.record_passed(
                    passed, {(one, host): Passed(*sums) for one, host, sums in hosts}, self.now()
                )
            case {"anomaly": department, "minutes_ago": minutes}:
                self._rate_store.add_anomaly(
                    StoredAnomaly(department, self.now().wall - timedelta(minutes=minutes), ANOMALY)
                )
            case {"advance": _} | {"jump": _}:
                self._pass_time(order)
            case {"meter": _}:
                self.metering.step(self.now())
            case {"frames": found, "interface": interface}:
                self.hardware.waiting = [Frame(interface, bytes.fromhex(one)) for one in found]
                self.insight.process_frames(self.now())
                self.device_watch.step(self.now())
            case {"judge": _}:
                self.insight.judge(self.now())
            case {"pair": how}:
                return {"code": self.pairing.announce_code, "button": self.pairing.open_window}[how](self.now())
            case {"read_lists": times}:
                for _ in range(times):
                    self.lists.step(self.now())
            case {"hear": name, "addresses": addresses}:
                self.hear(
                    "dept123", DnsAnswer("192.168.1.7", name, tuple(addresses), 600, (), "192.0.2.53"), self.now()
                )
            case {"see": seen, "connections": connections}:
                self.hardware.seen, self.hardware.open = seen, connections
                self.metering.devices.refresh(self.now())
                self.device_watch.step(self.now())
            case {"ask": text, "in": department, "at": address}:
                cut_off = CutOff(self.departments[department], self.metering.books(department, self.now()))
                return self.requests.ask(cut_off, address, "T. Brandt", text, self.now()).id
            case {"troubles": troubles}:
                self.troubles = troubles
            case {"count": _}:
                self.server.expire_sessions(self.now())
                sockets = self.fanout.sio.eio.sockets.values()
                return {
                    "sockets": sum(not one.closed for one in sockets),
                    "members": len(self.fanout.sio.manager.rooms.get("/", {}).get(None, ())),
                    "descriptors": len(list(Path("/proc/self/fd").iterdir())),
                }
        return None

    def _publish(self, published: Iterable[tuple[str, dict[str, Any]]]) -> None:
        for name, payload in published:
            self.fanout.publish(msgspec.convert(payload, _class_of(name, payload)))

    def _pass_time(self, order: dict[str, Any]) -> None:
        """`advance`: both clocks go on; `jump`: the wall clock is set, and is `trusted` afterwards or not."""
        self.offset_s += order.get("advance", 0)
        self.jumped_s += order.get("jump", 0)
        self.is_clock_trusted = order.get("trusted", self.is_clock_trusted)
        self.trial_events.step(self.now())
        self.updates.step(self.now())
        self.server.expire_sessions(self.now())


def _class_of(name: str, payload: dict[str, Any]) -> type[events.Event]:
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and getattr(kind, "name", "") == name]
    return next(kind for kind in kinds if issubclass(kind, events.DepartmentEvent) == ("departmentId" in payload))


def _tls(options: dict[str, Any]) -> Tls | None:
    if not options["tls"]:
        return None
    path = Path(options["state_dir"]) / "server.pem"
    certificate.ensure(path, ["localhost", "127.0.0.1"], datetime.now(UTC), write_private, even_if_old=True)
    return Tls(path, path)


def run(options: dict[str, Any], orders: socket, log_path: Path) -> None:
    """Serve until the other end of `orders` is closed; what is told goes into the log."""
    os.dup2(os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", force=True)
    limits = LimitsSection(**options["limits"])
    harness = Harness(
        Path(options["state_dir"]),
        Position(options["position"]),
        options["simulated"],
        limits,
        ServerSection(**options["server"]),
        _tls(options),
    )
    listener = eventlet.listen(("127.0.0.1", options["port"]))
    eventlet.spawn(harness.server.serve, listener)
    facts = {"port": listener.getsockname()[1], "login_deadline_s": limits.login_deadline}
    orders.sendall(json.dumps(facts).encode() + b"\n")
    for line in lines(orders.fileno()):
        orders.sendall(json.dumps(harness.obey(json.loads(line))).encode() + b"\n")
    harness.server.close()
