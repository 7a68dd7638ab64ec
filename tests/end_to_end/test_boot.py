"""A boot, replayed from the unit files: blocks are in force from the first forwarded packet on.

No systemd runs here. It is trusted to start units in their requested order; a test reads from the units that this order
is the one replayed here.
"""

import json
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.core.blocking.block import Block
from appliance.system.storage.store import SqliteStore
from tests.end_to_end.computer import CONFIG, GIVEN, PROJECT, STATE, Computer, computer
from tests.end_to_end.installed import config_text
from tests.end_to_end.unit import Unit
from tests.lab.host import Host, Program
from tests.lab.lookups import NONE, ask
from tests.lab.network import Network

RESTORE, SERVICE = (Unit(PROJECT / "deploy/systemd" / f"{name}.service") for name in ("appliance-restore", "appliance"))
FORWARDING = "net/ipv4/ip_forward"
MANY = 50  # packets: as many as are sent in a quarter of a second
YOUNG_S = 20  # uptime of a computer that has just booted
HOUR_S = 3600.0
UNSYNCHRONISED = "retval=5"  # adjtimex(2): TIME_ERROR


class Boot:
    """The lab's gateway at power-on: it forwards nothing, its kernel has no rules, and two hosts already send."""

    def __init__(self, lab: Network, machine: Computer) -> None:
        self._lab = lab
        self._machine = machine
        self.free, self.blocked = lab.hosts[0], lab.hosts[1]
        for host in (self.free, self.blocked):  # else it would wait a second for ARP
            host.run(["ip", "neigh", "replace", "10.20.0.1", "lladdr", lab.appliance.mac("eth1"), "dev", "eth0"])
        lab.appliance.sysctl({FORWARDING: 0})
        for interface in ("eth0", "eth1"):
            lab.appliance.run(["ip", "link", "set", interface, "down"])
        _count(lab.uplink, [self.free, self.blocked])
        for host in (self.free, self.blocked):
            host.spawn(["ping", "-q", "-i", "0.005", lab.uplink.ipv4])

    def restore(self) -> tuple[int, str]:
        """Run the first unit as systemd does; returns its exit code and its output."""
        self._machine.run(*RESTORE.command("ExecStartPre"), environment=GIVEN)
        done = self._machine.run(*RESTORE.command("ExecStart"), environment=GIVEN)
        result = {"SERVICE_RESULT": "success" if done.returncode == 0 else "exit-code"}
        after = [self._machine.run(*RESTORE.command("ExecStopPost"), environment=GIVEN | result)] * bool(
            done.returncode
        )
        return done.returncode, "".join(one.stdout + one.stderr for one in (done, *after))

    def network(self) -> None:
        """The next step of the boot: forwarding, and the interfaces."""
        self._lab.appliance.sysctl({FORWARDING: 1})
        for interface in ("eth0", "eth1"):
            self._lab.appliance.run(["ip", "link", "set", interface, "up"])

    def serve(self) -> tuple[Program, socket.socket]:
        """Start the second unit as systemd does, with its notification socket."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(str(self._machine.root / "noting/socket"))
        listener.settimeout(30)
        environment = GIVEN | {"NOTIFY_SOCKET": "/noting/socket"}
        return self._machine.spawn(*SERVICE.command("ExecStart"), environment=environment), listener

    def ask(self, path: str) -> str:
        """The web server's answer."""
        return self._lab.appliance.run(["curl", "-sS", f"http://127.0.0.1:5001{path}"]).stdout

    def arrived(self, host: Host) -> int:
        """The number of this host's packets that reached the uplink."""
        listed = json.loads(self._lab.uplink.run(["nft", "-j", "list", "counters"]).stdout)["nftables"]
        return next(one["counter"]["packets"] for one in listed if one.get("counter", {}).get("name") == host.name)


