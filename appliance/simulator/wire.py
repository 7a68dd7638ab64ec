"""Time on the simulated wires: the bytes of each device add up, and frames pass.

Time advances in ticks. A device's rate is constant within a tick, so its byte count is exact at every instant and only
grows. A block or an outage takes effect with the next tick; a traffic limit within one packet.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from math import ceil, inf

from msgspec import Struct

from appliance.core.machine import Frame, Position
from appliance.simulator.conversations import (
    SITES,
    arrival_frames,
    greeting_frames,
    scan_frames,
    site_address,
    visit_frames,
)
from appliance.simulator.frames import Address
from appliance.simulator.network import Device, Population, Rate
from appliance.simulator.scenario import Act, ActKind, Scenario, seeded_random

TICK_S = 0.25  # a power of two, so that the seconds of ticks are exact; short enough to seem immediate
PACKET_BYTES = 900  # mean of full segments and acknowledgements

BUFFER_FRAMES = 1024  # such frames fit into the real buffer

# Whether an interface passes nothing of an address at a second.
IsStopped = Callable[[str, Address, float], bool]
# Whether, at an interface, an address is refused the look-up of a name at a second.
IsDenied = Callable[[str, Address, str, float], bool]


class Traffic(Struct, frozen=True):
    """L3 bytes from a device and toward it since the start of the machine."""

    up_bytes: int = 0
    down_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Both directions."""
        return self.up_bytes + self.down_bytes

    @property
    def up_packets(self) -> int:
        """Packets from the device."""
        return ceil(self.up_bytes / PACKET_BYTES)

    @property
    def down_packets(self) -> int:
        """Packets toward the device."""
        return ceil(self.down_bytes / PACKET_BYTES)


class TrafficLimit(Struct, frozen=True):
    """A limit on some devices together. `None`: no limit of this kind.

    `stop_at_bytes`: of their traffic in both directions since the start; the packet that reaches it is the last.
    `bytes_s`: their rate together.
    """

    devices: frozenset[Device]
    stop_at_bytes: int | None = None
    bytes_s: int | None = None


class CaptureBuffer:
    """The kernel's side of a capture: a buffer for the frames of some interfaces, which drops what does not fit."""

    def __init__(self) -> None:
        self.interfaces: frozenset[str] = frozenset()
        self.frames: deque[Frame] = deque()
        self.lost = 0

    def receive(self, frame: Frame) -> None:
        """Keep a frame that passes, if its interface is captured and the buffer has room."""
        if frame.interface not in self.interfaces:
            return
        if len(self.frames) < BUFFER_FRAMES:
            self.frames.append(frame)
        else:
            self.lost += 1


