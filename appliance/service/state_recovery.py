"""Opens the state, and replaces a damaged file with a new one, in full view.

A damaged file is evidence: it is moved aside, with the time in its name, and nothing of it is deleted. The new file
takes over the blocks and limits that can still be read. Where the books cannot be read, the kernel's meters still have
every byte since they were made: without a mark, all of it is charged.

The alarm ends when a person takes the files away that were moved aside.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.core.moment import Moment
from appliance.system.storage.ballast import Ballast
from appliance.system.storage.sqlite import move_aside, moved_aside
from appliance.system.storage.store import SqliteStore, StoreDamaged, StoreUnavailable

log = logging.getLogger(__name__)

MOST_ASIDE = 4  # a medium that damages every file must not be filled by them; the first ones tell most


@dataclass(frozen=True, slots=True)
class RecoveredState:
    """The open state, and what is wrong with it. `aside`: the damaged files, oldest first."""

    store: SqliteStore
    ballast: Ballast
    aside: Sequence[Path]

    def troubles(self, _: Moment) -> list[str]:
        """What a person should repair, a sentence each."""
        damaged = [
            f"the state was damaged and has begun anew; look at {path}, then take it away"
            for path in self.aside
            if path.exists()
        ]
        full = self.ballast.trouble()
        return [*damaged, full] if full else damaged


def open_state(path: Path, wall: datetime) -> RecoveredState:
    """Open the state; a damaged file is replaced. `wall`: names what is moved aside. Raises `StoreUnavailable`."""
    ballast = Ballast(path.with_name(f"{path.name}.ballast"))
    try:
        store = SqliteStore(path, ballast)
    except StoreDamaged as damage:
        store = _replace_damaged(path, ballast, damage, wall)
    return RecoveredState(store, ballast, moved_aside(path))


def _replace_damaged(path: Path, ballast: Ballast, damage: StoreDamaged, wall: datetime) -> SqliteStore:
    try:
        moved = move_aside(path, wall, MOST_ASIDE)
    except OSError as error:
        raise StoreUnavailable(f"{path}: it is damaged ({damage}) and cannot be moved aside: {error}") from error
    log.error("%s is damaged (%s): moved to %s", path, damage, moved)
    store = SqliteStore(path, ballast)
    lost = store.take_over(moved)
    log.error("%s has begun anew; lost: %s", path, ", ".join(lost) or "nothing")
    return store
