"""Opens the state, whatever has become of its file, in full view: blocks and quotas are in force with what can be read.

    whole                        opened
    damaged                      moved aside, because it is evidence; a new file takes over what can be read
    can be read, not written     read into memory, until the file takes changes: a read-only medium, another's lock
    neither                      begun again in memory, with what can be read; the file is left alone

Where the books cannot be read, the kernel's meters still have every byte since they were made: without a mark, all of
it is charged. The alarm of a damaged file ends when a person takes the files away that were moved aside.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from appliance.core.moment import Moment
from appliance.system.storage.ballast import Ballast
from appliance.system.storage.sqlite import move_aside, moved_aside
from appliance.system.storage.store import SqliteStore, StoreDamaged, StoreUnavailable

log = logging.getLogger(__name__)

MOST_ASIDE = 4  # a medium that damages every file must not be filled by them; the first ones tell most


class RecoveredState(Struct, frozen=True):
    """The open state, and what is wrong with it. `aside`: the damaged files, oldest first.

    `lost`: the contents that could not be read.
    """

    store: SqliteStore
    ballast: Ballast
    aside: Sequence[Path]
    lost: Sequence[str] = ()

    def troubles(self, _: Moment) -> list[str]:
        """What a person should repair, a sentence each."""
        aside = [path for path in self.aside if path.exists()]
        found = [f"the state was damaged and has begun anew; look at {path}, then take it away" for path in aside]
        if self.lost and (aside or self.store.obstacle):
            found.append(
                f"not all of the state could be read: {', '.join(self.lost)} may be incomplete; what was used before is"
                " unknown, and quotas hold from this start on"
            )
        if self.store.obstacle is not None:
            found.append(
                "the state takes no changes: saved blocks and quotas are in force, what is metered is kept in memory,"
                f" and orders are refused; replace the medium ({self.store.obstacle})"
            )
        else:
            found += filter(None, [self.ballast.trouble()])
        return found


def open_state(path: Path, wall: datetime) -> RecoveredState:
    """Open the state; a damaged file is replaced. `wall`: names what is moved aside."""
    ballast = Ballast(path.with_name(f"{path.name}.ballast"))
    lost: Sequence[str] = ()
    try:
        store = SqliteStore(path, ballast)
    except StoreDamaged as damage:
        store, lost = _replace_damaged(path, ballast, damage, wall)
    except StoreUnavailable as error:
        store, lost = read_state(path, str(error))
        log.error("the state is kept in memory: %s", error)
    return RecoveredState(store, ballast, moved_aside(path), lost)


def read_state(path: Path, obstacle: str) -> tuple[SqliteStore, Sequence[str]]:
    """What can be read of the state, in memory, and the names of the contents that cannot be read.

    `obstacle`: why the file takes no changes. Nothing is written.
    """
    try:
        return SqliteStore.in_memory(path, obstacle), ()
    except (StoreDamaged, StoreUnavailable) as error:
        store = SqliteStore.in_memory(path, f"{obstacle}; {error}", is_empty=True)
        lost = store.take_over(path)
        log.error("%s (%s); lost: %s", path, error, ", ".join(lost))
        return store, lost


def _replace_damaged(
    path: Path, ballast: Ballast, damage: StoreDamaged, wall: datetime
) -> tuple[SqliteStore, Sequence[str]]:
    try:
        moved = move_aside(path, wall, MOST_ASIDE)
    except OSError as error:
        return read_state(path, f"{path}: it is damaged ({damage}) and cannot be moved aside: {error}")
    log.error("%s is damaged (%s): moved to %s", path, damage, moved)
    try:
        store = SqliteStore(path, ballast)
    except (StoreDamaged, StoreUnavailable) as error:
        store = SqliteStore.in_memory(path, str(error), is_empty=True)
    lost = store.take_over(moved)
    log.error("%s has begun anew; lost: %s", path, ", ".join(lost) or "nothing")
    return store, lost
