"""Puts blocks in force in one table of the kernel's packet filter, each change whole or not at all.

`core.kernel.nftables.block_rules` builds the rules. Rules go through libnftables, as JSON, because an
interface may have a name that would be syntax in the text form; elements go by netlink, so that a change among 100,000
costs one element's work. The kernel drops an element when its time is over, even when this program has died.

A packet is not looked up in a set without elements: its rules come before its first element, and go after its last. A
table of which this program knows nothing yet keeps the rules for every set that it has. The transaction of a new
element also ends the use of the pairs that have passed (`core.kernel.nftables.prefilter`). The next one turns to the
others: that is most of the work, and the element is in force without it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.blocking.cover import Range
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.sets import SHAPES, BlockSet, Family
from appliance.core.kernel.nftables import elements as encoding
from appliance.core.kernel.nftables.block_rules import (
    TABLE,
    arrangement,
    hits_in,
    hits_name,
    noted_devices,
    passages_of,
    sets_of,
    stopped_by_origin,
    tracking,
)
from appliance.core.kernel.nftables.elements import Bounds, Point
from appliance.core.kernel.nftables.prefilter import TURNS, Grid, Passage, Prefilter, grids, turned
from appliance.core.kernel.nftables.ruleset import HOST_ENDS, OPEN, PROTOCOLS, Command, Expression, set_name
from appliance.core.kernel.nftables.table import ExistingTable
from appliance.system.nftables.change_monitor import ChangeMonitor
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements

__all__ = ["TABLE", "NftablesFirewall"]

MANY = 2000  # changes; their own notices are not read, and changes of other programs meanwhile are found by looking


class InstalledRules(Struct, frozen=True):
    """The rules as they were installed last, and the table's handle and chains as the kernel showed them after that.

    `looked_up`: the names of the sets that have rules.
    """

    places: Sequence[Place]
    looked_up: frozenset[str]
    rules: Mapping[str, Sequence[Expression]]
    handle: int | None
    chains: Mapping[str, int]


class Turn(Struct, frozen=True):
    """The bodies of messages that take away a turn's pairs, and that put them in use. They are built once."""

    emptied: Sequence[bytes]
    in_use: Sequence[bytes]


class PairsInUse(Struct, frozen=True):
    """The pairs that packets may have passed as.

    `turn`: whose are in use; `None`: none are. `next_turn`: whose will be next. `unused`: the bodies of messages that
    end the use of pairs.
    """

    passages: Sequence[Passage] = ()
    turn: str | None = None
    next_turn: str = TURNS[0]
    turns: Mapping[str, Turn] = field(default_factory=lambda: {one: Turn((), ()) for one in TURNS})
    unused: Sequence[bytes] = ()


