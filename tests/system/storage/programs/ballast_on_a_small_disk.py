"""Lays the ballast on a disk that has too little room for it."""

import subprocess
import sys
from pathlib import Path

from appliance.system.storage.ballast import Ballast

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", disk], check=True)
Ballast(disk / "ballast").lay()
assert not (disk / "ballast").exists()
print("as promised")
