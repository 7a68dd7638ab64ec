"""An update of the installed programs: whatever goes wrong, the former ones are as they were."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.end_to_end.computer import (
    CONFIG,
    CURRENT,
    HOME,
    PROJECT,
    RELEASE,
    UNITS,
    Computer,
    computer,
    copy_project,
    show_environment,
)
from tests.end_to_end.installed import config_text
from tests.end_to_end.unit import Unit
from tests.lab.network import Network

INSTALL = str(PROJECT / "deploy/install")
NEWER = "/var/newer"  # where a newer version of the project is
STARTING = "appliance/service/starting.py"
UNTOUCHED: list[str] = []  # calls of systemctl


@pytest.fixture
def machine(gateway: Network) -> Iterator[Computer]:
    """A computer on which this version is installed."""
    with computer(gateway.appliance) as made:
        made.pretend_index()
        (made.root / CONFIG).parent.mkdir()
        (made.root / CONFIG).write_text(config_text("gateway"))
        yield made


@pytest.fixture
def installed(machine: Computer) -> Computer:
    run(machine, INSTALL)
    machine.calls()
    return machine


def run(machine: Computer, *command: str, environment: Mapping[str, str] | None = None, code: int = 0) -> str:
    done = machine.run(*command, environment=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def newer(machine: Computer, changes: Mapping[str, tuple[str, str]] | None = None) -> str:
    """A newer version of the project with these replacements; returns its installer."""
    folder = machine.root / NEWER[1:]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy_project(folder)
    for path, (former, latter) in (changes or {"README.md": ("# ", "# Newer ")}).items():
        text = (folder / path).read_text()
        assert former in text
        (folder / path).write_text(text.replace(former, latter, 1))
    return f"{NEWER}/deploy/install"


def current(machine: Computer) -> str:
    return (machine.root / CURRENT).readlink().name


def releases(machine: Computer) -> set[str]:
    return {one.name for one in (machine.root / HOME / "releases").iterdir()}


def assert_it_runs(machine: Computer, release: str | None = None) -> None:
    """The command and both units name programs that start, all of one release."""
    assert release in (None, current(machine))
    assert run(machine, "appliance", "--version")
    restore, python = (
        Unit(machine.root / UNITS / f"{name}.service")["ExecStart"].split()[0]
        for name in ("appliance-restore", "appliance")
    )
    assert run(machine, restore, "--version")
    assert run(machine, python, "-P", "-W", "ignore", "-c", "import appliance.__main__; print('imported')")


def test_an_update_stands_beside_the_former_release_and_back_returns_to_it(installed: Computer) -> None:
    first, second, third = "0.1.0-1", "0.1.0-2", "0.1.0-3"
    assert (current(installed), releases(installed)) == (first, {first})
    run(installed, newer(installed))
    assert (current(installed), releases(installed)) == (second, {first, second})
    assert "# Newer" in (installed.root / HOME / "current/source/README.md").read_text()
    run(installed, newer(installed, {"LICENSE": ("MIT", "X11")}))
    assert (current(installed), releases(installed)) == (third, {second, third})
    for release in (second, third, second):
        assert f"Release {release} runs again" in run(installed, f"/{CURRENT}/source/deploy/install", "--back")
        assert_it_runs(installed, release)


def test_without_a_former_release_back_says_so(installed: Computer) -> None:
    assert "no former release" in run(installed, INSTALL, "--back", code=1)
    assert installed.calls() == UNTOUCHED


def test_a_package_index_that_cannot_be_reached_changes_nothing(installed: Computer) -> None:
    (installed.root / "noting/python3.13").unlink()  # the real venv, the real pip
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}
    before = installed.written()
    told = run(installed, newer(installed), environment=nowhere, code=1)
    assert "The installed programs are as they were: release 0.1.0-1." in told
    assert {one for one in installed.written() - before if one.startswith(HOME)} == set()
    assert installed.calls() == UNTOUCHED
    assert_it_runs(installed, "0.1.0-1")


@pytest.mark.slow
def test_a_full_disk_changes_nothing(machine: Computer) -> None:
    place = machine.root / HOME
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    run(machine, INSTALL)
    machine.calls()
    used_kib = int(subprocess.run(["du", "-sk", place], capture_output=True, text=True, check=True).stdout.split()[0])
    for room_kib in (4, 400, used_kib - 400):
        subprocess.run(["mount", "-o", f"remount,size={used_kib + room_kib}k", place], check=True)
        told = run(machine, newer(machine), code=1)
        assert "No space left on device" in told
        assert "as they were" in told
        assert releases(machine) == {"0.1.0-1"}
        assert machine.calls() == UNTOUCHED
        assert_it_runs(machine, "0.1.0-1")


def test_a_version_that_cannot_be_imported_is_not_started(installed: Computer) -> None:
    told = run(
        installed,
        newer(installed, {"appliance/system/device/panel.py": ("\nfrom ", "\nimport nothing\nfrom ")}),
        code=1,
    )
    assert "do not start" in told
    assert (releases(installed), installed.calls()) == ({"0.1.0-1"}, UNTOUCHED)
    assert_it_runs(installed, "0.1.0-1")


def test_a_version_that_does_not_accept_the_configuration_is_not_started(installed: Computer) -> None:
    told = run(installed, newer(installed, {"appliance/config/sections.py": ("    hold: ", "    holds: ")}), code=1)
    assert "do not accept the configuration" in told
    assert 'panel."hold": unknown key' in told
    assert (releases(installed), installed.calls()) == ({"0.1.0-1"}, UNTOUCHED)


@pytest.mark.slow
def test_a_fault_that_the_configuration_has_already_is_no_reason_to_stay(installed: Computer) -> None:
    (installed.root / CONFIG).write_text("nonsense")
    assert "The configuration has faults" in run(installed, newer(installed))
    assert current(installed) == "0.1.0-2"


def test_a_service_that_does_not_start_makes_room_for_the_former(machine: Computer) -> None:
    machine.pretend_systemd()
    run(machine, INSTALL)
    assert_it_answers(machine, "0.1.0-1")
    broken = newer(machine, {STARTING: ("    drafts = ", '    raise SystemExit("cannot")\n    drafts = ')})
    told = run(machine, broken, code=1)
    assert "The service does not start" in told
    assert "as they were: release 0.1.0-1" in told
    assert releases(machine) == {"0.1.0-1"}
    assert_it_answers(machine, "0.1.0-1")


def test_a_service_that_answers_takes_over_and_is_started_once(machine: Computer) -> None:
    machine.pretend_systemd()
    run(machine, INSTALL)
    machine.calls()
    run(machine, newer(machine))
    assert machine.calls().count("start appliance.service") == 1
    assert_it_answers(machine, "0.1.0-2")
    assert not list((machine.root / "run/systemd/system.control").iterdir())


def assert_it_answers(machine: Computer, release: str) -> None:
    assert_it_runs(machine, release)
    assert (
        run(machine, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:5001/healthz") == "200"
    )
    process = (machine.root / "noting/pid").read_text().strip()
    assert f"PYTHONPATH=/{HOME}/releases/{release}/source" in Path(f"/proc/{process}/environ").read_text().split("\0")


# Ended at some lines, an update that begins anew each time takes half a minute, at a third of all lines ten.
CUTS = [
    pytest.param("KILL", 31, id="KILL at some lines"),
    pytest.param("TERM", 31, id="TERM at some lines", marks=pytest.mark.slow),
    pytest.param("KILL", 3, id="KILL at each third line", marks=pytest.mark.slow),
    pytest.param("TERM", 3, id="TERM at each third line", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("sent", "step"), CUTS)
def test_an_update_that_ends_in_the_middle_leaves_programs_that_run(installed: Computer, sent: str, step: int) -> None:
    (installed.root / "noting/cut").write_text(f'set -T; lines=0; trap "((++lines != CUT)) || kill -{sent} $$" DEBUG')
    update, cut, code = newer(installed), step, 1
    while code:
        given = {"BASH_ENV": "/noting/cut", "CUT": str(cut)}
        code = installed.run(update, environment=given).returncode
        assert_it_runs(installed)
        assert (installed.root / HOME / "releases" / current(installed) / ".made-from").exists()
        cut += step
    assert cut > 60  # else it was not cut, but failed
    run(installed, update)
    assert current(installed) != "0.1.0-1"
    assert len(releases(installed)) <= 2


def test_of_two_installations_at_once_the_second_is_refused(installed: Computer) -> None:
    folder = os.open(installed.root / HOME, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        assert "runs already" in run(installed, newer(installed), code=1)
        assert "An installation runs" in run(installed, str(PROJECT / "deploy/uninstall"), code=1)
    finally:
        os.close(folder)
    assert installed.calls() == UNTOUCHED
    run(installed, newer(installed))


@pytest.mark.slow
def test_the_layout_of_former_versions_is_updated_kept_and_returned_to(machine: Computer) -> None:
    home = machine.root / HOME
    show_environment(home / "environment")
    (home / "source").mkdir()
    copy_project(home / "source")
    for path in ("systemd/appliance.service", "systemd/appliance-restore.service", "command"):
        of_former = (PROJECT / "deploy" / path).read_text().replace("/current/environment", "/environment")
        (home / "source/deploy" / path).write_text(of_former)
        installed_at = "usr/local/bin/appliance" if path == "command" else f"{UNITS}/{Path(path).name}"
        shutil.copy(home / "source/deploy" / path, machine.root / installed_at)
    assert "as they were" in run(machine, newer(machine), environment={"NO_INDEX": "1"}, code=1)
    assert_it_runs(machine)
    run(machine, newer(machine))
    assert_it_runs(machine, "0.1.0-1")
    run(machine, INSTALL, "--back")
    assert Unit(machine.root / UNITS / "appliance.service")["ExecStart"].startswith(f"/{HOME}/environment/bin/")
    assert_it_runs(machine, "flat-0")
    run(machine, INSTALL, "--back")
    run(machine, newer(machine, {"LICENSE": ("MIT", "X11")}))
    assert_it_runs(machine, "0.1.0-2")
    assert {one.name for one in home.iterdir()} == {"releases", "current", "root"}


@pytest.mark.slow
def test_a_damaged_release_is_repaired(installed: Computer) -> None:
    (installed.root / RELEASE / "source/appliance/client.py").write_text("")
    run(installed, INSTALL)
    assert_it_runs(installed, "0.1.0-2")


LOCKED = """\
#!/bin/sh
echo "$*" >>/noting/apt
[ $(wc -l </noting/apt) -gt 1 ] && exit
echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 100 (apt-get)" >&2
echo "E: Unable to lock directory /var/lib/apt/lists/" >&2
exit 100
"""  # apt 2.6's words


def test_another_program_that_installs_packages_is_waited_for_with_a_word(machine: Computer) -> None:
    for name, text in {"apt-get": LOCKED, "dpkg-query": "#!/bin/sh\nexit 1\n"}.items():
        (machine.root / "noting" / name).write_text(text)
        (machine.root / "noting" / name).chmod(0o755)
    told = run(machine, INSTALL)
    assert re.search("Another program installs packages; waiting .* 15 minutes: .* held by process 100", told)
    called = (machine.root / "noting/apt").read_text().splitlines()
    assert [one.split()[1] for one in called] == ["update", "update", "install"]


PREPARE = """
    cd /var/newer; source deploy/environment; project=$PWD; make_environment $PWD/.venv/run deploy/requirements.lock
