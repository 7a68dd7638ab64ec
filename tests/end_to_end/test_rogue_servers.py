"""A second DHCP server and router, as somebody brings one along: told within seconds, by who they are."""

import shutil
import socket
from pathlib import Path

import pytest

from tests.core import frames
from tests.end_to_end.installed import DEPARTMENT, Installed
from tests.lab.host import Host
from tests.lab.network import Network

OWN = """[detection]
dhcp_servers = ["10.20.0.1"]
ipv6_routers = ["fe80::1"]
"""

HEADERS_BYTES = 14 + 20 + 8


def advertise(host: Host, frame: bytes) -> None:
    with host.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth0", 0))
        wire.send(frame)


def ask(host: Host, *options: tuple[int, bytes]) -> None:
    """A client's message of DHCP to everybody, as the kernel sends it."""
    message = frames.dhcp(host.mac(), *options)[HEADERS_BYTES:]
    with host.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        client.bind(("", 68))
        client.sendto(message, ("255.255.255.255", 67))


@pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="Debian's dnsmasq-base has the second server")
def test_a_second_dhcp_server_and_router_are_incidents_with_their_hardware_address(
    gateway: Network, tmp_path: Path
) -> None:
    pc, rogue = gateway.hosts[0], gateway.hosts[1]
    with Installed(gateway, tmp_path, extra=OWN) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=6)  # by then the interface is captured
        serving = [
            "--no-daemon",
            "--port=0",
            "--conf-file=/dev/null",
            "--user=root",
            "--interface=eth0",
            "--dhcp-broadcast",
        ]
        serving += ["--dhcp-range=10.20.0.150,10.20.0.159,1h", f"--dhcp-leasefile={tmp_path}/leases"]
        rogue.spawn(["dnsmasq", *serving], ready="DHCP, IP range")
        ask(pc, (53, b"\x01"), (12, b"reading-room"))
        told = client.wait_for("security:incident", lambda data: data["incident"]["type"] == "rogue_dhcp")
        assert (told["severity"], told["incident"]["source"]) == ("high", rogue.ipv4)
        assert f"({rogue.mac()}) gives out addresses, 10.20.0.15" in told["incident"]["details"]
        advertise(rogue, frames.router_advertisement("fe80::66", rogue.mac(), prefix="fd66::"))
        router = client.wait_for("security:incident", lambda data: data["incident"]["type"] == "rogue_router")
        assert router["incident"]["source"] == "fe80::66"
        assert f"({rogue.mac()}) advertises itself as a router" in router["incident"]["details"]
        assert "the prefix fd66::/64" in router["incident"]["details"]

        found = client.call("device:get", {"departmentId": DEPARTMENT, "host": pc.mac()})["device"]
        assert (found["name"], found["nameFrom"]) == ("reading-room", "dhcp")
        chosen = (53, b"\x03"), (54, bytes([10, 20, 0, 77])), (50, bytes([10, 20, 0, 78]))
        ask(pc, *chosen)  # of a server whose offers do not pass here
        unseen = client.wait_for("security:incident", lambda data: data["incident"]["source"] == "10.20.0.77")
        assert f"10.20.0.78 to {pc.mac()}" in unseen["incident"]["details"]
