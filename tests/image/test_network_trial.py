"""The network of a configuration on trial: in force with the trial, and gone with it, by the program of the image."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.manifest import HERE
from tests.image.networkd import PATIENCE_S, PORTS, Network, addresses, network
from tests.image.test_network_files import configuration

PROGRAM = HERE / "root/usr/lib/appliance/network"
HOST, BRIDGE, GATEWAY = (configuration(one) for one in ("host", "bridge", "gateway"))
MIRROR = configuration("mirror", "eth0")
FAR_S = "86400"

# Runs the program's Python, and then takes the lab's ports for the computer's.
PYTHON = f"""#!/bin/sh
for last; do :; done
{sys.executable} "$@" && sed -i 's/^Kind=!\\*$/Kind=veth\\nName={" ".join(PORTS)}/' "$last"/*
"""


class Appliance:
    """A computer with a configuration, after its start."""

    def __init__(self, computer: Network, folder: Path) -> None:
        self.computer = computer
        self.file, self.draft = folder / "etc/appliance.toml", folder / "state/trial.toml"
        for path in (self.file, self.draft):
            path.parent.mkdir()
        self._log = folder / "log"
        python = computer.work / "python"
        python.write_text(PYTHON)
        python.chmod(0o755)
        self._environment = [
            f"APPLIANCE_PYTHON={python}",
            f"APPLIANCE_DATA={folder}/data",
            f"APPLIANCE_CONFIGURATION={self.file.parent}",
            f"APPLIANCE_STATE={self.draft.parent}",
        ]
        self.program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """What a start of the computer does."""
        self.computer.run("env", *self._environment, PROGRAM)
        self.computer.run("systemctl", "restart")

    def begin_trial(self, text: str, most_s: str = FAR_S) -> None:
        """What the service and systemd do."""
        self.draft.write_text(text)
        command = self.computer.command("env", *self._environment, PROGRAM, "trial", most_s)
        with self._log.open("wb") as log:
            self.program = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def end_trial(self) -> str:
        """What the service does when a trial ends; returns what the program has said when it has ended, too."""
        self.draft.unlink()
        assert self.program is not None
        assert self.program.wait(PATIENCE_S) == 0
        return self.said

    @property
    def said(self) -> str:
        return self._log.read_text()

    def is_bridge(self) -> None:
        """Wait until it is one."""
        self.computer.wait_for(lambda links: all(links[one].get("master") == "br0" for one in PORTS))

    def is_host(self) -> None:
        """Wait until its ports ask for addresses, and nothing else is there."""
        self.computer.wait_for(lambda links: set(links) == {"lo", *PORTS, *(f"{one}peer" for one in PORTS)})
        self.computer.wait_for(lambda links: not any("master" in links[one] for one in PORTS))
        self.computer.wait_for(lambda links: not any(addresses(links[one]) for one in PORTS))


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    with network("image-trial", tmp_path / "work") as computer:
        made = Appliance(computer, tmp_path)
        made.file.write_text(HOST)
        made.start()
        try:
            yield made
        finally:
            if made.program is not None:
                made.program.kill()
                made.program.wait()


def test_a_network_on_trial_is_in_force_until_the_trial_is_over(appliance: Appliance) -> None:
    appliance.begin_trial(BRIDGE)
    appliance.is_bridge()
    appliance.end_trial()
    appliance.is_host()


def test_a_confirmed_network_stays_as_it_is(appliance: Appliance) -> None:
    appliance.begin_trial(BRIDGE)
    appliance.is_bridge()
    appliance.file.write_text(BRIDGE)
    assert appliance.end_trial().count("networkd starts") == 1
    appliance.is_bridge()


def test_a_gateway_on_trial_leaves_neither_address_nor_forwarding_behind(appliance: Appliance) -> None:
    appliance.begin_trial(GATEWAY)
    appliance.computer.wait_for(lambda links: addresses(links["eth1"]) == ["10.42.1.1/24"])
    assert appliance.computer.run("cat", "/run/systemd/resolved.conf.d/department.conf")
    appliance.end_trial()
    appliance.is_host()
    assert appliance.computer.run("cat", "/proc/sys/net/ipv4/ip_forward") == "0\n"
    assert appliance.computer.run("ls", "/run/systemd/resolved.conf.d") == ""


def test_a_port_that_only_listens_on_trial_answers_again_afterwards(appliance: Appliance) -> None:
    appliance.begin_trial(MIRROR)
    appliance.computer.wait_for(lambda links: "NOARP" in links["eth0"]["flags"])
    appliance.end_trial()
    appliance.is_host()
    appliance.computer.wait_for(lambda links: "NOARP" not in (flags := links["eth0"]["flags"]) and "MULTICAST" in flags)


def test_a_service_that_does_not_end_its_trial_keeps_nobody_out(appliance: Appliance) -> None:
    appliance.begin_trial(BRIDGE, most_s="1")
    deadline_s = time.monotonic() + PATIENCE_S
    while appliance.said.count("networkd starts") < 2:
        assert time.monotonic() < deadline_s, appliance.said
        time.sleep(0.1)
    appliance.is_host()
    assert appliance.end_trial().count("networkd starts") == 2


def test_a_trial_that_changes_no_network_disturbs_none(appliance: Appliance) -> None:
    appliance.begin_trial(HOST + "[server]\nport = 5002\n")
    assert appliance.end_trial() == ""


def test_a_start_in_the_middle_of_a_trial_brings_the_former_network_back(appliance: Appliance) -> None:
    appliance.draft.write_text(BRIDGE)
    appliance.start()
    assert not appliance.draft.exists()
    appliance.is_host()


def test_a_trial_that_a_start_cannot_remove_is_not_followed(appliance: Appliance) -> None:
    appliance.computer.run("mount", "--bind", appliance.draft.parent, appliance.draft.parent)
    appliance.draft.write_text(BRIDGE)
    appliance.computer.run("mount", "-o", "remount,ro,bind", appliance.draft.parent)
    appliance.start()
    appliance.begin_trial(BRIDGE)  # the same text: it was there before the start
    assert appliance.end_trial() == ""
