"""A configuration that cannot work where it is: `check-config`, `doctor` and the department's status say so."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.installed import COMMAND, DEPARTMENT, Installed, config_text
from tests.lab.host import Host
from tests.lab.network import WEB_V4, Network, network

Change = Callable[[Host], object]


def nft(rules: str) -> Change:
    return lambda host: host.run(["nft", "-f", "-"], given=rules)


def ip(*words: str) -> Change:
    return lambda host: host.run(["ip", *words])


def chain(rules: str, policy: str = "accept", table: str = "inet filter", more: str = "") -> Change:
    hook = f"type filter hook forward priority 0; policy {policy};"
    return nft(f"table {table} {{\n{more}\nchain forward {{ {hook}\n{rules}\n}}\n}}")


def sysctl(**settings: int) -> Change:
    return lambda host: host.sysctl({FORWARDING[name]: value for name, value in settings.items()})


FORWARDING = {
    "all4": "net/ipv4/ip_forward",
    "eth1_4": "net/ipv4/conf/eth1/forwarding",
    "all6": "net/ipv6/conf/all/forwarding",
}
FROM_LISTS = 'oifname != "eth0" accept'
VMAP = "ct state vmap { established : accept, related : accept }\ncounter reject"
OUT_AND_ANSWERS = 'iifname "eth1" oifname "eth0" accept\nct state established accept'
BOTH_WAYS = "ip saddr 10.20.0.0/24 accept\nip daddr 10.20.0.0/24 accept"
INPUT = "table inet f { chain i { type filter hook input priority 0; policy drop;\naccept\n}\n}"
DROPS = "drops everything that comes from eth1"

# The position, what is done to the appliance, and what is told. Where something is told, nothing passes.
STOPPED: dict[str, tuple[str, Change, str]] = {
    "nothing forwards": ("gateway", sysctl(all4=0, all6=0), "the kernel forwards no IPv4 from eth1"),
    "eth1 does not forward": ("gateway", sysctl(eth1_4=0, all6=0), "the kernel forwards no IPv4 from eth1"),
    "a policy of drop": ("gateway", chain("", "drop"), f"chain (inet filter forward) {DROPS}"),
    "answers alone": ("gateway", chain("ct state established,related accept", "drop"), DROPS),
    "others' interfaces": ("gateway", chain('iifname { "docker0", "wg*" } accept', "drop"), DROPS),
    "a last rule": ("gateway", chain(VMAP), DROPS),
    "a jump": ("gateway", chain("jump every", more='chain every { iifname "eth1" drop\n }'), DROPS),
    "another name": ("gateway", chain(FROM_LISTS, "drop", "inet lists"), f"chain (inet lists forward) {DROPS}"),
    "no address": ("gateway", ip("address", "flush", "dev", "eth1"), "eth1 has no address"),
    "no bridge": ("bridge", ip("link", "set", "eth1", "nomaster"), "eth1 is in no bridge"),
    "an uplink that is down": ("bridge", ip("link", "set", "eth0", "down"), "no other port of br0 is up"),
    "a single port": ("bridge", ip("link", "set", "eth0", "nomaster"), "eth1 is the only port of br0"),
    "a bridge's firewall": ("bridge", chain("", "drop", "bridge filter"), f"chain (bridge filter forward) {DROPS}"),
}
WORKS: dict[str, tuple[str, Change]] = {
    "as it is": ("gateway", ip("link", "set", "eth1", "up")),
    "as it is, bridged": ("bridge", ip("link", "set", "eth1", "up")),
    "an accepting rule": ("gateway", chain(OUT_AND_ANSWERS, "drop")),
    "an accepting rule for addresses": ("gateway", chain(BOTH_WAYS, "drop")),
    "an accepting chain": ("gateway", chain("jump every", "drop", more="chain every { accept\n }")),
    "some are dropped": ("gateway", chain("tcp dport 25 drop\nip saddr 192.0.2.0/24 drop")),
    "input is dropped": ("gateway", nft(INPUT)),
    "routed packets are dropped": ("bridge", chain("", "drop", "ip filter")),
}


def check(lab: Network, folder: Path, interface: str = "eth1", extra: str = "") -> tuple[int, str]:
    config = folder / "checked.toml"
    config.write_text(config_text(lab.position, extra).replace('"eth1"', f'"{interface}"'))
    done = lab.appliance.run([COMMAND, "check-config", "--config", str(config)], check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("case", STOPPED)
def test_what_cannot_work_is_not_called_good(case: str, tmp_path: Path) -> None:
    position, change, told = STOPPED[case]
    with network(position) as lab:
        lab.start_web()
        assert lab.hosts[0].fetch(WEB_V4[0], wait_s=2).returncode == 0
        change(lab.appliance)
        code, output = check(lab, tmp_path)
        assert (code, told in output, "good" in output) == (1, True, False), output
        assert lab.hosts[0].fetch(WEB_V4[0], wait_s=0.5).returncode != 0
        words = ["--config", str(tmp_path / "checked.toml"), "--state-dir", str(tmp_path / "state"), "--json"]
        doctor = json.loads(lab.appliance.run([COMMAND, "doctor", *words], check=False).stdout)
        assert any(told in one["found"] and one["verdict"] == "fatal" and one["advice"] for one in doctor)


@pytest.mark.parametrize("case", WORKS)
def test_what_works_is_called_good(case: str, tmp_path: Path) -> None:
    position, change = WORKS[case]
    with network(position) as lab:
        lab.start_web()
        change(lab.appliance)
        if not (position == "bridge" and "dropped" in case):  # the lab's kernel shows bridged packets to iptables
            assert lab.hosts[0].fetch(WEB_V4[0], wait_s=2).returncode == 0
        else:
            lab.appliance.sysctl({"net/bridge/bridge-nf-call-iptables": 0, "net/bridge/bridge-nf-call-ip6tables": 0})
        code, output = check(lab, tmp_path)
        assert (code, ": good: " in output) == (0, True), output


def test_the_bridge_itself_is_no_departments_interface(bridge: Network, tmp_path: Path) -> None:
    code, output = check(bridge, tmp_path, "br0")
    assert (code, "br0 is the bridge itself" in output, "its ports: eth0, eth1" in output) == (1, True, True), output


def test_what_may_be_meant_so_is_a_hint(gateway: Network, tmp_path: Path) -> None:
    quota = 'subnets = ["10.77.0.0/16"]\n[departments.quota]\ndaily = "50 TB"'
    code, output = check(gateway, tmp_path, extra=quota)
    assert (code, ": good: " in output) == (0, True)
    assert "no address of eth1 is in 10.77.0.0/16" in output
    assert "the daily quota is more than a line of 1000 Mbit/s carries" in output


def test_a_computer_without_these_interfaces_says_what_it_cannot_check(tmp_path: Path) -> None:
    with network("gateway") as lab:
        code, output = check(lab, tmp_path, "eth7")
    assert (code, ": good: " in output) == (0, True)
    assert "not checked: there is no eth7 here, only eth0, eth1, lo; run this on the appliance" in output


def test_the_uplink_as_a_departments_interface_is_told(gateway: Network, tmp_path: Path) -> None:
    assert "eth0 is where the default gateway" in check(gateway, tmp_path, "eth0")[1]


def test_the_status_says_what_stops_a_department_until_it_works(gateway: Network, tmp_path: Path) -> None:
    gateway.appliance.sysctl({"net/ipv4/ip_forward": 0, "net/ipv6/conf/all/forwarding": 0})
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        told = client.wait_for("department:status", lambda data: data["departmentId"] == DEPARTMENT)["status"]
        assert told["active"] is False
        assert any("forwards no IPv4 from eth1; sysctl -w net.ipv4.ip_forward=1" in one for one in told["reasons"])
        gateway.appliance.sysctl({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})
        client.wait_for("department:status", lambda data: data["status"]["active"])


def test_a_clock_that_is_years_off_is_told(gateway: Network, tmp_path: Path) -> None:
    [library] = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    check(gateway, tmp_path)
    place = ["--config", str(tmp_path / "checked.toml"), "--state-dir", str(tmp_path / "state"), "--json"]
    for ahead_days, verdict in ((-20 * 365, "fatal"), (40 * 365, "fatal"), (0, "warning")):
        faked = ["env", f"LD_PRELOAD={library}", f"FAKETIME={ahead_days:+d}d", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        unsynchronised = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=adjtimex,clock_adjtime:retval=5"]
        words = [*unsynchronised, *faked, COMMAND, "doctor", *place]
        found = json.loads(gateway.appliance.run(words, check=False).stdout)
        [clock] = [one for one in found if one["subject"] == "clock"]
        assert clock["verdict"] == verdict, clock
        assert "time server" in clock["advice"]