"""


@pytest.mark.slow
def test_an_environment_of_a_checkout_outlives_an_index_that_fails(installed: Computer) -> None:
    prepare = ["bash", "-c", PREPARE]
    newer(installed)
    run(installed, *prepare)
    link = installed.root / NEWER[1:] / ".venv/run"
    first = link.readlink().name
    (link.parent.parent / "deploy/requirements.lock").write_text("# another\n")
    assert "as it was" in run(installed, *prepare, environment={"NO_INDEX": "1"}, code=1)
    assert link.readlink().name == first
    assert run(installed, f"{NEWER}/.venv/run/bin/appliance", "--version")
    run(installed, *prepare)
    assert link.readlink().name != first
    assert {one.name for one in link.parent.iterdir()} == {"run", first, link.readlink().name}  # it may still run


@pytest.mark.slow
def test_an_environment_in_the_folder_of_former_versions_is_replaced(installed: Computer) -> None:
    newer(installed)
    folder = installed.root / NEWER[1:] / ".venv/run"
    show_environment(folder)
    run(installed, "bash", "-c", PREPARE, environment={"NO_INDEX": "1"}, code=1)
    assert run(installed, f"{NEWER}/.venv/run/bin/appliance", "--version")
    run(installed, "bash", "-c", PREPARE)
    assert folder.is_symlink()
