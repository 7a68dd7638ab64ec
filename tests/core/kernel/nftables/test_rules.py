"""The rules that a packet passes: which there are, and that their number is no matter of departments."""

from collections.abc import Sequence
from ipaddress import IPv4Network, ip_network
from typing import Any

import pytest

from appliance.core.blocking.place import Place
from appliance.core.kernel.nftables import block_rules, meter_rules
from appliance.core.kernel.nftables.ruleset import ACCEPT, claims
from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan


def networks(number: int) -> list[IPv4Network]:
    return [IPv4Network((10 << 24 | at << 8, 24)) for at in range(number)]


def claim(rule: Sequence[Any]) -> bool:
    return "vmap" in rule[0]


@pytest.mark.parametrize("departments", [1, 2, 64])
def test_a_packet_of_a_department_passes_as_many_rules_however_many_departments_there_are(departments: int) -> None:
    owned = {f"d{at}": (one,) for at, one in enumerate(networks(departments))}
    plans = [
        Plan(name, "eth1", Facing.DEPARTMENT, own, checks_sources=True, near=(ip_network("10.0.0.0/8"),))
        for name, own in owned.items()
    ]
    metered = meter_rules.layout(plans, meter_rules.DEFAULT).rules
    assert claim(metered["ingress_eth1"][0])
    places = [Place(name, "eth1", Facing.DEPARTMENT, own) for name, own in owned.items()]
    filled = ["hosts4", "hosts6", *(f"hosts4_{name}" for name in owned)]
    blocked = block_rules.layout(places, filled, {"eth1": 2}).rules
    assert len(blocked["ingress4_eth1"]) == 2
    assert list(map(claim, blocked["ingress4_eth1_own"])).index(True) == 0
    assert len(blocked["up4_d0"]) == 2


def test_networks_of_one_size_are_hashed_and_others_searched_in_a_tree() -> None:
    [[same]] = claims("up", 4, [(ACCEPT, networks(3))])
    assert same["vmap"]["key"]["&"][1] == "255.255.255.0"
    assert [address for address, _ in same["vmap"]["data"]["set"]] == ["10.0.0.0", "10.0.1.0", "10.0.2.0"]
    [[mixed]] = claims("up", 4, [(ACCEPT, [*networks(1), ip_network("10.9.0.0/16")])])
    assert [one["prefix"]["len"] for one, _ in mixed["vmap"]["data"]["set"]] == [24, 16]
    assert [*claims("up", 6, [(ACCEPT, networks(1))])] == []


@pytest.mark.parametrize("everything", ["0.0.0.0/0", "::/0"])
def test_a_network_of_everything_is_a_network(everything: str) -> None:
    network = ip_network(everything)
    [[rule]] = claims("up", network.version, [(ACCEPT, [network])])
    assert rule["vmap"]["data"]["set"][0][0]["prefix"]["len"] == 0
