"""The machine that the service runs on, and how it is chosen: the simulated one is made here."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from zoneinfo import available_timezones

from appliance import config as configuration
from appliance.config import Config
from appliance.core.blocking.block import BlockRequest
from appliance.core.machine import Link, Press
from appliance.core.moment import Moment
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
LOCAL_TIME = Path("/etc/localtime")  # a link into the zone files, by whose path the zone is known


class CannotStart(Exception):
    """Something that the appliance needs is missing; the text says what a person can do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketFilter:
    """The part of a machine that blocks need; a boot opens no more of it."""

    interfaces: Interfaces
    upstream: Upstream
    firewall: Firewall
    dns_filter: DnsFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine(PacketFilter):
    """An open machine, behind the ports.

    `release`: takes every table and filter of the appliance out of the kernel. `cut_off_port`: where the kernel sends
    plain HTTP of hosts that are cut off; `None`: nowhere. `press`: moves the mock button; `None` where it is real.
    `troubles`: sentences about what of it does not work. `orders_due`: the blocks that simulated people ask for; `None`
    on a real machine.
    """

    neighbours: Neighbours
    flows: Flows
    sensors: Sensors
    panel: Panel
    meters: Meters
    capture: Capture
    clock: Callable[[], Moment]
    close: Callable[[], None]
    release: Callable[[], object]
    cut_off_port: int | None = None
    press: Callable[[Press], None] | None = None
    orders_due: Callable[[Moment], list[BlockRequest]] | None = None
    troubles: Callable[[Moment], Sequence[str]] = lambda _: ()

    @property
    def is_simulated(self) -> bool:
        """Whether the machine is a simulation."""
        return self.orders_due is not None


def simulated_machine(config: Config) -> Machine:
    """A machine of which nothing is real; every simulation tells the same story (`SEED`)."""
    from appliance.simulator import SimulatedMachine

    whole = SimulatedMachine(config, SEED, lambda: Moment(datetime.now(UTC), monotonic(), is_trusted=True))
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
        clock=whole.clock,
        capture=whole.capture,
        close=lambda: None,
        release=lambda: None,
        press=whole.panel.press,
        orders_due=whole.orders_due,
    )


def choose_config() -> tuple[Config, str]:
    """The configuration for a first look at an unconfigured computer, and its TOML text.

    Raises `CannotStart` where no network interface is up.
    """
    from appliance.system.device.clock import boot_id
    from appliance.system.network.interfaces import RtnetlinkInterfaces

    with closing(RtnetlinkInterfaces(boot_id())) as interfaces:
        interface = busiest(interfaces.links())
    if interface is None:
        raise CannotStart("no network interface is up; plug a cable in, name one in a configuration, or use --simulate")
    text = (
        f'[appliance]\nposition = "host"\ntimezone = "{_local_zone()}"\n\n'
        f'[[departments]]\nid = "local"\nname = "{socket.gethostname()}"\ninterface = "{interface}"\n'
    )
    return configuration.parse(text.encode(), "the chosen configuration"), text


def busiest(links: Mapping[str, Link]) -> str | None:
    """The interface that has carried the most bytes among those that are up; never the loopback."""
    worth = [link for link in links.values() if link.up and not any(one.is_loopback for one in link.addresses)]
    return max(worth, key=lambda link: link.counters.rx_bytes + link.counters.tx_bytes).name if worth else None


def _local_zone() -> str:
    name = os.path.realpath(LOCAL_TIME).partition("/zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"
