"""What a gateway offloads, and that no other position does."""

from collections.abc import Collection, Mapping

import pytest

from appliance.core.machine import Counters, Link, Position
from appliance.core.metering.department import Department
from appliance.core.metering.quota import Limits
from appliance.monitor.operations.fast_path import FastPath
from appliance.simulator.firewall import SimulatedForwarding

LINKS = {
    name: Link(name, index, f"02:00:00:00:00:0{index}", "boot", up=True, counters=Counters(0, 0))
    for index, name in enumerate(("eth0", "eth1"), start=1)
}


class RecordedForwarding(SimulatedForwarding):
    asked: tuple[Collection[str], Mapping[str, int]]

    def offload(self, departments: Collection[str], carriers: Mapping[str, int]) -> None:
        self.asked = departments, carriers


@pytest.mark.parametrize("position", Position)
def test_only_a_gateway_offloads(position: Position) -> None:
    forwarding = RecordedForwarding()
    department = Department("radiology", "Radiology", "eth1", Limits({}))
    FastPath([department], position, forwarding).step(LINKS)
    assert forwarding.asked == ({"eth1"}, {"eth0": 1, "eth1": 2} if position is Position.GATEWAY else {})
