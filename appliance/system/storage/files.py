"""Plain files that a power cut leaves whole: the former content, or the new one."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write another file, sync it, rename it to this one and sync the folder. Raises `OSError`, and leaves no draft.

    `mode`: its permissions; `None`: those of the file that it replaces, else what the umask leaves.
    """
    draft = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(draft, flags, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)  # of a draft that a power cut has left too
            elif path.exists():
                shutil.copymode(path, draft)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_private(path: Path, content: bytes) -> None:
    """The same for a file that only its owner may read."""
    write_whole(path, content, mode=0o600)


@contextmanager
def passing_file(content: bytes) -> Iterator[Path]:
    """A file in memory that only this process can open, for the length of a `with`."""
    descriptor = os.memfd_create("passing", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        yield Path(f"/proc/self/fd/{descriptor}")


def sync(path: Path) -> None:
    """Wait until this file or folder is on the medium. Raises `OSError`."""
    _sync(path, os.fsync)


def sync_content(path: Path) -> None:
    """The same without the file's times, whose block a file system writes together with three of its journal's."""
    _sync(path, os.fdatasync)


def _sync(path: Path, wait: Callable[[int], None]) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        wait(descriptor)
    finally:
        os.close(descriptor)


class UnsyncedFiles:
    """Files that others write without waiting for the medium, such as SQLite's logs."""

    def __init__(self, paths: Sequence[Path], wait: Callable[[Path], None] = sync_content) -> None:
        """`wait`: brings a file's content onto the medium, or raises `OSError`."""
        self._wait = wait
        self._changed_ns = dict.fromkeys(paths, 0)  # the time of the change that is on the medium

    def settle(self) -> None:
        """Wait until what has changed since the last time is on the medium; it may run in another thread.

        A file that is missing or fails is left to the program that writes it, which tells of it.
        """
        for path, known_ns in self._changed_ns.items():
            with suppress(OSError):
                changed_ns = path.stat().st_mtime_ns  # before it: what is written meanwhile is waited for next time
                if changed_ns != known_ns:
                    self._wait(path)
                    self._changed_ns[path] = changed_ns
