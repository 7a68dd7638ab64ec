"""The configuration file, and beside the state the draft that is to take its place."""

import os
from contextlib import suppress
from pathlib import Path

from appliance.core.operations.trial import LARGEST_CONFIG_BYTES, StoredConfig
from appliance.core.refusal import Code, Refused
from appliance.core.state_files import RESET_MARKER
from appliance.system.storage.files import write_whole

DRAFT = "trial.toml"
FORMER = "former.toml"


class ConfigFileWriter:
    """`ports.ConfigFiles` of one configuration file. `config_file`: `None` where the service runs without one."""

    def __init__(self, config_file: Path | None, state_dir: Path) -> None:
        self._config_file = config_file
        self._draft = state_dir / DRAFT
        self._former = state_dir / FORMER

    def obstacle(self) -> str | None:
        if self._config_file is None:
            return "the service was started without a configuration file; start it with --config"
        if not os.access(self._config_file.resolve().parent, os.W_OK):
            return f"the service may not write in {self._config_file.parent}; allow it, or change the file by hand"
        return None

    def stored(self) -> StoredConfig | None:
        if self._config_file is None:
            return None
        try:
            with self._config_file.open("rb") as file:
                content = file.read(LARGEST_CONFIG_BYTES + 1)
        except OSError as error:
            raise Refused(Code.MAINTENANCE, f"{self._config_file}: cannot be read: {error.strerror}") from error
        if len(content) > LARGEST_CONFIG_BYTES:
            text = f"{self._config_file}: larger than {LARGEST_CONFIG_BYTES} bytes, which no configuration is"
            raise Refused(Code.BAD_REQUEST, text)
        return StoredConfig(str(self._config_file), content)

    def save(self, content: bytes) -> str | None:
        try:
            write_whole(self._draft, content)
        except OSError as error:
            return f"{self._draft}: {error.strerror}"
        return None

    def read(self) -> bytes | None:
        """The draft, if there is one."""
        try:
            return self._draft.read_bytes()
        except OSError:
            return None

    def commit(self, content: bytes) -> str | None:
        """Make this the configuration file, and keep the former one beside the state; returns why that fails."""
        if self._config_file is None:
            return self.obstacle()
        path = self._config_file.resolve()  # a link stays one
        try:
            write_whole(self._former, path.read_bytes())
            write_whole(path, content)
        except OSError as error:
            return f"{error.filename or path}: {error.strerror}"
        self.discard()
        return None

    def order_reset(self) -> str | None:
        """Order that the next start erases everything; returns why it cannot."""
        named = self._config_file.resolve() if self._config_file else ""
        try:
            write_whole(self._draft.with_name(RESET_MARKER), str(named).encode())
        except OSError as error:
            return f"{self._draft.parent}: {error.strerror}"
        return None

    def discard(self) -> None:
        """Forget the draft. One that cannot be removed does no harm: it is used only while a trial runs."""
        with suppress(OSError):
            self._draft.unlink()
