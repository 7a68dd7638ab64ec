"""Makes a day's backup in a process of its own: a folder on a dead server holds nobody up, and memory is given back.

    appliance-HOST-2026-11-29.backup       in the folder, or on the web server, of the configuration

So many of the latest are kept: in a folder all others go, from a server the one of so many days ago.

The process does nothing where the backup of the day is there already: a start of the service may begin it again.
"""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from appliance.core.alerting.channels import SecretMissing
from appliance.core.refusal import Refused
from appliance.monitor.operations.config_trial import Aside
from appliance.service.backup.state_backup import BackupFailed, back_up, pass_on
from appliance.system.outlets.secret_folder import secret_reader
from appliance.system.web.backup_store import BackupStore
from appliance.system.web.web_source import NotFetched

# A process that was ended removes what it has written so far. One that is stuck, at a server that does not answer, is
# killed after so many seconds: who waits for it is a person who wants to pull the plug.
ENDS_WITHIN_S = 20.0
LONGEST_S = 3600.0  # of a backup of the largest history to a slow server; one that hangs is given up
PROGRAM = "from appliance.service.backup.daily_backup import main; main()"
_NOT_A_NAME = re.compile(r"[^a-z0-9.-]+")


class BackupProcess:
    """`ports.Backups`, by a process for each."""

    def __init__(self, facts: dict[str, Any], config_path: Callable[[], str], aside: Aside) -> None:
        """`facts`: what `main` needs, but for the day and the configuration file. `config_path`: raises `Refused`.

        `aside`: waits beside the event loop.
        """
        self._facts, self._config_path, self._aside = facts, config_path, aside
        self._process: subprocess.Popen[str] | None = None
        self._began_s = 0.0
        self._fault = ""

    def begin(self, day: date) -> None:
        """Begin the backup of this day."""
        self._began_s, self._fault = monotonic(), ""
        try:
            argument = json.dumps({**self._facts, "config_file": self._config_path(), "day": str(day)})
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-c", PROGRAM, argument],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except Refused as refused:
            self._process, self._fault = None, refused.message
        except OSError as error:
            self._process, self._fault = None, f"no process can be started: {error.strerror}"

    def outcome(self) -> str | None:
        """`None` while it goes on, an empty text where it is made, else why it failed."""
        process = self._process
        if process is None:
            return self._fault
        if process.poll() is None:
            if monotonic() - self._began_s > LONGEST_S and not self._fault:
                self._fault = "it took longer than an hour; is the folder on a server that does not answer?"
                process.send_signal(signal.SIGKILL)
            return None
        said, _ = process.communicate()
        self._process = None
        return self._fault or said.strip() or ("" if process.returncode == 0 else f"it ended with {process.returncode}")

    def end(self) -> None:
        """End the one that goes on, with the service."""
        if self._process is not None:
            self._process.terminate()

    def settle(self) -> None:
        """Wait until it has ended."""
        process = self._process
        if process is None:
            return
        try:
            self._aside(process.wait, ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()


def main() -> None:
    """Make the backup that the first argument describes, and print why there is none."""
    facts = json.loads(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it has written so far goes with it
    try:
        make(facts, date.fromisoformat(facts["day"]))
    except (BackupFailed, SecretMissing, NotFetched) as reason:
        print(reason)
    except OSError as error:
        print(f"{facts['place']}: {error.strerror}")


def make(facts: dict[str, Any], day: date) -> None:
    """Make the backup of this day, unless it is there, and remove those that are too many.

    Raises `BackupFailed`, `SecretMissing`, `NotFetched`, `OSError`.
    """
    state_dir = Path(facts["state_dir"])
    passphrase = secret_reader(state_dir / "secrets", facts["secret"])()
    config_file = Path(facts["config_file"]) if facts["config_file"] else None
    name = f"appliance-{_NOT_A_NAME.sub('-', socket.gethostname().lower())}"
    if "://" not in facts["place"]:
        write = partial(back_up, config_file, state_dir, passphrase=passphrase)
        _make_file(Path(facts["place"]), name, day, facts["keep"], write)
        return
    password = secret_reader(state_dir / "secrets", facts["password"])()
    store = BackupStore(facts["place"], user=facts["user"], password=password, ca=facts["ca"])
    if not store.has(f"{name}-{day}.backup"):
        pass_on(config_file, state_dir, passphrase, lambda made: store.put(f"{name}-{day}.backup", made))
        store.remove(f"{name}-{day - timedelta(days=facts['keep'])}.backup")


def _make_file(folder: Path, name: str, day: date, keep: int, write: Callable[[Path], object]) -> None:
    if not folder.is_dir():
        raise BackupFailed(f"{folder} is not there; is its disk or server mounted?")
    target = folder / f"{name}-{day}.backup"
    if not target.exists():
        write(target)
    dates = "[0-9]" * 4 + "-[0-9][0-9]" * 2
    for old in sorted(folder.glob(f"{name}-{dates}.backup"))[:-keep]:
        with suppress(FileNotFoundError):
            old.unlink()
