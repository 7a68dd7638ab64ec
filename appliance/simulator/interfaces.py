"""The simulated interfaces: those of the departments, and those that the position has besides."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from appliance.core.machine import Counters, Link, Position
from appliance.simulator.network import Population
from appliance.simulator.talk import router_mac
from appliance.simulator.world import World

Address = IPv4Interface | IPv6Interface

SPEED_BPS = 1_000_000_000  # what a Raspberry Pi 4's port negotiates
PACKET_BYTES = 900  # of an ordinary mixture of full segments and acknowledgements

# Where both directions arrive as received at a mirror port, and where the department is the machine itself.
RECEIVED_AND_SENT: Mapping[Position, Callable[[int, int], tuple[int, int]]] = {
    Position.GATEWAY: lambda sent, received: (sent, received),
    Position.BRIDGE: lambda sent, received: (sent, received),
    Position.MIRROR: lambda sent, received: (sent + received, 0),
    Position.HOST: lambda sent, received: (received, sent),
}
PASSED_ON = frozenset({Position.GATEWAY, Position.BRIDGE})  # what a department carries, the uplink carries too
ADDRESSED = frozenset({Position.GATEWAY, Position.HOST})  # a bridge's ports and a mirror port have no addresses
LOOPBACK_ADDRESSES = (ip_interface("127.0.0.1/8"),)
UPLINK_ADDRESSES = (ip_interface("192.0.2.2/24"),)
UPLINK, OTHER_UPLINK = "eth0", "eth99"  # the other one where a department has the first
BRIDGE = "br0"


class SimulatedInterfaces:
    """`ports.Interfaces` of the simulated machine."""

    def __init__(self, world: World) -> None:
        self._world = world

    def links(self) -> Mapping[str, Link]:
        """Every interface, by name, with absolute counters."""
        at_s = self._world.elapsed()
        carried = [self._world.wire.carried(one.index, at_s) for one in self._world.populations]
        links = [self._loopback()]
        if self._world.position is not Position.HOST:
            links.append(self._uplink(carried))
        if self._world.position is Position.BRIDGE:
            links.append(self._bridge())
        links += [self._department(one, carried[one.index], at_s) for one in self._world.populations]
        return {link.name: link for link in links}

    def _loopback(self) -> Link:
        return Link("lo", 1, "00:00:00:00:00:00", self._world.boot, True, Counters(0, 0), addresses=LOOPBACK_ADDRESSES)

    def _uplink(self, carried: Sequence[tuple[int, int]]) -> Link:
        is_passed_on = self._world.position in PASSED_ON
        sent, received = map(sum, zip(*carried, strict=True)) if is_passed_on else (0, 0)
        is_port = self._world.position is Position.BRIDGE
        return Link(
            name=UPLINK if all(one.interface != UPLINK for one in self._world.populations) else OTHER_UPLINK,
            index=2,
            mac="02:53:49:4d:ff:fe",
            boot=self._world.boot,
            up=True,
            counters=_counters(received, sent),
            speed_bps=SPEED_BPS,
            master=BRIDGE if is_port else None,
            addresses=() if is_port else UPLINK_ADDRESSES,
        )

    def _bridge(self) -> Link:
        own = tuple(address for one in self._world.populations for address in _own(one))
        # What it forwards does not count as its own.
        return Link(BRIDGE, 3, "02:53:49:4d:ff:fd", self._world.boot, True, Counters(0, 0), addresses=own)

    def _department(self, population: Population, carried: tuple[int, int], at_s: float) -> Link:
        position = self._world.position
        up = self._world.wire.is_up(population, at_s)
        return Link(
            name=population.interface,
            index=4 + population.index,
            mac=router_mac(population),
            boot=self._world.boot,
            up=up,
            counters=_counters(*RECEIVED_AND_SENT[position](*carried)),
            speed_bps=SPEED_BPS if up else None,
            master=BRIDGE if position is Position.BRIDGE else None,
            addresses=_own(population) if position in ADDRESSED else (),
        )


def _counters(rx_bytes: int, tx_bytes: int) -> Counters:
    return Counters(rx_bytes, tx_bytes, rx_bytes // PACKET_BYTES, tx_bytes // PACKET_BYTES)


def _own(population: Population) -> tuple[Address, ...]:
    if population.own is None:
        return ()
    return (ip_interface(f"{population.own}/{population.network.prefixlen}"),)
