"""The simulated computer: its gauges, its LEDs, and the button with the person who presses it."""

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
    """`ports.Sensors`: a Raspberry Pi with 1 GB under light load; its temperature follows the load."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def vitals(self) -> Vitals:
        """The gauges; they change once a second."""
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
    """`ports.Panel`. `shown` keeps the LEDs; the person looks at them before pressing the button."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._looked_s = 0.0
        self._presses: list[Press] = []
        self.shown: Lights = DARK

    @property
    def shows_maintenance(self) -> bool:
        """Whether the LEDs show that the appliance is in maintenance."""
        return self.shown.status is STATUS[True]

    def presses(self) -> Sequence[Press]:
        """The presses since the previous call, oldest first."""
        until_s = self._simulation.elapsed()
        # An appliance that was switched off in maintenance starts in it: a press that ignored the LEDs would end it
        # where the scenario means to begin it, and the next would leave it on for an hour.
        kind = ActKind.END_MAINTENANCE if self.shows_maintenance else ActKind.BEGIN_MAINTENANCE
        held = [Press.HELD for _ in self._simulation.scenario.begun(kind, self._looked_s, until_s)]
        self._looked_s = until_s
        presses, self._presses = [*self._presses, *held], []
        return presses

    def show(self, lights: Lights) -> None:
        """Set the LEDs."""
        self.shown = lights

    def press(self, kind: Press) -> None:
        """Press the button from outside the scenario."""
        self._presses.append(kind)