class NftablesFirewall:
    """`ports.Firewall` of the network namespace that its parts were made in."""

    def __init__(
        self,
        nftables: Nftables,
        shown: Nfnetlink,
        elements: SetElements,
        notices: ChangeMonitor,
        *,
        metered: Nfnetlink,
        tracks_connections: bool = True,
    ) -> None:
        """`shown`, `metered`: read `TABLE` and the meters' table.

        `tracks_connections`: make the kernel track them; useless on a mirror port, where nothing passes.
        """
        self._nftables = nftables
        self._shown = shown
        self._elements = elements
        self._notices = notices
        self._metered = metered
        self._tracks_connections = tracks_connections
        self._sets: Sequence[BlockSet] = ()
        self._regions: dict[Grid, Prefilter] = {}
        self._elements_put: Counter[BlockSet] = Counter()
        self._installed: InstalledRules | None = None
        self._pairs = PairsInUse()

    def install_rules(self, places: Sequence[Place]) -> str | None:
        """Put the rules for these places in force, in one transaction; existing elements stay."""
        there = ExistingTable(self._shown.objects(), self._shown.chains())
        looked_up = frozenset(there.objects) if self._installed is None else self._installed.looked_up
        refusal = self._arrange(there, places, looked_up, tracking() if self._tracks_connections else [])
        if refusal is None:
            self._sets = sets_of(places)
            self._regions = {grid: self._regions.get(grid, Prefilter(grid)) for grid in self._grids()}
            refusal = self._forget_pairs(passages_of(places))
        if refusal is None and self._installed is not None:
            self._installed = replace(self._installed, chains=self._chains())
        return refusal

    def is_intact(self) -> bool:
        """Whether the rules are as they were installed."""
        one = self._installed
        if one is None or one.handle is None:
            return False
        return (self._shown.table_handle(), self._chains()) == (one.handle, one.chains)

    def tampered_by(self) -> str | None:
        return self._notices.disturber()

    def replace_elements(self, pieces: Mapping[BlockSet, Collection[Range]], at_s: float) -> str | None:
        """Put exactly these ranges in force, in one transaction, whatever the sets had before."""
        regions = {grid: Prefilter(grid, _bounds(pieces.get(grid.block_set, ()))) for grid in self._grids()}
        names = [*(set_name(block_set) for block_set in self._sets), *(grid.name for grid in regions)]
        emptied = [encoding.everything(TABLE, name) for name in names]
        added = [body for block_set, new in pieces.items() for body in _added(block_set, new, at_s)]
        added += [body for grid, found in regions.items() for body in _regions(grid, found)]
        changed = sum(map(len, pieces.values())) + sum(map(len, regions.values()))
        put = Counter({block_set: len(found) for block_set, found in pieces.items()})
        refusal = self._put(emptied, added, changed, _filled(put, regions))
        if refusal is None:
            self._regions, self._elements_put = regions, put
            self._look_up(_filled(put, regions) | (self._looked_up() & {OPEN}))
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
        put = self._elements_put + Counter({block_set: len(pieces) for block_set, pieces in new.items()})
        refusal = self._put(removed, added, changed, _filled(put, self._regions))
        if refusal is not None:
            for grid, (old, fresh) in moved.items():
                self._regions[grid].apply(fresh, old)
            return refusal
        self._elements_put = put - Counter({block_set: len(bounds) for block_set, bounds in gone.items()})
        self._drop_rules()
        return None

    def let_pass(self, for_s: float) -> str | None:
        refusal = self._look_up(self._looked_up() | {OPEN}) if for_s > 0 else None
        if refusal is None:
            refusal = self._elements.update(*encoding.opening(TABLE, for_s))
            self._drop_rules()
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
        names = [hits_name(direction, version) for direction in HOST_ENDS for version in PROTOCOLS]
        return [hit for name in names for hit in hits_in(self._shown.element_counters(name))]

    def _grids(self) -> Iterator[Grid]:
        return (grid for block_set in self._sets for grid in grids(block_set))

    def _put(self, removed: Sequence[bytes], added: Sequence[bytes], size: int, filled: frozenset[str]) -> str | None:
        """Change elements. `filled`: the sets that have elements then, whose rules come first."""
        if self._installed is not None and not filled <= self._installed.looked_up:
            refusal = self._look_up(self._installed.looked_up | filled)
            if refusal is not None:
                return refusal
        if added:
            removed = [*removed, *self._pairs.unused]
        refusal = self._elements.update(removed, added) if size < MANY else self._update_unheard(removed, added)
        if refusal is None and added:
            self._pairs = replace(self._pairs, turn=None)
            self._use_pairs()  # where the kernel refuses, each packet is judged until the next new element
        return refusal

    def _update_unheard(self, removed: Iterable[bytes], added: Iterable[bytes]) -> str | None:
        """Change many elements, without the notices of each."""
        self._notices.pause()
        refusal = self._elements.update(removed, added)
        self._notices.listen()
        return refusal

    def _forget_pairs(self, passages: Sequence[Passage]) -> str | None:
        """Forget what has passed the rules that were in force until now."""
        if passages != self._pairs.passages:
            unused = [encoding.everything(TABLE, passage.turn_name) for passage in passages]
            self._pairs = PairsInUse(passages, turns={one: _turn(passages, one) for one in TURNS}, unused=unused)
            # A former process may use either: none, so that a packet which passes just now notes its pair for nothing.
            refusal = self._elements.update(unused, [])
            if refusal is not None:
                return refusal
        return self._use_pairs()

    def _use_pairs(self) -> str | None:
        """Turn to the other pairs, without those of their last time."""
        first, second = TURNS
        pairs, turn = self._pairs, self._pairs.next_turn
        refusal = self._update_unheard([*pairs.unused, *pairs.turns[turn].emptied], pairs.turns[turn].in_use)
        if refusal is None:
            self._pairs = replace(pairs, turn=turn, next_turn=second if turn == first else first)
        return refusal

    def _chains(self) -> dict[str, int]:
        """The table's chains with their use counts, but for the uses that go with the turn of the pairs."""
        used = [
            passage.pairs_name(version, self._pairs.turn)
            for passage in self._pairs.passages
            for version in PROTOCOLS
            if self._pairs.turn
        ]
        return {name: uses - used.count(name) for name, uses in self._shown.chains().items()}

    def _drop_rules(self) -> None:
        """Remove the rules for sets without elements; where the kernel refuses, they stay until the next change."""
        looked_up = self._looked_up()
        idle = looked_up - _filled(self._elements_put, self._regions)
        # A count may be too low: what had expired when all was put in force was not in it, and is taken away later.
        self._look_up(looked_up - {name for name in idle if not self._shown.has_elements(name)})

    def _looked_up(self) -> frozenset[str]:
        return self._installed.looked_up if self._installed else frozenset()

    def _look_up(self, sets: frozenset[str]) -> str | None:
        """Have rules for exactly these sets."""
        if self._installed is None or sets == self._installed.looked_up:
            return None
        if not self.is_intact():
            return "the rules are not as they were installed"  # and with them elements may be gone: all is to be put
        there = ExistingTable(self._shown.objects(), self._shown.chains(), self._installed.rules)
        return self._arrange(there, self._installed.places, sets, [])

    def _arrange(
        self, there: ExistingTable, places: Sequence[Place], looked_up: frozenset[str], more: Sequence[Command]
    ) -> str | None:
        found = {place.interface: self._shown.interface_index(place.interface) for place in places}
        present = {name: index for name, index in found.items() if index is not None}
        wanted, commands = arrangement(there, places, looked_up, present)
        _, refusal = self._nftables.run([*commands, *more])
        if refusal is None:
            self._take_over_devices(noted_devices(there, wanted, places))
            shown = self._shown.table_handle(), self._chains()
            self._installed = InstalledRules(tuple(places), looked_up, wanted.rules, *shown)
        return refusal

    def _take_over_devices(self, sets: Mapping[str, str]) -> None:
        """Give sets of devices, by name, those that sets of the meters' table have."""
        shape = SHAPES[Family.MACS]
        noted = {name: encoding.bare(shape, self._metered.numbers(metered)) for name, metered in sets.items()}
        self._elements.update(
            [encoding.everything(TABLE, name) for name in noted],
            [body for name, elements in noted.items() for body in encoding.lists(TABLE, name, elements)],
        )


