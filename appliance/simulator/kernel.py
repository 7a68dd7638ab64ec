"""The simulated kernel's view of the devices: neighbours, connections, and captured frames."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from appliance.core.machine import Connection, Frame, Sighting, Vlan
from appliance.core.pause import Pause, no_pause
from appliance.simulator.conversations import SITES, site_address
from appliance.simulator.network import FORGOTTEN_S, newcomer_mac
from appliance.simulator.scenario import ActKind, seeded_random
from appliance.simulator.wire import CaptureBuffer, Simulation

MOST_FRAMES = 64  # in one batch, as the port says
CONNECTIONS = (1, 6)  # of a device at a time
CONNECTIONS_LAST_S = 5.0


class SimulatedNeighbours:
    """`ports.Neighbours`: the devices that are present, and those that left a while ago."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def sightings(self) -> Sequence[Sighting]:
        """Every device that the kernel would still list; none behind an unplugged cable."""
        at_s = self._simulation.elapsed()
        return [
            Sighting(one.interface, device.mac, device.age_s(at_s), device.address)
            for one in self._simulation.populations
            if self._simulation.wire.is_up(one, at_s)
            for device in one.devices
            if device.age_s(at_s) <= FORGOTTEN_S
        ] + [
            Sighting(one.interface, newcomer_mac(one), at_s - act.at_s)
            for act in self._simulation.scenario.begun(ActKind.ARRIVAL, at_s - FORGOTTEN_S, at_s)
            for one in [self._simulation.populations[act.department]]
        ]


class SimulatedFlows:
    """`ports.Flows`: a few connections of each active device."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def connections(self, _: Pause = no_pause) -> Mapping[Connection, int]:
        """The number of connections between each two addresses."""
        at_s = self._simulation.elapsed()
        chance = seeded_random(self._simulation.seed, "connections", at_s // CONNECTIONS_LAST_S)
        return Counter(
            Connection(str(device.address), str(site_address(chance.randrange(len(SITES)), device.address.version)))
            for one in self._simulation.populations
            for device in self._simulation.wire.users(one, at_s)
            for _ in range(chance.randint(*CONNECTIONS))
        )


class SimulatedCapture:
    """`ports.Capture` of the departments' interfaces."""

    descriptor = None

    def __init__(self, simulation: Simulation, buffer: CaptureBuffer) -> None:
        self._simulation = simulation
        self._buffer = buffer

    def attach(self, interfaces: Iterable[str], vlans: Iterable[Vlan | None] = ()) -> None:  # noqa: ARG002  it has none
        """Capture at exactly these interfaces, as far as they exist."""
        self._pass_time()
        self._buffer.interfaces = frozenset(interfaces)

    def frames(self) -> Sequence[Frame]:
        """The oldest captured frames, at most `MOST_FRAMES`."""
        self._pass_time()
        return [self._buffer.frames.popleft() for _ in range(min(MOST_FRAMES, len(self._buffer.frames)))]

    def lost(self) -> int:
        """The number of frames that did not fit into the buffer, since the start."""
        self._pass_time()
        return self._buffer.lost

    def _pass_time(self) -> None:
        self._simulation.wire.advance(self._simulation.elapsed())
