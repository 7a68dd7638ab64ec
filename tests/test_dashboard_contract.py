"""The dashboard is compiled against the types of the contract as it is now."""

import subprocess
from pathlib import Path

from appliance.server.pages import contract

ROOT = Path(__file__).parents[1]
DASHBOARD = Path("appliance/dashboard")
TYPES = DASHBOARD / "src/live/contract.d.ts"
GENERATOR = DASHBOARD / "generate-contract.mjs"
RENEW = (
    'python -c "from appliance.server.pages.contract import text; print(text())"'
    f" | node {GENERATOR} >{TYPES}  # after npm ci --prefix {DASHBOARD}"
)


def test_the_types_of_the_dashboard_are_those_of_the_contract() -> None:
    generated = subprocess.run(
        ["node", GENERATOR], cwd=ROOT, input=contract.text(), capture_output=True, text=True, check=False
    )
    assert generated.returncode == 0, generated.stderr
    assert generated.stdout == (ROOT / TYPES).read_text(), f"the contract has changed; renew its types:\n{RENEW}"
