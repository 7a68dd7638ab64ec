"""The simulated machine as a whole, the operator at its dashboard, and people who are cut off."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from appliance.config import Config
from appliance.core.blocking.block import BlockRequest
from appliance.core.moment import Moment, timestamp
from appliance.simulator.device import SimulatedPanel, SimulatedSensors, SimulatedUpdates
from appliance.simulator.dns_filter import SimulatedDnsFilter
from appliance.simulator.firewall import SimulatedFirewall, SimulatedForwarding, SimulatedUpstream
from appliance.simulator.interfaces import OTHER_UPLINK, UPLINK, SimulatedInterfaces
from appliance.simulator.kernel import SimulatedCapture, SimulatedFlows, SimulatedNeighbours
from appliance.simulator.meters import SimulatedMeters
from appliance.simulator.network import SimulatedVendors, populate
from appliance.simulator.scenario import Act, ActKind, Scenario
from appliance.simulator.wire import CaptureBuffer, Simulation, Wire

OPERATOR = "simulated operator"
ORDER_REASON = "Port scan, seen on the dashboard"
PLEAS = (
    ("T. Brandt", "Payroll run needs the bank's portal today"),
    ("A. Kowalska", "Images for the second opinion at two o'clock"),
    ("M. Osei", "Updates before the exam"),
)


class Plea(NamedTuple):
    """What a person at this address asks for, if they are cut off."""

    address: str
    name: str
    text: str


class SimulatedMachine:
    """The ports of a machine with the departments and interfaces of this configuration, on the time of `clock`."""

    def __init__(self, config: Config, seed: int, clock: Callable[[], Moment]) -> None:
        started = clock()
        self.clock, self._started_s = clock, started.monotonic_s
        self._looked_s = dict.fromkeys(ActKind, 0.0)
        populations, scenario, buffer = populate(config, seed), Scenario(seed), CaptureBuffer()
        interfaces = [one.interface for one in populations]
        self.upstream = SimulatedUpstream([UPLINK, OTHER_UPLINK, *(one.interface for one in config.departments)])
        self.firewall = SimulatedFirewall(interfaces, self._elapsed_s)
        self.dns_filter = SimulatedDnsFilter(interfaces, self._elapsed_s)
        wire = Wire(
            populations, scenario, seed, is_stopped=self.firewall.stops, is_denied=self.dns_filter.denies, buffer=buffer
        )
        # Each start is a boot: the counters begin at 0, and stored ones no longer apply.
        boot = f"simulated-{seed}-{timestamp(started.wall)}"
        simulation = Simulation(config.position, boot, seed, self._elapsed_s, populations, scenario, wire)
        self._simulation = simulation
        self.interfaces = SimulatedInterfaces(simulation)
        self.neighbours = SimulatedNeighbours(simulation)
        self.forwarding, self.vendors = SimulatedForwarding(), SimulatedVendors()
        self.flows = SimulatedFlows(simulation)
        self.sensors = SimulatedSensors(simulation)
        self.panel = SimulatedPanel(simulation, config.panel.hold)
        self.meters = SimulatedMeters(simulation)
        self.capture = SimulatedCapture(simulation, buffer)
        self.updates = SimulatedUpdates(self._elapsed_s)

    def orders_due(self, now: Moment) -> list[BlockRequest]:
        """The operator's block requests since the previous call; none in maintenance, which would refuse them."""
        acts = self._begun(ActKind.ORDER, now)
        return [] if self.panel.shows_maintenance else [self._order(act) for act in acts]

    def pleas_due(self, now: Moment) -> list[Plea]:
        """What people have asked for since the previous call, if they are cut off."""
        acts = self._begun(ActKind.ASK, now)
        devices = [self._simulation.populations[act.department].device_for(act.pick) for act in acts]
        words = [PLEAS[int(act.pick * len(PLEAS)) % len(PLEAS)] for act in acts]
        return [Plea(str(device.address), *asked) for device, asked in zip(devices, words, strict=True)]

    def grants_due(self, now: Moment) -> list[str]:
        """The departments whose requests the operator has looked at since the previous call; none in maintenance."""
        acts = self._begun(ActKind.GRANT, now)
        granted = [self._simulation.populations[act.department].department.id for act in acts]
        return [] if self.panel.shows_maintenance else granted

    def _begun(self, kind: ActKind, now: Moment) -> list[Act]:
        after_s, until_s = self._looked_s[kind], now.monotonic_s - self._started_s
        self._looked_s[kind] = until_s
        return self._simulation.scenario.begun(kind, after_s, until_s)

    def _elapsed_s(self) -> float:
        return self.clock().monotonic_s - self._started_s

    def _order(self, act: Act) -> BlockRequest:
        population = self._simulation.populations[act.department]
        return BlockRequest(
            target=str(population.device_for(act.pick).address),
            reason=ORDER_REASON,
            duration_s=round(act.lasts_s),
            department=population.department.id,
            actor=OPERATOR,
            origin="manual",
        )

    def troubles(self, _: Moment) -> Sequence[str]:
        """Nothing of it fails."""
        return ()
