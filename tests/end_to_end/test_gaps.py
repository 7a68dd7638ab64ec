"""Traffic while the kernel's meters are missing is reported as unaccounted; metering and limits come back."""

import json
import time
from pathlib import Path

from appliance.core.metering.usage import ETHERNET_BYTES, unaccounted
from tests.client.node import NodeClient
from tests.end_to_end.installed import DEPARTMENT, Installed
from tests.end_to_end.test_quota import BLOCKING, LEFT, LIMIT, download, used
from tests.lab.network import WEB_V4, Network

ECHOES = 20
ECHO_BYTES = 2 * 84  # of IP, both directions


def carried(lab: Network) -> tuple[int, int]:
    """Bytes (L2) and packets of the department's port since its creation."""
    shown = json.loads(lab.appliance.run(["ip", "-s", "-j", "link", "show", "eth1"]).stdout)[0]["stats64"]
    return tuple(shown["rx"][what] + shown["tx"][what] for what in ("bytes", "packets"))


def told(client: NodeClient) -> dict[str, float]:
    """The metrics of a step that begins after now."""
    client.wait_for("usage:update", count=len(client.named("usage:update")) + 2)
    metrics: dict[str, float] = client.named("usage:update")[-1]["metrics"]
    return metrics


def test_the_bytes_of_a_gap_are_unaccounted_and_metering_is_back_within_two_seconds(
    inline: Network, tmp_path: Path
) -> None:
    inline.start_iperf3()
    with Installed(inline, tmp_path) as appliance, appliance.client() as client:
        began, charged = carried(inline), told(client)["bytesTransferred"]
        traffic = inline.hosts[0].spawn(["iperf3", "-c", WEB_V4[0], "-t", "60", "-b", "100M"])
        time.sleep(1.5)
        for _ in range(10):  # a single one may fall just before a step, and leave almost no gap
            inline.appliance.run(["nft", "flush", "ruleset"])
            time.sleep(0.1)
        time.sleep(2)  # the promise
        listed = inline.appliance.run(["nft", "list", "tables", "netdev"]).stdout
        assert "appliance_meters" in listed
        healed = told(client)["bytesTransferred"]
        # Metered again while it goes on.
        client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] > healed + 1_000_000)
        traffic.stop()
        metrics, ended = told(client), carried(inline)
        gap = unaccounted(ended[0] - began[0], ended[1] - began[1], int(metrics["bytesTransferred"] - charged))
        assert gap > 1, "a flush during traffic leaves a gap"
        assert abs(metrics["unaccountedPercent"] - gap) < 0.5


def test_an_interface_made_anew_within_a_period_invents_no_byte_and_loses_none(
    gateway: Network, tmp_path: Path
) -> None:
    pc = gateway.hosts[0]
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        assert pc.ping(WEB_V4[0], count=ECHOES)
        before = told(client)["bytesTransferred"]
        assert before >= ECHOES * ECHO_BYTES
        for _ in range(3):
            gateway.appliance.run(["ip", "link", "delete", "eth1"])
            gateway.cable_department()
            pc.run(["ip", "neigh", "flush", "all"])
            between = told(client)["bytesTransferred"]
            gateway.appliance.run(["ping", "-q", "-c", "1", pc.ipv4])  # ARP is done
            assert pc.ping(WEB_V4[0], count=ECHOES)
            after = told(client)["bytesTransferred"]
            assert before <= between
            assert after - between >= ECHOES * ECHO_BYTES, "metered as before"
            all_bytes, packets = carried(gateway)
            assert after - before <= all_bytes - ETHERNET_BYTES * packets, "no more than the new interface carried"
            before = after
        client.wait_for("department:status", lambda data: data["status"]["healthScore"] == 1)


def history_bytes(client: NodeClient) -> int:
    """What the days of history have in all."""
    asked = {"departmentId": DEPARTMENT, "from": "2026-01-01T00:00:00Z", "to": "2029-01-01T00:00:00Z", "step": "day"}
    return sum(up + down for _, up, down in client.call("history:get", asked)["points"])


def test_history_has_what_passed_while_the_service_was_not_there(gateway: Network, tmp_path: Path) -> None:
    pc = gateway.hosts[0]
    appliance = Installed(gateway, tmp_path)
    appliance.start()
    with appliance.client() as client:
        told(client)  # the meters are in force
    appliance.stop()
    assert pc.ping(WEB_V4[0], count=ECHOES)  # forwarded, and counted by the kernel
    appliance.start()
    with appliance.client() as client:
        whole = client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] >= ECHOES * ECHO_BYTES)
        assert whole["metrics"]["bytesUp"] + whole["metrics"]["bytesDown"] == whole["metrics"]["bytesTransferred"]
        told(client)  # the line is at rest
        assert history_bytes(client) == told(client)["bytesTransferred"]
    appliance.stop()


def test_a_limit_holds_on_an_interface_made_anew(gateway: Network, tmp_path: Path) -> None:
    with Installed(gateway, tmp_path, BLOCKING) as appliance, appliance.client() as client:
        gateway.start_iperf3()
        gateway.hosts[0].run(["iperf3", "-c", WEB_V4[0], "-n", "5M"])
        gateway.appliance.run(["ip", "link", "delete", "eth1"])
        gateway.cable_department()
        gateway.hosts[0].run(["ip", "neigh", "flush", "all"])
        told(client)
        download(gateway)
        client.wait_for("error", lambda data: data["code"] == "E_QUOTA_EXCEEDED")
        assert LIMIT - LEFT <= used(client.call("quota:get", "dept123")) <= LIMIT
