from appliance.core.machine import Counters, Link
from appliance.core.metering.meter import Reading
from appliance.core.metering.unaccounted import Unaccounted


def _link(name: str, carried_bytes: int) -> Link:
    return Link(name, 2, "02:00:00:00:00:01", "boot", True, Counters(carried_bytes, 0))


def test_the_meter_of_a_vlan_counts_on_its_parent_interface_too() -> None:
    balance = Unaccounted({"plain": "eth1", "tagged": "eth1.20"})
    for step in range(3):
        links = {"eth1": _link("eth1", 300 * step), "eth1.20": _link("eth1.20", 200 * step)}
        balance.count(links, {"plain": Reading("a", 100 * step), "tagged": Reading("b", 200 * step)})
    assert balance.unaccounted_percent("eth1") == 0
    assert balance.unaccounted_percent("eth1.20") == 0
