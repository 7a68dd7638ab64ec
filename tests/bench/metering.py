"""What metering costs the computer: CPU seconds of a minute of its steps at the default periods, as a share of a core.

The minute is 60 steps at once, each with the time that it would have; between them every host sends a packet as often
as hosts are looked at. All hosts have quotas of their own. No peer does the same work; the figure is set against the
core's own second. The parts are measured apart.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from appliance.config import parse
from appliance.core.machine import Network
from appliance.core.metering.meter import Plan
from appliance.core.metering.usage import count_connections
from appliance.core.moment import Moment
from appliance.core.pause import no_pause
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.hosts import LOOK_S
from appliance.monitor.metering.utilization import FLOWS_S
from appliance.ports import Publisher
from appliance.service.monitors import Foundation, build_metering
from appliance.system.network.flows import ConntrackFlows
from appliance.system.network.interfaces import RtnetlinkInterfaces
from appliance.system.network.neighbours import RtnetlinkNeighbours
from appliance.system.network.upstream import LinuxUpstream
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from appliance.system.storage.store import SqliteStore
from tests.bench.forwarding import DEPARTMENTS, HOSTS, _networks, _show_hosts
from tests.lab.blocks import firewall
from tests.lab.network import Network as Lab
from tests.lab.network import network

FLOWS = 50_000
REPEATS = 10
MINUTE_S = 60
QUOTA = '{ daily = "1 TiB", on_exceeded = "block", hosts = { daily = "1 TiB" } }'
FEWER = 4  # times fewer hosts, to see how the cost grows


def run() -> list[str]:
    """A row for each part, one for all of it, and one for how it grows."""
    with _rig(HOSTS) as rig:
        shares = rig.parts()
        whole = rig.minute()
    with _rig(HOSTS // FEWER) as rig:
        fewer = rig.minute()
    rest = whole - sum(share for _, share in shares)
    rows = [f"metering: {name}: {share:.2%} of a core" for name, share in (*shares, ("charge, hold, save, tell", rest))]
    size = f"{DEPARTMENTS} departments, {HOSTS} hosts with quotas, {FLOWS} flows"
    return [
        *rows,
        f"metering, {size}: {whole:.2%} of a core (below 5 %)",
        f"metering, {FEWER} times the hosts cost {whole / fewer:.2f} times as much (at most {FEWER})",
    ]


def built(
    machine: SimpleNamespace, store: SqliteStore, networks: Mapping[str, object], quota: str, publish: Publisher
) -> Metering:
    """Metering of departments with these networks at one interface. `quota`: of each, as a configuration writes it."""
    text = '[appliance]\nposition = "gateway"\ntimezone = "Europe/Berlin"\n' + "".join(
        f'[[departments]]\nid = "{name}"\ninterface = "eth1"\nsubnets = ["{network}"]\nquota = {quota}\n'
        for name, network in networks.items()
    )
    config = parse(text.encode(), "the bench's configuration")
    return build_metering(Foundation(config=config, machine=machine, store=store, publish=publish))


class Recorded(NftablesMeters):
    """The meters, and what metering has given them last, so that the bench can ask for the same."""

    plans: Sequence[Plan] = ()
    left: Mapping[str, Mapping[str, int]] = {}

    def apply(self, plans: Sequence[Plan]) -> str | None:
        self.plans = plans
        return super().apply(plans)

    def hold_hosts(self, left: Mapping[str, Mapping[str, int]]) -> str | None:
        self.left = left
        return super().hold_hosts(left)


class Rig:
    """The real parts of metering in the lab's appliance. `hosts`: that have a meter. `flows`: that are tracked."""

    def __init__(self, lab: Lab, folder: Path, hosts: int, departments: int, flows: int) -> None:
        self._lab = lab
        self._hosts = hosts
        self._departments = departments
        self._flow_count = flows
        self._flows = ConntrackFlows()
        with lab.appliance.entered():
            # It has the kernel track connections.
            with firewall(lab) as blocking:
                assert blocking.install_rules([]) is None
            self.shown = Nfnetlink(TABLE)
            self._meters = Recorded(Nftables(), self.shown, SetElements(), "boot")
            self.interfaces = RtnetlinkInterfaces("boot")
            neighbours = RtnetlinkNeighbours()
        # The forged hosts have one MAC address: that of a router, behind which each address is a host.
        router = lab.hosts[0]
        lab.appliance.run(["ip", "route", "add", "10.21.0.0/16", "via", router.ipv4])
        assert lab.appliance.ping(router.ipv4)  # as after the first minute of any appliance: the router is known
        machine = SimpleNamespace(
            interfaces=self.interfaces,
            flows=self._flows,
            meters=self._meters,
            neighbours=neighbours,
            upstream=LinuxUpstream(),
        )
        networks = {f"d{number}": one for number, one in enumerate(_networks(departments))}
        store = SqliteStore(folder / "store.sqlite3")
        self._metering = built(machine, store, networks, QUOTA, lambda event: event.payload() and None)
        with lab.appliance.entered():
            self._metering.step(_at(0))
        _show_hosts(lab, hosts, flows // hosts, departments)  # nobody answers them: the kernel forgets them after 30 s
        with lab.appliance.entered():
            self._metering.step(_at(LOOK_S))

    def minute(self) -> float:
        """The share of a core that a minute of steps takes."""
        with self._lab.appliance.entered():
            assert sum(self._flows.connections().values()) >= self._flow_count
            return self._minute()

    def _minute(self) -> float:
        spent_s = 0.0
        for second in range(int(LOOK_S) + 1, int(LOOK_S) + MINUTE_S + 1):
            if second % LOOK_S == 0:
                _show_hosts(self._lab, self._hosts, departments=self._departments)
            before_s = time.process_time()
            self._metering.step(_at(second))
            if second % FLOWS_S == 0:
                self._metering.count_connections(no_pause)
            spent_s += time.process_time() - before_s
        return spent_s / MINUTE_S

    def parts(self) -> list[tuple[str, float]]:
        """What reading takes, by what is read."""
        networks = {plan.department: plan.networks for plan in self._meters.plans}
        with self._lab.appliance.entered():
            return self._parts(networks)

    def _parts(self, networks: Mapping[str, tuple[Network, ...]]) -> list[tuple[str, float]]:
        return [
            _share("read the departments' meters", 1.0, self._meters.read),
            _share("compare the plans with the kernel", 1.0, lambda: self._meters.apply(self._meters.plans)),
            _share("read the interfaces", 1.0, self.interfaces.links),
            _share("read the hosts' meters", LOOK_S, self._meters.hosts),
            _share("read the hosts' quotas", LOOK_S, lambda: self._meters.hold_hosts(self._meters.left)),
            _share(
                "read and count the connections",
                FLOWS_S,
                lambda: count_connections(self._flows.connections(), networks),
            ),
        ]


@contextmanager
def _rig(hosts: int, departments: int = DEPARTMENTS, flows: int = FLOWS) -> Iterator[Rig]:
    """Metering of so many hosts of departments, at work."""
    with network("gateway") as lab, tempfile.TemporaryDirectory() as folder:
        rig = Rig(lab, Path(folder), hosts, departments, flows)
        yield rig
        rig.interfaces.close()
        rig.shown.close()


def _at(second: float) -> Moment:
    return Moment(datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=second), 5000.0 + second, is_trusted=True)


def _share(name: str, period_s: float, work: Callable[[], object]) -> tuple[str, float]:
    before_s = time.process_time()
    for _ in range(REPEATS):
        work()
    return name, (time.process_time() - before_s) / REPEATS / period_s