class Wire:
    """Carries the traffic of all departments' devices; seconds count from the start of the machine."""

    _tick = 0

    def __init__(
        self,
        populations: Sequence[Population],
        scenario: Scenario,
        seed: int,
        *,
        is_stopped: IsStopped,
        is_denied: IsDenied,
        buffer: CaptureBuffer,
    ) -> None:
        self._populations = populations
        self._scenario = scenario
        self._seed = seed
        self._is_stopped = is_stopped
        self._is_denied = is_denied
        self._buffer = buffer
        self._first_captured: dict[str, int] = {}  # tick, by interface
        self._limits: Sequence[TrafficLimit] = ()
        self._open_until_s = 0.0
        self._settled_s = 0.0
        self._totals = {device: Traffic() for one in populations for device in one.devices}
        self._wanted: dict[Device, Rate] = {}
        self._rates: dict[Device, Rate] = {}
        self._silent_after_s: dict[Device, float] = {}
        self._begin_tick(0.0)

    def advance(self, at_s: float) -> None:
        """Advance time to this second; it never goes back."""
        while (self._tick + 1) * TICK_S <= at_s:
            self._tick += 1
            self._settle_totals(self._tick * TICK_S)
            self._begin_tick(self._tick * TICK_S)

    def carried(self, device: Device, at_s: float) -> Traffic:
        """The device's traffic since the start."""
        self.advance(at_s)
        return self._carried(device, at_s - self._settled_s)

    def limit(self, limits: Sequence[TrafficLimit], at_s: float) -> None:
        """Apply exactly these limits from now on."""
        self.advance(at_s)
        self._settle_totals(at_s)
        self._limits = tuple(limits)
        self._apply_limits()

    def let_pass(self, for_s: float, at_s: float) -> None:
        """Apply no limit for so long, to the tick."""
        self.advance(at_s)
        self._settle_totals(at_s)
        self._open_until_s = at_s + for_s
        self._apply_limits()

    def is_up(self, population: Population, at_s: float) -> bool:
        """Whether the cable of the department's interface is plugged in."""
        outages = self._scenario.under_way(ActKind.OUTAGE, at_s)
        return all(self._populations[act.department].interface != population.interface for act in outages)

    def users(self, population: Population, at_s: float) -> list[Device]:
        """The devices that are present and neither blocked nor at their limit."""
        return [one for one in population.devices if not one.away_s(at_s) and self._may_pass(population, one, at_s)]

    def _carried(self, device: Device, passed_s: float) -> Traffic:
        before, (up, down) = self._totals[device], self._rates.get(device, (0.0, 0.0))
        lasts_s = self._silent_after_s.get(device, inf)
        if passed_s < lasts_s:
            return Traffic(before.up_bytes + int(up * passed_s), before.down_bytes + int(down * passed_s))
        # Rounded up: the last packet reaches the limit, and exceeds it a little.
        return Traffic(before.up_bytes + ceil(up * lasts_s), before.down_bytes + ceil(down * lasts_s))

    def _settle_totals(self, at_s: float) -> None:
        passed_s = at_s - self._settled_s
        self._totals = {device: self._carried(device, passed_s) for device in self._totals}
        self._settled_s = at_s

    def _begin_tick(self, at_s: float) -> None:
        """Set the rates and emit the frames of the tick that begins at this second."""
        self._wanted = {}
        for population in self._populations:
            if not self.is_up(population, at_s):
                continue
            users = self.users(population, at_s)
            downloads = {
                population.device_for(act.pick): act.strength for act in self._acts(ActKind.DOWNLOAD, population, at_s)
            }
            self._wanted.update(population.rates(at_s, users, downloads))
            for data in self._tick_frames(population, users, at_s):
                self._buffer.receive(Frame(population.interface, data))
        self._apply_limits()

    def _apply_limits(self) -> None:
        """Set each device's rate under its limits, and the seconds after which it must fall silent."""
        self._rates = dict(self._wanted)
        limits = () if self._settled_s < self._open_until_s else self._limits
        for limit in limits:
            if limit.bytes_s is not None and (bytes_s := self._bytes_s(limit.devices)) > limit.bytes_s:
                share = limit.bytes_s / bytes_s
                self._rates.update({one: (up * share, down * share) for one, (up, down) in self._of(limit.devices)})
        self._silent_after_s = {}
        for limit in limits:
            if limit.stop_at_bytes is not None and (bytes_s := self._bytes_s(limit.devices)):
                left_s = max(0, limit.stop_at_bytes - self._total_bytes(limit)) / bytes_s
                for device in limit.devices:
                    self._silent_after_s[device] = min(left_s, self._silent_after_s.get(device, inf))

    def _of(self, devices: Iterable[Device]) -> list[tuple[Device, Rate]]:
        return [(one, self._rates[one]) for one in devices if one in self._rates]

    def _bytes_s(self, devices: Iterable[Device]) -> float:
        return sum(up + down for _, (up, down) in self._of(devices))

    def _total_bytes(self, limit: TrafficLimit) -> int:
        return sum(self._totals[one].total_bytes for one in limit.devices)

    def _acts(self, kind: ActKind, population: Population, at_s: float) -> list[Act]:
        """The department's acts of this kind that are under way; a round has one of each at a time."""
        return [one for one in self._scenario.under_way(kind, at_s) if self._populations[one.department] is population]

    def _may_pass(self, population: Population, device: Device, at_s: float) -> bool:
        is_used_up = any(
            device in limit.devices
            and limit.stop_at_bytes is not None
            and self._total_bytes(limit) >= limit.stop_at_bytes
            for limit in self._limits
        )
        is_held = is_used_up and at_s >= self._open_until_s
        return not is_held and not self._is_stopped(population.interface, device.address, at_s)

    def _tick_frames(self, population: Population, users: list[Device], at_s: float) -> list[bytes]:
        interface = population.interface
        chance = seeded_random(self._seed, "talk", population.index, at_s)

        def may_visit(device: Device, number: int) -> bool:
            server = site_address(number, device.address.version)
            is_denied = self._is_denied(interface, device.address, SITES[number][0], at_s)
            return not is_denied and not self._is_stopped(interface, server, at_s)

        frames = [*visit_frames(population, users, TICK_S, chance, may_visit)]
        if interface in self._buffer.interfaces:
            first = self._first_captured.setdefault(interface, self._tick)
            frames += greeting_frames(population, users, self._tick - first, TICK_S)
        if self._acts(ActKind.ARRIVAL, population, at_s) and self._may_pass(population, population.devices[-1], at_s):
            frames += arrival_frames(population)
        for act in self._acts(ActKind.SCAN, population, at_s):
            if self._may_pass(population, population.device_for(act.pick), at_s):
                frames += scan_frames(population, act, at_s, TICK_S)
        return frames


class Simulation(Struct, frozen=True):
    """The state that the parts of the machine share. `elapsed`: seconds since its start."""

    position: Position
    boot: str
    seed: int
    elapsed: Callable[[], float]
    populations: tuple[Population, ...]
    scenario: Scenario
    wire: Wire
