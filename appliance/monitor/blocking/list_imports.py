"""Imported lists: each is looked at when it is time, and its blocks become what it says.

A list that cannot be read keeps what it had, and its trouble is told. Its blocks are changed in pieces, so that a list
of 100,000 neither holds up the appliance nor waits to be whole before it protects anybody; each piece is one
transaction, and after a crash the next look finds what is left to do. What must not be blocked is left out and told.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.blocking.lists.changes import list_changes, orphans
from appliance.core.blocking.lists.parser import MOST_TOLD, BlockList, Fetched, ListContents, read
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused

log = logging.getLogger(__name__)

PIECE = 500  # blocks that are changed at once: tens of milliseconds, in which nobody else has his turn

Fetch = Callable[[str, str], Fetched]  # what a source has that is not of this version; takes up to a minute
Aside = Callable[..., Any]  # calls a function with arguments beside the event loop and waits for what it returns


class Blocks(Protocol):
    """What lists need of enforcement."""

    def blocks(self, now: Moment) -> Sequence[Block]:
        """Every block that should be in force."""

    def objections(self, targets: Sequence[str], now: Moment) -> Mapping[str, str]:
        """By target, why it can never be blocked; what may is missing."""

    def block(self, requests: Sequence[BlockRequest], now: Moment) -> Sequence[Block]:
        """Block these targets from now on, all or none."""

    def unblock(
        self, targets: Sequence[str], department: str | None, actor: str, now: Moment, *, origin: str | None = None
    ) -> Sequence[Block]:
        """Lift the blocks of these targets, all or none; `origin`: only those of it."""


@dataclass(frozen=True, slots=True)
class Objection:
    """An entry that is left out, and why."""

    target: str
    why: str


@dataclass(slots=True)
class Listing:
    """A list and what is known of it. `contents`: as it was last read, or `None`; `read_at`: when that was.

    `objections`: the first entries that are left out; `objection_count`: all. `pending`: entries yet to be blocked or
    lifted. `trouble`: why the last look or change failed.
    """

    known: BlockList
    contents: ListContents | None = None
    read_at: datetime | None = None
    checked_at: datetime | None = None
    trouble: str | None = None
    objections: tuple[Objection, ...] = ()
    objection_count: int = 0
    lifted: list[Block] = field(default_factory=list)
    requests: list[BlockRequest] = field(default_factory=list)
    version: str = ""
    due_s: float = 0.0

    @property
    def pending(self) -> int:
        """How many blocks are still to be changed."""
        return len(self.lifted) + len(self.requests)


class ListImports:
    """Keeps the blocks of the configured lists what the lists say."""

    def __init__(self, lists: Sequence[BlockList], enforcement: Blocks, fetch: Fetch, aside: Aside) -> None:
        self._listings = [Listing(known) for known in lists]
        self._enforcement = enforcement
        self._fetch = fetch
        self._aside = aside
        self._orphans: list[Block] | None = None

    @property
    def listings(self) -> Sequence[Listing]:
        """All lists as they stand."""
        return tuple(self._listings)

    def troubles(self, _: Moment) -> Sequence[str]:
        """What is wrong with lists, a sentence each."""
        return [f"the list {one.known.name} is not up to date: {one.trouble}" for one in self._listings if one.trouble]

    def step(self, now: Moment) -> None:
        """Do one piece of what is to be done, or look at one list whose time it is."""
        if self._orphans is None:
            known = [one.known for one in self._listings]
            self._orphans = list(orphans(known, self._enforcement.blocks(now)))
        pending = next((one for one in self._listings if one.pending), None)
        due = [one for one in self._listings if one.due_s <= now.monotonic_s]
        try:
            if self._orphans:
                self._lift(self._orphans, now)
            elif pending is not None:
                self._change(pending, now)
            elif due:
                self._check(min(due, key=lambda one: one.due_s), now)
        except Refused as refused:
            if refused.code is not Code.MAINTENANCE:  # which is waited for
                raise

    def _check(self, listing: Listing, now: Moment) -> None:
        known = listing.known
        listing.due_s = now.monotonic_s + known.refresh_s
        # What has a duration is made anew while the list has it, so such a list is read each time.
        version = "" if known.duration_s else listing.version
        fetched, contents = self._aside(_look, self._fetch, known.source, version)
        listing.checked_at = now.wall
        self._tell(listing, fetched.trouble)
        if contents is None:
            return
        text = "the list %s has %d entries, and %d lines that mean nothing"
        log.info(text, known.name, len(contents.targets), contents.fault_count)
        found = self._aside(list_changes, known, contents.targets, self._enforcement.blocks(now), now.wall)
        listing.version, listing.contents, listing.read_at = fetched.version, contents, now.wall
        listing.lifted, listing.requests = list(found.lifted), list(found.requests)
        listing.objections, listing.objection_count = (), 0

    def _change(self, listing: Listing, now: Moment) -> None:
        """Do one piece of what is to be changed of this list."""
        try:
            if listing.lifted:
                self._lift(listing.lifted, now)
            else:
                self._block(listing, now)
        except Refused as refused:
            if refused.code is Code.MAINTENANCE:
                raise
            listing.lifted, listing.requests, listing.version = [], [], ""  # to be found again at the next look
            self._tell(listing, refused.message)

    def _block(self, listing: Listing, now: Moment) -> None:
        piece = listing.requests[:PIECE]
        objections = self._enforcement.objections([one.target for one in piece], now)
        allowed = [one for one in piece if one.target not in objections]
        if allowed:
            self._enforcement.block(allowed, now)
        told = listing.objections + tuple(Objection(*one) for one in objections.items())
        listing.objections, listing.objection_count = told[:MOST_TOLD], listing.objection_count + len(objections)
        del listing.requests[:PIECE]

    def _lift(self, blocks: list[Block], now: Moment) -> None:
        """Lift a piece of these and take it off them, passing over what is lifted already."""
        there = {block.key for block in self._enforcement.blocks(now)}
        piece = [block for block in blocks[:PIECE] if block.key in there]
        for origin, department in {(block.origin, block.department) for block in piece}:
            targets = [one.target for one in piece if (one.origin, one.department) == (origin, department)]
            self._enforcement.unblock(targets, department, origin, now, origin=origin)
        del blocks[:PIECE]

    def _tell(self, listing: Listing, trouble: str | None) -> None:
        if trouble is not None and trouble != listing.trouble:
            log.warning("the list %s keeps what it had: %s", listing.known.name, trouble)
        listing.trouble = trouble


def _look(fetch: Fetch, source: str, version: str) -> tuple[Fetched, ListContents | None]:
    fetched = fetch(source, version)
    return fetched, None if fetched.content is None else read(fetched.content)
