"""The simulated interfaces: those of the departments, and those that the position needs besides."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from appliance.core.machine import Counters, Facing, Link, Position
from appliance.core.metering.usage import ETHERNET_BYTES
from appliance.core.positions import POSITIONS
from appliance.simulator.conversations import router_mac
from appliance.simulator.network import Population
from appliance.simulator.wire import Simulation

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
        boot, populations = self._simulation.boot, self._simulation.populations
        links = [Link("lo", 1, "00:00:00:00:00:00", boot, True, Counters(0, 0), addresses=LOOPBACK_ADDRESSES)]
        if self._simulation.position is not Position.HOST:
            links.append(self._uplink(at_s))
        if self._simulation.position is Position.BRIDGE:
            # A bridge does not count forwarded traffic as its own.
            links.append(
                Link(
                    BRIDGE,
                    3,
                    "02:53:49:4d:ff:fd",
                    boot,
                    True,
                    Counters(0, 0),
                    addresses=_own(populations),
                    kind="bridge",
                )
            )
        names = dict.fromkeys(one.interface for one in populations)
        sharing = [[one for one in populations if one.interface == name] for name in names]
        links += [self._department(some, at_s) for some in sharing]
        return {link.name: link for link in links}

    def _frames(self, populations: Iterable[Population], at_s: float) -> tuple[Carried, Carried]:
        """The traffic of these departments as Ethernet frames, from and to them."""
        traffic = [self._simulation.wire.carried(device, at_s) for one in populations for device in one.devices]
        sent = _framed(sum(one.up_bytes for one in traffic), sum(one.up_packets for one in traffic))
        received = _framed(sum(one.down_bytes for one in traffic), sum(one.down_packets for one in traffic))
        return sent, received

    def _uplink(self, at_s: float) -> Link:
        forwards = POSITIONS[self._simulation.position].forwards
        sent, received = self._frames(self._simulation.populations if forwards else (), at_s)
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

    def _department(self, sharing: list[Population], at_s: float) -> Link:
        """The interface of one department, or of several that share it."""
        position, first = self._simulation.position, sharing[0]
        up = self._simulation.wire.is_up(first, at_s)
        received, sent = RECEIVED_AND_SENT[POSITIONS[position].facing](*self._frames(sharing, at_s))
        return Link(
            name=first.interface,
            index=4 + first.index,
            mac=router_mac(first),
            boot=self._simulation.boot,
            up=up,
            counters=Counters(received[0], sent[0], received[1], sent[1]),
            speed_bps=SPEED_BPS if up else None,
            master=BRIDGE if position is Position.BRIDGE else None,
            addresses=_own(sharing) if position in ADDRESSED else (),
        )


def _framed(l3_bytes: int, packets: int) -> Carried:
    asked = packets // PACKETS_FOR_EACH_ARP
    return l3_bytes + ETHERNET_BYTES * (packets + asked) + ARP_BYTES * asked, packets + asked


def _own(populations: Iterable[Population]) -> tuple[Address, ...]:
    """The appliance's addresses in these departments."""
    return tuple(ip_interface(f"{one.own}/{one.network.prefixlen}") for one in populations if one.own is not None)