def _count(uplink: Host, hosts: list[Host]) -> None:
    counters = "".join(f"counter {one.name} {{ }}\n" for one in hosts)
    rules = "".join(f"ip saddr {one.ipv4} counter name {one.name}\n" for one in hosts)
    chain = f"chain seen {{ type filter hook prerouting priority -300;\n{rules} }}"
    uplink.run(["nft", "-f", "-"], given=f"table ip lab {{\n{counters}\n{chain}\n}}")


@pytest.fixture
def machine(gateway: Network) -> Iterator[Computer]:
    """A computer with the files of an installation after a power cut."""
    with computer(gateway.appliance) as made:
        made.pretend_installation()
        (made.root / CONFIG).parent.mkdir()
        (made.root / CONFIG).write_text(config_text("gateway"))
        (made.root / STATE).mkdir(mode=0o700)
        yield made


@pytest.fixture
def boot(gateway: Network, machine: Computer) -> Boot:
    return Boot(gateway, machine)


def save(machine: Computer, target: str, lasts_s: float, now: datetime) -> None:
    """Save the blocks of the moment when the power was cut, at this wall-clock time."""
    block = Block(target, "because", "me", "manual", now, None, now + timedelta(seconds=lasts_s), number=1)
    with closing(SqliteStore(machine.root / STATE / "appliance.sqlite3")) as store:
        store.save_blocks([block], [])
        store.save_reckoned(now)


def damage(machine: Computer) -> None:
    path: Path = machine.root / STATE / "appliance.sqlite3"
    path.write_bytes(random.Random(1).randbytes(8192))


def test_from_the_first_packet_on_nothing_of_a_blocked_host_gets_through(boot: Boot, machine: Computer, until) -> None:
    save(machine, boot.blocked.ipv4, HOUR_S, datetime.now(UTC))
    assert boot.restore() == (0, "1 blocks are in force\n")
    boot.network()
    until(lambda: boot.arrived(boot.free) >= MANY)
    service, listener = boot.serve()
    with closing(listener):
        told = {listener.recv(64) for _ in range(2)}
        assert told == {b"READY=1", b"WATCHDOG=1"}, service.output
        passed = boot.arrived(boot.free)
        until(lambda: boot.arrived(boot.free) >= passed + MANY)
        service.process.terminate()
        assert service.process.wait(timeout=20) == 0, service.output
        assert set(iter(lambda: listener.recv(64), b"STOPPING=1")) <= {b"WATCHDOG=1"}
    assert boot.arrived(boot.blocked) == 0


def test_look_ups_of_a_blocked_name_are_refused_from_the_first_one_on(
    boot: Boot, machine: Computer, gateway: Network
) -> None:
    gateway.start_dns()
    save(machine, "blocked.test", HOUR_S, datetime.now(UTC))
    assert boot.restore() == (0, "1 blocks are in force\n")
    boot.network()
    asked = boot.free, "www.blocked.test", gateway.uplink.ipv4
    assert ask(*asked) == NONE
    service, listener = boot.serve()
    with closing(listener):
        assert {listener.recv(64) for _ in range(2)} == {b"READY=1", b"WATCHDOG=1"}, service.output
        assert ask(*asked) == NONE
        assert "does not refuse" not in service.output
        service.process.terminate()
        assert service.process.wait(timeout=20) == 0, service.output
    assert ask(*asked) == NONE


def test_of_a_read_only_medium_blocks_are_in_force_and_the_service_meters(boot: Boot, machine: Computer, until) -> None:
    medium = machine.root / STATE
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M,mode=700", "tmpfs", medium], check=True)
    save(machine, boot.blocked.ipv4, HOUR_S, datetime.now(UTC))
    subprocess.run(["mount", "-o", "remount,ro", medium], check=True)
    assert boot.restore() == (0, "1 blocks are in force\n")
    boot.network()
    until(lambda: boot.arrived(boot.free) >= MANY)
    service, listener = boot.serve()
    with closing(listener):
        assert {listener.recv(64) for _ in range(2)} == {b"READY=1", b"WATCHDOG=1"}, service.output
        passed = boot.arrived(boot.free)
        until(lambda: boot.arrived(boot.free) >= passed + MANY)
        health = json.loads(boot.ask("/healthz"))
        assert any("the state takes no changes" in one for one in health["reasons"])
        service.process.terminate()
        assert service.process.wait(timeout=20) == 0, service.output
    assert "Traceback" not in service.output
    assert boot.arrived(boot.blocked) == 0


