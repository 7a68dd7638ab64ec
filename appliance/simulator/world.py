"""What the parts of the simulated machine share."""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.core.machine import Position
from appliance.simulator.network import Population
from appliance.simulator.story import Story
from appliance.simulator.wire import Wire


@dataclass(frozen=True, slots=True)
class World:
    """What the parts of the machine share. `elapsed`: the seconds since its start."""

    position: Position
    boot: str
    seed: int
    elapsed: Callable[[], float]
    populations: tuple[Population, ...]
    story: Story
    wire: Wire
