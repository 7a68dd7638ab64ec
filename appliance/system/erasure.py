"""Erases the state: each file is overwritten, then removed.

What this reaches: nothing in the file system has the content any more, nor has the medium where it writes in place. A
card or an SSD may keep former copies of blocks in places that no program reads; only its own secure erase, or its
destruction, reaches those.

A marker comes first, on the medium before anything else happens: whoever finds it goes on, however often the power
fails, and it goes last.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from appliance.core.state_files import RESET_MARKER

PIECE_BYTES = 1 << 20


class Erased(Struct, frozen=True):
    """What was erased."""

    files: int
    bytes: int


def is_marked(state_dir: Path) -> bool:
    """Whether an erasure is ordered, or was interrupted."""
    return (state_dir / RESET_MARKER).is_file()


def erase(state_dir: Path) -> Erased:
    """Erase what is in the state directory, and the configuration that the marker names. Raises `OSError`."""
    marker = state_dir / RESET_MARKER
    named = marker.read_text()
    files = [one for one in _files(state_dir) if one != marker]
    if named:
        config_file = Path(named)
        files += [one for one in (config_file, config_file.with_name(f"{config_file.name}.new")) if one.is_file()]
    size = sum(_erase(one) for one in files)
    for folder, folders, _ in os.walk(state_dir, topdown=False):
        for name in folders:
            path = Path(folder) / name
            path.unlink() if path.is_symlink() else path.rmdir()
    descriptor = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        marker.unlink()
        os.fsync(descriptor)
        return Erased(len(files), size)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    """All below a folder that is no folder; links are not followed."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)


def _erase(path: Path) -> int:
    """Overwrite a file and remove it; returns its bytes. What is no regular file, as a link, is removed only."""
    size = 0
    if path.is_file() and not path.is_symlink():
        with path.open("r+b", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            for at in range(0, size, PIECE_BYTES):
                file.write(bytes(min(PIECE_BYTES, size - at)))
            os.fsync(file.fileno())
            file.truncate(0)
    path.unlink()
    return size
