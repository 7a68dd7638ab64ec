"""An installation for its whole life, on a fresh Debian 12 whose first process is systemd."""

import json
import re
from pathlib import Path

import pytest

from tests.deploy.conftest import Step
from tests.deploy.guest import STICK, Guest
from tests.deploy.installing import (
    INSTALLER,
    STATE,
    UNINSTALLER,
    UNITS,
    blocks,
    install,
    page,
    told,
    traces,
    update,
    version,
)
from tests.lab.host import Host

pytestmark = pytest.mark.slow

MOST_EXPOSED = 24  # tenths, of 100
BLOCKED = "203.0.113.9"
TRIAL = "/run/systemd/system.control/appliance.service"
WHEELS = f"PIP_NO_INDEX=1 PIP_FIND_LINKS={STICK}/wheels"
PASSPHRASE = "correct horse battery"


def test_it_runs_fenced_in_as_soon_as_it_is_installed(machine: Guest, step: Step) -> None:
    with step("judged by systemd-analyze security"):
        for unit in UNITS:
            judged = machine.run(f"systemd-analyze security --no-pager --threshold={MOST_EXPOSED} {unit}").stdout
            assert re.search(rf"exposure level for {unit}: \d\.\d OK", judged), judged
    assert version(machine)
    assert machine.run(f"systemctl is-enabled {' '.join(UNITS)}").stdout.split() == ["enabled"] * 2
    with step("installed once more, which changes nothing"):
        before = machine.run("readlink /opt/appliance/current").stdout
        assert "Page: http://10.30.0.2:5001/" in told(machine, INSTALLER)
        assert machine.run("readlink /opt/appliance/current").stdout == before


def test_a_boot_puts_blocks_in_force_before_the_network(machine: Guest, step: Step) -> None:
    before = version(machine)
    machine.run(f"appliance block {BLOCKED} --reason 'port scan'")
    with step("rebooted"):
        machine.reboot()
    assert version(machine) == before
    shown = "systemctl show --value --property"
    enforced = int(machine.run(f"{shown} ActiveEnterTimestampMonotonic {UNITS[1]}").stdout)
    for unit in ("networking.service", "systemd-sysctl.service"):
        begun = int(machine.run(f"{shown} InactiveExitTimestampMonotonic {unit}").stdout)
        assert begun == 0 or enforced < begun, unit
    assert BLOCKED in machine.run("nft list ruleset").stdout
    assert BLOCKED in [one["address"] for one in blocks(machine)]
    assert machine.run("systemctl --failed --plain --no-legend").stdout == ""


def test_without_network_an_update_changes_nothing_or_comes_from_a_folder(machine: Guest, step: Step) -> None:
    before = version(machine)
    machine.unplug()
    with step("updated without network: as it was"):
        assert "The installed programs are as they were" in update(machine, "0.2.0", code=1)
    assert version(machine) == before
    with step("updated without network, from a folder of wheels"):
        update(machine, "0.2.0", WHEELS)
    assert version(machine) == "0.2.0"
    machine.plug_in()


def test_an_update_lasts_and_back_returns_to_the_former_one(machine: Guest, step: Step) -> None:
    before = version(machine)
    with step("updated with network"):
        update(machine, "0.3.0")
    assert version(machine) == "0.3.0"
    with step("rebooted"):
        machine.reboot()
    assert version(machine) == "0.3.0"
    for wanted in (before, "0.3.0"):
        with step(f"--back, to {wanted}"):
            assert "runs again" in told(machine, f"{INSTALLER} --back")
        assert version(machine) == wanted


def test_a_version_that_does_not_start_makes_room_for_the_former(machine: Guest, step: Step) -> None:
    before = version(machine)
    with step("updated to a version that does not start: back by itself"):
        said = update(machine, "broken", code=1)
    assert "The service does not start" in said
    assert "The installed programs are as they were" in said
    assert version(machine) == before
    machine.run(f"test ! -e {TRIAL}")


def test_after_a_power_cut_in_a_trial_the_former_version_runs(machine: Guest, step: Step) -> None:
    before = version(machine)
    with step("power cut while a version that hangs is on trial"):
        machine.begin(f"{INSTALLER} {STICK}/stuck.tar.gz")
        machine.run(f"until [ -e {TRIAL} ] && systemctl is-active {UNITS[0]} | grep -q activating; do sleep 0.1; done")
        machine.cut_power()
    assert version(machine) == before


def test_a_backup_makes_the_same_appliance_of_another_computer(
    machine: Guest, debian: Path, stick: Path, line: Host, tmp_path: Path, step: Step
) -> None:
    backup = f"{STICK}/kept.backup --passphrase-file {STICK}/passphrase"
    running = version(machine)
    machine.run(f"appliance block {BLOCKED}; appliance user add alice --role admin --password '{PASSPHRASE}'")
    token = machine.run("appliance token --role viewer --ttl 1d").stdout.strip()
    with step("backed up"):
        machine.run(f"echo {PASSPHRASE} >{STICK}/passphrase; systemctl stop appliance")
        machine.run(f"appliance backup create {backup}")
    kept, configuration = machine.run(STATE).stdout, machine.run("cat /etc/appliance/appliance.toml").stdout
    machine.power_off()
    try:
        with Guest(debian, tmp_path, stick, line) as other:
            other.power_on()
            with step("another fresh computer, installed"):
                install(other, running)
            with step("restored there"):
                other.run("systemctl stop appliance")
                assert "--replace keeps it aside" in told(other, f"appliance backup restore {backup}", code=1)
                other.run(f"appliance backup restore --replace {backup}")
            restored = json.loads(other.run(STATE).stdout)
            assert restored == json.loads(kept)
            assert other.run("cat /etc/appliance/appliance.toml").stdout == configuration
            other.run("systemctl start appliance")
            assert version(other) == running
            assert BLOCKED in other.run("nft list ruleset").stdout
            assert [one["name"] for one in json.loads(other.run("appliance user list --json").stdout)] == ["alice"]
            assert "appliance_" in page(other, "/metrics", Authorization=f"Bearer {token}")
            other.power_off()
    finally:
        machine.power_on()


def test_it_is_taken_away_without_a_trace(machine: Guest, step: Step) -> None:
    with step("uninstall --purge"):
        assert "Uninstalled, with state" in told(machine, f"{UNINSTALLER} --purge")
    assert traces(machine) == ""
    with step("rebooted"):
        machine.reboot()
    assert traces(machine) == ""
