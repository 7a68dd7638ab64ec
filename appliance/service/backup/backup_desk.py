"""Backups by the page: one at a time is made to be fetched, or given to be restored.

    nothing ── make ──> making ──> made ── read, in pieces
       └────── take, in pieces ──> given ── judge ──> judging ──> judged ── restore ──> the next process

A file lies in a folder of the state directory meanwhile, encrypted; a new one, `discard` and each start remove it.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.core.backup_state import BackupFacts, BackupStage, BackupState
from appliance.core.refusal import Code, Refused
from appliance.core.state_files import CONFIG_FILE, PASSING, RESTORE_MARKER, UNPACKED
from appliance.core.text import clipped
from appliance.monitor.operations.config_trial import Aside, ConfigTrial

PROGRAM = "from appliance.service.backup.page_backup import main; main()"
# The history of 64 departments for its longest times is some 400 MB, and a backup of it a quarter of that.
MOST_GIVEN_BYTES = 1 << 30
SPARE_BYTES = 16 << 20  # what a file that is given leaves free for the books
IDLE, ENDED = BackupState(BackupStage.NONE), "it ended before it was done; the log may say why"


class BackupDesk:
    """`ports.PageBackups`, by a process for each backup."""

    def __init__(self, state_dir: Path, trial: ConfigTrial, aside: Aside) -> None:
        """`aside`: reads and writes files beside the event loop."""
        self._state_dir, self._trial, self._aside = state_dir, trial, aside
        self._made, self._given = (state_dir / PASSING / name for name in ("made.backup", "given.backup"))
        self._process: subprocess.Popen[str] | None = None
        self._state = IDLE
        if not (state_dir / RESTORE_MARKER).exists():
            _remove([state_dir / PASSING, state_dir / UNPACKED])

    def state(self) -> BackupState:
        """How far it is; takes note of how a process has ended."""
        process = self._process
        if process is not None and process.poll() is not None:
            self._process = None
            said, _ = process.communicate()
            self._state = self._ended(json.loads(said) if said.strip() else {"fault": ENDED})
        return self._state

    def make(self, passphrase: str) -> None:
        """Begin to make a backup. Raises `Refused`."""
        self._begin(BackupStage.MAKING, self._made, passphrase, self._trial.read().path)

    def read(self, offset: int, most: int) -> bytes:
        """So many bytes at most of the one that is made, from there on. Raises `Refused`."""
        if self.state().stage is not BackupStage.MADE:
            raise Refused(Code.CONFLICT, "there is no backup to fetch; make one")
        piece: bytes = self._on_medium(_read, self._made, offset, most)
        return piece

    def take(self, offset: int, piece: bytes) -> int:
        """Take a piece of a backup that is to be restored; returns how many bytes there are. Raises `Refused`."""
        self._require_idle()
        if offset == 0:
            self.discard()
        there = self._state.bytes if self._state.stage is BackupStage.GIVEN else 0
        if offset != there:
            raise Refused(Code.CONFLICT, f"offset: {there} bytes are there; go on from them, or begin with 0")
        if offset + len(piece) > MOST_GIVEN_BYTES:
            raise Refused(Code.BAD_REQUEST, f"a backup has at most {MOST_GIVEN_BYTES >> 20} MiB here")
        self._on_medium(_append, self._given, offset, piece)
        self._state = BackupState(BackupStage.GIVEN, bytes=offset + len(piece))
        return self._state.bytes

    def judge(self, passphrase: str) -> None:
        """Begin to unpack and judge the one that was given. Raises `Refused`."""
        if self.state().stage is not BackupStage.GIVEN:
            raise Refused(Code.CONFLICT, "no backup was given; give its file first")
        self._begin(BackupStage.JUDGING, self._given, passphrase, "")

    def restore(self, actor: str) -> None:
        """Have the next process put the one that was judged in place, and become it. Raises `Refused`."""
        from appliance.service.backup.restoration import order_restore  # with libraries that nothing else needs

        found = self.state().facts
        if found is None:
            raise Refused(Code.CONFLICT, "no backup was checked; give its file and its passphrase first")
        config_file = Path(self._trial.read().path or CONFIG_FILE)
        facts = {"madeAt": found.made_at, "version": found.version, "host": found.host}

        def order() -> str | None:
            try:
                order_restore(config_file, self._state_dir, facts)
            except OSError as error:
                return f"{error.filename}: {error.strerror}"
            return None

        self._trial.restore(actor, order)

    def discard(self) -> None:
        """Remove what was made, given or unpacked. Raises `Refused` while a process is at it."""
        self._require_idle()
        self._state = IDLE
        self._aside(_remove, [self._state_dir / PASSING, self._state_dir / UNPACKED])

    def hold(self) -> None:
        """End the process that goes on, with the service or because nothing may be written any more."""
        if self._process is not None:
            self._process.terminate()

    def settle(self) -> None:
        """Wait until it has ended."""
        if self._process is not None:
            self._aside(self._process.wait)

    def release(self) -> None:
        """Nothing was kept."""

    def _require_idle(self) -> None:
        if self.state().stage in {BackupStage.MAKING, BackupStage.JUDGING}:
            raise Refused(Code.CONFLICT, "a backup is being made or checked already; wait for its end")

    def _begin(self, stage: BackupStage, file: Path, passphrase: str, config_file: str) -> None:
        self._require_idle()
        is_made = stage is BackupStage.MAKING
        if is_made:
            self.discard()
        facts = {"makes": is_made, "file": str(file), "state_dir": str(self._state_dir), "config_file": config_file}
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            process = self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-c", PROGRAM, json.dumps(facts)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            if process.stdin is not None:
                process.stdin.write(passphrase)  # a pipe holds far more, and nobody waits
                process.stdin.close()
                process.stdin = None  # else `communicate` would look for it
        except OSError as error:
            raise Refused(Code.MAINTENANCE, f"{file.parent}: {error.strerror}; make room, or try again") from None
        self._state = BackupState(stage)

    def _ended(self, said: Mapping[str, Any]) -> BackupState:
        if "fault" in said:
            self._aside(_remove, [self._state_dir / PASSING])
            return BackupState(BackupStage.FAILED, fault=clipped(said["fault"]))
        if self._state.stage is BackupStage.MAKING:
            return BackupState(BackupStage.MADE, bytes=said["bytes"])
        text = self._state_dir / UNPACKED / "appliance.toml"
        changes = tuple(self._trial.review(text.read_text(errors="replace")).changes) if text.exists() else ()
        host, made_at, version = (str(said.get(key, "")) for key in ("host", "madeAt", "version"))
        facts = BackupFacts(host=host, made_at=made_at, version=version, changes=changes)
        return BackupState(BackupStage.JUDGED, facts=facts)

    def _on_medium(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self._aside(work, *arguments)
        except OSError as error:
            raise Refused(Code.MAINTENANCE, f"the disk takes no changes ({error.strerror}); make room") from None


def _read(path: Path, offset: int, most: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(most)


def _append(path: Path, offset: int, piece: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if shutil.disk_usage(path.parent).free < len(piece) + SPARE_BYTES:
        raise OSError(28, "it is full")
    with path.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        file.write(piece)


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
