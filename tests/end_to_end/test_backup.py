"""A backup of a running appliance makes another one of an empty computer, which is the same to everybody."""

import json
from pathlib import Path

from tests.end_to_end.installed import DEPARTMENT, Installed, IpBytes
from tests.lab.network import WEB_V4, Network

QUOTA = '[departments.quota]\ndaily = "1 GB"\n'


def test_what_a_running_appliance_knows_is_in_force_on_the_computer_that_replaces_it(
    gateway: Network, tmp_path: Path
) -> None:
    gateway.start_web()
    line, kept, passphrase = IpBytes(gateway), tmp_path / "kept.backup", tmp_path / "passphrase"
    passphrase.write_text("correct horse battery\n")
    words = ("--passphrase-file", str(passphrase))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = Installed(gateway, tmp_path / "first", QUOTA)
    with first, first.client() as client:
        assert client.call("ip:block", {"address": "203.0.113.9", "reason": "port scan"})["success"]
        grant = {"departmentId": DEPARTMENT, "type": "daily", "bytes": 5_000_000, "reason": "an exam"}
        assert client.call("quota:extend", grant)["success"]
        assert gateway.hosts[0].fetch(WEB_V4[0]).returncode == 0
        line.in_step_with(client)
        first.cli("user", "add", "alice", "--role", "admin", "--password", "one that nobody guesses")
        made = json.loads(first.cli("backup", "create", str(kept), *words, "--json"))
        assert made == {"file": str(kept), "bytes": kept.stat().st_size}
        assert client.call("ip:block", {"address": "203.0.113.10"})["success"]  # it goes on, and this comes too late
        first.cli("release")  # so that nothing of it is left in the kernel
    second = Installed(gateway, tmp_path / "second", QUOTA)
    refused = second.cli("backup", "restore", str(kept), *words, check=False)
    assert refused == ""
    found = json.loads(second.cli("backup", "restore", str(kept), "--replace", *words, "--json"))
    assert "appliance.sqlite3" in found["files"]
    with second, second.client(first.token) as client:
        assert [one["address"] for one in client.call("ip:list")["blocks"]] == ["203.0.113.9"]
        quotas = client.call("quota:get", DEPARTMENT)["quotas"]
        assert {one["type"]: one["granted"] for one in quotas}["daily"] == 5_000_000
        assert [one["name"] for one in client.call("user:list")["users"]] == ["alice"]
        assert gateway.hosts[0].fetch("203.0.113.9").returncode == 7
