"""The file of a backup: a tar archive of files, compressed, and encrypted with a passphrase.

    a line of JSON       what wrote the file, and when; not secret, and not alterable either
    salt                 16 bytes
    header               24 bytes, of libsodium's secretstream (XChaCha20-Poly1305)
    pieces               each of 64 KiB and 17 bytes, the last one shorter and marked as the last

The key comes from the passphrase and the salt by Argon2id. All passes through in pieces, in both directions: a Pi with
little memory backs up any size, and no plain copy of it is on the medium.
"""

import gzip
import io
import json
import os
import re
import secrets
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

FORMAT = "appliance-backup-1"  # a reader refuses what it does not know
MOST_FACTS_BYTES = 4096  # the line has some hundred
SALT_BYTES = 16  # RFC 9106, section 3.1
# RFC 9106, section 4, second choice: for a memory that has no 2 GiB to spare. A Pi 3 takes some seconds.
PASSES, MEMORY_KIB, LANES, KEY_BYTES = 3, 65_536, 4, 32
PIECE_BYTES = 65_536
MOST_BYTES = 32 << 30  # of all files: no file fills a disk for hours, and no card of an appliance holds more
MOST_FILES = 2_000  # block lists that people have laid there, and the state's own few
NAME = re.compile(r"[a-z]+/[^/\0]{1,200}|[a-z0-9._-]{1,100}")  # a file, or a file in one folder
COMPRESSION = 6  # zlib's default: the history shrinks to a quarter; 9 takes twice as long for two percent


class BackupUnreadable(Exception):
    """The file is no backup, is damaged, or has another passphrase; the text says which."""


def write_backup(path: Path, passphrase: str, facts: Mapping[str, Any], files: Iterable[tuple[str, Path]]) -> int:
    """Write the backup whole or not at all; returns its bytes. Raises `OSError`.

    `files`: names in the backup, each with the file to read, which is needed only until the next one is asked for.
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            line = json.dumps({"format": FORMAT, **facts}).encode() + b"\n"
            salt = secrets.token_bytes(SALT_BYTES)
            file.write(line + salt)
            sealing = _Sealing(file, _key(passphrase, salt), line)
            with (
                gzip.GzipFile("", "wb", COMPRESSION, sealing, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as archive,
            ):
                for name, content in files:
                    archive.add(content, name, recursive=False)
            sealing.end()
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    os.sync()  # the name too
    return size


def read_backup(path: Path, passphrase: str, folder: Path) -> Mapping[str, Any]:
    """Write the files of a backup into an empty folder, readable for their owner only; returns its facts.

    Raises `BackupUnreadable`, also after some files were written, and `OSError`.
    """
    with path.open("rb") as file:
        line = file.readline(MOST_FACTS_BYTES)
        facts = _facts(line, path)
        opened = _Opened(file, _key(passphrase, file.read(SALT_BYTES)), line, path)
        opened.fill()  # a wrong passphrase is told as such before anything else
        try:
            with tarfile.open(fileobj=opened, mode="r|gz") as archive:
                _unpack(archive, folder)
            while opened.read(PIECE_BYTES):
                pass  # what follows the archive's end is padding, and the mark of the last piece
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BackupUnreadable(f"{path}: its content is not as it should be ({error}); use another one") from None
    return facts


def _facts(line: bytes, path: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or not str(facts.get("format")).startswith("appliance-backup"):
        raise BackupUnreadable(f"{path}: this is no backup of an appliance")
    if facts["format"] != FORMAT:
        raise BackupUnreadable(f"{path}: another version of the appliance wrote it; restore it with that one")
    return facts


def _key(passphrase: str, salt: bytes) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    salt = salt.ljust(SALT_BYTES, b"\0")  # of a file that ends there, which is told by its first piece
    return hash_secret_raw(passphrase.encode(), salt, PASSES, MEMORY_KIB, LANES, KEY_BYTES, Type.ID)


class _Sealing(io.RawIOBase):
    """Encrypts what is written, in pieces."""

    def __init__(self, file: IO[bytes], key: bytes, line: bytes) -> None:
        from nacl import bindings  # 2 MB, which nothing else needs

        self._file, self._line, self._libsodium = file, line, bindings
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self._waiting = bytearray()
        file.write(bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key))

    def write(self, content: Any) -> int:
        """Take so many bytes; whole pieces go to the file."""
        self._waiting += content
        while len(self._waiting) > PIECE_BYTES:
            self._push(self._libsodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)
        return len(content)

    def end(self) -> None:
        """Write the last piece, marked as such."""
        self._push(self._libsodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL)

    def _push(self, tag: int) -> None:
        piece = bytes(self._waiting[:PIECE_BYTES])
        del self._waiting[:PIECE_BYTES]
        push = self._libsodium.crypto_secretstream_xchacha20poly1305_push
        self._file.write(push(self._state, piece, self._line, tag))


class _Opened(io.RawIOBase):
    """Decrypts what is read. Raises `BackupUnreadable` for a piece that is not as it was written, or is missing."""

    def __init__(self, file: IO[bytes], key: bytes, line: bytes, path: Path) -> None:
        from nacl import bindings

        self._file, self._line, self._path, self._libsodium = file, line, path, bindings
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        header = file.read(bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES)
        if len(header) < bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES:
            raise BackupUnreadable(f"{path}: its end is missing; use another one")
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, key)
        self._waiting = bytearray()
        self._is_first, self._is_last = True, False

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes; none at the end."""
        while len(self._waiting) < size and not self._is_last:
            self.fill()
        found = bytes(self._waiting[:size])
        del self._waiting[:size]
        return found

    def fill(self) -> None:
        """Decrypt the next piece."""
        from nacl.exceptions import CryptoError

        libsodium = self._libsodium
        sealed = self._file.read(PIECE_BYTES + libsodium.crypto_secretstream_xchacha20poly1305_ABYTES)
        try:
            pull = libsodium.crypto_secretstream_xchacha20poly1305_pull
            piece, tag = pull(self._state, sealed, self._line)
        except CryptoError:
            fault = "this is not its passphrase, or the file is damaged" if self._is_first else "the file is damaged"
            raise BackupUnreadable(
                f"{self._path}: {fault if sealed else 'its end is missing'}; use another one"
            ) from None
        self._is_first, self._is_last = False, tag == libsodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
        self._waiting += piece


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    left = MOST_BYTES
    for count, member in enumerate(archive):
        left -= member.size
        if not member.isreg() or not NAME.fullmatch(member.name) or ".." in member.name:
            raise tarfile.ReadError(f"a member is named {member.name!r}")
        if left < 0 or count >= MOST_FILES:
            raise tarfile.ReadError("it is larger than an appliance's state can be")
        _write(archive, member, folder / member.name)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(archive.extractfile(member), file)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
