"""Ballast: a file that reserves room on the medium, to be given up when the disk is full.

When other programs fill the disk, SQLite cannot even open its file, or delete a row. The ballast's room is enough for
a person's last orders and a start. It is reserved again once the disk is far from full.
"""

import os
from contextlib import suppress
from pathlib import Path

BALLAST_BYTES = 2 << 20  # the log of the state at its largest (1 MB), its index, and a start's own needs
ROOM_BYTES = 16 << 20  # free space needed to reserve it: a disk short of room is not filled further


def lengthen(path: Path, length_bytes: int) -> None:
    """Write zeros behind a file's content, so that what is written there later needs no new blocks, nor a new size.

    Reserving alone would not do: a block's first content is news for the file system too. A disk that is short of room
    is left as it is.
    """
    with suppress(OSError), path.open("r+b") as file:
        more_bytes = length_bytes - file.seek(0, os.SEEK_END)
        if more_bytes > 0 and _free_bytes(path.parent) >= ROOM_BYTES:
            file.write(bytes(more_bytes))


class Ballast:
    """One file of zeros beside the state."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lay(self) -> None:
        """Reserve the room again, if enough stays free beside it."""
        try:
            if self._path.exists() or _free_bytes(self._path.parent) < ROOM_BYTES:
                return
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
        except OSError:
            self.give_up()

    def give_up(self) -> bool:
        """Free the room; false: none was reserved."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def trouble(self) -> str | None:
        """Why there is no ballast, for a person; `None`: there is."""
        if self._path.exists():
            return None
        return f"the disk under {self._path.parent} is nearly full; make room, or changes will be lost"


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
