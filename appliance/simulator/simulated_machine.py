"""The simulated machine as a whole, and the operator who sits before its dashboard."""

from collections.abc import Callable

from appliance.config import Config
from appliance.core.blocking.block import BlockRequest
from appliance.core.moment import Moment, timestamp
from appliance.simulator.device import SimulatedPanel, SimulatedSensors
from appliance.simulator.dns_filter import SimulatedDnsFilter
from appliance.simulator.firewall import SimulatedFirewall, SimulatedUpstream
from appliance.simulator.interfaces import SimulatedInterfaces
from appliance.simulator.kernel import SimulatedCapture, SimulatedFlows, SimulatedNeighbours
from appliance.simulator.meters import SimulatedMeters
from appliance.simulator.network import populate
from appliance.simulator.scenario import Act, ActKind, Scenario
from appliance.simulator.wire import CaptureBuffer, Simulation, Wire

OPERATOR = "simulated operator"
ORDER_REASON = "Port scan, seen on the dashboard"


class SimulatedMachine:
    """The departments and interfaces of this configuration, alive; `clock` tells the time whenever it is looked at."""

    def __init__(self, config: Config, seed: int, clock: Callable[[], Moment]) -> None:
        started = clock()

        def elapsed() -> float:
            return clock().monotonic_s - started.monotonic_s

        self._started_s = started.monotonic_s
        self._looked_s = 0.0
        populations = populate(config, seed)
        scenario, buffer = Scenario(seed), CaptureBuffer()
        self.upstream = SimulatedUpstream()
        self.firewall = SimulatedFirewall([one.interface for one in populations], elapsed)
        self.dns_filter = SimulatedDnsFilter([one.interface for one in populations], elapsed)
        wire = Wire(
            populations=populations,
            scenario=scenario,
            seed=seed,
            is_stopped=self.firewall.stops,
            is_denied=self.dns_filter.denies,
            buffer=buffer,
        )
        # Each start is a boot: the counters begin at 0, and whoever remembers others is told so.
        boot = f"simulated-{seed}-{timestamp(started.wall)}"
        self._simulation = simulation = Simulation(config.position, boot, seed, elapsed, populations, scenario, wire)
        self.interfaces = SimulatedInterfaces(simulation)
        self.neighbours = SimulatedNeighbours(simulation)
        self.flows = SimulatedFlows(simulation)
        self.sensors = SimulatedSensors(simulation)
        self.panel = SimulatedPanel(simulation)
        self.meters = SimulatedMeters(simulation)
        self.capture = SimulatedCapture(simulation, buffer)

    def orders_due(self, now: Moment) -> list[BlockRequest]:
        """What the operator asks to be blocked since the previous call; nothing in maintenance, which would refuse."""
        until_s = now.monotonic_s - self._started_s
        acts = self._simulation.scenario.begun(ActKind.ORDER, self._looked_s, until_s)
        self._looked_s = until_s
        return [] if self.panel.shows_maintenance else [self._order(act) for act in acts]

    def _order(self, act: Act) -> BlockRequest:
        population = self._simulation.populations[act.department]
        return BlockRequest(
            target=str(population.suspect(act.pick).address),
            reason=ORDER_REASON,
            duration_s=round(act.lasts_s),
            department=population.department.id,
            actor=OPERATOR,
            origin="manual",
        )
