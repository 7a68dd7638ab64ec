"""Every documented event, from its real cause in the lab, at a real client."""

from pathlib import Path

from tests.client.node import NodeClient
from tests.contract.schema import examples, violations
from tests.end_to_end.installed import DEPARTMENT, Installed, visited
from tests.lab.network import WEB_V4, Network

TINY_QUOTA = """[departments.quota]
daily = "40 MB"
thresholds = [80, 95]
"""


def make_it_scan(lab: Network) -> None:
    # Ports without a server: each is refused by the uplink, as a scanner's probes are.
    ports = " ".join(str(port) for port in range(2000, 2040))
    script = f'for port in {ports}; do timeout 1 bash -c "</dev/tcp/{WEB_V4[0]}/$port"; done 2>/dev/null'
    lab.hosts[0].run(["bash", "-c", script], check=False)


def settle_baseline(client: NodeClient) -> None:
    client.wait_for("analytics:update", count=24, within_s=60)


def test_each_documented_event_comes_from_its_real_cause_and_is_valid(gateway: Network, tmp_path: Path) -> None:
    gateway.start_web()
    gateway.start_dns()
    gateway.start_iperf3()
    pc, other = gateway.hosts[0], gateway.hosts[1]
    with Installed(gateway, tmp_path, TINY_QUOTA) as appliance, appliance.client() as client:
        assert client.call("analytics:subscribe", DEPARTMENT) == {"success": True}
        refused = client.call("analytics:subscribe", "nowhere")
        assert refused["success"] is False
        assert refused["error"]

        health = client.wait_for("system:health", lambda data: data["status"]["clients"] == 1)["status"]
        [port] = [one for one in health["interfaces"] if one["name"] == "eth1"]
        assert (port["up"], port["speed"]) == (True, 1_250_000_000)  # what every veth pair says of itself
        facts = client.call("appliance:get")
        assert (facts["position"], facts["startedAt"]) == ("gateway", health["startedAt"])
        assert [(one["id"], one["lineRate"]) for one in facts["departments"]] == [(DEPARTMENT, 125_000_000)]
        client.wait_for("department:status", lambda data: data["status"]["active"])
        pc.resolve("www.github.com", gateway.uplink.ipv4)
        assert pc.fetch(WEB_V4[0]).returncode == 0
        client.wait_for("usage:update", lambda data: data["metrics"]["activeConnections"] > 0)
        client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] > 0)
        client.wait_for("analytics:update", lambda data: visited(data) == {"github.com": 1})

        make_it_scan(gateway)
        incident = client.wait_for("security:incident")
        assert incident["incident"]["source"] == pc.ipv4
        assert incident["incident"]["type"] == "port_scan"

        answer = client.call("ip:block", {"address": other.ipv4, "reason": "Exceeded rate limit", "duration": 600})
        assert answer["success"] is True
        assert client.wait_for("ip:blocked")["ip"]["address"] == other.ipv4
        assert not other.ping(WEB_V4[0], wait_s=0.5)

        settle_baseline(client)
        pc.run(["iperf3", "-c", WEB_V4[0], "-t", "4", "-b", "100M"])
        assert client.wait_for("analytics:anomaly")["anomaly"]["type"] == "usage_spike"
        for alert in ("warning", "critical", "exceeded"):
            client.wait_for("quota:alert", lambda data, alert=alert: data["type"] == alert)
        assert client.wait_for("error", lambda data: data["code"] == "E_QUOTA_EXCEEDED")["departmentId"] == DEPARTMENT

        appliance.hold_button()
        assert client.wait_for("system:maintenance")["maintenance"]["type"] == "manual"
        assert client.call("ip:block", {"address": pc.ipv4})["code"] == "E_MAINTENANCE"

        received = [one for one in client.received if one.event in examples()]
        wrong = {one.event: found for one in received if (found := violations(one.event, one.data))}
        assert wrong == {}
        assert {one.event for one in received} == set(examples())
        alerts = [data["type"] for data in client.named("quota:alert")]
        assert sorted(alerts) == ["critical", "exceeded", "warning"], "each threshold once"
        assert appliance.stop() == 0


def test_button_command_line_and_client_begin_and_end_the_same_maintenance(gateway: Network, tmp_path: Path) -> None:
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        appliance.hold_button()
        client.wait_for("system:maintenance", lambda data: data["maintenance"]["type"] == "manual")
        assert "manual maintenance" in appliance.cli("maintenance", "status")
        assert appliance.cli("maintenance", "stop") == "no maintenance"
        client.wait_for("system:maintenance", lambda data: data["maintenance"]["type"] == "completed")
        assert client.call("maintenance:start", {"duration": 60})["success"] is True
        appliance.hold_button()
        client.wait_for("system:maintenance", lambda data: data["maintenance"]["type"] == "completed", count=2)


def test_an_interface_that_goes_away_is_told_and_picked_up_when_it_returns(gateway: Network, tmp_path: Path) -> None:
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        client.wait_for("department:status", lambda data: data["status"]["active"])
        appliance.cli("block", gateway.hosts[1].ipv4)
        gateway.appliance.run(["ip", "link", "delete", "eth1"])
        gone = client.wait_for("department:status", lambda data: not data["status"]["active"])
        assert "the interface eth1 does not exist" in gone["status"]["reasons"]
        before = client.named("usage:update")[-1]["metrics"]["bytesTransferred"]
        gateway.cable_department()
        client.wait_for("department:status", lambda data: data["status"]["active"], count=2)
        assert gateway.hosts[0].ping(gateway.uplink.ipv4, count=5)
        client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] > before)
        assert not gateway.hosts[1].ping(gateway.uplink.ipv4, wait_s=0.5)
