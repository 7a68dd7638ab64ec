"""Puts blocks in force in one table of the kernel's packet filter, each change whole or not at all.

`core.kernel.nftables.block_rules` builds the rules. Rules go through libnftables, as JSON, because an
interface may have a name that would be syntax in the text form; elements go by netlink, so that a change among 100,000
costs one element's work. The kernel drops an element when its time is over, even when this program has died.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from appliance.core.blocking.cover import Range
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.sets import SHAPES, BlockSet
from appliance.core.kernel.nftables import elements as encoding
from appliance.core.kernel.nftables.block_rules import (
    TABLE,
    arrangement,
    hits_in,
    hits_name,
    sets_of,
    stopped_by_origin,
)
from appliance.core.kernel.nftables.elements import Bounds, Point
from appliance.core.kernel.nftables.prefilter import Grid, Prefilter, grids
from appliance.core.kernel.nftables.ruleset import PROTOCOLS, set_name
from appliance.core.kernel.nftables.table import ExistingTable
from appliance.system.nftables.change_monitor import ChangeMonitor
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements

__all__ = ["TABLE", "NftablesFirewall"]

MANY = 2000  # changes; their own notices are not read, and changes of other programs meanwhile are found by looking


class NftablesFirewall:
    """`ports.Firewall` of the network namespace that its parts were made in."""

    def __init__(
        self,
        nftables: Nftables,
        shown: Nfnetlink,
        elements: SetElements,
        notices: ChangeMonitor,
        *,
        tracks_connections: bool = True,
    ) -> None:
        """`tracks_connections`: make the kernel track them; useless on a mirror port, where nothing passes."""
        self._nftables = nftables
        self._shown = shown
        self._elements = elements
        self._notices = notices
        self._tracks_connections = tracks_connections
        self._sets: Sequence[BlockSet] = ()
        self._regions: dict[Grid, Prefilter] = {}
        self._left: tuple[int | None, Mapping[str, int]] = (None, {})

    def install_rules(self, places: Sequence[Place]) -> str | None:
        """Put the rules for these places in force, in one transaction; existing elements stay."""
        there = ExistingTable(self._shown.objects(), self._shown.chains())
        present = {place.interface for place in places if self._shown.interface_index(place.interface) is not None}
        commands = arrangement(there, places, present, tracks_connections=self._tracks_connections)
        _, refusal = self._nftables.run(commands)
        if refusal is None:
            self._sets = sets_of(places)
            self._regions = {grid: self._regions.get(grid, Prefilter(grid)) for grid in self._grids()}
            self._left = self._shown.table_handle(), self._shown.chains()
        return refusal

    def is_intact(self) -> bool:
        """Whether the rules are as `install_rules` left them."""
        handle, chains = self._left
        return handle is not None and (self._shown.table_handle(), self._shown.chains()) == (handle, chains)

    def tampered_by(self) -> str | None:
        return self._notices.disturber()

    def replace_elements(self, pieces: Mapping[BlockSet, Collection[Range]], at_s: float) -> str | None:
        """Put exactly these ranges in force, in one transaction, whatever the sets had before."""
        regions = {grid: Prefilter(grid, _bounds(pieces.get(grid.block_set, ()))) for grid in self._grids()}
        names = [*(set_name(block_set) for block_set in self._sets), *(grid.name for grid in regions)]
        emptied = [encoding.everything(TABLE, name) for name in names]
        added = [body for block_set, new in pieces.items() for body in _added(block_set, new, at_s)]
        added += [body for grid, found in regions.items() for body in _regions(grid, found)]
        changed = sum(map(len, pieces.values())) + sum(1 for found in regions.values() for _ in found)
        refusal = self._put(emptied, added, changed)
        if refusal is None:
            self._regions = regions
        return refusal

    def update_elements(
        self, gone: Mapping[BlockSet, Collection[Bounds]], new: Mapping[BlockSet, Collection[Range]], at_s: float
    ) -> str | None:
        removed = [body for block_set, bounds in gone.items() for body in _removed(block_set, bounds)]
        added = [body for block_set, pieces in new.items() for body in _added(block_set, pieces, at_s)]
        moved = {
            grid: (gone.get(grid.block_set, ()), [*_bounds(new.get(grid.block_set, ()))])
            for grid in self._regions
            if grid.block_set in gone or grid.block_set in new
        }
        changed = sum(map(len, gone.values())) + sum(map(len, new.values()))
        for grid, (old, fresh) in moved.items():
            left, entered = self._regions[grid].apply(old, fresh)
            removed += _regions(grid, left)
            added += _regions(grid, entered)
            changed += len(left) + len(entered)  # a wide prefix touches thousands
        refusal = self._put(removed, added, changed)
        if refusal is not None:
            for grid, (old, fresh) in moved.items():
                self._regions[grid].apply(fresh, old)
        return refusal

    def list_elements(self, block_set: BlockSet) -> Iterator[Sequence[Point]]:
        """Elements that the kernel shows of a set, a portion at a time; of prefixes, none where a region is missing."""
        for grid in grids(block_set):
            missing = {*self._regions.get(grid, ())}
            for portion in self._shown.element_portions(grid.name):
                missing.difference_update(key for key, _ in encoding.points(SHAPES[block_set.family], portion))
                yield ()
            if missing:
                return
        for portion in self._shown.element_portions(set_name(block_set)):
            yield encoding.points(SHAPES[block_set.family], portion)

    def stopped(self) -> Mapping[str, int]:
        return stopped_by_origin(self._shown.counters())

    def hit_counts(self) -> Sequence[Hit]:
        return [hit for version in PROTOCOLS for hit in hits_in(self._shown.element_counters(hits_name(version)))]

    def _grids(self) -> Iterator[Grid]:
        return (grid for block_set in self._sets for grid in grids(block_set))

    def _put(self, removed: Sequence[bytes], added: Sequence[bytes], size: int) -> str | None:
        if size < MANY:
            return self._elements.update(removed, added)
        self._notices.pause()
        refusal = self._elements.update(removed, added)
        self._notices.listen()
        return refusal


def _bounds(pieces: Iterable[Range]) -> Iterator[Bounds]:
    return ((one.first, one.last) for one in pieces)


def _regions(grid: Grid, regions: Iterable[int]) -> Iterator[bytes]:
    return encoding.lists(TABLE, grid.name, encoding.bare(SHAPES[grid.block_set.family], regions))


def _added(block_set: BlockSet, pieces: Iterable[Range], at_s: float) -> Iterator[bytes]:
    return encoding.lists(TABLE, set_name(block_set), encoding.added(SHAPES[block_set.family], pieces, at_s))


def _removed(block_set: BlockSet, bounds: Iterable[Bounds]) -> Iterator[bytes]:
    return encoding.lists(TABLE, set_name(block_set), encoding.removed(SHAPES[block_set.family], bounds))
