"""A simulated service with a configuration file of its own, as a program that tests call, command and kill."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.core.operations.trial import TRIAL_S
from appliance.simulator import CONFIG
from tests.client.node import NodeClient, Unanswered
from tests.documents import PROJECT
from tests.end_to_end.installed import COMMAND
from tests.ports import reserve_port
from tests.tokens import issued

PATIENCE_S = 90  # a start takes a second, and thirty on a machine that does much else
# Longer than the scenario's person holds the button, so that they leave it alone: no maintenance of theirs refuses what
# a test asks for.
PANEL = "[panel]\nhold = 30\n"


class Simulated:
    """A simulated service with a configuration file of its own."""

    def __init__(
        self,
        folder: Path,
        extra: str = "",
        server: str = "",
        environment: Mapping[str, str] | None = None,
        config: str = CONFIG,
    ) -> None:
        """`extra`: text to add to `config`; `server`: keys of `[server]`; `environment`: of the process."""
        self.folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._reserved = reserve_port()
        self.port = self._reserved.getsockname()[1]
        self._config, self._extra, self._server = config, extra, server
        self.file = folder / "appliance.toml"
        self.file.write_text(self.text("old"))
        self.file.chmod(0o640)
        self._log = (folder / "log").open("wb")
        self._process: subprocess.Popen[bytes] | None = None

    def text(self, subject: str) -> str:
        """A configuration that differs from others by its protected address."""
        server = f'[server]\nhost = "127.0.0.1"\nport = {self.port}\n{self._server}\n'
        return f'{self._config}\n{server}{PANEL}[protection]\naddresses = ["{_address(subject)}"]\n{self._extra}'

    def start(self, subject: str = "old") -> None:
        """Start the service; returns when the configuration of this subject is in force."""
        self._process = subprocess.Popen(
            [COMMAND, "run", "--simulate", *self.place],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=self._environment,
        )
        self.wait_for(subject)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(PATIENCE_S)

    def wait_for_end(self) -> int:
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(PATIENCE_S) == 0

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._reserved.close()
        print(self.log())

    def ask(self, event: str, *arguments: Any) -> Any:
        """Call the service as soon as it answers."""
        with NodeClient(f"http://127.0.0.1:{self.port}", issued(self.state)) as client:
            client.wait_for("connect", within_s=PATIENCE_S)
            return client.call(event, *arguments)

    def runs(self, subject: str) -> bool:
        """Whether the configuration of this subject is in force."""
        answer = self.ask("ip:block", {"address": _address(subject)})
        if answer["success"]:
            self.ask("ip:unblock", {"address": _address(subject)})
        assert answer.get("code") in (None, "E_PROTECTED_ADDRESS"), answer
        return not answer["success"]

    def wait_for(self, subject: str, within_s: float = PATIENCE_S) -> None:
        """Wait until this configuration is in force."""
        deadline = time.monotonic() + within_s
        while not self._runs_already(subject):
            assert time.monotonic() < deadline, f"{subject} is not in force"
            time.sleep(0.2)

    def _runs_already(self, subject: str) -> bool:
        try:
            return self.runs(subject)
        except Unanswered:  # the process was about to become its successor
            return False

    def try_new(self) -> None:
        """Apply a new configuration and wait until it is in force."""
        assert self.ask("config:apply", {"text": self.text("new")})["trial"]["remaining"] == TRIAL_S
        self.wait_for("new")
        assert not self.runs("old")

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        verb, *rest = words
        return subprocess.run(
            [COMMAND, verb, *self.place, *rest], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    @property
    def place(self) -> list[str]:
        return ["--config", str(self.file), "--state-dir", str(self.state)]

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.folder / "state"


def without_dashboard(folder: Path) -> dict[str, str]:
    """The environment of a service whose dashboard was not built: a copy of the programs, in this folder."""
    ignored = shutil.ignore_patterns("dashboard", "__pycache__")
    shutil.copytree(PROJECT / "appliance", folder / "appliance", ignore=ignored)
    return {"PYTHONPATH": str(folder)}


def _address(subject: str) -> str:
    return {"old": "198.51.100.7", "new": "198.51.100.8"}[subject]
