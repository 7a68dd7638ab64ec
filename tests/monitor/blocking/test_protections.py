from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_interface

from appliance.core.machine import Counters, Link
from appliance.core.moment import Moment
from appliance.monitor.blocking.protections import REREAD_S, ProtectedAddresses
from appliance.simulator.firewall import SimulatedUpstream


class Readings:
    """`ports.Interfaces` of one link, whose address is another at each reading."""

    def __init__(self) -> None:
        self.count = 0

    def links(self) -> Mapping[str, Link]:
        self.count += 1
        address = ip_interface(f"10.0.0.{self.count}/24")
        return {"eth0": Link("eth0", 2, "02:00:00:00:00:01", "boot", True, Counters(0, 0), addresses=(address,))}


def at(second: float) -> Moment:
    return Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), 1000.0 + second, is_trusted=True)


def test_a_command_reads_the_network_unless_that_is_known_since_less_than_two_seconds() -> None:
    readings = Readings()
    protected = ProtectedAddresses([], [], readings, SimulatedUpstream())
    assert protected.protections(at(0)).rule_for("10.0.0.1") is not None
    protected.protections(at(REREAD_S - 0.1))
    assert readings.count == 1
    assert protected.protections(at(REREAD_S)).rule_for("10.0.0.2") is not None


def test_while_commands_come_the_step_reads_and_without_any_nobody_does() -> None:
    readings = Readings()
    protected = ProtectedAddresses([], [], readings, SimulatedUpstream())
    protected.refresh(at(0))
    assert readings.count == 0
    for second in range(1, 10):
        protected.protections(at(second))
        before = readings.count
        protected.refresh(at(second))
        protected.refresh(at(second + 0.5))
        assert readings.count == before + 1
    assert readings.count == 10
