"""Ballast: a file that takes room on the medium, to be given up when there is no other.

When other programs fill the disk, SQLite cannot even open its file, or delete a row. The ballast's room is what the
last orders of a person and a start need. It is taken again once the disk is far from full.
"""

import os
import shutil
from pathlib import Path

BALLAST_BYTES = 2 << 20  # the log of the state at its largest (1 MB), its index, and a start's own needs
ROOM_BYTES = 16 << 20  # that must be free before so much is taken: who is short of room is not robbed of it


class Ballast:
    """One file of zeros beside the state."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lay(self) -> None:
        """Take the room again, if there is enough beside it."""
        try:
            if self._path.exists() or shutil.disk_usage(self._path.parent).free < ROOM_BYTES:
                return
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
        except OSError:
            self.give_up()

    def give_up(self) -> bool:
        """Free the room; false: there was none."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def trouble(self) -> str | None:
        """Why there is none, for a person; `None`: it lies there."""
        if self._path.exists():
            return None
        return f"the disk under {self._path.parent} is nearly full; make room, or changes will be lost"
