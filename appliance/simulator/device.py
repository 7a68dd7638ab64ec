"""The simulated computer itself: its gauges, its LEDs, and the button with somebody who holds it."""

from collections.abc import Sequence
from math import pi, sin

from appliance.core.machine import Lights, Press, Vitals
from appliance.core.operations.panel_lights import DARK, STATUS
from appliance.simulator.scenario import ActKind, seeded_random
from appliance.simulator.wire import Simulation

MIB = 1 << 20
MEMORY_TOTAL_BYTES = 906 * MIB  # what Linux calls total on a Raspberry Pi with 1 GB
MEMORY_USED_BYTES = 310 * MIB
MEMORY_SWING_BYTES = 24 * MIB
STORAGE_TOTAL_BYTES = 29_500 * MIB  # an SD card of 32 GB, formatted
STORAGE_USED_BYTES = 4_200 * MIB
STORAGE_GROWS_BYTES_S = 300.0  # journal and ledgers: 25 MB a day
LOAD_SWINGS_S = 60.0


class SimulatedSensors:
    """`ports.Sensors`: a Raspberry Pi with 1 GB that has little to do, and is warmer when it does it."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def vitals(self) -> Vitals:
        """The gauges, which move once a second."""
        second = int(self._simulation.elapsed())
        chance = seeded_random(self._simulation.seed, "gauges", second)
        load = (1 + sin(2 * pi * second / LOAD_SWINGS_S)) / 2
        return Vitals(
            cpu_percent=round(8 + 22 * load + chance.uniform(0, 6), 1),
            cpu_temperature_c=round(52 + 9 * load + chance.uniform(0, 2), 1),
            memory_used_bytes=MEMORY_USED_BYTES + chance.randrange(MEMORY_SWING_BYTES),
            memory_total_bytes=MEMORY_TOTAL_BYTES,
            storage_used_bytes=STORAGE_USED_BYTES + int(second * STORAGE_GROWS_BYTES_S),
            storage_total_bytes=STORAGE_TOTAL_BYTES,
        )


class SimulatedPanel:
    """`ports.Panel`. The LEDs are remembered in `shown`; who holds the button looks at them first."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._looked_s = 0.0
        self._presses: list[Press] = []
        self.shown: Lights = DARK

    @property
    def shows_maintenance(self) -> bool:
        """Whether a person who looks at the LEDs sees that the appliance is in maintenance."""
        return self.shown.status is STATUS[True]

    def presses(self) -> Sequence[Press]:
        """What the button has done since the previous call, oldest first."""
        until_s = self._simulation.elapsed()
        # An appliance that was switched off in maintenance wakes up in it: holding the button blindly would end it when
        # the script means to begin it, and leave it on for an hour.
        kind = ActKind.END_MAINTENANCE if self.shows_maintenance else ActKind.BEGIN_MAINTENANCE
        held = [Press.HELD for _ in self._simulation.scenario.begun(kind, self._looked_s, until_s)]
        self._looked_s = until_s
        presses, self._presses = [*self._presses, *held], []
        return presses

    def show(self, lights: Lights) -> None:
        """Make the LEDs burn like this."""
        self.shown = lights

    def press(self, kind: Press) -> None:
        """Use the button, as a finger would."""
        self._presses.append(kind)
