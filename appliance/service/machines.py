"""The machine that the service runs on: the real one, part by part, or the simulated one as a whole."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from zoneinfo import available_timezones

from appliance import config as configuration
from appliance.config import Config
from appliance.core.blocking.block import BlockRequest
from appliance.core.machine import Link, Press
from appliance.core.metering.quota import Action
from appliance.core.moment import Moment
from appliance.core.positions import POSITIONS
from appliance.ports import (
    Capture,
    DnsFilter,
    Firewall,
    Flows,
    Interfaces,
    Meters,
    Neighbours,
    Panel,
    Sensors,
    Upstream,
)

SEED = 1  # every simulation tells the same story, so that two people can talk about it
NOTICE_PORT = 80  # what a browser asks when it is given a bare name
LOCAL_TIME = Path("/etc/localtime")  # a link into the zone files, by whose path the zone is known


class CannotStart(Exception):
    """Something that the appliance needs is missing; the text says what a person can do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """All that the ports need.

    `release`: takes all that is ours out of the kernel. `notice_port`: to which the kernel leads a cut-off host's HTTP;
    `None` where it leads nobody. `press`: moves the mock button; `None` where it is real. `orders_due`: what simulated
    people ask to be blocked; `None` on a real machine.
    """

    interfaces: Interfaces
    neighbours: Neighbours
    flows: Flows
    sensors: Sensors
    panel: Panel
    firewall: Firewall
    dns_filter: DnsFilter
    upstream: Upstream
    meters: Meters
    capture: Capture
    clock: Callable[[], Moment]
    close: Callable[[], None]
    release: Callable[[], object]
    notice_port: int | None = None
    press: Callable[[Press], None] | None = None
    orders_due: Callable[[Moment], list[BlockRequest]] | None = None

    @property
    def is_simulated(self) -> bool:
        """Whether nothing of this machine is real."""
        return self.orders_due is not None


def real_machine(config: Config, state_dir: Path) -> Machine:
    """The machine under the program. Raises `CannotStart` where a part of it cannot be used."""
    from appliance.service.releasing import release_kernel
    from appliance.system.device.clock import KernelClock
    from appliance.system.device.panel import GpioPanel
    from appliance.system.device.sensors import PsutilSensors
    from appliance.system.network.bpf import Bpf
    from appliance.system.network.capture import PacketCapture
    from appliance.system.network.dns_filter import BpfDnsFilter
    from appliance.system.network.flows import ConntrackFlows
    from appliance.system.network.interfaces import RtnetlinkInterfaces
    from appliance.system.network.neighbours import RtnetlinkNeighbours
    from appliance.system.network.traffic_control import TrafficControl
    from appliance.system.network.upstream import LinuxUpstream
    from appliance.system.nftables import firewall as blocks
    from appliance.system.nftables.change_monitor import ChangeMonitor
    from appliance.system.nftables.libnftables import FirewallUnavailable, Nftables
    from appliance.system.nftables.meters import TABLE, NftablesMeters
    from appliance.system.nftables.nfnetlink import Nfnetlink
    from appliance.system.nftables.set_elements import SetElements

    position = POSITIONS[config.position]
    cuts_off = any(one.quota.on_exceeded is Action.BLOCK for one in config.departments)
    notice_port = NOTICE_PORT if cuts_off and position.forwards else None
    pins = config.panel
    try:
        nftables = Nftables()
        capture = PacketCapture(promiscuous=position.is_promiscuous)
    except (FirewallUnavailable, PermissionError) as error:
        raise CannotStart(f"{error}; run as root, or try it with --simulate") from None
    interfaces, neighbours = RtnetlinkInterfaces(), RtnetlinkNeighbours()
    flows, shown = ConntrackFlows(), Nfnetlink(TABLE)
    shown_blocks, elements, notices = Nfnetlink(blocks.TABLE), SetElements(), ChangeMonitor(blocks.TABLE)
    classifier = TrafficControl()
    dns_filter = BpfDnsFilter(Bpf(), classifier)
    panel = GpioPanel(
        pins.button, pins.led_status, pins.led_alert, pins.led_activity, hold_s=pins.hold, scratch=state_dir
    )

    def close() -> None:
        for part in (
            panel,
            capture,
            dns_filter,
            classifier,
            notices,
            elements,
            shown_blocks,
            shown,
            neighbours,
            interfaces,
        ):
            part.close()

    return Machine(
        interfaces=interfaces,
        neighbours=neighbours,
        flows=flows,
        sensors=PsutilSensors(state_dir),
        panel=panel,
        firewall=blocks.NftablesFirewall(
            nftables.run,
            shown_blocks,
            elements,
            notices,
            tracks_connections=position.can_enforce,
        ),
        dns_filter=dns_filter,
        upstream=LinuxUpstream(),
        meters=NftablesMeters(nftables.run, shown, notice_port),
        capture=capture,
        clock=KernelClock().now,
        close=close,
        release=release_kernel,
        notice_port=notice_port,
        press=panel.press if panel.mocked_because else None,
    )


def simulated_machine(config: Config) -> Machine:
    """A machine of which nothing is real."""
    from appliance.simulator import SimulatedMachine

    def clock() -> Moment:
        return Moment(datetime.now(UTC), monotonic(), is_trusted=True)

    whole = SimulatedMachine(config, SEED, clock)
    return Machine(
        interfaces=whole.interfaces,
        neighbours=whole.neighbours,
        flows=whole.flows,
        sensors=whole.sensors,
        panel=whole.panel,
        firewall=whole.firewall,
        dns_filter=whole.dns_filter,
        upstream=whole.upstream,
        meters=whole.meters,
        clock=clock,
        capture=whole.capture,
        close=lambda: None,
        release=lambda: None,
        press=whole.panel.press,
        orders_due=whole.orders_due,
    )


def choose_config() -> tuple[Config, str]:
    """A first look at this machine, where nobody has configured anything, and its text in the file's own words.

    Raises `CannotStart` where no interface is worth looking at.
    """
    from appliance.system.network.interfaces import RtnetlinkInterfaces

    interfaces = RtnetlinkInterfaces()
    try:
        interface = busiest(interfaces.links())
    finally:
        interfaces.close()
    if interface is None:
        raise CannotStart("no network interface is up; plug a cable in, name one in a configuration, or use --simulate")
    text = (
        f'[appliance]\nposition = "host"\ntimezone = "{_local_zone()}"\n\n'
        f'[[departments]]\nid = "local"\nname = "{socket.gethostname()}"\ninterface = "{interface}"\n'
    )
    return configuration.parse(text.encode(), "the chosen configuration"), text


def busiest(links: Mapping[str, Link]) -> str | None:
    """The interface that has carried most among those that are up and are not the machine talking to itself."""
    worth = [link for link in links.values() if link.up and not any(one.is_loopback for one in link.addresses)]
    return max(worth, key=lambda link: link.counters.rx_bytes + link.counters.tx_bytes).name if worth else None


def _local_zone() -> str:
    name = os.path.realpath(LOCAL_TIME).partition("/zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"
