"""Installation and removal on a computer's files; systemd itself judges the units."""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from appliance.cli import SERVICE
from tests.end_to_end.computer import (
    CONFIG,
    CURRENT,
    GIVEN,
    PATH,
    PROJECT,
    RELEASE,
    STATE,
    UNITS,
    Computer,
    computer,
    show_environment,
)
from tests.end_to_end.installed import config_text
from tests.end_to_end.unit import Unit
from tests.lab.network import Network

NAMES = ("appliance.service", "appliance-restore.service")
INSTALL, UNINSTALL = str(PROJECT / "deploy/install"), str(PROJECT / "deploy/uninstall")
# Of 10. All of it is needed for the work: root, the host's network and its configuration, packet sockets, eBPF, the
# GPIO chip, reading whether the clock is right. Without one of the restrictions it would be above this.
MOST_EXPOSED = 24  # tenths
# What bash runs when a person presses the Tab key behind "appliance st".
COMPLETE_IN_BASH = """
. /usr/local/share/bash-completion/completions/appliance
COMP_WORDS=(appliance st) COMP_CWORD=1
$(complete -p appliance | sed 's/.*-F \\([^ ]*\\).*/\\1/') appliance st
echo "${COMPREPLY[@]}"
"""
STARTED = ["stop appliance.service", "restart appliance-restore.service", "start appliance.service"]


@pytest.fixture
def machine(gateway: Network) -> Iterator[Computer]:
    with computer(gateway.appliance) as made:
        made.pretend_index()
        yield made


