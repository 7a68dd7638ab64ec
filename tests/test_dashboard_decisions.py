"""What the dashboard decides, apart from how it is shown: its own modules, run by Node."""

import subprocess
from pathlib import Path

DASHBOARD = Path(__file__).parents[1] / "appliance/dashboard"
CASES = Path(__file__).parent / "dashboard/decisions.test.mjs"


def test_the_dashboard_decides_as_its_cases_say() -> None:
    done = subprocess.run(["node", "--test", CASES], cwd=DASHBOARD, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
