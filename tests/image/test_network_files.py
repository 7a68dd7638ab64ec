"""The network of each position: systemd-networkd takes the files, in a network namespace, and the kernel shows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from image.manifest import HERE
from tests.image.networkd import PORTS, addresses, is_up, network

PROGRAM = HERE / "root/usr/lib/appliance/network_files.py"

DEPARTMENT = """
[[departments]]
id = "one"
interface = "{interface}"
subnets = {subnets}
"""


def configuration(position: str, interface: str = "eth1", subnets: str = "[]") -> str:
    return f'[appliance]\nposition = "{position}"\n' + DEPARTMENT.format(interface=interface, subnets=subnets)


def write(folder: Path, text: str | None) -> tuple[Path, str]:
    """The folder with the files of a configuration, and what the program says."""
    path = folder / "appliance.toml"
    if text is not None:
        path.write_text(text)
    made = folder / "network"
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", PROGRAM, path, made], capture_output=True, text=True, check=True
    )
    return made, done.stderr


def test_a_bridge_has_both_ports_and_the_address_of_one_of_them(tmp_path: Path) -> None:
    files, said = write(tmp_path, configuration("bridge"))
    assert said == ""
    with network("image-bridge", tmp_path / "work") as computer:
        macs = {computer.links()[port]["address"] for port in PORTS}
        computer.start(files)
        computer.wait_for(lambda links: all(links[one].get("master") == "br0" and is_up(links[one]) for one in PORTS))
        computer.wait_for(lambda links: links["br0"]["linkinfo"]["info_data"]["stp_state"] == 0)
        assert computer.links()["br0"]["address"] == min(macs), "the same at each start"


def test_a_gateway_gives_a_department_address_router_and_name_server(tmp_path: Path) -> None:
    files, said = write(tmp_path, configuration("gateway", subnets='["192.168.7.0/24"]'))
    assert said == ""
    assert (files / "resolved.conf").read_text() == "[Resolve]\nDNSStubListenerExtra=192.168.7.1\n"
    client = tmp_path / "client"
    client.mkdir()
    (client / "client.network").write_text("[Match]\nName=eth0\n\n[Network]\nDHCP=ipv4\n")
    with (
        network("image-gateway", tmp_path / "work") as computer,
        network("image-client", tmp_path / "other") as other,
    ):
        computer.connect("eth1", other, "eth0")
        computer.start(files)
        computer.wait_for(lambda links: addresses(links["eth1"]) == ["192.168.7.1/24"] and is_up(links["eth0"]))
        other.start(client)
        other.wait_for(lambda links: addresses(links["eth0"]))
        [route] = other.ip("route", "show", "default")
        assert route["gateway"] == "192.168.7.1"
        lease = other.run("sh", "-c", "cat /run/systemd/netif/leases/*")
        assert "DNS=192.168.7.1\n" in lease
        assert computer.run("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"


def test_a_listener_says_nothing_at_the_mirror_port(tmp_path: Path) -> None:
    files, said = write(tmp_path, configuration("mirror"))
    assert said == ""
    with network("image-mirror", tmp_path / "work") as computer:
        computer.start(files)
        computer.wait_for(lambda links: is_up(links["eth1"]) and "NOARP" in links["eth1"]["flags"])
        computer.wait_for(lambda links: is_up(links["eth0"]) and "NOARP" not in links["eth0"]["flags"])
        assert computer.links()["eth1"]["addr_info"] == []


def test_a_department_in_a_vlan_gets_its_interface(tmp_path: Path) -> None:
    files, _ = write(tmp_path, configuration("gateway", interface="eth1.20"))
    assert "Kind=vlan" in (files / "10-eth1.20.netdev").read_text()
    assert "VLAN=eth1.20" in (files / "20-eth1.network").read_text()
    assert "Address=10.42.1.1/24" in (files / "20-eth1.20.network").read_text()


@pytest.mark.parametrize("text", [None, "", "position = ", configuration("elsewhere")])
def test_without_a_configuration_that_loads_it_gets_an_address_and_says_why(tmp_path: Path, text: str | None) -> None:
    files, said = write(tmp_path, text)
    assert [path.name for path in files.iterdir()] == ["50-uplink.network"]
    assert "DHCP=yes" in (files / "50-uplink.network").read_text()
    assert said.startswith("The network is that of an ordinary host: ")
