"""Obedience: the kernel has what is wanted, and when somebody takes it away, has it again.

A change is put in force as what it is, a few elements. What the kernel has is known because nobody else changes it; who
does is told by the kernel's notices, and then all is put in force anew, in one transaction. A look at the whole is only
the audit of that; it goes in small steps, between which everybody else has his turn.
"""

import logging
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

from appliance.core.blocking.block_index import IndexChange
from appliance.core.blocking.cover import Cover, Range
from appliance.core.blocking.place import Place
from appliance.core.blocking.sets import SHAPES, BlockSet
from appliance.core.kernel.nftables.elements import SeenElements
from appliance.core.machine import Link
from appliance.core.moment import Moment
from appliance.monitor.blocking.tampering import Tampering
from appliance.ports import Firewall

log = logging.getLogger(__name__)

RETRY_S = 5.0  # after a refusal; all 100,000 are put together for each attempt
AUDITED_A_S = 250  # pieces, of which each costs 5 to 25 us: half of the 1 % of a core that is promised
SHORTEST_AUDIT_S = 5.0
COMPARED_AT_ONCE = 1000  # pieces: a millisecond
NEARLY_OVER_S = 120.0  # what ends while an audit looks is not missed; it looks twice, for a minute where there is most

Missing = set[tuple[BlockSet, Range]]


class Reconciler:
    """Holds the kernel to the claims."""

    def __init__(self, places: Sequence[Place], links: Callable[[], Mapping[str, Link]], firewall: Firewall) -> None:
        """`links`: the interfaces that exist now."""
        self._places = tuple(places)
        self._links = links
        self._firewall = firewall
        self._covers: dict[BlockSet, Cover] = {}
        self._present: Mapping[str, int] = {}
        self._is_whole = False
        self._absent: set[Hashable] | None = None  # owners; `None`: all
        self._refusal: str | None = None
        self._retry_s = 0.0
        self._disturbance = Tampering()
        self._audit_due_s = 0.0

    @property
    def refusal(self) -> str | None:
        """Why the kernel does not take what is wanted; `None`: it has it."""
        return self._refusal

    def absent(self) -> Collection[Hashable] | None:
        """The owners whose claims are not in force, for all that is known; `None`: nothing is."""
        return self._absent

    @property
    def present(self) -> Mapping[str, int]:
        """By name, the index of each interface at which blocks can hold, because it exists."""
        return self._present

    def disturbance(self, now: Moment) -> str | None:
        """What somebody has done to the blocks lately, for a person."""
        return self._disturbance.text(now)

    def apply(self, index_change: IndexChange, now: Moment) -> None:
        """Take some claims away and put others, in one transaction."""
        gone, new = self._resolved(index_change)
        if not self._is_whole:
            self._heal(now)
            return
        bounds = {block_set: [(one.first, one.last) for one in pieces] for block_set, pieces in gone.items()}
        refusal = self._firewall.update_elements(bounds, new, now.wall.timestamp())
        if refusal is not None:
            self._is_whole = False
            self._absent = {one.owner for pieces in new.values() for one in pieces}
            self._heal(now)  # an element that has just run out is reason enough for a refusal

    def step(self, now: Moment, *, is_moved: bool = False) -> None:
        """See that the kernel still has what it was given. `is_moved`: it was given wrong lifetimes."""
        present = self._look_around()
        disturber = self._firewall.tampered_by()
        stands = self._firewall.is_intact()
        if self._is_whole and (disturber is not None or not stands) and present == self._present:
            self._disturbance.note(disturber or "somebody", "changed the blocks in the kernel", now)
        if disturber is not None or not stands or is_moved or present != self._present:
            self._is_whole = False
        if not stands:
            self._absent = None
        self._present = present
        if not self._is_whole and (self._refusal is None or now.monotonic_s >= self._retry_s):
            self._heal(now)

    def audit(self, now: Moment, pause: Callable[[], None]) -> None:
        """Look at the whole now and then, and mend what is not as it should be. `pause`: gives others their turn."""
        if not self._is_whole or now.monotonic_s < self._audit_due_s:
            return
        missing = self._missing(pause)
        if missing:  # a hash set that is about to grow does not show all of it (lib/rhashtable.c: rhashtable_walk_next)
            missing &= self._missing(pause)
        self._plan_audit(now)
        at_s = now.wall.timestamp()
        lost: set[Hashable] = {
            piece.owner
            for block_set, piece in missing
            if piece in self._covers[block_set] and piece.ends > at_s + NEARLY_OVER_S
        }
        if lost and self._is_whole:
            log.error("the kernel has lost %d of its blocks; all are put in force again", len(lost))
            self._is_whole, self._absent = False, lost

    def _missing(self, pause: Callable[[], None]) -> Missing:
        """The pieces that the kernel does not show as they are."""
        missing: Missing = set()
        for block_set, cover in tuple(self._covers.items()):
            pieces, seen = list(cover.pieces()), SeenElements(SHAPES[block_set.family])
            for points in self._firewall.list_elements(block_set):
                seen.add(points)
                pause()
            for at in range(0, len(pieces), COMPARED_AT_ONCE):
                missing.update((block_set, one) for one in pieces[at : at + COMPARED_AT_ONCE] if one not in seen)
                pause()
        return missing

    def _resolved(self, index_change: IndexChange) -> tuple[dict[BlockSet, set[Range]], dict[BlockSet, set[Range]]]:
        by_set: dict[BlockSet, tuple[list[Range], list[Range]]] = {}
        for at, claims in enumerate((index_change.dropped, index_change.put)):
            for claim in claims:
                by_set.setdefault(claim.block_set, ([], []))[at].append(claim.range)
        gone, new = {}, {}
        for block_set, (old, fresh) in by_set.items():
            shape = SHAPES[block_set.family]
            cover = self._covers.setdefault(block_set, Cover(shape.bits, joins=shape.is_interval))
            gone[block_set], new[block_set] = cover.resolve(old, fresh)
        return gone, new

    def _look_around(self) -> Mapping[str, int]:
        """By name, the index of each of the places' interfaces that exists."""
        links = self._links()
        return {one.interface: links[one.interface].index for one in self._places if one.interface in links}

    def _heal(self, now: Moment) -> None:
        """Put everything in force, whatever is there."""
        self._present, at_s = self._look_around(), now.wall.timestamp()
        refusal = self._firewall.install_rules(self._places)
        if refusal is None:
            live = {
                block_set: [one for one in cover.pieces() if one.ends > at_s]
                for block_set, cover in self._covers.items()
            }
            refusal = self._firewall.replace_elements(live, at_s)
        if refusal is not None and refusal != self._refusal:
            log.error("the kernel refuses the blocks, the former ones stay in force: %s", refusal)
        self._refusal = refusal
        self._retry_s = now.monotonic_s + RETRY_S
        if refusal is None:
            self._is_whole, self._absent = True, set()
            self._plan_audit(now)

    def _plan_audit(self, now: Moment) -> None:
        pieces = sum(map(len, self._covers.values()))
        self._audit_due_s = now.monotonic_s + max(SHORTEST_AUDIT_S, pieces / AUDITED_A_S)
