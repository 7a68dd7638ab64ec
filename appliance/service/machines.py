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
from appliance.core.machine import Link, Position, Press
from appliance.core.moment import Moment
from appliance.monitor.enforcement import BlockRequest
from appliance.ports import Capture, Firewall, Flows, Interfaces, Neighbours, Panel, Sensors

SEED = 1  # every simulation tells the same story, so that two people can talk about it
LOCAL_TIME = Path("/etc/localtime")  # a link into the zone files, by whose path the zone is known


class CannotStart(Exception):
    """Something that the appliance needs is missing; the text says what a person can do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """All that the ports need. `press`: moves the mock button, or `None` where the button is real.

    `orders_due`: what simulated people ask to be blocked; nobody on a real machine.
    """

    interfaces: Interfaces
    neighbours: Neighbours
    flows: Flows
    sensors: Sensors
    panel: Panel
    firewall: Firewall
    capture: Capture
    close: Callable[[], None]
    press: Callable[[Press], None] | None = None
    orders_due: Callable[[Moment], list[BlockRequest]] | None = None

    @property
    def is_simulated(self) -> bool:
        """Whether nothing of this machine is real."""
        return self.orders_due is not None


def clock() -> Moment:
    """Now, on both clocks."""
    return Moment(datetime.now(UTC), monotonic())


def real_machine(config: Config, state_dir: Path) -> Machine:
    """The machine under the program. Raises `CannotStart` where a part of it cannot be used."""
    from appliance.system.capture import PacketCapture
    from appliance.system.firewall import NftablesFirewall
    from appliance.system.flows import ConntrackFlows
    from appliance.system.interfaces import RtnetlinkInterfaces
    from appliance.system.neighbours import RtnetlinkNeighbours
    from appliance.system.nftables import FirewallUnavailable, Nftables
    from appliance.system.panel import GpioPanel
    from appliance.system.sensors import PsutilSensors

    is_mirror = config.position is Position.MIRROR
    pins = config.panel
    try:
        firewall = NftablesFirewall(Nftables().run, tracks_connections=not is_mirror)
        capture = PacketCapture(promiscuous=is_mirror)
    except (FirewallUnavailable, PermissionError) as error:
        raise CannotStart(f"{error}; run as root, or try it with --simulate") from None
    interfaces, neighbours = RtnetlinkInterfaces(), RtnetlinkNeighbours()
    flows = ConntrackFlows()
    panel = GpioPanel(
        pins.button, pins.led_status, pins.led_alert, pins.led_activity, hold_s=pins.hold, scratch=state_dir
    )

    def close() -> None:
        for part in (panel, capture, flows, neighbours, interfaces):
            part.close()

    return Machine(
        interfaces=interfaces,
        neighbours=neighbours,
        flows=flows,
        sensors=PsutilSensors(state_dir),
        panel=panel,
        firewall=firewall,
        capture=capture,
        close=close,
        press=panel.press if panel.mocked_because else None,
    )


def simulated_machine(config: Config) -> Machine:
    """A machine of which nothing is real."""
    from appliance.simulator import SimulatedMachine

    whole = SimulatedMachine(config, SEED, clock)
    return Machine(
        interfaces=whole.interfaces,
        neighbours=whole.neighbours,
        flows=whole.flows,
        sensors=whole.sensors,
        panel=whole.panel,
        firewall=whole.firewall,
        capture=whole.capture,
        close=lambda: None,
        orders_due=whole.orders_due,
    )


def choose_config() -> tuple[Config, str]:
    """A first look at this machine, where nobody has configured anything, and its text in the file's own words.

    Raises `CannotStart` where no interface is worth looking at.
    """
    from appliance.system.interfaces import RtnetlinkInterfaces

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
