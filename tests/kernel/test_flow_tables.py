"""The lab's tests of the flow table, under Debian's kernel in QEMU, which has flow tables and VLANs.

They take some minutes, for the computer in QEMU is emulated.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


def test_offloaded_connections_are_counted_held_and_blocked_under_debian_s_kernel() -> None:
    tests = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "tests/lab/test_flow_table.py"]
    done = subprocess.run([HERE / "run", *tests], cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = re.search(r"(\d+) passed", done.stdout)
    assert summary is not None, done.stdout
    assert "skipped" not in done.stdout, done.stdout
