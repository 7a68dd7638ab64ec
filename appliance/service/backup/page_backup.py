"""Makes or judges a backup for the page, in a process of its own: its key takes 64 MiB, which are given back so.

The passphrase comes by the standard input, where no list of processes shows it. The answer is a line of JSON, with the
backup's facts or a `fault`.
"""

import json
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.service.backup.restoration import judge_backup
from appliance.service.backup.state_backup import BackupFailed, make_backup


def main() -> None:
    """Do what the first argument says with the file that it names."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it has written so far goes with it
    asked = json.loads(sys.argv[1])
    passphrase, file = sys.stdin.read(), Path(asked["file"])
    try:
        print(json.dumps(_made(asked, file, passphrase) if asked["makes"] else _judged(asked, file, passphrase)))
    except BackupFailed as reason:
        print(json.dumps({"fault": str(reason).removeprefix(f"{file}: ")}))
    except OSError as error:
        print(json.dumps({"fault": f"{error.filename or file}: {error.strerror}"}))


def _made(asked: Mapping[str, Any], file: Path, passphrase: str) -> Mapping[str, Any]:
    config_file = Path(asked["config_file"]) if asked["config_file"] else None
    return {"bytes": make_backup(config_file, Path(asked["state_dir"]), file, passphrase)}


def _judged(asked: Mapping[str, Any], file: Path, passphrase: str) -> Mapping[str, Any]:
    state_dir = Path(asked["state_dir"])
    needed, free = file.stat().st_size, shutil.disk_usage(state_dir).free
    if free < needed:
        raise BackupFailed(f"its {needed >> 20} MB are unpacked beside the state: make room on its disk")
    return judge_backup(file, passphrase, state_dir)
