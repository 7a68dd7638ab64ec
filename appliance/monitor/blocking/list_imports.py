"""Imported lists: reads each list at its time, and makes its blocks equal to its entries.

A list that cannot be read, or is none, keeps its blocks, and its trouble is shown; one that is doubted keeps them for a
number of readings (`core.blocking.lists.plausibility`). The blocks change in pieces, so that a list of
100,000 neither holds up the appliance nor protects only when it is whole; each piece is one transaction, and after a
crash the next reading finds what is left to do. Protected entries are left out and shown.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct, field

from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.blocking.lists.block_list import BlockList
from appliance.core.blocking.lists.changes import compare_list, find_orphans
from appliance.core.blocking.lists.list_contents import MOST_REPORTED, Fetched, ListContents
from appliance.core.blocking.lists.parser import parse_list
from appliance.core.blocking.lists.plausibility import doubt, fault_of
from appliance.core.blocking.protection import ListJudgement, Protections
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused

log = logging.getLogger(__name__)

PIECE = 500  # blocks of one transaction: tens of milliseconds, in which no other work has its turn

Fetch = Callable[[str, str], Fetched]  # (source, version) -> what is newer than that; takes up to a minute
Aside = Callable[..., Any]  # (function, *arguments) -> its result, computed beside the event loop


class Blocks(Protocol):
    """The part of `Enforcement` that lists use; tests have their own."""

    def blocks(self, now: Moment) -> Sequence[Block]:
        """All blocks that should be in force."""

    def protections(self, now: Moment) -> Protections:
        """What is protected at this instant."""

    def block(self, requests: Sequence[BlockRequest], now: Moment) -> Sequence[Block]:
        """Block these targets, all or none."""

    def unblock(
        self, targets: Sequence[str], department: str | None, actor: str, now: Moment, *, origin: str | None = None
    ) -> Sequence[Block]:
        """Lift the blocks of these targets, all or none; `origin`: only its own."""


class Objection(Struct, frozen=True):
    """An entry that is protected, and why it is left out as a whole or in part."""

    target: str
    why: str


class Listing(Struct):
    """A list and its state. `contents`: as last believed, at `read_at`, or `None`; `latest`: as it was last read.

    `objections`: the first entries that are left out, as a whole or in part; `objection_count`: all. `lifted`,
    `requests`: the rest of the change that is under way. `protections`: by which `contents` was judged. `trouble`: why
    the last reading or change failed. `doubted_reads`: readings in a row that were not believed.
    """

    known: BlockList
    contents: ListContents | None = None
    latest: ListContents | None = None
    doubted_reads: int = 0
    read_at: datetime | None = None
    checked_at: datetime | None = None
    trouble: str | None = None
    objections: tuple[Objection, ...] = ()
    objection_count: int = 0
    lifted: list[Block] = field(default_factory=list)
    requests: list[BlockRequest] = field(default_factory=list)
    version: str = ""
    protections: Protections | None = None
    due_s: float = 0.0

    @property
    def pending(self) -> int:
        """Blocks yet to be lifted or added."""
        return len(self.lifted) + len(self.requests)


class ListImports:
    """Keeps the blocks of the configured lists equal to their entries."""

    def __init__(self, lists: Sequence[BlockList], enforcement: Blocks, fetch: Fetch, aside: Aside) -> None:
        self.listings = tuple(Listing(known) for known in lists)  # all, with their state
        self._enforcement = enforcement
        self._fetch = fetch
        self._aside = aside
        self._orphans: list[Block] | None = None

    def troubles(self, _: Moment) -> Sequence[str]:
        """Sentences for people: which lists are not up to date, and why."""
        return [f"the list {one.known.name} is not up to date: {one.trouble}" for one in self.listings if one.trouble]

    def step(self, now: Moment) -> None:
        """Do one piece of the work that is pending, or else read one list that is due."""
        if self._orphans is None:
            known = [one.known for one in self.listings]
            self._orphans = list(find_orphans(known, self._enforcement.blocks(now)))
        pending = next((one for one in self.listings if one.pending), None)
        due = [one for one in self.listings if one.due_s <= now.monotonic_s]
        try:
            if self._orphans:
                self._lift(self._orphans, now)
            elif pending is not None:
                self._change_piece(pending, now)
            elif due:
                self._read(min(due, key=lambda one: one.due_s), now)
        except Refused as refused:
            if refused.code is not Code.MAINTENANCE:  # the next step tries again
                raise

    def _read(self, listing: Listing, now: Moment) -> None:
        known = listing.known
        listing.due_s = now.monotonic_s + known.refresh_s
        # The blocks of a list with a duration are renewed while it has them, so it is read even if it has not changed.
        # So is one after a change of what is protected: an entry may be free now that was left out.
        protections = self._enforcement.protections(now)
        version = "" if known.duration_s or protections != listing.protections else listing.version
        fetched, contents = self._aside(_fetch_and_parse, self._fetch, known.source, version)
        listing.checked_at = now.wall
        if fetched.trouble is not None:
            self._note_trouble(listing, fetched.trouble)
            return
        if contents is None:  # it is what was believed last
            listing.latest, listing.doubted_reads = listing.contents, 0
            self._note_trouble(listing, _emptiness(listing.contents))
            return
        blocks = self._enforcement.blocks(now)
        if not self._is_believed(listing, contents, sum(block.origin == known.origin for block in blocks)):
            return
        text = "the list %s has %d entries, and %d lines of which something is not used"
        log.info(text, known.name, len(contents.targets), contents.fault_count)
        judged: ListJudgement = self._aside(protections.judge_list, contents.targets)
        taken = [one for one in contents.targets if one not in judged.left_out]
        found = self._aside(compare_list, known, taken, blocks, now.wall)
        listing.version, listing.contents, listing.read_at = fetched.version, contents, now.wall
        listing.protections = protections
        listing.lifted, listing.requests = list(found.lifted), list(found.requests)
        objections = [Objection(*one) for one in (*judged.left_out.items(), *judged.partly.items())]
        listing.objections, listing.objection_count = tuple(objections[:MOST_REPORTED]), len(objections)

    def _is_believed(self, listing: Listing, contents: ListContents, known_entries: int) -> bool:
        """Whether the blocks shall follow this content; its trouble is noted."""
        listing.latest = contents
        fault, doubted = fault_of(contents), doubt(contents, known_entries)
        if fault is None and doubted is not None and listing.doubted_reads < listing.known.confirm_reads:
            listing.doubted_reads += 1
            left = listing.known.confirm_reads - listing.doubted_reads
            fault = f"{doubted}; it is believed if {left + 1} more readings say the same"
        elif fault is None:
            listing.doubted_reads = 0
        self._note_trouble(listing, fault or _emptiness(contents))
        return fault is None

    def _change_piece(self, listing: Listing, now: Moment) -> None:
        try:
            if listing.lifted:
                self._lift(listing.lifted, now)
            else:
                self._block(listing, now)
        except Refused as refused:
            if refused.code is Code.MAINTENANCE:
                raise
            listing.lifted, listing.requests, listing.version = [], [], ""  # the next reading finds them again
            self._note_trouble(listing, refused.message)

    def _block(self, listing: Listing, now: Moment) -> None:
        piece = listing.requests[:PIECE]
        # What is protected may have changed since the reading.
        judged = self._enforcement.protections(now).judge_list([one.target for one in piece])
        allowed = [one for one in piece if one.target not in judged.left_out]
        if allowed:
            self._enforcement.block(allowed, now)
        del listing.requests[:PIECE]

    def _lift(self, blocks: list[Block], now: Moment) -> None:
        """Lift the first piece of these blocks, as far as they still exist, and remove it from the list."""
        there = {block.key for block in self._enforcement.blocks(now)}
        piece = [block for block in blocks[:PIECE] if block.key in there]
        for origin, department in {(block.origin, block.department) for block in piece}:
            targets = [one.target for one in piece if (one.origin, one.department) == (origin, department)]
            self._enforcement.unblock(targets, department, origin, now, origin=origin)
        del blocks[:PIECE]

    def _note_trouble(self, listing: Listing, trouble: str | None) -> None:
        if trouble is not None and trouble != listing.trouble:
            log.warning("the list %s keeps what it had: %s", listing.known.name, trouble)
        listing.trouble = trouble


def _emptiness(contents: ListContents | None) -> str | None:
    return "it is empty" if contents is not None and contents.is_blank else None


def _fetch_and_parse(fetch: Fetch, source: str, version: str) -> tuple[Fetched, ListContents | None]:
    fetched = fetch(source, version)
    return fetched, None if fetched.content is None else parse_list(fetched.content)
