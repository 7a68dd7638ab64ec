"""Outages of the computer around the service: it stands still, its cables are pulled."""

import signal
from pathlib import Path

import pytest

from tests.end_to_end.installed import DEPARTMENT, Installed, IpBytes
from tests.lab.network import WEB_V4, Network

BLOCKED = "203.0.113.0/24"
A_MINUTE = ("-t", "61", "-b", "50M")


def assert_blocked(lab: Network) -> None:
    assert BLOCKED in lab.appliance.run(["nft", "list", "table", "netdev", "appliance"]).stdout


def assert_charged(appliance: Installed, line: IpBytes, before: int, told: int) -> None:
    """Every byte of the line is in the books, and no other."""
    with appliance.client() as client:
        expected = told + line.at_rest(0.3) - before
        update = client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] >= expected)
        assert update["metrics"]["bytesTransferred"] == expected


@pytest.mark.slow
@pytest.mark.parametrize("traffic", [("-n", "20M"), A_MINUTE], ids=" ".join)
def test_a_service_that_is_stopped_during_traffic_charges_every_byte_afterwards(
    gateway: Network, tmp_path: Path, traffic: tuple[str, ...]
) -> None:
    gateway.start_iperf3()
    line = IpBytes(gateway)
    with Installed(gateway, tmp_path) as appliance:
        appliance.cli("block", BLOCKED)
        with appliance.client() as client:
            before, told = line.in_step_with(client)
        assert appliance.program is not None
        appliance.program.process.send_signal(signal.SIGSTOP)
        try:
            gateway.hosts[0].run(["iperf3", "-c", WEB_V4[0], *traffic], timeout_s=120)
            assert_blocked(gateway)
        finally:
            appliance.program.process.send_signal(signal.SIGCONT)
        assert_charged(appliance, line, before, told)


@pytest.mark.slow
def test_all_interfaces_down_and_up_again_are_told_and_metered_on(gateway: Network, tmp_path: Path) -> None:
    line = IpBytes(gateway)
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        appliance.cli("block", BLOCKED)
        client.wait_for("department:status", lambda data: data["status"]["active"])
        before, told = line.in_step_with(client)
        links = gateway.appliance.run(["ip", "-o", "link", "show", "type", "veth"]).stdout.splitlines()
        names = [one.split(": ")[1].partition("@")[0] for one in links]
        assert len(names) > 1
        for name in names:
            gateway.appliance.run(["ip", "link", "set", name, "down"])
        down = client.wait_for("department:status", lambda data: not data["status"]["active"])
        assert "the link of eth1 is down" in "".join(down["status"]["reasons"])
        assert_blocked(gateway)
        seen = sum(one["status"]["active"] for one in client.named("department:status"))
        for name in names:
            gateway.appliance.run(["ip", "link", "set", name, "up"])
        client.wait_for("department:status", lambda data: data["status"]["active"], count=seen + 1)
        assert gateway.hosts[0].ping(gateway.appliance.ipv4)
        assert_charged(appliance, line, before, told)
        assert client.call("quota:get", DEPARTMENT)["success"]
