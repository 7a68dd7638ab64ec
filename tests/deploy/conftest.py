"""What the tests of the installation share: a fresh Debian, a stick, a computer with the first version, the times."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.deploy.guest import BRIDGE, INDEX, Guest
from tests.deploy.installing import install, look_around
from tests.deploy.stick import FIRST, fill_stick, lay_index
from tests.end_to_end.computer import PROJECT
from tests.lab.host import Host

STEPS: list[tuple[float, str]] = []

Step = Callable[[str], AbstractContextManager[None]]


@contextmanager
def _step(words: str) -> Iterator[None]:
    begun_s = time.monotonic()
    yield
    STEPS.append((time.monotonic() - begun_s, words))


@pytest.fixture(scope="session")
def step() -> Step:
    """Notes how long a step took, for the lines that are printed after the tests."""
    return _step


@pytest.fixture(scope="session")
def debian() -> Path:
    """The folder with a fresh Debian. It is kept."""
    folder = PROJECT / ".venv/debian"
    with _step("a fresh Debian 12 is made, unless there is one"):
        subprocess.run([PROJECT / "tests/deploy/make_debian", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stick, which keeps what computers write to it."""
    folder = tmp_path_factory.mktemp("stick")
    with _step("packages and wheels are put on a stick"):
        fill_stick(folder, tmp_path_factory.mktemp("project"))
    return folder


@pytest.fixture(scope="session")
def line(debian: Path, stick: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The network of the computers, in a namespace: pip's index and Debian's packages are there."""
    served = tmp_path_factory.mktemp("served")
    lay_index(stick / "wheels", served / "simple")
    (served / "packages").symlink_to(debian / "packages")
    name = f"fresh{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    host = Host(name, name)
    try:
        host.run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        host.run(["ip", "link", "set", BRIDGE, "up"])
        host.address(BRIDGE, f"{INDEX}/24")
        serve = [sys.executable, "-u", "-m", "http.server", "8000", "--bind", INDEX, "--directory", str(served)]
        host.spawn(serve, ready="Serving HTTP")
        yield host
    finally:
        host.stop_all()
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture(scope="module")
def machine(debian: Path, stick: Path, line: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A computer on which the first version has been installed."""
    with Guest(debian, tmp_path_factory.mktemp("guest"), stick, line) as guest:
        with _step("the computer starts"):
            guest.power_on()
        look_around(guest)
        with _step("installed, with the Debian packages that it needs"):
            install(guest, FIRST)
        yield guest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the steps."""
    if STEPS:
        terminalreporter.section("the installation under systemd")
        for seconds, words in STEPS:
            terminalreporter.write_line(f"{seconds:6.1f} s  {words}")
