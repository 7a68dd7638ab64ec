"""Blocks of the installed service stay in force, whatever others do to the kernel and wherever a name resolves to."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.client.node import NodeClient
from tests.end_to_end.installed import DEPARTMENT, Installed
from tests.end_to_end.test_events import make_it_scan
from tests.lab.lookups import FOUND, NONE, ask
from tests.lab.network import WEB_V4, WEB_V6, Network, network

ANSWERED, REFUSED = 0, 7  # exit codes of curl
RELOAD = """
flush ruleset
table inet managed { chain input { type filter hook input priority 0; policy accept; tcp dport 9 drop; }; }
"""
DEEDS = {
    "flush": ["nft", "flush", "ruleset"],
    "delete": ["nft", "delete", "table", "netdev", "appliance"],
    "reload": ["sh", "-c", f"nft -f - <<'END'\n{RELOAD}\nEND"],
    "element": ["nft", "delete", "element", "netdev", "appliance", "hosts4", "{ 10.20.0.11 }"],
}


def status(client: NodeClient, holds) -> dict:
    return client.wait_for("department:status", lambda data: holds(data["status"]))["status"]


def is_whole(found: dict) -> bool:
    return found["blocks"] == {"wanted": 2, "enforced": 2}


def test_what_others_do_to_the_blocks_is_healed_and_told(gateway: Network, tmp_path: Path, until) -> None:
    gateway.start_web()
    host = gateway.hosts[0]
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        for target in (host.ipv4, "203.0.113.0/24"):
            assert client.call("ip:block", {"address": target})["success"]
        status(client, is_whole)
        for deed in DEEDS.values():
            gateway.appliance.run(deed)
            until(lambda: host.fetch(WEB_V4[0], wait_s=5).returncode == REFUSED)
            found = status(client, lambda one: any("changed the blocks" in text for text in one.get("reasons", [])))
            assert is_whole(found)
            assert any("nft (process" in text for text in found["reasons"])
        listed = gateway.appliance.run(["nft", "list", "ruleset"]).stdout
        assert "table inet managed" in listed  # another program's table stays


def test_a_preview_names_the_device_and_its_open_connections_and_blocks_nothing(
    gateway: Network, tmp_path: Path, until
) -> None:
    gateway.start_web()
    host = gateway.hosts[0]
    asked = {"address": host.ipv4, "departmentId": DEPARTMENT, "preview": True}
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        client.wait_for("department:status", lambda data: data["status"]["active"])
        assert host.fetch(WEB_V4[0]).returncode == ANSWERED

        def preview() -> dict:
            return client.call("ip:block", asked)["preview"]

        until(lambda: preview()["device"] is not None)  # the neighbour tables are read each ten seconds
        found = preview()
        assert found["device"].startswith(f"{host.mac()} (")
        assert host.ipv4 in found["device"]
        assert found["connections"] >= 1, "the kernel keeps a closed connection for a while"
        assert (found["address"], found["objection"], found["departments"]) == (host.ipv4, None, [DEPARTMENT])
        own = client.call("ip:block", {**asked, "address": gateway.uplink.ipv4})["preview"]
        assert own["objection"], "the gateway is protected"
        assert host.fetch(WEB_V4[0]).returncode == ANSWERED
        assert client.call("ip:list")["total"] == 0


def test_a_blocked_name_is_not_found_any_more_and_what_it_was_found_at_cannot_be_reached(
    inline: Network, tmp_path: Path
) -> None:
    inline.start_web()
    inline.start_dns()
    host, server = inline.hosts[0], inline.uplink.ipv4
    target = {"address": "bbc.co.uk", "departmentId": DEPARTMENT}
    with Installed(inline, tmp_path) as appliance, appliance.client() as client:
        assert host.resolve("www.bbc.co.uk", server) == WEB_V4[0]
        assert host.fetch(WEB_V4[0]).returncode == ANSWERED
        assert client.call("analytics:subscribe", DEPARTMENT)["success"]
        client.wait_for("analytics:update", lambda data: "bbc.co.uk" in str(data))  # the look-up was seen
        assert client.call("ip:block", target)["success"]
        assert ask(host, "www.bbc.co.uk", server) == NONE
        assert ask(host, "www.bbc.com", server) == FOUND
        assert host.fetch(WEB_V4[0], wait_s=5).returncode == REFUSED
        assert client.call("ip:unblock", target)["success"]
        assert ask(host, "www.bbc.co.uk", server) == FOUND
        assert host.fetch(WEB_V4[0]).returncode == ANSWERED


def test_look_ups_are_refused_while_the_service_is_dead_and_when_somebody_has_meddled(
    gateway: Network, tmp_path: Path, until
) -> None:
    gateway.start_dns()
    host, server = gateway.hosts[0], gateway.uplink.ipv4
    with Installed(gateway, tmp_path) as appliance:
        with appliance.client() as client:
            assert client.call("ip:block", {"address": "blocked.test"})["success"]
            gateway.appliance.run(["tc", "filter", "del", "dev", "eth1", "ingress"])
            until(lambda: ask(host, "blocked.test", server) == NONE)
            found = status(client, lambda one: any("filter of look-ups" in text for text in one.get("reasons", [])))
            assert found["blocks"] == {"wanted": 1, "enforced": 1}
        appliance.kill()
        assert ask(host, "blocked.test", server) == NONE
        appliance.start()
        assert ask(host, "blocked.test", server) == NONE
        with appliance.client() as client:
            assert client.call("ip:unblock", {"address": "blocked.test"})["success"]
        assert ask(host, "blocked.test", server) == FOUND


def stopped(appliance: Installed) -> dict[str, float]:
    families = text_string_to_metric_families(appliance.page("/metrics"))
    [family] = [one for one in families if one.name == "appliance_packets_stopped"]
    return {one.labels["origin"]: one.value for one in family.samples}


def test_what_did_not_pass_is_counted_by_who_wanted_it(inline: Network, tmp_path: Path) -> None:
    inline.start_dns()
    others = dict.fromkeys(("detection", "list", "schedule", "false source"), 0)
    host, used_up = inline.hosts[0], '[departments.quota]\ndaily = "0 B"\non_exceeded = "block"\n'
    with Installed(inline, tmp_path, used_up) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=2)
        assert not host.ping(WEB_V4[0], wait_s=0.2)
        assert stopped(appliance) == {**others, "manual": 0, "quota": 1}
        assert client.call("ip:block", {"addresses": [WEB_V4[1], "blocked.test"]})["success"]
        for address, port in ((WEB_V4[1], 80), (WEB_V4[0], 443), (WEB_V6[0], 443)):
            assert host.fetch(address, port=port).returncode == REFUSED
        assert ask(host, "blocked.test", inline.uplink.ipv4) == NONE
        assert ask(host, "www.example.com", inline.uplink.ipv4) == FOUND
        assert stopped(appliance) == {**others, "manual": 2, "quota": 3}


def test_who_scans_is_blocked_by_itself_where_that_is_wanted(gateway: Network, tmp_path: Path) -> None:
    wanted = '[detection]\nblock_from = "low"\nblock_duration = 60\n'
    scanner, other = gateway.hosts[0], gateway.hosts[1]
    with Installed(gateway, tmp_path, extra=wanted) as appliance, appliance.client() as client:
        assert scanner.ping(WEB_V4[0])
        make_it_scan(gateway)
        told = client.wait_for("ip:blocked")["ip"]
        assert (told["address"], told["duration"]) == (scanner.ipv4, 60)
        assert "failed to connect to" in told["reason"]
        assert not scanner.ping(WEB_V4[0], wait_s=0.5)
        assert other.ping(WEB_V4[0])
        [block] = client.call("ip:list", {})["blocks"]
        assert (block["origin"], block["departmentId"]) == ("detection", DEPARTMENT)


@pytest.mark.parametrize("target", ["10.30.0.2", "10.30.0.0/24", "fd30::2", "10.20.0.1", "0.0.0.0/0"])
def test_what_the_appliance_needs_cannot_be_blocked(service, target: str) -> None:
    answer = service.call("ip:block", {"address": target})
    assert answer["code"] == "E_PROTECTED_ADDRESS"
    assert "is protected: it" in answer["error"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory):
    with (
        network("gateway", hosts=1) as lab,
        Installed(lab, tmp_path_factory.mktemp("appliance")) as appliance,
        appliance.client() as client,
    ):
        yield client
