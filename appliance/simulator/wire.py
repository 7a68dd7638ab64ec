"""The passing of time on the simulated wires: bytes add up, and frames go by.

Time passes in ticks. Within one a department's rate stays the same, so what an interface carried is exact at every
instant between, and only grows. A block or an outage shows from the next tick on.
"""

from collections import deque
from collections.abc import Callable, Sequence

from appliance.core.machine import Frame
from appliance.simulator.frames import Address
from appliance.simulator.network import Device, Population
from appliance.simulator.story import Deed, Story, dice
from appliance.simulator.talk import scan, visits

TICK_S = 0.25  # a power of two, so that the seconds of ticks are exact; a person takes it for at once

BUFFER_FRAMES = 1024  # what the real one holds of such frames

Stopped = Callable[[str, Address, float], bool]


class Tap:
    """The kernel's end of a capture: a buffer of what goes by on some interfaces, which loses what does not fit."""

    def __init__(self) -> None:
        self.interfaces: frozenset[str] = frozenset()
        self.buffer: deque[Frame] = deque()
        self.lost = 0

    def receive(self, frame: Frame) -> None:
        """A frame goes by."""
        if frame.interface not in self.interfaces:
            return
        if len(self.buffer) < BUFFER_FRAMES:
            self.buffer.append(frame)
        else:
            self.lost += 1


class Wire:
    """What all departments' interfaces carry; seconds count from the start of the machine."""

    def __init__(
        self,
        populations: Sequence[Population],
        story: Story,
        seed: int,
        is_stopped: Stopped,
        tap: Tap,
    ) -> None:
        """`is_stopped`: whether an interface passes nothing of an address at a second."""
        self._populations = populations
        self._story = story
        self._seed = seed
        self._is_stopped = is_stopped
        self._tap = tap
        self._tick = 0
        self._totals = [(0, 0)] * len(populations)
        self._rates = [(0.0, 0.0)] * len(populations)
        self._begin(0.0)

    def advance(self, at_s: float) -> None:
        """Let time pass until this second; it never goes back."""
        while (self._tick + 1) * TICK_S <= at_s:
            self._totals = [self._carried(index, TICK_S) for index in range(len(self._totals))]
            self._tick += 1
            self._begin(self._tick * TICK_S)

    def carried(self, index: int, at_s: float) -> tuple[int, int]:
        """Bytes (from, to) the department since the start."""
        self.advance(at_s)
        return self._carried(index, at_s - self._tick * TICK_S)

    def is_up(self, population: Population, at_s: float) -> bool:
        """Whether the department's cable is in."""
        outages = self._story.under_way(Deed.OUTAGE, at_s)
        return all(self._populations[act.department] is not population for act in outages)

    def users(self, population: Population, at_s: float) -> list[Device]:
        """The devices that are there and may pass."""
        interface = population.interface
        return population.there(at_s, lambda device: self._is_stopped(interface, device.address, at_s))

    def _carried(self, index: int, passed_s: float) -> tuple[int, int]:
        (sent, received), (up, down) = self._totals[index], self._rates[index]
        return sent + int(up * passed_s), received + int(down * passed_s)

    def _begin(self, at_s: float) -> None:
        """The rates and frames of the tick that begins at this second."""
        for index, population in enumerate(self._populations):
            if not self.is_up(population, at_s):
                self._rates[index] = 0.0, 0.0
                continue
            users = self.users(population, at_s)
            self._rates[index] = population.rates(at_s, users, self._rush(population, at_s))
            for data in self._talk(population, users, at_s):
                self._tap.receive(Frame(population.interface, data))

    def _rush(self, population: Population, at_s: float) -> float:
        acts = self._story.under_way(Deed.RUSH, at_s)
        return sum(
            act.strength
            for act in acts
            if self._populations[act.department] is population and self._may_pass(population, act.who, at_s)
        )

    def _may_pass(self, population: Population, who: float, at_s: float) -> bool:
        return not self._is_stopped(population.interface, population.suspect(who).address, at_s)

    def _talk(self, population: Population, users: list[Device], at_s: float) -> list[bytes]:
        interface = population.interface
        chance = dice(self._seed, "talk", population.index, at_s)
        said = [*visits(population, users, TICK_S, chance, lambda address: self._is_stopped(interface, address, at_s))]
        for act in self._story.under_way(Deed.SCAN, at_s):
            if self._populations[act.department] is population and self._may_pass(population, act.who, at_s):
                said += scan(population, act, at_s, TICK_S)
        return said
