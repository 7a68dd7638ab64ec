"""Obedience: the kernel has what is wanted, and when somebody takes it away, has it again.

A change is put in force as what it is, a few elements. What the kernel has is known because nobody else changes it; who
does is told by the kernel's notices, and then all is put in force anew, in one transaction. A look at the whole, which
takes seconds where there is much, is only the audit of that, and takes a small share of the time.
"""

import logging
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

from appliance.core.block_rules import Place
from appliance.core.cover import Cover, Range
from appliance.core.elements import Bounds
from appliance.core.machine import Link
from appliance.core.moment import Moment
from appliance.core.register import Change
from appliance.core.slots import SHAPES, Slot, Standing
from appliance.ports import Firewall

log = logging.getLogger(__name__)

RETRY_S = 5.0  # after a refusal; all 100,000 are put together for each attempt
DISTURBED_TOLD_S = 300.0  # long enough to be seen by somebody who looks at the page now and then
AUDIT_SHARE = 1 / 200  # of the time that audits may take: half of the 1 % of a core that is promised
SHORTEST_AUDIT_S = 5.0
NEARLY_OVER_S = 30.0  # what ends while an audit looks is not missed

Look = Mapping[Slot, Mapping[Bounds, Standing]]
Aside = Callable[[Callable[[], Look]], Look]  # runs a function beside the event loop, and waits for it


class Obedience:
    """Holds the kernel to the claims."""

    def __init__(self, places: Sequence[Place], links: Callable[[], Mapping[str, Link]], firewall: Firewall) -> None:
        """`links`: the interfaces that exist now."""
        self._places = tuple(places)
        self._links = links
        self._firewall = firewall
        self._covers: dict[Slot, Cover] = {}
        self._present: Mapping[str, int] = {}
        self._is_whole = False
        self._absent: set[Hashable] | None = None  # owners; `None`: all
        self._refusal: str | None = None
        self._retry_s = 0.0
        self._disturbance: tuple[str, float] | None = None
        self._version = 0
        self._audit_due_s = 0.0

    @property
    def refusal(self) -> str | None:
        """Why the kernel does not take what is wanted; `None`: it has it."""
        return self._refusal

    def absent(self) -> Collection[Hashable] | None:
        """The owners whose claims are not in force, for all that is known; `None`: nothing is."""
        return self._absent

    def is_present(self, interface: str) -> bool:
        """Whether blocks can hold at this interface: it exists."""
        return interface in self._present

    def disturbance(self, now: Moment) -> str | None:
        """What somebody has done to the blocks lately, for a person."""
        if self._disturbance is None or now.monotonic_s - self._disturbance[1] > DISTURBED_TOLD_S:
            return None
        return self._disturbance[0]

    def change(self, change: Change, now: Moment, at_s: float) -> None:
        """Take some claims away and put others, in one transaction. `at_s`: now, on the scale of their ends."""
        gone, new = self._resolved(change)
        self._version += 1
        if not self._is_whole:
            self._heal(now, at_s)
            return
        bounds = {slot: [(one.first, one.last) for one in pieces] for slot, pieces in gone.items()}
        refusal = self._firewall.change(bounds, new, at_s)
        if refusal is not None:
            self._is_whole = False
            self._absent = {one.owner for pieces in new.values() for one in pieces}
            self._heal(now, at_s)  # an element that has just run out is reason enough for a refusal

    def step(self, now: Moment, at_s: float, *, is_moved: bool = False) -> None:
        """See that the kernel still has what it was given. `is_moved`: it was given wrong lifetimes."""
        present = self._look_around()
        disturber = self._firewall.disturber()
        stands = self._firewall.stands()
        if self._is_whole and (disturber is not None or not stands) and present == self._present:
            self._tell_disturbance(disturber, now)
        if disturber is not None or not stands or is_moved or present != self._present:
            self._is_whole = False
        if not stands:
            self._absent = None
        self._present = present
        if not self._is_whole and (self._refusal is None or now.monotonic_s >= self._retry_s):
            self._heal(now, at_s)

    def audit(self, now: Moment, at_s: float, aside: Aside, clock: Callable[[], float]) -> None:
        """Look at the whole now and then, and mend what is not as it should be. `clock`: seconds, for what it takes."""
        if not self._is_whole or now.monotonic_s < self._audit_due_s:
            return
        version, begun_s = self._version, clock()
        missing = self._missing(aside(self._firewall.look), at_s)
        if missing:  # a hash set that is about to grow does not show all of it (lib/rhashtable.c: rhashtable_walk_next)
            missing &= self._missing(aside(self._firewall.look), at_s)
        took_s = clock() - begun_s
        self._audit_due_s = now.monotonic_s + max(SHORTEST_AUDIT_S, took_s / AUDIT_SHARE)
        if missing and version == self._version:
            log.error("the kernel has lost %d of its blocks; all are put in force again", len(missing))
            self._is_whole, self._absent = False, missing

    def _missing(self, look: Look, at_s: float) -> set[Hashable]:
        return {
            piece.owner
            for slot, cover in self._covers.items()
            for piece in cover.pieces()
            if piece.ends > at_s + NEARLY_OVER_S and _mark(look, slot, piece) != piece.mark
        }

    def _resolved(self, change: Change) -> tuple[dict[Slot, set[Range]], dict[Slot, set[Range]]]:
        by_slot: dict[Slot, tuple[list[Range], list[Range]]] = {}
        for at, claims in enumerate(change):
            for claim in claims:
                by_slot.setdefault(claim.slot, ([], []))[at].append(claim.range)
        gone, new = {}, {}
        for slot, (old, fresh) in by_slot.items():
            cover = self._covers.setdefault(slot, Cover(SHAPES[slot.family].bits))
            gone[slot], new[slot] = cover.change(old, fresh)
        return gone, new

    def _look_around(self) -> Mapping[str, int]:
        """By name, the index of each of the places' interfaces that exists."""
        links = self._links()
        return {one.interface: links[one.interface].index for one in self._places if one.interface in links}

    def _heal(self, now: Moment, at_s: float) -> None:
        """Put everything in force, whatever is there."""
        self._present = self._look_around()
        refusal = self._firewall.arrange(self._places)
        if refusal is None:
            live = {slot: [one for one in cover.pieces() if one.ends > at_s] for slot, cover in self._covers.items()}
            refusal = self._firewall.replace(live, at_s)
        if refusal is not None and refusal != self._refusal:
            log.error("the kernel refuses the blocks, the former ones stay in force: %s", refusal)
        self._refusal = refusal
        self._retry_s = now.monotonic_s + RETRY_S
        if refusal is None:
            self._is_whole, self._absent = True, set()
            self._audit_due_s = now.monotonic_s + SHORTEST_AUDIT_S

    def _tell_disturbance(self, disturber: str | None, now: Moment) -> None:
        who = disturber or "somebody"
        log.error("%s has changed the blocks in the kernel; they are put in force again", who)
        at = now.wall.strftime("%H:%M:%S UTC")
        text = f"{who} changed the blocks in the kernel at {at}; they were put in force again"
        self._disturbance = text, now.monotonic_s


def _mark(look: Look, slot: Slot, piece: Range) -> int | None:
    standing = look.get(slot, {}).get((piece.first, piece.last))
    return None if standing is None else standing.mark
