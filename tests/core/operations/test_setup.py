"""Faults of a setup that no interface of the lab can have."""

import pytest
from msgspec.structs import replace

from appliance.core.machine import Counters, Link, Position, Vlan
from appliance.core.metering.department import UNLIMITED, Department
from appliance.core.operations.foreign_rules import FirstPacket, closed_chains
from appliance.core.operations.setup import NetworkFacts, setup_faults

TRUNK = Link("eth0", 1, "02:00:00:00:00:01", "boot", True, Counters(0, 0))
VLAN = replace(TRUNK, name="vlan20", index=3, kind="vlan", vlan=Vlan("eth0", 20))


def test_a_vlan_of_a_bridged_port_is_in_no_bridge_and_told_where_its_frames_pass() -> None:
    bridge = replace(TRUNK, name="br0", index=9, kind="bridge")
    links = {one.name: one for one in (bridge, replace(TRUNK, master="br0"), VLAN)}
    [fault] = setup_faults(Position.BRIDGE, Department("a", "A", "vlan20", UNLIMITED), links, NetworkFacts())
    assert "vlan20 is in no bridge" in fault.text
    assert "eth0, which carries it, is a port of br0" in fault.text


# As iptables-nft's tables look in nft's JSON: the conditions of its own modules are not shown.
def xtables(*rules: list[dict[str, object]]) -> list[dict[str, dict[str, object]]]:
    base = {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "policy": "drop"}
    return [
        {"chain": base},
        *({"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "expr": rule}} for rule in rules),
    ]


STATE: dict[str, object] = {"xt": {"type": "match", "name": "conntrack"}}
ACCEPT: dict[str, object] = {"accept": None}
FROM: dict[str, object] = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth1"}}


@pytest.mark.parametrize(
    ("rule", "is_closed"), [([STATE, ACCEPT], True), ([FROM, STATE, ACCEPT], False), ([FROM, ACCEPT], False)]
)
def test_conditions_of_iptables_are_read_as_far_as_shown(rule: list[dict[str, object]], is_closed: bool) -> None:
    packet = FirstPacket("eth1", ["eth0"], 4)
    assert bool(closed_chains(xtables(rule), ["ip"], packet)) is is_closed
    assert not closed_chains(xtables(rule), ["ip"], replace(packet, version=6))


def test_chains_that_jump_in_a_circle_end() -> None:
    jump: list[dict[str, object]] = [{"jump": {"target": "FORWARD"}}]  # which the kernel would refuse
    assert not closed_chains(xtables(jump), ["ip"], FirstPacket("eth1", ["eth0"], 4))
