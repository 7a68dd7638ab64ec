import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.lab.fixtures import bridge, gateway, inline, mirror, until

__all__ = ["bridge", "gateway", "inline", "mirror", "until"]


@pytest.fixture
def run_unprivileged() -> Callable[[str], str]:
    """Run a line of Python without any capability; returns what it said of its failure.

    Still as the same user, who may be the only one that can read the project.
    """

    def run(line: str) -> str:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", line]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    return run
