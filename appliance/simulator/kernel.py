"""What the simulated kernel knows of the devices: neighbours, connections, and the frames that a filter let through."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from appliance.core.machine import Connection, Frame, Sighting
from appliance.simulator.conversations import SITES, site_address
from appliance.simulator.network import FORGOTTEN_S
from appliance.simulator.scenario import dice
from appliance.simulator.wire import Tap, World

MOST_FRAMES = 64  # in one batch, as the port says
CONNECTIONS = (1, 6)  # of a device at a time
CONNECTIONS_LAST_S = 5.0


class SimulatedNeighbours:
    """`ports.Neighbours`: the devices that are there, and those that left a while ago."""

    def __init__(self, world: World) -> None:
        self._world = world

    def sightings(self) -> Sequence[Sighting]:
        """Every device that the kernel would still know; none behind a cable that is out."""
        at_s = self._world.elapsed()
        return [
            Sighting(one.interface, device.mac, device.age_s(at_s), device.address)
            for one in self._world.populations
            if self._world.wire.is_up(one, at_s)
            for device in one.devices
            if device.age_s(at_s) <= FORGOTTEN_S
        ]


class SimulatedFlows:
    """`ports.Flows`: a handful of connections of each device that is there and may pass."""

    def __init__(self, world: World) -> None:
        self._world = world

    def connections(self) -> Mapping[Connection, int]:
        """How many there are between each two addresses."""
        at_s = self._world.elapsed()
        chance = dice(self._world.seed, "connections", at_s // CONNECTIONS_LAST_S)
        return Counter(
            Connection(str(device.address), str(site_address(chance.randrange(len(SITES)), device.address.version)))
            for one in self._world.populations
            for device in self._world.wire.users(one, at_s)
            for _ in range(chance.randint(*CONNECTIONS))
        )


class SimulatedCapture:
    """`ports.Capture` of what goes by on the departments' interfaces."""

    def __init__(self, world: World, tap: Tap) -> None:
        self._world = world
        self._tap = tap

    def attach(self, interfaces: Iterable[str]) -> None:
        """Listen on exactly these, as far as they exist."""
        self._pass_time()
        self._tap.interfaces = frozenset(interfaces)

    def frames(self) -> Sequence[Frame]:
        """What has gone by since the previous call, at most `MOST_FRAMES`."""
        self._pass_time()
        return [self._tap.buffer.popleft() for _ in range(min(MOST_FRAMES, len(self._tap.buffer)))]

    def lost(self) -> int:
        """Frames that did not fit into the buffer, since the start."""
        self._pass_time()
        return self._tap.lost

    def _pass_time(self) -> None:
        self._world.wire.advance(self._world.elapsed())
