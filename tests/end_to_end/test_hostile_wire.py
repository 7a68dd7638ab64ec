"""A scan amid packets that are made to cost a reader most: it is told all the same, and others are answered."""

from pathlib import Path

import pytest

from tests.bench.hostility import send_worst
from tests.end_to_end.installed import Installed
from tests.lab.network import WEB_V4, Network

SECONDS = 40.0  # of hostile packets: longer than the scan takes on a slow machine


@pytest.mark.slow
def test_a_scan_amid_hostile_packets_is_told_with_its_device(gateway: Network, tmp_path: Path) -> None:
    gateway.start_web()
    scanner = gateway.hosts[0]
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=6)  # by then the interface is captured
        send_worst(gateway, SECONDS)
        scanner.run(["nmap", "-n", "-Pn", "-sS", "--max-retries", "1", "-p", "1-120", WEB_V4[0]])
        told = client.wait_for(
            "security:incident",
            lambda data: data["incident"]["type"] == "port_scan" and data["incident"]["source"] == scanner.ipv4,
            within_s=SECONDS,
        )
        assert told["incident"]["peers"] == [WEB_V4[0]]
        assert told["incident"]["devices"] == [scanner.mac()]
        assert '"status"' in appliance.page("/healthz")