def test_what_cannot_be_restored_is_told_and_the_network_goes_on(boot: Boot, machine: Computer, until) -> None:
    save(machine, boot.blocked.ipv4, HOUR_S, datetime.now(UTC))
    damage(machine)
    code, told = boot.restore()
    assert code == 1
    assert "the service mends what it can when it starts" in told
    assert "<1>APPLIANCE: THE NETWORK STARTS WITHOUT ITS BLOCKS (exit-code)" in told
    boot.network()
    until(lambda: min(boot.arrived(boot.free), boot.arrived(boot.blocked)) >= MANY)


def test_an_interface_that_is_not_there_yet_is_told(boot: Boot, machine: Computer, gateway: Network) -> None:
    save(machine, boot.blocked.ipv4, HOUR_S, datetime.now(UTC))
    gateway.appliance.run(["ip", "link", "set", "eth1", "name", "eth7"])
    code, told = boot.restore()
    assert code == 1
    assert "nothing is blocked at eth1: it does not exist yet" in told


def test_the_units_order_is_the_one_that_is_played_and_nothing_depends_on_success() -> None:
    assert {"network-pre.target", "systemd-sysctl.service", "dhcpcd.service"} <= RESTORE.words("Before")
    assert "network-pre.target" in RESTORE.words("Wants")  # else no unit waits for it
    assert {"local-fs.target", "nftables.service"} <= RESTORE.words("After")
    assert "appliance-restore.service" in SERVICE.words("After")
    for unit in (RESTORE, SERVICE):
        assert not any(unit.all(name) for name in ("Requires", "Requisite", "BindsTo", "RequiredBy"))
    assert RESTORE.words("WantedBy") == {"sysinit.target"}
    assert int(RESTORE["TimeoutStartSec"]) + int(RESTORE["TimeoutStopSec"]) <= 60
    assert (SERVICE["Restart"], SERVICE["RestartPreventExitStatus"]) == ("always", "0")


# The error of the wall clock; the answer of adjtimex(2); the rest of a one-hour block after a cut of 600 s.
CLOCKS = {
    "1970": (f"-{int(time.time()) - 86400}", UNSYNCHRONISED, HOUR_S),
    "a month ahead": (f"+{31 * 86400}", UNSYNCHRONISED, HOUR_S),
    "a month ahead, and may not be asked": (f"+{31 * 86400}", "error=EPERM", HOUR_S),
    "right, and known to be": ("+0", "retval=0", HOUR_S - 600),
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_block_has_left_what_it_had_left_whatever_the_clock_says(
    machine: Computer, gateway: Network, clock: str
) -> None:
    off, answer, left_s = CLOCKS[clock]
    save(machine, gateway.hosts[1].ipv4, HOUR_S, datetime.now(UTC) - timedelta(seconds=600))
    [library] = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    faked = {"LD_PRELOAD": str(library), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    booted = f"--monotonic=-{int(time.monotonic()) - YOUNG_S}"
    asked = ["strace", "--follow-forks", "--quiet=all", "--output=/dev/null", "--trace=adjtimex,clock_adjtime"]
    injected = f"--inject=adjtimex,clock_adjtime:{answer}"
    before = ["unshare", "--time", "--fork", booted, *asked, injected]
    done = machine.run(*RESTORE.command("ExecStart"), environment=GIVEN | faked, before=before)
    assert (done.returncode, done.stdout) == (0, "1 blocks are in force\n"), done.stderr
    listed = json.loads(gateway.appliance.run(["nft", "-j", "list", "map", "netdev", "appliance", "hosts4"]).stdout)
    [[key, _]] = next(part["map"]["elem"] for part in listed["nftables"] if "map" in part)
    assert left_s - 60 < key["elem"]["expires"] <= left_s
