from appliance.core.machine import Counters, Link, Vlan
from appliance.core.metering.meter import Reading
from appliance.core.metering.unaccounted import Unaccounted


def _link(name: str, carried_bytes: int, vlan: Vlan | None = None) -> Link:
    return Link(name, 2, "02:00:00:00:00:01", "boot", True, Counters(carried_bytes, 0), vlan=vlan)


def test_the_meter_of_a_vlan_counts_on_its_parent_interface_too() -> None:
    balance = Unaccounted({"plain": "eth1", "tagged": "phones"})
    vlan = Vlan("eth1", 20)
    for step in range(3):
        links = {"eth1": _link("eth1", 300 * step), "phones": _link("phones", 200 * step, vlan)}
        balance.count(links, {"plain": Reading("a", 100 * step), "tagged": Reading("b", 200 * step)})
    assert balance.unaccounted_percent("eth1") == 0
    assert balance.unaccounted_percent("phones") == 0
