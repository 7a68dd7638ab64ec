"""The secret that signs the appliance's own tokens: made once, readable for its owner only."""

import os
import secrets
import stat
from pathlib import Path

SECRET_FILE = "token.secret"  # noqa: S105  a file's name
SECRET_BYTES = 32  # HS256 wants a key as long as its hash (RFC 7518, section 3.2)


class AccessError(Exception):
    """What the appliance needs to let people in cannot be used; the text names the file and what to do."""


def load_secret(state_dir: Path) -> bytes:
    """The secret in this directory, made there when it is missing.

    Raises `AccessError` when it cannot be read or written, when others may read it, or when it is not a secret.
    """
    path = state_dir / SECRET_FILE
    try:
        try:
            return _read_secret(path)
        except FileNotFoundError:
            _make_secret(path)
            return _read_secret(path)
    except OSError as error:
        raise AccessError(
            f"{path}: {error.strerror}; the state directory must exist and be readable and writable for the service"
        ) from error


def _read_secret(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != SECRET_BYTES:
            raise AccessError(f"{path}: is not a secret of {SECRET_BYTES} bytes; delete it and issue all tokens anew")
        if found.st_mode & 0o077:
            raise AccessError(f"{path}: others than its owner may use it; run chmod 600, or delete it if it leaked")
        return file.read(SECRET_BYTES)


def _make_secret(path: Path) -> None:
    """Write a new secret whole or not at all; where two do so at once, the first one's stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
