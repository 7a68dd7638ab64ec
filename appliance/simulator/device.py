"""The simulated computer: its gauges, its LEDs, the button with the person who presses it, and its updates."""

from collections.abc import Callable, Sequence
from math import pi, sin

from msgspec.structs import replace

from appliance.core.machine import Lights, MachineSigns, Press, Vitals
from appliance.core.operations.panel_lights import DARK, STATUS, PanelState
from appliance.core.operations.update import (
    UNDER_WAY,
    RunningRoot,
    Update,
    UpdateAction,
    UpdateOrder,
    UpdateState,
    confirmed,
    failed,
)
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
# Of a card that tells how worn it is, which few do.
HEALTHY = MachineSigns(
    undervoltage=False,
    throttled=False,
    card_used_percent=10,
    card_spare=1,
    card_bytes=STORAGE_TOTAL_BYTES,
    state_is_read_only=False,
    connections=1_200,
    most_connections=65_536,
    clock_is_kept=True,
)


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
            signs=HEALTHY,
        )


PERSON_HOLDS_S = 5.0  # how long the person holds the button: the default of 3 s with some to spare


class SimulatedPanel:
    """`ports.Panel`. `shown` keeps the LEDs; the person looks at them before pressing the button."""

    def __init__(self, simulation: Simulation, hold_s: float) -> None:
        """`hold_s`: how long the button is to be held; one that is to be held for longer the person leaves alone."""
        self._simulation = simulation
        self._is_used = hold_s <= PERSON_HOLDS_S
        self._looked_s = 0.0
        self._presses: list[Press] = []
        self.shown: Lights = DARK

    @property
    def shows_maintenance(self) -> bool:
        """Whether the LEDs show that the appliance is in maintenance."""
        return self.shown.status is dict(STATUS)[PanelState.MAINTENANCE]

    def presses(self) -> Sequence[Press]:
        """The presses since the previous call, oldest first."""
        until_s = self._simulation.elapsed()
        # An appliance that was switched off in maintenance starts in it: a press that ignored the LEDs would end it
        # where the scenario means to begin it, and the next would leave it on for an hour.
        kind = ActKind.END_MAINTENANCE if self.shows_maintenance else ActKind.BEGIN_MAINTENANCE
        begun = self._simulation.scenario.begun(kind, self._looked_s, until_s) if self._is_used else ()
        pressed = [Press.HELD for _ in begun]
        self._looked_s = until_s
        presses, self._presses = [*self._presses, *pressed], []
        return presses

    def show(self, lights: Lights) -> None:
        """Set the LEDs."""
        self.shown = lights

    def press(self, kind: Press) -> None:
        """Press the button from outside the scenario."""
        self._presses.append(kind)


FETCHED_S, CHECKED_S, WRITTEN_S = 4.0, 5.0, 15.0  # after the order: a person sees each state, and does not wait long
PROVED_S = 15.0  # after the restart
FIRST_ROOT = RunningRoot("A", "20261129T000000Z-51a7edcafe000001")
NEXT_ROOT = RunningRoot("B", "20261206T000000Z-51a7edcafe000002")
# Words in the address of a bundle, with which a simulated update ends otherwise.
REFUSED, RETURNS = "refused", "returns"


class SimulatedUpdates:
    """`ports.Updates`: an update takes half a minute with its restart, and nothing of it is real."""

    def __init__(self, elapsed_s: Callable[[], float]) -> None:
        self._elapsed_s = elapsed_s
        self._runs, self._next = FIRST_ROOT, NEXT_ROOT
        self._update: Update | None = None
        self._began_s = 0.0

    def obstacle(self) -> str | None:
        """None: it can be tried."""
        return None

    def running(self) -> RunningRoot:
        """The root that seems to run."""
        self.latest()
        return self._runs

    def latest(self) -> Update | None:
        """The update, as far as it is by now."""
        update, passed_s = self._update, self._elapsed_s() - self._began_s
        if update is not None and update.state in UNDER_WAY:
            self._update = self._written(update, passed_s)
        elif update is not None and update.state is UpdateState.TRIAL and passed_s >= PROVED_S:
            self._update = self._judged(update)
        return self._update

    def looked_at(self) -> str:
        """When it last looked by itself: not yet, as a simulation has no nights."""
        return ""

    def is_ordered(self) -> bool:
        """An order is taken at once."""
        return False

    def order(self, order: UpdateOrder) -> None:
        """Begin an update, or the restart after one."""
        self._began_s = self._elapsed_s()
        if order.action is UpdateAction.INSTALL:
            self._update = Update(
                UpdateState.FETCHING, order.actor, order.at, order.url, order.is_unattended, root=self._next.root
            )
        elif self._update is not None:
            self._runs, self._next = self._next, self._runs
            self._update = replace(self._update, state=UpdateState.TRIAL)

    def _written(self, update: Update, passed_s: float) -> Update:
        if passed_s < FETCHED_S:
            return replace(update, percent=int(100 * passed_s / FETCHED_S))
        update = replace(update, version=self._next.version)
        if passed_s < CHECKED_S:
            return replace(update, state=UpdateState.CHECKING, percent=None)
        if REFUSED in update.url:
            return failed(update, "it was altered after it was signed (simulated)")
        if passed_s < WRITTEN_S:
            share = (passed_s - CHECKED_S) / (WRITTEN_S - CHECKED_S)
            return replace(update, state=UpdateState.INSTALLING, percent=int(100 * share))
        return replace(update, state=UpdateState.INSTALLED, percent=None)

    def _judged(self, update: Update) -> Update:
        if RETURNS not in update.url:
            self._next = replace(self._runs, root=self._next.root)
            return confirmed(update)
        self._runs, self._next = self._next, self._runs
        return replace(update, state=UpdateState.RETURNED, reason="the service did not answer for 900 s (simulated)")
