"""Puts a backup in the place of the configuration and of the state.

    judge     it is unpacked beside the state; each database is sound, and the configuration has no fault
    order     a marker in the state directory says what takes whose place
    finish    what was there goes into a folder of its own, and what was unpacked takes its place

Nothing changes before the order. From then on it is finished, if not now then by the next start of the service, however
often the power fails in between.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from appliance import config as configuration
from appliance.config import ConfigError
from appliance.core.state_files import PASSING, RESTORE_MARKER, STATE_FILE, UNPACKED
from appliance.service.backup.state_backup import CONFIGURATION, DATABASE, BackupFailed
from appliance.system.backup_file import BackupUnreadable, read_backup
from appliance.system.ownership import OwnedElsewhere, own_state
from appliance.system.storage.files import sync, write_whole
from appliance.system.storage.sqlite import DatabaseUnreadable, require_whole

FORMER = "before-restore"  # the beginning of the folder with what was there before
# What stays where it is: folders of ours, bundles, a simulation's books, and the order itself.
STAYING = (UNPACKED, PASSING, FORMER, "updates", "simulated", RESTORE_MARKER)


class Restored(Struct, frozen=True):
    """What a restore has put back. `former`: the folder with what was there before; `None`: nothing was."""

    made_at: str
    version: str
    host: str
    files: Sequence[str]
    config_file: Path | None
    former: Path | None


def restore_backup(
    config_file: Path, state_dir: Path, source: Path, passphrase: str, *, replaces: bool = False
) -> Restored:
    """Put a backup in the place of the configuration and of the state, while no service uses them.

    What is there is kept in a folder beside the state, and only with `replaces` is anything there replaced.
    Raises `BackupFailed`, `OSError`.
    """
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as owned:
        try:
            own_state(state_dir, owned)
        except OwnedElsewhere as reason:
            raise BackupFailed(str(reason)) from None
        if (state_dir / RESTORE_MARKER).exists():
            finish_restore(state_dir)  # the former one, which was interrupted
        present = [path for path in (config_file, state_dir / STATE_FILE) if path.exists()]
        if present and not replaces:
            raise BackupFailed(f"{present[0]} is there; --replace keeps it aside, and puts the backup in its place")
        order_restore(config_file, state_dir, judge_backup(source, passphrase, state_dir))
        return finish_restore(state_dir)


def judge_backup(source: Path, passphrase: str, state_dir: Path) -> Mapping[str, Any]:
    """Unpack the backup beside the state and judge all that is in it; returns its facts.

    What does not pass leaves nothing. Raises `BackupFailed`, `OSError`.
    """
    unpacked = state_dir / UNPACKED
    shutil.rmtree(unpacked, ignore_errors=True)  # of one that was judged and not restored
    unpacked.mkdir(mode=0o700)
    try:
        return _checked(source, passphrase, unpacked)
    except BaseException:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise


def _checked(source: Path, passphrase: str, unpacked: Path) -> Mapping[str, Any]:
    try:
        facts = read_backup(source, passphrase, unpacked)
        for path in sorted(unpacked.glob(f"*{DATABASE}")):
            require_whole(path)
    except BackupUnreadable as reason:
        raise BackupFailed(str(reason)) from None
    except DatabaseUnreadable as error:
        raise BackupFailed(f"{source}: a database in it is damaged: {error}; use another backup") from None
    if not (unpacked / STATE_FILE).exists():
        raise BackupFailed(f"{source}: it has no {STATE_FILE}; use another backup")
    if (unpacked / CONFIGURATION).exists():
        try:
            configuration.load(unpacked / CONFIGURATION)
        except ConfigError as error:
            raise BackupFailed(f"{source}: this version does not take its configuration: {error}") from None
    return facts


def order_restore(config_file: Path, state_dir: Path, facts: Mapping[str, Any]) -> None:
    """Order that what was judged takes the place of what is there. `facts`: of the backup. Raises `OSError`."""
    files = sorted(path.name for path in (state_dir / UNPACKED).iterdir() if path.name != CONFIGURATION)
    order = {
        "config": str(config_file),
        "former": f"{FORMER}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        "files": files,
        "facts": {key: str(facts.get(key, "")) for key in ("madeAt", "version", "host")},
        "isAside": False,  # whether all that was there is in the folder of the former state
    }
    write_whole(state_dir / RESTORE_MARKER, json.dumps(order).encode())


def finish_restore(state_dir: Path) -> Restored:
    """Carry out the restore that is ordered, from wherever a power cut has left it. Raises `OSError`."""
    marker, unpacked = state_dir / RESTORE_MARKER, state_dir / UNPACKED
    order = json.loads(marker.read_bytes())
    config_file, former = Path(order["config"]), state_dir / order["former"]
    if not order["isAside"]:
        _set_aside(config_file, state_dir, former)
        write_whole(marker, json.dumps({**order, "isAside": True}).encode())
    text = unpacked / CONFIGURATION
    has_configuration = text.exists()
    if has_configuration:
        config_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(config_file, text.read_bytes())
    for name in order["files"]:
        if (unpacked / name).exists():
            (unpacked / name).replace(state_dir / name)
    sync(state_dir)
    marker.unlink()
    shutil.rmtree(unpacked, ignore_errors=True)
    sync(state_dir)
    told = order["facts"]
    return Restored(
        told["madeAt"],
        told["version"],
        told["host"],
        order["files"],
        config_file if has_configuration else None,
        former if former.exists() else None,
    )


def _set_aside(config_file: Path, state_dir: Path, former: Path) -> None:
    """Move what is in the state directory, and copy the configuration, to the folder of the former state."""
    kept = [path for path in state_dir.iterdir() if not path.name.startswith(STAYING)]
    if not kept and not config_file.exists():
        return
    former.mkdir(mode=0o700, exist_ok=True)
    if config_file.exists():
        shutil.copy2(config_file, former / CONFIGURATION)
    for path in kept:
        path.replace(former / path.name)
    sync(former)
