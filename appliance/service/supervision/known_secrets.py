"""The secrets that are kept on the appliance, as far as one must know them to leave them out of what is sent away."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FOLDER = "secrets"  # in the state directory: passwords and tokens of other servers
MOST_FILES, MOST_BYTES = 100, 4096  # a channel has one at most, and a longer one cannot be used


def known_secrets(state_dir: Path) -> list[str]:
    """The passwords and tokens of other servers; empty where none can be read."""
    with suppress(OSError):
        return [text for path in sorted((state_dir / FOLDER).iterdir())[:MOST_FILES] for text in _content(path)]
    return []


def _content(path: Path) -> Iterator[str]:
    with suppress(OSError, UnicodeDecodeError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                yield file.read(MOST_BYTES).decode().strip()
