import subprocess
import sys
import time

import pytest

from tests.lab.fixtures import bridge, gateway, inline, mirror

__all__ = ["bridge", "gateway", "inline", "mirror"]

PATIENCE_S = 20.0  # far beyond what is waited for, on a machine that does other things too


@pytest.fixture
def until():
    """Wait for something that the kernel does by itself."""

    def wait(holds):
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.05)

    return wait


@pytest.fixture
def run_unprivileged():
    """Run a line of Python without any capability; returns what it said of its failure.

    Still as the same user, who may be the only one that can read the project.
    """

    def run(line):
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", line]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    return run
