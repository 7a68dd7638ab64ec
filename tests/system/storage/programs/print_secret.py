"""Waits for a byte, and prints the secret of the folder, made if it is missing."""

import sys
from pathlib import Path

from appliance.system.storage.secret_file import load_secret

sys.stdin.read(1)
print(load_secret(Path(sys.argv[1])).hex())
