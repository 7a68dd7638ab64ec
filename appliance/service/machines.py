"""The machine that the service runs on, and how it is chosen: the simulated one is made here."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Protocol
from zoneinfo import available_timezones

from msgspec import Struct

from appliance import config as configuration
from appliance.config import Config, proposal
from appliance.core.blocking.block import BlockRequest
from appliance.core.machine import Link, Press
from appliance.core.moment import Moment
from appliance.ports import (
    Capture,
    DnsFilter,
    Firewall,
    Flows,
    Forwarding,
    Interfaces,
    Meters,
    Neighbours,
    Panel,
    Sensors,
    Updates,
    Upstream,
    Vendors,
)

SEED = 1  # every simulation tells the same story, so that two people can talk about it
FIRST_LOOK = "local"  # the department of a computer without a configuration
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
LOCAL_TIME = Path("/etc/localtime")  # a link into the zone files, by whose path the zone is known


class CannotStart(Exception):
    """Something that the appliance needs is missing; the text says what a person can do."""


class PacketFilter(Struct, frozen=True, kw_only=True):
    """The part of a machine that blocks need; a boot opens no more of it."""

    interfaces: Interfaces
    upstream: Upstream
    firewall: Firewall
    dns_filter: DnsFilter


class SimulatedPeople(Protocol):
    """What people do on a simulated machine, each time since the previous call."""

    def orders_due(self, now: Moment, /) -> Sequence[BlockRequest]:
        """The operator's block requests."""

    def pleas_due(self, now: Moment, /) -> Sequence[tuple[str, str, str]]:
        """The address and name of people who ask for more if they are cut off, and what they need it for."""

    def grants_due(self, now: Moment, /) -> Sequence[str]:
        """The departments whose requests the operator looks at."""


class Machine(PacketFilter, frozen=True, kw_only=True):
    """An open machine, behind the ports.

    `release`: takes every table and filter of the appliance out of the kernel. `cut_off_port`: where the kernel sends
    plain HTTP of hosts that are cut off; `None`: nowhere. `press`: moves the mock button; `None` where it is real.
    `troubles`: sentences about what of it does not work. `people`: what simulated people do; `None` on a real machine.
    """

    neighbours: Neighbours
    flows: Flows
    forwarding: Forwarding
    sensors: Sensors
    panel: Panel
    meters: Meters
    capture: Capture
    updates: Updates
    vendors: Vendors
    clock: Callable[[], Moment]
    close: Callable[[], None]
    release: Callable[[], object]
    cut_off_port: int | None = None
    press: Callable[[Press], None] | None = None
    people: SimulatedPeople | None = None
    troubles: Callable[[Moment], Sequence[str]] = lambda _: ()

    @property
    def is_simulated(self) -> bool:
        """Whether the machine is a simulation."""
        return self.people is not None


def now_of_a_simulation() -> Moment:
    """The computer's own time, which a simulation takes for right."""
    return Moment(datetime.now(UTC), monotonic(), is_trusted=True)


def simulated_machine(config: Config, clock: Callable[[], Moment] = now_of_a_simulation) -> Machine:
    """A machine of which nothing is real; every simulation tells the same story (`SEED`)."""
    from appliance.simulator import SimulatedMachine

    whole = SimulatedMachine(config, SEED, clock)
    return Machine(
        interfaces=whole.interfaces,
        neighbours=whole.neighbours,
        flows=whole.flows,
        forwarding=whole.forwarding,
        sensors=whole.sensors,
        panel=whole.panel,
        firewall=whole.firewall,
        dns_filter=whole.dns_filter,
        upstream=whole.upstream,
        meters=whole.meters,
        clock=whole.clock,
        capture=whole.capture,
        updates=whole.updates,
        vendors=whole.vendors,
        close=lambda: None,
        release=lambda: None,
        press=whole.panel.press,
        people=whole,
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
        f'[[departments]]\nid = "{FIRST_LOOK}"\nname = "{socket.gethostname()}"\ninterface = "{interface}"\n'
    )
    return configuration.parse(text.encode(), "the chosen configuration"), text


def write_first_config(path: Path, *, replace: bool) -> "proposal.Proposal":
    """Write a commented configuration for this computer. Raises `CannotStart` where there is one, or none can be made.

    `replace`: an existing file too.
    """
    if path.exists() and not replace:
        raise CannotStart(
            f"{path}: exists; it stays as it is. To replace it, give --force; to see another, --config FILE"
        )
    from appliance.system.storage.files import write_whole

    around = _surroundings()
    try:
        proposed = proposal.propose(around)
        text = proposal.proposal_text(proposed, around).encode()
        configuration.parse(text, "the proposed configuration")  # what cannot be started must not be written
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path.resolve(), text)  # a link stays one
    except proposal.NothingToWatch as reason:
        raise CannotStart(str(reason)) from None
    return proposed


def _surroundings() -> "proposal.Surroundings":
    from appliance.system.device.clock import boot_id
    from appliance.system.network.interfaces import RtnetlinkInterfaces
    from appliance.system.network.neighbours import RtnetlinkNeighbours
    from appliance.system.network.own_address import own_address
    from appliance.system.network.upstream import GATEWAY, LinuxUpstream

    with closing(RtnetlinkInterfaces(boot_id())) as interfaces, closing(RtnetlinkNeighbours()) as neighbours:
        links, sightings = interfaces.links(), neighbours.sightings()
    gateways = {one.network.network_address for one in LinuxUpstream().essentials() if one.rule == GATEWAY}
    macs = {one.mac for one in sightings if one.address in gateways}
    outward = {own_address(family) for family in (socket.AF_INET, socket.AF_INET6)}
    uplinks = [name for name, link in links.items() if outward & {str(one.ip) for one in link.addresses}]
    ports = [
        one.interface for one in sightings if one.mac in macs and (link := links.get(one.interface)) and link.master
    ]
    return proposal.Surroundings(
        links=links,
        uplink=next(iter(uplinks), None),
        uplink_port=next(iter(ports), None),
        forwards=FORWARDING.exists() and FORWARDING.read_text().strip() == "1",
        timezone=_local_zone(),
        host_name=socket.gethostname(),
    )


def departments_of(config: Config | None) -> frozenset[str]:
    """The departments' ids; without a configuration, those of a first look and of a simulation."""
    if config is None:
        from appliance.simulator import CONFIG

        return frozenset({FIRST_LOOK, *departments_of(configuration.parse(CONFIG.encode(), "the simulator's"))})
    return frozenset(one.id for one in config.departments)


def busiest(links: Mapping[str, Link]) -> str | None:
    """The interface that has carried the most bytes among those that are up; never the loopback."""
    worth = [link for link in links.values() if link.up and not any(one.is_loopback for one in link.addresses)]
    return max(worth, key=lambda link: link.counters.rx_bytes + link.counters.tx_bytes).name if worth else None


def _local_zone() -> str:
    name = os.path.realpath(LOCAL_TIME).partition("/zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"
