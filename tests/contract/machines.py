"""The machines that must keep the contract of the ports: the simulated one, and the real one in the lab.

A rig is a machine with a department behind it, and with hands: what a person would do to see whether it works.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from appliance import simulator
from appliance.config import parse
from appliance.core.machine import Press
from appliance.core.moment import Moment
from appliance.ports import Capture, DnsFilter, Firewall, Flows, Interfaces, Meters, Neighbours, Panel, Sensors
from appliance.simulator import SimulatedMachine
from appliance.system.device.clock import boot_id
from appliance.system.device.panel import GpioPanel
from appliance.system.device.sensors import PsutilSensors
from appliance.system.network.capture import PacketCapture
from appliance.system.network.flows import ConntrackFlows
from appliance.system.network.interfaces import RtnetlinkInterfaces
from appliance.system.network.neighbours import RtnetlinkNeighbours
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.blocks import firewall
from tests.lab.lookups import NONE, ask, dns_filter
from tests.lab.network import WEB_V4, network

START = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)  # at night: nothing in the simulator may depend on the hour
PATIENCE_S = 60.0
TRIES = 50  # each is a SYN and a reset: more than one batch of frames


@dataclass
class Rig:
    """`interface`: faces the department; `host`: an address in it, and `device` its MAC address.

    `live`: let devices do what devices do.

    `is_refused`: let the host look a name up; whether it is told that there is none. `until`: let time pass until
    something holds. `press`: use the button.
    """

    interfaces: Interfaces
    neighbours: Neighbours
    flows: Flows
    sensors: Sensors
    panel: Panel
    firewall: Firewall
    dns_filter: DnsFilter
    capture: Capture
    interface: str
    host: str
    device: str
    live: Callable[[], None]
    is_refused: Callable[[str], bool]
    until: Callable[[Callable[[], bool]], None]
    press: Callable[[Press], None]
    meters: Meters


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = Moment(START, 1000.0, is_trusted=True)

    def __call__(self) -> Moment:
        return self.now

    def move(self, seconds: float) -> Moment:
        """Let time pass; returns the new now."""
        self.now = Moment(self.now.wall + timedelta(seconds=seconds), self.now.monotonic_s + seconds, is_trusted=True)
        return self.now


@contextmanager
def simulated(scratch: Path) -> Iterator[Rig]:
    """The simulated machine; time passes by moving its clock."""
    clock = Clock()
    started_s = clock.now.monotonic_s
    whole = SimulatedMachine(parse(simulator.CONFIG.encode(), "simulated"), 1, clock)

    def until(holds: Callable[[], bool]) -> None:
        for _ in range(100):
            if holds():
                return
            clock.move(0.5)
        raise AssertionError("it never came true")

    yield Rig(
        interfaces=whole.interfaces,
        neighbours=whole.neighbours,
        flows=whole.flows,
        sensors=whole.sensors,
        panel=whole.panel,
        firewall=whole.firewall,
        dns_filter=whole.dns_filter,
        meters=whole.meters,
        capture=whole.capture,
        interface="eth1",
        host="192.168.1.101",
        device=next(one.mac for one in whole.neighbours.sightings() if str(one.address) == "192.168.1.101"),
        live=lambda: clock.move(60) and None,
        is_refused=lambda name: whole.dns_filter.denies(
            "eth1", ip_address("192.168.1.101"), name, clock.now.monotonic_s - started_s
        ),
        until=until,
        press=whole.panel.press,
    )


@contextmanager
def real(scratch: Path) -> Iterator[Rig]:
    """The real machine as the lab's gateway; time passes by itself."""
    with network("gateway") as lab, lab.appliance.entered(), firewall(lab) as blocking, dns_filter(lab) as filtering:
        lab.start_web()
        lab.start_dns()
        interfaces, neighbours, flows = RtnetlinkInterfaces(boot_id()), RtnetlinkNeighbours(), ConntrackFlows()
        capture = PacketCapture(promiscuous=False)
        nftables, shown = Nftables(), Nfnetlink(TABLE)
        meters = NftablesMeters(nftables, shown, SetElements(), boot_id())
        panel = GpioPanel(button=17, status=22, alert=23, activity=24, hold_s=0.2, scratch=scratch)

        def live() -> None:
            with lab.hosts[0].entered():
                socket.create_connection((WEB_V4[0], 80), timeout=PATIENCE_S).close()
                for _ in range(TRIES):
                    with socket.socket() as refused:
                        refused.connect_ex((WEB_V4[0], 9))
            _rest(meters)

        yield Rig(
            interfaces=interfaces,
            neighbours=neighbours,
            flows=flows,
            sensors=PsutilSensors(scratch),
            panel=panel,
            firewall=blocking,
            dns_filter=filtering,
            meters=meters,
            capture=capture,
            interface=lab.department_interface,
            host=lab.hosts[0].ipv4,
            device=lab.hosts[0].mac(),
            live=live,
            is_refused=lambda name: ask(lab.hosts[0], name, lab.uplink.ipv4) == NONE,
            until=_wait,
            press=panel.press,
        )
        for part in (panel, capture, neighbours, interfaces, shown):
            part.close()


def _wait(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.02)  # the kernel's own time passes here: nobody can hand it another


def _rest(meters: Meters) -> None:
    """Until the last packets of what was done are counted, such as those that end a connection."""
    before = None
    while before != (before := meters.read()):
        time.sleep(0.1)
