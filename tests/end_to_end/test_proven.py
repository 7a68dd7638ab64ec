"""Automatic blocks fall on who really scans, and not on whom a forger names: real hosts, real kernels."""

import sys
from collections.abc import Iterable
from pathlib import Path

from tests.core import frames
from tests.end_to_end.installed import Installed
from tests.lab.host import Host
from tests.lab.network import WEB_V4, Network

WANTED = '[detection]\nblock_from = "low"\nblock_duration = 60\n'
PORTS = range(3000, 3040)
FOREIGN = "203.0.113.77"
OPEN_PORT = 3005  # of the scanned host

# Sends IP packets as they are, whatever source they name; the kernel adds the frame of its own interface.
SEND = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for text in sys.argv[2:]:
    out.sendto(bytes.fromhex(text), (sys.argv[1], 0))
"""
# A scanner that connects from an address of its own, and closes what it finds open.
CONNECT = """
import socket, sys
source, target, *ports = sys.argv[1:]
for port in map(int, ports):
    try:
        socket.create_connection((target, port), timeout=1, source_address=(source, 0)).close()
    except OSError:
        pass
"""


def forge(sender: Host, source: str, target: str, ports: Iterable[int]) -> None:
    """SYNs to these ports in another's name."""
    packets = [frames.ip(source, target, 6, frames.tcp_body(40_000, port, frames.SYN)).hex() for port in ports]
    sender.run([sys.executable, "-c", SEND, target, *packets])


def scan(scanner: Host, source: str, target: str) -> None:
    scanner.run([sys.executable, "-c", CONNECT, source, target, *map(str, PORTS)])


def test_a_scan_in_an_outsider_s_name_is_told_and_a_real_one_is_blocked(inline: Network, tmp_path: Path) -> None:
    target = inline.hosts[0]
    target.spawn([sys.executable, "-u", "-m", "http.server", str(OPEN_PORT)], ready="Serving HTTP")
    with Installed(inline, tmp_path, extra=WANTED) as appliance, appliance.client() as client:
        assert inline.uplink.ping(target.ipv4)
        forge(inline.uplink, FOREIGN, target.ipv4, PORTS)
        told = client.wait_for("security:incident", lambda data: data["incident"]["source"] == FOREIGN)["incident"]
        assert told["proven"] is False
        assert "anyone may have sent this" in told["notBlocked"]
        scan(inline.uplink, WEB_V4[1], target.ipv4)
        assert client.wait_for("ip:blocked")["ip"]["address"] == WEB_V4[1]
        assert [block["address"] for block in client.call("ip:list", {})["blocks"]] == [WEB_V4[1]]


def test_a_scan_in_a_neighbour_s_name_is_told_and_a_real_one_is_blocked(inline: Network, tmp_path: Path) -> None:
    forger, victim, scanner = inline.hosts
    with Installed(inline, tmp_path, extra=WANTED) as appliance, appliance.client() as client:
        for host in inline.hosts:
            assert host.ping(WEB_V4[0])
        forge(forger, victim.ipv4, WEB_V4[0], PORTS)
        told = client.wait_for("security:incident", lambda data: data["incident"]["source"] == victim.ipv4)["incident"]
        assert told["proven"] is False
        scan(scanner, scanner.ipv4, WEB_V4[0])
        assert client.wait_for("ip:blocked")["ip"]["address"] == scanner.ipv4
        assert victim.ping(WEB_V4[0])
