"""A power cut, then a medium that has become read-only, then one that is writable again."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.core.blocking.block import Block
from appliance.core.metering.account import AccountKey
from appliance.core.metering.usage import Mark
from appliance.core.moment import Moment
from appliance.core.refusal import Refused
from appliance.service.state_recovery import open_state

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = Moment(NOON, 1000.0, is_trusted=True)
BLOCKS = [Block(f"10.0.0.{number}", "because", "me", "manual", NOON, number=number) for number in range(1, 9)]
MARKS = {AccountKey("a"): Mark("x", 1, 2)}

folder, medium = Path(sys.argv[1]) / "medium", sys.argv[2]
path = folder / "appliance.sqlite3"
folder.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M", "tmpfs", folder], check=True)
if os.fork() == 0:
    store = open_state(path, NOON).store
    store.save_blocks(BLOCKS, [])
    store.save_blocks([], BLOCKS[4:])  # in the log only
    os._exit(0)
os.wait()
if "without" in medium:
    path.with_name(f"{path.name}-shm").unlink()
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)

kept = open_state(path, NOON)
assert kept.store.blocks() == BLOCKS[:4]
[trouble] = kept.troubles(NOW)
assert "the state takes no changes" in trouble, trouble
assert kept.store.save_metering({}, MARKS, NOON) is False
with pytest.raises(Refused, match="takes no changes"):
    kept.store.save_blocks(BLOCKS, [])

subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
assert kept.store.save_metering({}, MARKS, NOON) is True
assert kept.troubles(NOW) == []
kept.store.close()
again = open_state(path, NOON).store
assert (again.blocks(), again.marks()) == (BLOCKS[:4], MARKS)
print("as promised")
