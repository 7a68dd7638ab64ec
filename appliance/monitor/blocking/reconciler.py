"""Reconciler: keeps the kernel's sets equal to the wanted blocks, and restores them when another program changes them.

A change goes to the kernel as a few elements. The reconciler trusts that the kernel still has the rest, because the
kernel's notices name every other program that changes it; then the whole state is put in force again, in one
transaction. The audit checks that trust: it compares all elements, in small steps between which others have their turn.
"""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from msgspec.structs import replace

from appliance.core.blocking.block_index import IndexChange
from appliance.core.blocking.cover import Cover, Range, SingleCover
from appliance.core.blocking.place import Place
from appliance.core.blocking.sets import SHAPES, BlockSet
from appliance.core.kernel.nftables.elements import SeenElements
from appliance.core.machine import vlan_of
from appliance.core.moment import Moment
from appliance.monitor.blocking.reconciliation import Reconciliation
from appliance.ports import Firewall, Interfaces

log = logging.getLogger(__name__)

RETRY_S = 5.0  # after a refusal; each attempt puts all 100,000 together
AUDITED_A_S = 250  # pieces, of which each costs 5 to 25 us: half of the 1 % of a core that is promised
SHORTEST_AUDIT_S = 5.0
COMPARED_AT_ONCE = 1000  # pieces: a millisecond
# Seconds to go, below which a missing piece may have expired while the audit looked; it looks twice, for a minute where
# there is most.
NEARLY_OVER_S = 120.0

Missing = set[tuple[BlockSet, Range]]


class Reconciler:
    """Keeps the firewall's sets equal to the claims of all blocks.

    `absent`: the owners whose claims are known not to be in force; `None`: no claim is in force. `present`: by name,
    the index of each interface of a place that exists.
    """

    def __init__(self, places: Sequence[Place], interfaces: Interfaces, firewall: Firewall) -> None:
        self._places = tuple(places)
        self._interfaces = interfaces
        self._firewall = firewall
        self._covers: dict[BlockSet, Cover | SingleCover] = {}
        self.present: Mapping[str, int] = {}
        self._state = Reconciliation(RETRY_S)
        self.absent: set[Hashable] | None = None
        self._audit_due_s = 0.0

    def places(self) -> Sequence[Place]:
        """The places with their VLANs, as they are now."""
        links = self._interfaces.links()
        return [replace(one, vlan=vlan_of(one.interface, links)) for one in self._places]

    def troubles(self, now: Moment) -> Sequence[str]:
        """Sentences for people: why blocks are not in force, and recent tampering."""
        return [one for one in (self._state.refusal, self._state.tampering.text(now)) if one]

    def fault(self) -> str | None:
        """Why the kernel has not all that it should have, at the interfaces that exist; `None`: it has."""
        if not self.present or (self._state.is_whole and not self.absent):
            return None
        return self._state.refusal or "the kernel does not have all that is to be blocked"

    def apply(self, index_change: IndexChange, now: Moment) -> None:
        """Put a change of the claims in force, in one transaction."""
        gone, new = self._resolved(index_change)
        if not self._state.is_whole:
            self._put_all(now)
            return
        bounds = {block_set: [(one.first, one.last) for one in pieces] for block_set, pieces in gone.items()}
        refusal = self._firewall.update_elements(bounds, new, now.wall.timestamp())
        if refusal is not None:
            self._state.is_whole = False
            self.absent = {one.owner for pieces in new.values() for one in pieces}
            self._put_all(now)  # the kernel refuses even because one element has just expired

    def let_pass(self, for_s: float) -> str | None:
        """Have the kernel stop nothing for so long, with all that it has; 0: stop it again."""
        return self._firewall.let_pass(for_s)

    def step(self, now: Moment, *, is_moved: bool = False) -> None:
        """Restore what the kernel lost. `is_moved`: the clock moved, so that the lifetimes in the kernel are wrong."""
        present = self._read_present()
        culprit, is_intact = self._firewall.tampered_by(), self._firewall.is_intact()
        is_tampered, is_same = culprit is not None or not is_intact, present == self.present
        if self._state.is_whole and is_tampered and is_same:
            self._state.tampering.note(culprit or "somebody", "changed the blocks in the kernel", now)
        if is_tampered or is_moved or not is_same:
            self._state.is_whole = False
        if not is_intact:
            self.absent = None
        self.present = present
        if self._state.is_due(now):
            self._put_all(now)

    def audit(self, now: Moment, pause: Callable[[], None]) -> None:
        """Now and then compare all elements with the wanted ones. `pause`: gives others their turn."""
        if not self._state.is_whole or now.monotonic_s < self._audit_due_s:
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
        if lost and self._state.is_whole:
            log.error("the kernel has lost %d of its blocks; all are put in force again", len(lost))
            self._state.is_whole, self.absent = False, lost

    def _missing(self, pause: Callable[[], None]) -> Missing:
        """The wanted pieces that the kernel does not list, or lists otherwise."""
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
        """By set, the disjoint pieces that go and those that come."""
        by_set: dict[BlockSet, tuple[list[Range], list[Range]]] = {}
        for at, claims in enumerate((index_change.dropped, index_change.put)):
            for block_set, of_one in groupby(claims, itemgetter(0)):  # mostly all are of one, which is looked up once
                by_set.setdefault(block_set, ([], []))[at].extend(claim.range for claim in of_one)
        gone, new = {}, {}
        for block_set, (dropped, put) in by_set.items():
            shape = SHAPES[block_set.family]
            cover = self._covers.setdefault(block_set, Cover(shape.bits) if shape.is_interval else SingleCover())
            gone[block_set], new[block_set] = cover.resolve(dropped, put)
        return gone, new

    def _read_present(self) -> Mapping[str, int]:
        links = self._interfaces.links()
        return {one.interface: links[one.interface].index for one in self._places if one.interface in links}

    def _put_all(self, now: Moment) -> None:
        """Put the whole wanted state in force, whatever the kernel has."""
        self.present, at_s = self._read_present(), now.wall.timestamp()
        refusal = self._firewall.install_rules(self.places())
        if refusal is None:
            live = {
                block_set: [one for one in cover.pieces() if one.ends > at_s]
                for block_set, cover in self._covers.items()
            }
            refusal = self._firewall.replace_elements(live, at_s)
        if self._state.note_attempt(refusal, now):
            log.error("the kernel refuses the blocks, the former ones stay in force: %s", refusal)
        if refusal is None:
            self.absent = set()
            self._plan_audit(now)

    def _plan_audit(self, now: Moment) -> None:
        pieces = sum(map(len, self._covers.values()))
        self._audit_due_s = now.monotonic_s + max(SHORTEST_AUDIT_S, pieces / AUDITED_A_S)
