"""Backs the appliance up into one encrypted file, also while it runs, and restores that file, here or elsewhere.

A backup has the configuration and what is in the state directory: books, blocks, people, tokens, history, audit trail,
alerts, block lists, the passwords of other servers, the secret that signs tokens, and the certificate. A restored
appliance is the same one to people, programs and browsers. Books are as they were saved, at most a minute old.
"""

import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from appliance import config as configuration
from appliance.config import ConfigError
from appliance.core.operations.trial import RESET_MARKER
from appliance.core.version import VERSION
from appliance.system.backup_file import BackupUnreadable, read_backup, write_backup
from appliance.system.ownership import OwnedElsewhere, own_state
from appliance.system.storage.files import sync, write_whole
from appliance.system.storage.sqlite import LOGS, DatabaseUnreadable, copy_whole, require_whole

STATE_FILE = "appliance.sqlite3"  # there is none before the first start
CONFIGURATION = "appliance.toml"  # its name in a backup, wherever the file is
DATABASE = ".sqlite3"
FOLDERS = ("lists", "secrets")  # `updates` has bundles, which their publisher has too
# Of this computer alone or of this moment: a simulation's books, a configuration on trial, reserved room, drafts, what
# was damaged, and logs of databases, which are copied with them.
LEFT_OUT = (
    "simulated*",
    "trial.toml",
    RESET_MARKER,
    "*.ballast",
    "*.new",
    "*.damaged-*",
    *(f"*{suffix}" for suffix in LOGS),
)
SHORTEST_PASSPHRASE = 12  # characters: who has the file can try passphrases for years
SPARE_BYTES = 16 << 20  # what the copy of a database must leave free, as the state's reserve does
UNPACKED, FORMER = "restored", "before-restore"  # folders in the state directory


class BackupFailed(Exception):
    """No backup was made, or none was restored; the text says why, and what a person can do."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has put back. `former`: the folder with what was there before; `None`: nothing was."""

    made_at: str
    version: str
    host: str
    files: Sequence[str]
    config_file: Path | None
    former: Path | None


def back_up(config_file: Path | None, state_dir: Path, target: Path, passphrase: str) -> int:
    """Write the backup to `target`, replacing an earlier one; returns its bytes. Raises `BackupFailed`, `OSError`."""
    _require_made(state_dir, passphrase)
    if target.parent.resolve().is_relative_to(state_dir.resolve()):
        raise BackupFailed(f"{target}: a backup in the state directory would be lost with it; name another place")
    return _write(config_file, state_dir, target, passphrase)


def pass_on(config_file: Path | None, state_dir: Path, passphrase: str, take: Callable[[Path], None]) -> None:
    """Make a backup for as long as `take` needs it. Raises `BackupFailed`, `OSError`, and what `take` does."""
    _require_made(state_dir, passphrase)
    with TemporaryDirectory(prefix="backup-", dir=state_dir) as folder:
        passing = Path(folder) / "passing.backup"
        _write(config_file, state_dir, passing, passphrase)
        take(passing)


def _require_made(state_dir: Path, passphrase: str) -> None:
    """Raise `BackupFailed` where there is nothing to back up, or too short a passphrase."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise BackupFailed(f"a passphrase has at least {SHORTEST_PASSPHRASE} characters")
    if not (state_dir / STATE_FILE).exists():
        raise BackupFailed(f"{state_dir} has no {STATE_FILE}: name the appliance's state with --state-dir")


def _write(config_file: Path | None, state_dir: Path, target: Path, passphrase: str) -> int:
    facts = {
        "madeAt": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "version": VERSION,
        "host": socket.gethostname(),
    }
    with TemporaryDirectory(prefix="backup-", dir=state_dir) as scratch:
        try:
            return write_backup(target, passphrase, facts, _files(config_file, state_dir, Path(scratch)))
        except DatabaseUnreadable as error:
            raise BackupFailed(f"a database could not be copied: {error}; appliance doctor says more") from None


def _files(config_file: Path | None, state_dir: Path, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Names in the backup, each with a file that has the content while the caller is at it."""
    if config_file is not None:
        yield CONFIGURATION, config_file
    for path in _plain_files(state_dir):
        if any(path.match(pattern) for pattern in LEFT_OUT):
            continue
        if path.suffix == DATABASE:
            copy = scratch / path.name
            _copy(path, copy)
            yield path.name, copy
            copy.unlink()
        else:
            yield path.name, path
    for folder in FOLDERS:
        yield from ((f"{folder}/{path.name}", path) for path in _plain_files(state_dir / folder))


def _plain_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file() and not path.is_symlink())


def _copy(database: Path, target: Path) -> None:
    needed = database.stat().st_size + SPARE_BYTES
    if shutil.disk_usage(target.parent).free < needed:
        raise BackupFailed(f"the copy of {database} needs {needed >> 20} MB: make room on its disk")
    copy_whole(database, target)


def restore_backup(
    config_file: Path, state_dir: Path, source: Path, passphrase: str, *, replaces: bool = False
) -> Restored:
    """Put a backup in the place of the configuration and of the state, while no service uses them.

    Nothing changes before the whole backup was read, each database was found sound and the configuration without a
    fault. What is there is kept in a folder beside the state, and only with `replaces` is anything there replaced.
    Raises `BackupFailed`, `OSError`.
    """
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as owned:
        try:
            own_state(state_dir, owned)
        except OwnedElsewhere as reason:
            raise BackupFailed(str(reason)) from None
        present = [path for path in (config_file, state_dir / STATE_FILE) if path.exists()]
        if present and not replaces:
            raise BackupFailed(f"{present[0]} is there; --replace keeps it aside, and puts the backup in its place")
        unpacked = state_dir / UNPACKED
        shutil.rmtree(unpacked, ignore_errors=True)  # of a restore that was interrupted
        unpacked.mkdir(mode=0o700)
        try:
            facts = _checked(source, passphrase, unpacked)
            return _put_in_place(facts, unpacked, config_file, state_dir)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)


def _checked(source: Path, passphrase: str, unpacked: Path) -> Mapping[str, Any]:
    """Unpack the backup and judge all that is in it; returns its facts."""
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


def _put_in_place(facts: Mapping[str, Any], unpacked: Path, config_file: Path, state_dir: Path) -> Restored:
    text = unpacked / CONFIGURATION
    content = text.read_bytes() if text.exists() else None
    text.unlink(missing_ok=True)
    former = _set_aside(config_file, state_dir)
    files = []
    for path in sorted(unpacked.iterdir()):
        path.replace(state_dir / path.name)
        files.append(path.name)
    sync(state_dir)
    if content is not None:
        config_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(config_file, content)
    told = {key: str(facts.get(key, "")) for key in ("madeAt", "version", "host")}
    return Restored(told["madeAt"], told["version"], told["host"], files, config_file if content else None, former)


def _set_aside(config_file: Path, state_dir: Path) -> Path | None:
    """Move what is in the state directory, and copy the configuration, to a folder of this moment."""
    kept = [
        path
        for path in state_dir.iterdir()
        if path.name not in {UNPACKED, "updates"} and not path.name.startswith((FORMER, "simulated"))
    ]
    if not kept and not config_file.exists():
        return None
    folder = state_dir / f"{FORMER}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder.mkdir(mode=0o700)
    for path in kept:
        path.replace(folder / path.name)
    if config_file.exists():
        shutil.copy2(config_file, folder / CONFIGURATION)
    return folder
