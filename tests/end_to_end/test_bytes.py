"""Reported usage equals the kernel's counters to the byte."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.installed import Installed, IpBytes, visited
from tests.lab.network import WEB_V4, WEB_V6, Network

LISTENS = " 0003 "  # in /proc/net/packet: the protocol of a socket that is bound, to take all


def test_reported_bytes_equal_the_interfaces_own_over_both_ip_versions(inline: Network, tmp_path: Path) -> None:
    inline.start_iperf3()
    line = IpBytes(inline)
    with Installed(inline, tmp_path) as appliance, appliance.client() as client:
        before, told = line.in_step_with(client)
        for server in (WEB_V4[0], WEB_V6[0]):
            inline.hosts[0].run(["iperf3", "-c", server, "-t", "2", "--bidir"])
        carried = line.at_rest() - before
        assert carried > 10_000_000
        client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] == told + carried)


def test_a_mirror_port_is_metered_by_what_is_mirrored(mirror: Network, tmp_path: Path) -> None:
    mirror.start_iperf3()
    line = IpBytes(mirror)
    with Installed(mirror, tmp_path) as appliance, appliance.client() as client:
        before, told = line.in_step_with(client)
        mirror.hosts[0].run(["iperf3", "-c", WEB_V4[0], "-n", "20M"])
        carried = line.at_rest() - before
        assert carried > 10_000_000, "a busy switch may drop copies; what arrives is metered"
        client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] == told + carried)


def test_a_block_stops_a_host_and_ends_by_itself(inline: Network, tmp_path: Path) -> None:
    inline.start_web()
    pc = inline.hosts[0]
    with Installed(inline, tmp_path) as appliance, appliance.client() as client:
        for address, server in ((pc.ipv4, WEB_V4[0]), (pc.ipv6, WEB_V6[0])):
            assert pc.fetch(server).returncode == 0
            assert client.call("ip:block", {"address": address, "duration": 3})["success"] is True
            assert pc.fetch(server).returncode != 0
            assert not pc.ping(server, wait_s=0.5)
            ended = client.wait_for("ip:unblocked", lambda data, address=address: data["ip"]["address"] == address)
            assert ended["ip"]["reason"] == "its time has run out"
            assert pc.fetch(server).returncode == 0


def test_a_flush_by_another_program_is_healed(inline: Network, tmp_path: Path) -> None:
    pc = inline.hosts[0]
    with Installed(inline, tmp_path) as appliance:
        appliance.cli("block", pc.ipv4)
        assert not pc.ping(inline.uplink.ipv4, wait_s=0.5)
        inline.appliance.run(["nft", "flush", "ruleset"])
        time.sleep(2)  # the promise: within two seconds
        assert not pc.ping(inline.uplink.ipv4, wait_s=0.5)


def test_in_mirror_a_block_is_told_as_not_enforced(mirror: Network, tmp_path: Path) -> None:
    pc = mirror.hosts[0]
    with Installed(mirror, tmp_path) as appliance, appliance.client() as client:
        assert client.call("ip:block", {"address": pc.ipv4, "duration": 60})["success"] is True
        assert client.wait_for("ip:blocked")["ip"]["enforced"] is False
        status = client.wait_for("department:status", lambda data: not data["status"]["active"])
        assert any("cannot enforce" in reason for reason in status["status"]["reasons"])
        assert pc.ping(mirror.uplink.ipv4)
        assert "cannot enforce" in appliance.cli("block", mirror.hosts[1].ipv4)


def test_sites_and_scans_are_seen_on_a_mirror_port_too(
    mirror: Network, tmp_path: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    mirror.start_dns()
    mirror.start_web()
    pc = mirror.hosts[0]
    with Installed(mirror, tmp_path) as appliance, appliance.client() as client:
        client.call("analytics:subscribe", "dept123")
        until(lambda: LISTENS in mirror.appliance.run(["cat", "/proc/net/packet"]).stdout)
        assert pc.fetch(pc.resolve("www.bbc.co.uk", mirror.uplink.ipv4)).returncode == 0
        client.wait_for("analytics:update", lambda data: visited(data) == {"bbc.co.uk": 1})