def install(machine: Computer) -> str:
    done = machine.run(INSTALL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def folders(machine: Computer) -> set[Path]:
    """The folders where shells and man look."""
    return {one for one in (machine.root / "usr/local/share").rglob("*") if one.is_dir()}


def test_it_is_installed_started_told_and_taken_away_without_a_trace(machine: Computer) -> None:
    root, before, shared = machine.root, machine.written(), folders(machine)
    told = install(machine)
    assert machine.calls() == ["daemon-reload", f"--quiet enable {NAMES[1]} {NAMES[0]}", *STARTED]
    assert (root / UNITS / "sysinit.target.wants" / NAMES[1]).is_symlink()
    assert (root / UNITS / "multi-user.target.wants" / NAMES[0]).is_symlink()
    assert (root / CURRENT / "source/appliance/cli/main.py").read_bytes() == (
        PROJECT / "appliance/cli/main.py"
    ).read_bytes()
    assert re.search(r"^Page: http://[0-9.]+:5001/$", told, re.MULTILINE), told
    assert re.search('interface = "eth[01]"', (root / CONFIG).read_text())
    token = machine.run("appliance", "token", "--role", "viewer", "--departments", "*")  # as the installer says
    assert token.stdout.count(".") == 2, token.stderr
    assert (root / STATE / "token.secret").exists()

    kept = (root / CONFIG).read_bytes(), (root / STATE / "token.secret").read_bytes()
    done = machine.run(f"/{CURRENT}/source/deploy/uninstall")  # also without the checkout
    assert done.returncode == 0, done.stderr
    assert machine.calls()[0] == f"--quiet disable --now {NAMES[0]} {NAMES[1]}"
    left = {one for one in machine.written() - before if not one.startswith((STATE, CONFIG))}
    assert left == set()
    assert folders(machine) == shared
    assert kept == ((root / CONFIG).read_bytes(), (root / STATE / "token.secret").read_bytes())
    done = machine.run(UNINSTALL)
    assert (done.returncode, "nothing to uninstall" in done.stderr) == (1, True)


def test_a_second_time_changes_nothing_and_keeps_the_configuration(machine: Computer) -> None:
    own = config_text("gateway")
    (machine.root / CONFIG).parent.mkdir()
    (machine.root / CONFIG).write_text(own)
    told = install(machine)
    assert "Page: http://127.0.0.1:5001/" in told  # the port of this configuration
    written, calls = machine.written(), machine.calls()
    assert install(machine) == told
    assert (machine.written(), machine.calls()) == (written, calls)
    assert (machine.root / CONFIG).read_text() == own
    assert machine.run(UNINSTALL, "--purge").returncode == 0
    assert not (machine.root / CONFIG).exists()
    assert not (machine.root / STATE).exists()


def test_avahi_announces_the_page_where_it_is_installed_until_the_page_is_gone(machine: Computer) -> None:
    assert "By name:" not in install(machine)
    announced = machine.root / "etc/avahi/services/appliance.service"
    announced.parent.mkdir(parents=True)
    told = install(machine)
    assert f"By name: http://{socket.gethostname()}.local:5001/" in told
    service = ElementTree.fromstring(announced.read_text()).find("service")
    assert service is not None
    assert (service.findtext("type"), service.findtext("port")) == ("_http._tcp", "5001")
    assert machine.run(UNINSTALL).returncode == 0
    assert not announced.exists()


def test_blocks_that_cannot_be_restored_do_not_keep_the_service_from_starting(machine: Computer) -> None:
    done = machine.run(INSTALL, environment={"FAILING": STARTED[1]})
    assert done.returncode == 0
    assert "journalctl -u appliance-restore says why" in done.stderr
    assert machine.calls()[-1] == STARTED[2]


def test_a_service_that_does_not_start_is_told(machine: Computer) -> None:
    done = machine.run(INSTALL, environment={"FAILING": STARTED[2]})
    assert done.returncode == 1
    assert "journalctl -u appliance says why" in done.stderr
    assert "Installed" not in done.stdout


def test_uninstalling_opens_the_kernel(machine: Computer, gateway: Network) -> None:
    install(machine)
    gateway.appliance.run(["nft", "add", "table", "netdev", "appliance"])
    assert machine.run(UNINSTALL).returncode == 0
    assert "appliance" not in gateway.appliance.run(["nft", "list", "tables"]).stdout


def test_what_deploy_run_has_made_is_taken_away_too(machine: Computer) -> None:
    environment = machine.root / PROJECT.relative_to("/") / ".venv/run"
    show_environment(environment)
    done = machine.run(UNINSTALL, "--state-dir", "/var/lib/other")
    assert (done.returncode, machine.calls()) == (0, []), done.stderr
    assert "released" in done.stdout
    assert not environment.exists()


def test_who_is_not_root_is_told_so(machine: Computer) -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # A copy, because other users may not read root's home.
    subprocess.run(["cp", "-R", PROJECT / "deploy", machine.root / "var/deploy"], check=True)
    done = machine.run(*as_nobody, "/var/deploy/install")
    assert (done.returncode, done.stderr) == (1, "Installing takes root: sudo /var/deploy/install\n")
    assert machine.run(*as_nobody, "/var/deploy/install", "--help").stdout.startswith("Usage: sudo deploy/install")
    assert machine.run(INSTALL, "--prefix=/usr").returncode == 2
    assert machine.calls() == []


def test_systemd_understands_the_units_and_finds_an_order_for_them(machine: Computer) -> None:
    install(machine)
    verify = ["systemd-analyze", "verify", "--man=no"]
    done = machine.run(*verify, "--recursive-errors=no", *(f"/{UNITS}/{name}" for name in NAMES))
    assert done.returncode == 0, done.stderr
    done = machine.run(*verify, "multi-user.target")  # with all other units, which may have faults of their own
    assert not re.search("appliance|cycle", done.stdout + done.stderr), done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_little_is_open_to_whoever_gets_into_a_service(name: str) -> None:
    path = str(PROJECT / "deploy/systemd" / name)
    words = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_units_name_the_places_that_the_installation_makes(name: str) -> None:
    unit = Unit(PROJECT / "deploy/systemd" / name)
    places = dict(
        line.split("=") for line in (PROJECT / "deploy/places").read_text().splitlines() if not line.startswith("#")
    )
    program = {"appliance": ("python", *SERVICE), "appliance-restore": ("appliance", "restore")}[Path(name).stem]
    assert unit["ExecStart"] == f"{places['current']}/environment/bin/{' '.join(program)}"
    assert f"/var/lib/{unit['StateDirectory']}" == places["state"]
    assert unit.all("RootDirectory") in ([], [places["root"]])
    command = (PROJECT / "deploy/command").read_text()
    assert f"exec {places['current']}/environment/bin/appliance" in command
    assert f":-{places['state']}}}" in command


@pytest.mark.slow
def test_a_real_environment_is_made_and_runs_the_copy(gateway: Network) -> None:
    with computer(gateway.appliance) as machine:
        # With this computer's network, for pip; starts are only recorded.
        words, environment = ["chroot", machine.root, INSTALL], {"PATH": PATH}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        where = machine.run(f"/{CURRENT}/environment/bin/python", "-c", "import appliance; print(appliance.__file__)")
        assert where.stdout == f"/{RELEASE}/source/appliance/__init__.py\n"
        restore = Unit(PROJECT / "deploy/systemd" / NAMES[1]).command("ExecStart")
        done = machine.run(*restore, environment=GIVEN)
        assert (done.returncode, done.stdout) == (0, "nothing was blocked\n"), done.stderr


def test_the_folder_of_the_configuration_may_be_written_by_the_service() -> None:
    unit, folder = Unit(PROJECT / "deploy/systemd" / NAMES[0]), str(Path(f"/{CONFIG}").parent)
    assert folder in unit.words("ReadWritePaths")
    assert f"-{folder}" in unit.words("BindPaths")  # else it is shown for reading, as the rest of /etc


def test_help_is_where_people_look_for_it(machine: Computer) -> None:
    install(machine)
    shown = machine.run("man", "--warnings", "appliance")
    assert (shown.returncode, "appliance block" in shown.stdout, shown.stderr) == (0, True, "")
    for folder in ("bash-completion/completions/appliance", "zsh/site-functions/_appliance"):
        assert "_APPLIANCE_COMPLETE" in (machine.root / "usr/local/share" / folder).read_text()
    offered = machine.run("bash", "-c", COMPLETE_IN_BASH, environment={"LC_ALL": "C.UTF-8"})
    assert offered.stdout.split() == ["status"], offered.stderr
    commit = (machine.root / CURRENT / "source/.commit").read_text().strip()
    assert machine.run(f"/{CURRENT}/environment/bin/appliance", "--version").returncode == 0
    assert commit.startswith("$") is not (PROJECT / ".git").exists()


@pytest.mark.parametrize(("word", "exit_code"), [("--help", 0), ("--prefix=/usr", 2), ("--config", 1)])
def test_a_question_or_a_slip_removes_nothing(machine: Computer, word: str, exit_code: int) -> None:
    install(machine)
    before = machine.calls(), machine.written()
    done = machine.run(UNINSTALL, word)
    assert (done.returncode, "--purge" in done.stdout + done.stderr or word == "--config") == (exit_code, True)
    assert (machine.calls(), machine.written()) == ([], before[1])