def _turn(passages: Sequence[Passage], turn: str) -> Turn:
    """The bodies for one of `TURNS`."""
    names = (one.pairs_name(version, turn) for one in passages for version in PROTOCOLS)
    used = [body for name, elements in turned(passages, turn) for body in encoding.lists(TABLE, name, elements)]
    return Turn([encoding.everything(TABLE, name) for name in names], used)


def _filled(put: Mapping[BlockSet, int], regions: Mapping[Grid, Prefilter]) -> frozenset[str]:
    """The names of the sets of which something has to be looked up: single elements, and regions of prefixes."""
    single = (set_name(block_set) for block_set, count in put.items() if count > 0 and not [*grids(block_set)])
    return frozenset((*single, *(grid.name for grid, found in regions.items() if found)))


def _bounds(pieces: Iterable[Range]) -> Iterator[Bounds]:
    return ((one.first, one.last) for one in pieces)


def _regions(grid: Grid, regions: Iterable[int]) -> Iterator[bytes]:
    return encoding.lists(TABLE, grid.name, encoding.bare(SHAPES[grid.block_set.family], regions))


def _added(block_set: BlockSet, pieces: Iterable[Range], at_s: float) -> Iterator[bytes]:
    return encoding.lists(TABLE, set_name(block_set), encoding.added(SHAPES[block_set.family], pieces, at_s))


def _removed(block_set: BlockSet, bounds: Iterable[Bounds]) -> Iterator[bytes]:
    return encoding.lists(TABLE, set_name(block_set), encoding.removed(SHAPES[block_set.family], bounds))
