"""The directory of devices: which addresses each device of a department has, and which devices are routers.

Addresses are learned from the kernel's neighbour tables and from captured packets on their way to a device. A bridge
keeps no neighbours, so there the packets have to do. A router is proven, never guessed: the next hop of a route through
the department's interface, or configured. A device that could make itself a router would have a quota for each address
that it takes.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from appliance.core.machine import Facing, Link, Network, Position, Sighting
from appliance.core.metering.department import Department
from appliance.core.metering.devices import Devices
from appliance.core.metering.meter import is_mac
from appliance.core.moment import Moment
from appliance.core.positions import POSITIONS
from appliance.core.refusal import Code, Refused
from appliance.core.traffic.presence import WINDOW_S
from appliance.ports import Neighbours, Upstream

REFRESHED_S = 1.0  # strangers may ask for as many addresses as they like
LOOK_S = 10.0  # asking the kernel for thousands of neighbours takes tens of milliseconds


class HostName(NamedTuple):
    """A host as people know it. `name`: its newest address, IPv4 first; its MAC address where none is known.

    `mac`: `None` behind a router, which has replaced it.
    """

    name: str
    mac: str | None
    addresses: Sequence[str]


class DeviceDirectory:
    """Joins the addresses of devices. `sightings`: of the neighbour tables, as they were read last."""

    def __init__(
        self, departments: Sequence[Department], position: Position, neighbours: Neighbours, upstream: Upstream
    ) -> None:
        self._departments = departments
        self._facing = POSITIONS[position].facing
        self._neighbours = neighbours
        self._upstream = upstream
        self._devices = {one.id: Devices() for one in departments}
        self._metered: dict[str, frozenset[str]] = {one.id: frozenset() for one in departments}
        self._router_macs: dict[tuple[str, str], str] = {}  # by department and address: an unused entry is forgotten
        self._routers: dict[str, tuple[str, ...]] = {one.id: _configured(one) for one in departments}
        self._near: dict[str, tuple[Network, ...]] = {one.id: () for one in departments}
        self._links: Mapping[str, Link] = {}
        self.sightings: Sequence[Sighting] = ()
        self._read_s: float | None = None

    def look(self, links: Mapping[str, Link], now: Moment) -> None:
        """Reads the neighbour tables and routes again when that is due."""
        self._links = links
        if now.is_due(self._read_s, LOOK_S):
            self.refresh(now)

    def refresh(self, now: Moment) -> None:
        """Reads the neighbour tables and routes."""
        self._read_s = now.monotonic_s
        self.sightings = self._neighbours.sightings()
        hops = self._upstream.next_hops()
        interfaces = {one.interface for one in self._departments}  # which dozens of departments may share
        networks = {name: _networks(self._links.get(name)) for name in interfaces}
        seen = {name: self._sightings_near(name) for name in interfaces}
        hops_at = {name: {str(hop.address) for hop in hops if hop.interface == name} for name in interfaces}
        for one in self._departments:
            self._near[one.id], near = networks[one.interface], seen[one.interface]
            self._find_routers(one, near, hops_at[one.interface])
            self._devices[one.id].age(now.monotonic_s)
            self._learn(one, near, now.monotonic_s)

    def present(self, interface: str) -> frozenset[str]:
        """The MAC addresses at the interface that the kernel heard of within the contract's 5 minutes."""
        return frozenset(one.mac for one in self.sightings if one.interface == interface and one.age_s <= WINDOW_S)

    def meet(self, metered: Mapping[str, Collection[str]]) -> None:
        """Takes the hosts that have meters or books, by department: only of these are addresses kept."""
        for one in self._departments:
            former, self._metered[one.id] = self._metered[one.id], frozenset(metered.get(one.id, ()))
            if self._read_s is not None and not self._metered[one.id] <= former:
                self._learn(one, self._sightings_near(one.interface), self._read_s)

    def hear(self, department: str, mac: str, address: str, now: Moment) -> None:
        """Learns from a packet that it went to this device for this address."""
        self._see(department, mac, address, now.monotonic_s)

    def routers(self, department: str) -> tuple[str, ...]:
        """The MAC addresses behind which the department has many hosts."""
        return self._routers[department]

    def near(self, department: str) -> tuple[Network, ...]:
        """The networks of which the department's interface has an address."""
        return self._near[department]

    def describe(self, department: str, host: str) -> HostName:
        """How people know a host. `host`: as its meter names it."""
        if not is_mac(host):
            return HostName(host, None, (host,))
        addresses = self._devices[department].addresses(host)
        return HostName(addresses[0] if addresses else host, host, addresses)

    def neighbour(self, departments: Collection[str], target: str) -> tuple[str, tuple[str, ...]] | None:
        """The MAC address and addresses of a device at these departments. `target`: one of these.

        As the neighbour tables were read last, which know no device behind a router; `None`: there is none.
        """
        interfaces = {one.interface for one in self._departments if one.id in departments}
        near = [one for name in sorted(interfaces) for one in self._sightings_near(name)]
        mac = target if is_mac(target) else next((one.mac for one in near if str(one.address) == target), None)
        addresses = tuple(sorted({str(one.address) for one in near if one.mac == mac}))
        return (mac, addresses) if mac is not None and addresses else None

    def find(self, department: str, asked: str) -> str:
        """The name of a host's meter. `asked`: the host's MAC address or any of its addresses.

        Of an address that no device is known to have, the address itself: that of a host behind a router.
        """
        return asked if is_mac(asked) else self._devices[department].owner(asked) or asked

    def find_now(self, department: str, address: str, now: Moment) -> str:
        """The same, and the neighbour tables are read again for an address that is not known: it has just come."""
        found = self.find(department, address)
        if found == address and not is_mac(address) and now.is_due(self._read_s, REFRESHED_S):
            self.refresh(now)
        return self.find(department, address)

    def series(self, department: str, asked: str) -> tuple[str, ...]:
        """The names under which a host's history may be kept: its device's, and of earlier releases its addresses."""
        found = self.find(department, asked)
        return tuple(dict.fromkeys((found, *self.describe(department, found).addresses)))

    def _sightings_near(self, interface: str) -> Sequence[Sighting]:
        """What was seen at the interface, or of the bridge that this is a port of."""
        link = self._links.get(interface)
        here = {interface, link.master if link and link.master else interface}
        return [one for one in self.sightings if one.interface in here and one.address]

    def _learn(self, department: Department, near: Sequence[Sighting], read_s: float) -> None:
        for sighting in near:
            self._see(department.id, sighting.mac, str(sighting.address), read_s - sighting.age_s)
        link = self._links.get(department.interface)
        if self._facing is Facing.SELF and link is not None:
            for address in link.addresses:
                self._see(department.id, link.mac, str(address.ip), read_s)

    def _see(self, department: str, mac: str, address: str, seen_s: float) -> None:
        if mac in self._metered[department] and mac not in self._routers[department]:
            self._devices[department].see(mac, address, seen_s)

    def _find_routers(self, department: Department, near: Sequence[Sighting], hops: Collection[str]) -> None:
        """A router's entry may leave the neighbour table while nothing passes; it stays a router."""
        if self._facing is Facing.SELF:
            return
        wanted = {*hops, *(router for router in department.routers if not is_mac(router))}
        for sighting in near:
            if str(sighting.address) in wanted:
                self._router_macs[department.id, str(sighting.address)] = sighting.mac
        found = {mac for (one, hop), mac in self._router_macs.items() if one == department.id and hop in wanted}
        self._routers[department.id] = tuple(sorted({*found, *_configured(department)}))


def unknown_host(asked: str, department: str) -> Refused:
    """The refusal of a host that no device is known to be."""
    return Refused(
        Code.BAD_REQUEST,
        f"host: no device of {department} is known to have the address {asked}; name it by its MAC address instead",
    )


def _networks(link: Link | None) -> tuple[Network, ...]:
    found = (address.network for address in link.addresses) if link else ()
    return tuple(sorted({*found}, key=str))


def _configured(department: Department) -> tuple[str, ...]:
    return tuple(sorted(router for router in department.routers if is_mac(router)))
