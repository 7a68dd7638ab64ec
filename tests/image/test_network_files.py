"""The network of each position: systemd-networkd takes the files, in a network namespace, and the kernel shows it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from image.manifest import HERE

PROGRAM = HERE / "root/usr/lib/appliance/network_files.py"
NETWORKD = "/lib/systemd/systemd-networkd"
PATIENCE_S = 30

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


def ip(namespace: str, *words: str) -> Any:
    done = subprocess.run(["ip", "-n", namespace, "-j", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")


@contextmanager
def networkd(files: Path, name: str) -> Iterator[str]:
    """A namespace with two ports, whose other ends are up, and networkd with these files. A lab's port is a veth."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for port in ("eth0", "eth1"):
            ip(name, "link", "add", port, "type", "veth", "peer", "name", f"{port}peer")
            ip(name, "link", "set", f"{port}peer", "up")
        for path in files.iterdir():
            path.write_text(path.read_text().replace("Kind=!*", "Kind=veth\nName=eth0 eth1"))
        # Its own /run; a /sys that is read-only, so that it does not wait for udev.
        inside = f"""
            mount -t tmpfs tmpfs /run && mount -o remount,ro,bind /sys
            mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
            chown -R systemd-network /run/systemd/netif
            cp {files}/* /run/systemd/network/
            exec {NETWORKD}
        """
        command = ["ip", "netns", "exec", name, "unshare", "--mount", "sh", "-ec", inside]
        with (files.parent / "networkd.log").open("w") as log:
            program = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield name
        finally:
            program.terminate()
            program.wait(PATIENCE_S)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def awaited(files: Path, namespace: str, link: str, holds: Any) -> None:
    """Wait until a link is as it should be."""
    deadline_s = time.monotonic() + PATIENCE_S
    seen: Any = None
    while time.monotonic() < deadline_s:
        seen = [one for one in ip(namespace, "-d", "addr") if one["ifname"] == link]
        if seen and holds(seen[0]):
            return
        time.sleep(0.2)
    raise AssertionError(f"{link}: {seen}\n{(files.parent / 'networkd.log').read_text()}")


def addresses(link: dict[str, Any]) -> list[str]:
    return [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["family"] == "inet"]


def test_a_bridge_has_both_ports(tmp_path: Path) -> None:
    files, said = write(tmp_path, configuration("bridge"))
    assert said == ""
    with networkd(files, "image-bridge") as namespace:
        for port in ("eth0", "eth1"):
            awaited(files, namespace, port, lambda link: link.get("master") == "br0" and "UP" in link["flags"])
        awaited(files, namespace, "br0", lambda link: link["linkinfo"]["info_data"]["stp_state"] == 0)


def test_a_gateway_has_the_first_address_of_the_department(tmp_path: Path) -> None:
    files, said = write(tmp_path, configuration("gateway", subnets='["192.168.7.0/24"]'))
    assert said == ""
    with networkd(files, "image-gateway") as namespace:
        awaited(files, namespace, "eth1", lambda link: addresses(link) == ["192.168.7.1/24"])
        awaited(files, namespace, "eth0", lambda link: "UP" in link["flags"])


def test_a_listener_says_nothing_at_the_mirror_port(tmp_path: Path) -> None:
    files, said = write(tmp_path, configuration("mirror"))
    assert said == ""
    with networkd(files, "image-mirror") as namespace:
        awaited(files, namespace, "eth1", lambda link: "UP" in link["flags"] and "NOARP" in link["flags"])
        awaited(files, namespace, "eth0", lambda link: "UP" in link["flags"] and "NOARP" not in link["flags"])
        assert [one["addr_info"] for one in ip(namespace, "addr") if one["ifname"] == "eth1"] == [[]]


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
