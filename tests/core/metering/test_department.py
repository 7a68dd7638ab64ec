from ipaddress import ip_interface, ip_network

import pytest

from appliance.core.machine import Counters, Facing, Link
from appliance.core.metering.department import Department, claims_of, networks_of
from appliance.core.metering.quota import Limits

OWN = "fe80::5054:ff:fe00:1/64"  # what the kernel gives every interface by itself


def link(name: str, *addresses: str, master: str | None = None) -> Link:
    given = tuple(ip_interface(one) for one in addresses)
    return Link(name, 2, "02:00:00:00:00:01", "boot", True, Counters(0, 0), addresses=given, master=master)


@pytest.mark.parametrize(
    ("links", "networks"),
    [
        ([], None),
        ([link("eth1")], None),
        ([link("eth1", OWN)], None),
        ([link("eth1", OWN, master="br0"), link("br0")], None),
        ([link("eth1", "10.20.0.1/24", OWN)], ["10.20.0.0/24", "fe80::/64"]),
        (
            [link("eth1", OWN, master="br0"), link("br0", "10.20.0.1/24", "fd20::1/64", OWN)],
            ["fe80::/64", "10.20.0.0/24", "fd20::/64"],
        ),
    ],
    ids=["no interface", "no address", "its own alone", "a port of a bridge without one", "a gateway's", "a bridge's"],
)
def test_a_department_has_the_networks_of_its_interface(links: list[Link], networks: list[str] | None) -> None:
    department = Department("dept", "Dept", "eth1", Limits({}))
    known = None if networks is None else tuple(map(ip_network, networks))
    assert networks_of(department, {one.name: one for one in links}) == known


def test_configured_subnets_replace_those_of_the_interface() -> None:
    subnets = (ip_network("192.168.7.0/24"),)
    department = Department("dept", "Dept", "eth1", Limits({}), subnets=subnets, shares_interface=True)
    assert networks_of(department, {"eth1": link("eth1", "10.20.0.1/24", "fd20::1/64")}) == subnets


@pytest.mark.parametrize(
    ("links", "others"),
    [
        ([link("eth1", "10.20.0.1/24", "fd20::1/64", OWN)], ["fd20::/64", "fe80::/64"]),
        ([link("eth1", "10.20.0.1/24")], ["::/0"]),
        ([link("eth1", OWN, master="br0"), link("br0", OWN)], ["::/0"]),
        ([], ["::/0"]),
    ],
    ids=["both versions", "one version", "a bridge without an address", "no interface"],
)
def test_a_department_alone_at_its_interface_has_the_other_ip_version_there_too(
    links: list[Link], others: list[str]
) -> None:
    department = Department("dept", "Dept", "eth1", Limits({}), subnets=(ip_network("192.168.7.0/24"),))
    known = tuple(map(ip_network, ["192.168.7.0/24", *others]))
    assert networks_of(department, {one.name: one for one in links}) == known


@pytest.mark.parametrize(
    ("interfaces", "facing", "told_apart"),
    [
        (["eth1", "eth2"], Facing.DEPARTMENT, []),
        (["eth1", "eth1"], Facing.DEPARTMENT, ["a", "b"]),
        (["eth1", "eth1.20"], Facing.DEPARTMENT, []),
        (["eth0"], Facing.SELF, []),
        (["eth1"], Facing.MIRRORED, ["a"]),
    ],
)
def test_subnets_tell_departments_apart_only_where_they_share_a_port(
    interfaces: list[str], facing: Facing, told_apart: list[str]
) -> None:
    departments = [
        Department(name, name, interface, Limits({}), (ip_network(f"10.{at}.0.0/16"),))
        for at, (name, interface) in enumerate(zip("abc", interfaces, strict=False))
    ]
    claims = claims_of(departments, facing)
    assert [name for name, networks in claims.items() if networks] == told_apart
