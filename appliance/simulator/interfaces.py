"""The simulated interfaces: those of the departments, and those that the position needs besides."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from appliance.core.machine import Counters, Facing, Link, Position
from appliance.core.metering.usage import ETHERNET_BYTES
from appliance.core.positions import POSITIONS
from appliance.simulator.conversations import router_mac
from appliance.simulator.network import Population
from appliance.simulator.wire import Simulation, Traffic

Address = IPv4Interface | IPv6Interface

SPEED_BPS = 1_000_000_000  # what a Raspberry Pi 4's port negotiates
ARP_BYTES = 46  # payload of the smallest Ethernet frame
PACKETS_FOR_EACH_ARP = 500  # hosts repeat an ARP request about every half minute

Carried = tuple[int, int]  # bytes and packets of one direction, L2

# From the department's traffic to the interface's counters: a mirror port receives both directions, and at position
# `host` the department is the machine itself.
RECEIVED_AND_SENT: Mapping[Facing, Callable[[Carried, Carried], tuple[Carried, Carried]]] = {
    Facing.DEPARTMENT: lambda sent, received: (sent, received),
    Facing.MIRRORED: lambda sent, received: ((sent[0] + received[0], sent[1] + received[1]), (0, 0)),
    Facing.SELF: lambda sent, received: (received, sent),
}
ADDRESSED = frozenset({Position.GATEWAY, Position.HOST})  # a bridge's ports and a mirror port have no addresses
LOOPBACK_ADDRESSES = (ip_interface("127.0.0.1/8"),)
UPLINK_ADDRESSES = (ip_interface("192.0.2.2/24"),)
UPLINK, OTHER_UPLINK = "eth0", "eth99"  # the second where a department uses the first
BRIDGE = "br0"


class SimulatedInterfaces:
    """`ports.Interfaces` of the simulated machine."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def links(self) -> Mapping[str, Link]:
        """Every interface, by name, with absolute counters."""
        at_s = self._simulation.elapsed()
        carried = {one.index: self._carried(one, at_s) for one in self._simulation.populations}
        links = [self._loopback()]
        if self._simulation.position is not Position.HOST:
            links.append(self._uplink([two for both in carried.values() for two in both]))
        if self._simulation.position is Position.BRIDGE:
            links.append(self._bridge())
        for first in {one.interface: one for one in reversed(self._simulation.populations)}.values():
            sharing = [one for one in self._simulation.populations if one.interface == first.interface]
            links.append(self._department(sharing, [two for one in sharing for two in carried[one.index]], at_s))
        return {link.name: link for link in links}

    def _carried(self, population: Population, at_s: float) -> list[Traffic]:
        return [self._simulation.wire.carried(device, at_s) for device in population.devices]

    def _loopback(self) -> Link:
        return Link(
            "lo", 1, "00:00:00:00:00:00", self._simulation.boot, True, Counters(0, 0), addresses=LOOPBACK_ADDRESSES
        )

    def _uplink(self, carried: Iterable[Traffic]) -> Link:
        sent, received = _frames(carried if POSITIONS[self._simulation.position].forwards else ())
        is_port = self._simulation.position is Position.BRIDGE
        return Link(
            name=UPLINK if all(one.interface != UPLINK for one in self._simulation.populations) else OTHER_UPLINK,
            index=2,
            mac="02:53:49:4d:ff:fe",
            boot=self._simulation.boot,
            up=True,
            counters=Counters(received[0], sent[0], received[1], sent[1]),
            speed_bps=SPEED_BPS,
            master=BRIDGE if is_port else None,
            addresses=() if is_port else UPLINK_ADDRESSES,
        )

    def _bridge(self) -> Link:
        own = tuple(address for one in self._simulation.populations for address in _own(one))
        # A bridge does not count forwarded traffic as its own.
        return Link(BRIDGE, 3, "02:53:49:4d:ff:fd", self._simulation.boot, True, Counters(0, 0), addresses=own)

    def _department(self, sharing: list[Population], carried: Iterable[Traffic], at_s: float) -> Link:
        """The interface of one department, or of several that share it."""
        position, first = self._simulation.position, sharing[0]
        up = self._simulation.wire.is_up(first, at_s)
        received, sent = RECEIVED_AND_SENT[POSITIONS[position].facing](*_frames(carried))
        return Link(
            name=first.interface,
            index=4 + first.index,
            mac=router_mac(first),
            boot=self._simulation.boot,
            up=up,
            counters=Counters(received[0], sent[0], received[1], sent[1]),
            speed_bps=SPEED_BPS if up else None,
            master=BRIDGE if position is Position.BRIDGE else None,
            addresses=tuple(address for one in sharing for address in _own(one)) if position in ADDRESSED else (),
        )


def _frames(carried: Iterable[Traffic]) -> tuple[Carried, Carried]:
    """The traffic as Ethernet frames, from and to the department."""
    traffic = list(carried)
    sent = _framed(sum(one.up_bytes for one in traffic), sum(one.up_packets for one in traffic))
    received = _framed(sum(one.down_bytes for one in traffic), sum(one.down_packets for one in traffic))
    return sent, received


def _framed(l3_bytes: int, packets: int) -> Carried:
    asked = packets // PACKETS_FOR_EACH_ARP
    return l3_bytes + ETHERNET_BYTES * (packets + asked) + ARP_BYTES * asked, packets + asked


def _own(population: Population) -> tuple[Address, ...]:
    if population.own is None:
        return ()
    return (ip_interface(f"{population.own}/{population.network.prefixlen}"),)
