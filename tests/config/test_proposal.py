"""The first configuration that is proposed for a computer, from what its network looks like."""

import re
from ipaddress import ip_interface

import pytest

from appliance.config import parse
from appliance.config.proposal import NothingToWatch, Surroundings, proposal_text, propose
from appliance.core.machine import Counters, Link


def link(name: str, *addresses: str, master: str | None = None, up: bool = True, carried: int = 0) -> Link:
    given = tuple(ip_interface(one) for one in addresses)
    return Link(name, 1, "02:00:00:00:00:01", "boot", up, Counters(carried, 0), master=master, addresses=given)


def around(*links: Link, uplink: str | None = "eth0", port: str | None = None, forwards: bool = False) -> Surroundings:
    lo = link("lo", "127.0.0.1/8", "::1/128")
    return Surroundings(
        links={one.name: one for one in (lo, *links)},
        uplink=uplink,
        uplink_port=port,
        forwards=forwards,
        timezone="Europe/Berlin",
        host_name="pi",
    )


UPLINK, DEPARTMENT = link("eth0", "10.0.0.2/24"), link("eth1", "192.168.1.1/24", "fe80::1/64")
BRIDGED = (link("br0", "10.0.0.2/24"), link("eth0", master="br0"), link("eth1", "fe80::1/64", master="br0"))
CASES = {
    "one interface": (around(UPLINK), "host", ("eth0",)),
    "two, and nothing forwards": (around(UPLINK, DEPARTMENT), "host", ("eth0",)),
    "no default route": (around(UPLINK, link("eth1", carried=9), uplink=None), "host", ("eth1",)),
    "a router": (around(UPLINK, DEPARTMENT, forwards=True), "gateway", ("eth1",)),
    "a router of VLANs": (
        around(UPLINK, link("eth1"), link("eth1.20", "10.2.0.1/24"), link("eth1.30", "10.3.0.1/24"), forwards=True),
        "gateway",
        ("eth1.20", "eth1.30"),
    ),
    "a host of containers": (around(UPLINK, link("docker0", "172.17.0.1/16"), forwards=True), "host", ("eth0",)),
    "a bridge": (around(*BRIDGED, uplink="br0", port="eth0"), "bridge", ("eth1",)),
    "a bridge the other way round": (around(*BRIDGED, uplink="br0", port="eth1"), "bridge", ("eth0",)),
    "a bridge of unknown sides": (around(*BRIDGED, uplink="br0"), "bridge", ("eth1",)),
    "a bridge of virtual machines": (
        around(
            UPLINK, link("virbr0", "192.168.122.1/24"), link("vnet0", master="virbr0"), link("vnet1", master="virbr0")
        ),
        "host",
        ("eth0",),
    ),
    "a mirror port": (around(UPLINK, link("eth1", "fe80::1/64")), "mirror", ("eth1",)),
    "a cable that is not plugged in": (around(UPLINK, link("eth1", up=False)), "host", ("eth0",)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_position_follows_from_the_network(case: str) -> None:
    surroundings, position, interfaces = CASES[case]
    proposal = propose(surroundings)
    assert (proposal.position, proposal.interfaces) == (position, interfaces)


@pytest.mark.parametrize("case", CASES)
def test_the_text_is_good_as_it_is_and_with_every_key_in_force(case: str) -> None:
    surroundings, position, interfaces = CASES[case]
    text = proposal_text(propose(surroundings), surroundings)
    whole = re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE)
    for one in (text, whole):
        config = parse(one.encode(), "proposed")
        assert (config.position, tuple(dept.interface for dept in config.departments)) == (position, interfaces)
    assert parse(whole.encode(), "proposed") != parse(text.encode(), "proposed")


def test_a_computer_without_a_network_is_told_so() -> None:
    with pytest.raises(NothingToWatch, match="no network interface"):
        propose(around(uplink=None))
