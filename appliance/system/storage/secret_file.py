"""The secret that signs the appliance's own tokens: made once, readable for its owner only."""

import os
import secrets
import stat
from pathlib import Path

from appliance.core.text import AS_ITS_USER
from appliance.system.storage.files import sync, write_private

SECRET_FILE = "token.secret"  # noqa: S105  a file's name
SECRET_BYTES = 32  # HS256 wants a key as long as its hash (RFC 7518, section 3.2)
LEAST_DIFFERENT = 8  # values of its bytes: a damaged block of zeros has one, and chance has fewer once in 10^20


class SecretUnavailable(Exception):
    """The secret cannot be used; the text names the file and what to do."""


def load_secret(state_dir: Path) -> bytes:
    """The secret in this directory, made there when it is missing.

    Raises `SecretUnavailable` when it cannot be read or written, when others may read it, or when it is not a secret.
    """
    path = state_dir / SECRET_FILE
    try:
        try:
            return _read_secret(path)
        except FileNotFoundError:
            _make_secret(path)
            return _read_secret(path)
    except PermissionError as error:
        raise SecretUnavailable(f"{path}: {error.strerror}; {AS_ITS_USER}") from error
    except OSError as error:
        raise SecretUnavailable(
            f"{path}: {error.strerror}; the state directory must exist and be readable and writable for the service"
        ) from error


def _read_secret(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != SECRET_BYTES:
            raise SecretUnavailable(
                f"{path}: is not a secret of {SECRET_BYTES} bytes; delete it and issue all tokens anew"
            )
        if found.st_mode & 0o077:
            raise SecretUnavailable(
                f"{path}: others than its owner may use it; run chmod 600, or delete it if it leaked"
            )
        secret = file.read(SECRET_BYTES)
    if len(set(secret)) < LEAST_DIFFERENT:
        raise SecretUnavailable(f"{path}: is damaged, and could be guessed; delete it and issue all tokens anew")
    return secret


def _make_secret(path: Path) -> None:
    """Write a new secret whole or not at all; where two processes do so at once, the first one's stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    write_private(draft, secrets.token_bytes(SECRET_BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    sync(path.parent)
