"""Killed at random moments, the appliance loses no byte and no block."""

import random
import time
from pathlib import Path

import pytest

from tests.end_to_end.installed import DEPARTMENT, Installed, IpBytes
from tests.lab.network import WEB_V4, Network

ROUNDS = 4  # of two kills each
MANY_ROUNDS = 100


def assert_in_force(lab: Network, *targets: str) -> None:
    """Read from the kernel, because the interface would count the refused packets of a probe, which no ledger has."""
    listed = lab.appliance.run(["nft", "list", "table", "netdev", "appliance"]).stdout
    assert all(target in listed for target in targets)


def survive_kills(lab: Network, folder: Path, rounds: int) -> None:
    """Kill it at work and while it starts, both during traffic; then the books match the line, and blocks hold."""
    chance = random.Random(20)  # other moments for each kill, the same in each run
    lab.start_iperf3()
    pc, blocked = lab.hosts[0], lab.hosts[1]
    targets = (blocked.ipv4, "203.0.113.0/24")
    line = IpBytes(lab)
    appliance = Installed(lab, folder)
    appliance.start()
    for target in targets:
        appliance.cli("block", target)
    with appliance.client() as client:
        before, told = line.in_step_with(client)
    for number in range(1, rounds + 1):
        traffic = pc.spawn(["iperf3", "-c", WEB_V4[0], "-n", "30M", "-b", "200M"])
        time.sleep(chance.uniform(0.05, 0.6))
        appliance.kill()
        appliance.launch()
        time.sleep(chance.uniform(0.0, 1.2))  # a start takes about a second: some kills hit it, some come soon after
        appliance.kill()
        traffic.process.wait(timeout=20)
        assert_in_force(lab, *targets)
        appliance.start()
        with appliance.client() as client:
            expected = told + line.at_rest(0.3) - before
            update = client.wait_for("usage:update", lambda data, e=expected: data["metrics"]["bytesTransferred"] >= e)
            assert update["metrics"]["bytesTransferred"] == expected, f"in round {number}"
            assert {one["address"] for one in client.call("ip:list")["blocks"]} == set(targets)
        assert_in_force(lab, *targets)
    assert not blocked.ping(lab.uplink.ipv4, wait_s=0.5)
    appliance.stop()


def test_after_each_kill_the_ledger_has_every_byte_and_all_blocks_hold(gateway: Network, tmp_path: Path) -> None:
    survive_kills(gateway, tmp_path, ROUNDS)


@pytest.mark.slow
def test_after_200_kills_the_ledger_has_every_byte_and_all_blocks_hold(gateway: Network, tmp_path: Path) -> None:
    survive_kills(gateway, tmp_path, MANY_ROUNDS)


def test_alerts_are_raised_once_over_restarts(gateway: Network, tmp_path: Path) -> None:
    quota = '[departments.quota]\ndaily = "1 MB"\nthresholds = [80, 95]'
    gateway.start_iperf3()
    appliance = Installed(gateway, tmp_path, quota)
    appliance.start()
    with appliance.client() as client:
        client.wait_for("usage:update")
        gateway.hosts[0].run(["iperf3", "-c", WEB_V4[0], "-n", "2M"])
        client.wait_for("quota:alert", lambda data: data["type"] == "exceeded")
        assert [data["type"] for data in client.named("quota:alert")] == ["warning", "critical", "exceeded"]
    appliance.kill()
    appliance.start()
    with appliance.client() as client:
        client.wait_for("usage:update", count=4)
        assert client.named("quota:alert") == []
        quotas = {one["type"]: one for one in client.call("quota:get", DEPARTMENT)["quotas"]}
        assert quotas["daily"]["used"] > 1_000_000
        assert quotas["daily"]["percentage"] > 100
        assert quotas["weekly"]["limit"] is None
    appliance.stop()
