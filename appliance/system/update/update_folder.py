"""The folder of updates, in the state directory: the one place that the service, the updater and both roots share.

order.json      what is ordered; systemd starts the updater when it appears
update.json     the record of the latest update
bundle.raucb    the bundle, as long as it is needed
looked.json     what the server said when it was last asked without a person
why             what a new root leaves for the former one as the reason of its return
"""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from appliance.core.operations.update import LONGEST_RECORD, Update, UpdateOrder, read_order, read_update

FOLDER = "updates"
KEPT_FREE_BYTES = 32 << 20  # for books, history and the trail: more than a day of them

Write = Callable[[Path, bytes], None]  # replaces a file in one step


class LatestLook(Struct, frozen=True):
    """When a server was last asked without a person (`at`), and by which header it sends only what is newer."""

    at: str = ""
    url: str = ""
    validator: str = ""


class UpdateFolder:
    """The folder's files. `write`: writes one so that a power cut leaves it whole."""

    def __init__(self, state_dir: Path, write: Write) -> None:
        self.path = state_dir / FOLDER
        self.bundle = self.path / "bundle.raucb"
        self._write = write

    def update(self) -> Update | None:
        """The latest update; `None`: there was none."""
        return read_update(self._text("update.json"))

    def save(self, update: Update) -> None:
        """Write the record. Raises `OSError`."""
        self._save("update.json", update.as_text())

    def put_order(self, order: UpdateOrder) -> None:
        """Have the updater do this. Raises `OSError`."""
        self._save("order.json", json.dumps(asdict(order)))

    def take_order(self) -> UpdateOrder | None:
        """What is ordered, which is then no longer there; `None`: nothing."""
        order = read_order(self._text("order.json"))
        (self.path / "order.json").unlink(missing_ok=True)
        return order

    @property
    def has_order(self) -> bool:
        """Whether an order waits for the updater."""
        return (self.path / "order.json").exists()

    def latest_look(self) -> LatestLook:
        """The latest look of the appliance itself; an empty one: there was none."""
        try:
            return LatestLook(**json.loads(self._text("looked.json")))
        except (ValueError, TypeError):
            return LatestLook()

    def save_look(self, look: LatestLook) -> None:
        """Write it. Raises `OSError`."""
        self._save("looked.json", json.dumps(asdict(look)))

    def why(self) -> str:
        """The reason that a new root has left; empty: none."""
        return self._text("why").strip()

    def leave_why(self, why: str) -> None:
        """Leave the reason for the former root; empty: there is none yet. Raises `OSError`."""
        self._save("why", why)

    def lay(self, file: Path) -> None:
        """Put this bundle into the folder: as another name of it where it is on the same disk, else as a copy.

        Raises `OSError`, and `ValueError` where there is no room.
        """
        self._make()
        self.discard_bundle()
        try:
            os.link(file, self.bundle)
        except OSError:
            self.require_room(file.stat().st_size)
            shutil.copyfile(file, self.bundle)

    def discard_bundle(self) -> None:
        """Give the room of the bundle back."""
        with suppress(OSError):
            self.bundle.unlink(missing_ok=True)

    def room_bytes(self) -> int:
        """How large a new bundle may be."""
        self._make()
        found = os.statvfs(self.path)
        return max(0, found.f_bavail * found.f_frsize - KEPT_FREE_BYTES)

    def require_room(self, size_bytes: int) -> None:
        """Raise `ValueError` where a bundle of this size does not fit."""
        room = self.room_bytes()
        if size_bytes > room:
            mib = 1 << 20
            raise ValueError(
                f"there is no room for it in {self.path}: it has {size_bytes / mib:.0f} MiB, and {room / mib:.0f} MiB"
                f" are free beyond the {KEPT_FREE_BYTES // mib} MiB that are kept for books and history; make room,"
                " or take a larger card"
            )

    def _save(self, name: str, text: str) -> None:
        self._make()
        self._write(self.path / name, text.encode())

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)

    def _text(self, name: str) -> str:
        try:
            with (self.path / name).open("rb") as file:
                return file.read(LONGEST_RECORD).decode(errors="replace")
        except OSError:
            return ""
