"""Backs the appliance up into one encrypted file, also while it runs; `restoration` puts it back, here or elsewhere.

A backup has the configuration and what is in the state directory: books, blocks, people, tokens, history, audit trail,
alerts, block lists, the passwords of other servers, the secret that signs tokens, and the certificate. A restored
appliance is the same one to people, programs and browsers. Books are as they were saved, at most a minute old.
"""

import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from appliance.core.state_files import RESET_MARKER, RESTORE_MARKER, STATE_FILE
from appliance.core.version import VERSION
from appliance.system.backup_file import write_backup
from appliance.system.storage.sqlite import LOGS, DatabaseUnreadable, copy_whole

CONFIGURATION = "appliance.toml"  # its name in a backup, wherever the file is
DATABASE = ".sqlite3"
FOLDERS = ("lists", "secrets")  # `updates` has bundles, which their publisher has too
# Of this computer alone or of this moment: a simulation's books, a configuration on trial, reserved room, drafts, what
# was damaged, and logs of databases, which are copied with them.
LEFT_OUT = (
    CONFIGURATION,  # which comes first, from wherever it is
    "simulated*",
    "trial.toml",
    RESET_MARKER,
    RESTORE_MARKER,
    "*.ballast",
    "*.new",
    "*.damaged-*",
    *(f"*{suffix}" for suffix in LOGS),
)
SHORTEST_PASSPHRASE = 12  # characters: who has the file can try passphrases for years
SCRATCH = "backup-scratch-"  # begins the name of a folder with copies of databases; no person names one so
ABANDONED_S = 86_400.0  # a folder that is older is of a process that was killed: no backup takes a day
SPARE_BYTES = 16 << 20  # what the copy of a database must leave free, as the state's reserve does


class BackupFailed(Exception):
    """No backup was made, or none was restored; the text says why, and what a person can do."""


def back_up(config_file: Path | None, state_dir: Path, target: Path, passphrase: str) -> int:
    """Write the backup to `target`, replacing an earlier one; returns its bytes. Raises `BackupFailed`, `OSError`."""
    if target.parent.resolve().is_relative_to(state_dir.resolve()):
        raise BackupFailed(f"{target}: a backup in the state directory would be lost with it; name another place")
    return make_backup(config_file, state_dir, target, passphrase)


def pass_on(config_file: Path | None, state_dir: Path, passphrase: str, take: Callable[[Path], None]) -> None:
    """Make a backup for as long as `take` needs it. Raises `BackupFailed`, `OSError`, and what `take` does."""
    with _scratch_folder(state_dir) as folder:
        passing = folder / "passing.backup"
        make_backup(config_file, state_dir, passing, passphrase)
        take(passing)


def make_backup(config_file: Path | None, state_dir: Path, target: Path, passphrase: str) -> int:
    """Write the backup to `target`, also beside the state; returns its bytes. Raises `BackupFailed`, `OSError`."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise BackupFailed(f"a passphrase has at least {SHORTEST_PASSPHRASE} characters")
    if not (state_dir / STATE_FILE).exists():
        raise BackupFailed(f"{state_dir} has no {STATE_FILE}: name the appliance's state with --state-dir")
    facts = {
        "madeAt": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "version": VERSION,
        "host": socket.gethostname(),
    }
    with _scratch_folder(state_dir) as scratch:
        try:
            return write_backup(target, passphrase, facts, _files(config_file, state_dir, scratch))
        except DatabaseUnreadable as error:
            raise BackupFailed(f"a database could not be copied: {error}; appliance doctor says more") from None


@contextmanager
def _scratch_folder(state_dir: Path) -> Iterator[Path]:
    """A folder for as long as it is needed, also where the process is told to end; those of killed ones are removed."""
    for left in state_dir.glob(f"{SCRATCH}*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
    # Between the making of the folder and the note that it is to be removed, no signal may end the process.
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        folder = TemporaryDirectory(prefix=SCRATCH, dir=state_dir)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
    with folder as name:
        yield Path(name)


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
