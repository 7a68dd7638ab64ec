"""Which of a computer's interfaces are ports."""

from appliance.core.machine import Counters, Link, Vlan, ports_of


def link(name: str, *, mac: str = "02:00:00:00:00:01", kind: str = "", vlan: Vlan | None = None) -> Link:
    return Link(name, 1, mac, "boot", True, Counters(0, 0), kind=kind, vlan=vlan)


def names(used: list[str], *links: Link) -> list[str]:
    return [one.name for one in ports_of(used, {one.name: one for one in links})]


def test_ports_are_the_hardware_and_no_loopback_bridge_or_tunnel() -> None:
    virtual = [
        link("lo", mac="00:00:00:00:00:00"),
        link("br0", kind="bridge"),
        link("wg0", mac="", kind="wireguard"),
        link("docker0", kind="bridge"),
        link("veth1", kind="veth"),
    ]
    assert names(["br0"], link("eth1"), link("eth0"), *virtual) == ["br0", "eth0", "eth1"]
    assert names([], *virtual) == []


def test_a_department_in_a_vlan_has_the_port_of_its_trunk() -> None:
    vlans = [link(f"eth1.{tag}", kind="vlan", vlan=Vlan("eth1", tag)) for tag in (10, 20)]
    assert names(["eth1.10", "eth1.20"], link("eth1"), *vlans) == ["eth1"]


def test_a_port_that_is_gone_is_not_shown() -> None:
    assert names(["eth7"], link("eth1")) == ["eth1"]
