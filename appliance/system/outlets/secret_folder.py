"""The folder of secrets: passwords and tokens of other servers, a file each, which only root writes and reads.

The configuration has the names of the files alone: whoever reads it, over `config:read` or in a backup, learns no
password, and whoever writes it cannot have another file of the computer sent to a server of theirs.
"""

import os
import stat
from functools import partial
from pathlib import Path

from appliance.core.alerting.channels import ReadSecret, SecretMissing

MOST_BYTES = 4096  # a token of OAuth or of a person has half of it


def secret_reader(folder: Path, name: str | None) -> ReadSecret:
    """Reads the secret each time that it is needed, so that another one holds at once; `None`: an empty text."""
    return partial(_read, folder / name) if name else str


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # neither a link nor a pipe
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SecretMissing(f"{path} is no file")
            text = file.read(MOST_BYTES + 1).decode().strip()
    except OSError as error:
        raise SecretMissing(f"the secret {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretMissing(f"the secret {path} is no text") from None
    if not text or len(text) > MOST_BYTES or not text.isprintable():
        raise SecretMissing(f"the secret {path} must be one line of at most {MOST_BYTES} bytes")
    return text
