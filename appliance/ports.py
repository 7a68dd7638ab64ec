"""What the steps need of the world, on one page. The real machine (`system/`) and `simulator.py` both satisfy it.

A method returns at once with what is known now, or a value that says what is missing; it raises only what should end
the process. Where a method says so, it may take tens of milliseconds and its caller runs it beside the event loop.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from appliance.core.access.audit_entry import AuditEntry, StoredEntry
from appliance.core.access.person import Person, TokenRecord
from appliance.core.blocking.block import Block
from appliance.core.blocking.blocked_names import LearnedAddress
from appliance.core.blocking.cover import Range
from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.protection import Protected
from appliance.core.blocking.sets import BlockSet
from appliance.core.kernel.nftables.elements import Bounds, Point
from appliance.core.machine import Connection, Frame, Lights, Link, Press, Sighting, Vitals
from appliance.core.metering.account import AccountKey
from appliance.core.metering.history_series import Key, Series, Step
from appliance.core.metering.meter import Plan, Reading
from appliance.core.metering.quota import Ledger, QuotaKind
from appliance.core.metering.usage import Mark, Passed
from appliance.core.operations.maintenance_window import Maintenance
from appliance.events import Event


class Interfaces(Protocol):
    """The kernel's network interfaces."""

    def links(self) -> Mapping[str, Link]:
        """Every interface that exists now, by name, with absolute counters."""


class Neighbours(Protocol):
    """The devices that the kernel has heard of."""

    def sightings(self) -> Sequence[Sighting]:
        """Every device in the neighbour tables and on bridge ports; one device may appear more than once."""


class Flows(Protocol):
    """The kernel's connection tracking."""

    def connections(self) -> Mapping[Connection, int]:
        """How many connections are tracked between each two addresses now; empty where the kernel tracks none."""


class Sensors(Protocol):
    """The computer's own gauges."""

    def vitals(self) -> Vitals:
        """Load since the previous call, temperature, memory and storage."""


class Panel(Protocol):
    """LEDs and the button."""

    def presses(self) -> Sequence[Press]:
        """What the button has done since the previous call, oldest first."""

    def show(self, lights: Lights) -> None:
        """Make the LEDs burn like this; the same again changes nothing."""


class Firewall(Protocol):
    """The kernel's packet filter: rules for places, and sets of what must not pass there.

    What refuses returns the reason, and leaves the former state in force; `None`: it is done. Pieces of one set are
    disjoint; they end as long after now as their end is after `at_s`.
    """

    def install_rules(self, places: Sequence[Place]) -> str | None:
        """Put the rules for these places in force, in one transaction; what is in the sets stays."""

    def is_intact(self) -> bool:
        """Whether the rules are as they were left."""

    def tampered_by(self) -> str | None:
        """Who else has changed something of ours since the previous call; `None`: nobody."""

    def replace_elements(self, pieces: Mapping[BlockSet, Collection[Range]], at_s: float) -> str | None:
        """Put exactly these pieces in force, in one transaction, whatever was there before."""

    def update_elements(
        self, gone: Mapping[BlockSet, Collection[Bounds]], new: Mapping[BlockSet, Collection[Range]], at_s: float
    ) -> str | None:
        """Take some pieces away and put others, in one transaction."""

    def list_elements(self, block_set: BlockSet) -> Iterator[Sequence[Point]]:
        """What the kernel says is in a set, each portion a few milliseconds' work; nothing where the set is not there.

        One look at a time, to its end; what is changed meanwhile may be in it or not, and a set that grows meanwhile
        may not show all of what it holds.
        """

    def stopped(self) -> Mapping[str, int]:
        """By origin, the packets that were stopped since the rules were first put."""

    def hit_counts(self) -> Sequence[Hit]:
        """Who was stopped by which block how often, in the last minutes."""


class DnsFilter(Protocol):
    """The kernel's filter of look-ups: who asks for a denied name, or one below it, is told that there is none.

    What refuses returns the reason, and leaves the former state in force; `None`: it is done. A denial ends as long
    after now as its end is after `at_s`.
    """

    def replace_denials(self, places: Sequence[Place], denials: Collection[Denial], at_s: float) -> str | None:
        """Deny exactly these at exactly these places, as far as they exist; where nothing is denied, nothing stands.

        May take a tenth of a second, when it is the first or there are twice as many.
        """

    def update_denials(self, gone: Collection[Question], new: Collection[Denial], at_s: float) -> str | None:
        """Deny some no more, and others from now on; refused where nothing stands, or there is no room."""

    def is_intact(self) -> bool:
        """Whether it stands as it was left, at each place that exists now."""

    def refused(self) -> Mapping[str, int]:
        """By origin, the look-ups that were refused since the start."""

    def hit_counts(self) -> Sequence[Hit]:
        """Who was refused by which block how often."""


class Upstream(Protocol):
    """What the appliance itself needs of the network around it."""

    def essentials(self) -> Sequence[Protected]:
        """The gateways and name servers that it uses now."""

    def names(self) -> Sequence[str]:
        """The names by which people may look for it, in lower case."""


class Meters(Protocol):
    """The kernel's own meters, which count and hold departments whether this program lives or not."""

    def apply(self, plans: Sequence[Plan]) -> str | None:
        """Meter and hold exactly by these plans, in one transaction; a meter that is there already keeps its count.

        Returns `None`, or the reason why the kernel refused; then the former plans stay in force.
        """

    def read(self) -> Mapping[str, Reading]:
        """By department, its meter, and by `unclaimed_meter(interface)` what no department there claims.

        A meter that does not exist is left out.
        """

    def hosts(self) -> Mapping[str, Mapping[str, Reading]]:
        """By department and address, the meters of its hosts; takes tens of microseconds for each host."""

    def refused(self) -> int:
        """Packets that were turned away because a quota was used up, since the meters were first made."""

    def hold_hosts(self, left: Mapping[str, Mapping[str, int]]) -> str | None:
        """By department and address, the bytes that a host has left, by what `hosts` has just shown, or below 0.

        For departments whose plan limits hosts, and also takes tens of microseconds for each. A host that is not
        mentioned, and was not before, has its plan's whole limit. Returns `None`, or why the kernel refused.
        """


class Capture(Protocol):
    """Frames that a filter in the kernel let through: DNS answers, and the TCP segments that open or refuse."""

    def attach(self, interfaces: Iterable[str]) -> None:
        """Listen on exactly these of the interfaces, as far as they exist; cheap when nothing changed."""

    def frames(self) -> Sequence[Frame]:
        """What has arrived since the previous call, at most 64 frames, so that a busy line cannot starve the rest."""

    def lost(self) -> int:
        """Frames that the kernel dropped since the start because nobody took them in time."""


class Store(Protocol):
    """The state that survives a power cut. Every `save_*` is one transaction, on disk when it returns.

    What a person orders is refused where the medium is full or broken: `Refused` (`E_MAINTENANCE`), and nothing was
    saved.
    """

    def ledgers(self, account: AccountKey) -> Sequence[Ledger]:
        """The account's newest ledger of each kind."""

    def marks(self) -> Mapping[AccountKey, Mark]:
        """By account, the meter up to which its bytes are charged."""

    def saved_at(self) -> datetime | None:
        """When metering was saved last, by the wall clock; `None`: never."""

    def save_metering(
        self,
        ledgers: Mapping[AccountKey, Sequence[Ledger]],
        marks: Mapping[AccountKey, Mark],
        wall: datetime,
        *,
        forgotten: Collection[AccountKey] = (),
        synced: bool = False,
    ) -> bool:
        """Ledgers and marks by account, together: a byte is charged and marked, or neither.

        `forgotten`: accounts of which nothing is kept but this.
        `synced`: to the medium before it returns, where they hold what a person ordered.
        False: the medium is full or broken; nothing was saved, and it is worth trying again.
        """

    def limits(self) -> Mapping[AccountKey, Mapping[QuotaKind, int | None]]:
        """By account and kind, the limits that were set by hand over the configured ones; `None`: no limit."""

    def save_limit(self, account: AccountKey, kind: QuotaKind, limit_bytes: int | None) -> None:
        """Remember a limit that was set by hand, synced to the medium."""

    def blocks(self) -> Sequence[Block]:
        """Every block that was saved and not deleted."""

    def save_blocks(self, saved: Sequence[Block], deleted: Sequence[Block]) -> None:
        """Write or replace some blocks and forget others; a power cut may take it back until `sync`."""

    def sync(self) -> None:
        """See that all that was saved is on the medium. Raises `Refused`, `E_MAINTENANCE`, where that fails."""

    def learned(self) -> Sequence[LearnedAddress]:
        """What blocked names were seen to resolve to."""

    def save_learned(self, saved: Sequence[LearnedAddress], deleted: Sequence[LearnedAddress]) -> None:
        """Note what names resolve to, and what no more; not synced, because it will be seen again."""

    def reckoned_at(self) -> datetime | None:
        """The time by which blocks were last reckoned; `None`: never."""

    def save_reckoned(self, wall: datetime) -> None:
        """Remember the time by which blocks are reckoned; not synced, because the minute before will do."""

    def maintenance(self) -> Maintenance | None:
        """The maintenance that was announced or under way, or `None`."""

    def save_maintenance(self, maintenance: Maintenance | None) -> None:
        """Remember the maintenance, or that there is none."""


class HistoryStore(Protocol):
    """History on the disk, which may be lost; what must not be is in the `Store`."""

    def add(self, sums: Mapping[Series, Mapping[Key, Sequence[int]]]) -> str | None:
        """Add these bytes (up, down) to what is there, all in one transaction.

        Returns `None`, or why nothing was added; then it is worth trying again.
        """

    def read(self, step: Step, series: Series, buckets: range) -> Mapping[int, Passed]:
        """By bucket, what is kept of this series; empty where the file cannot be read."""

    def prune(self, step: Step, before: int, hosts_before: int, most: int) -> int:
        """Delete up to `most` records of buckets before these, the oldest first; returns how many, 0 when all is done.

        A record may hold some buckets; it is deleted when the last of them is old.
        """

    def fold(self) -> None:
        """Fold the log of changes into the file; takes up to a second, and its caller runs it beside the event loop."""


class AuditStore(Protocol):
    """The audit trail, to which is only added."""

    def record(self, entry: AuditEntry) -> None:
        """Append this entry, synced to the medium; where the medium does not take it, the log has it."""

    def read(
        self, most: int, before: int | None = None, who: str | None = None, action: str | None = None
    ) -> Sequence[StoredEntry]:
        """At most so many entries, the newest first; `before`: only those older than the entry with this number."""


class PeopleStore(Protocol):
    """People, tokens and revocations. A method that changes something returns once that is on the medium.

    Where the medium is full or broken, it raises `Refused` (`E_MAINTENANCE`), and nothing was saved.
    """

    def people(self) -> Sequence[Person]:
        """Every person who has a password."""

    def person(self, name: str) -> tuple[Person, str] | None:
        """A person with the hash of their password; `None`: there is none of this name."""

    def add_person(self, person: Person, password_hash: str, wall: datetime) -> bool:
        """Add a person; false: the name is taken."""

    def set_password(self, name: str, password_hash: str, wall: datetime) -> None:
        """Give a person another password and revoke the logins made with the old one."""

    def remove_person(self, name: str, wall: datetime) -> None:
        """Remove a person and revoke their logins."""

    def tokens(self) -> Sequence[TokenRecord]:
        """Every token that is remembered, the newest first."""

    def remember(self, token: TokenRecord) -> None:
        """Keep a token for the list."""

    def forget(self, before: datetime) -> None:
        """Forget the tokens that expired before this moment."""

    def revoke(self, token: TokenRecord, wall: datetime) -> None:
        """Revoke a token, remembered or not."""

    def revoked(self) -> frozenset[str]:
        """The ids of the revoked tokens."""

    def version(self) -> int:
        """A number that differs after every change, also by another process."""

    def floor(self) -> datetime | None:
        """The latest moment that has certainly passed; `None`: unknown."""

    def save_floor(self, wall: datetime) -> None:
        """Save that this moment has certainly passed."""


class PasswordHashing(Protocol):
    """Hashes passwords; either method may take a second."""

    def hashed(self, password: str) -> str:
        """The hash of a new password. Raises `Refused`."""

    def matches(self, password: str, password_hash: str) -> bool:
        """Whether this is the password. Raises `Refused`."""


class ConfigFiles(Protocol):
    """The configuration file, and the draft that may take its place; both are whole after a power cut."""

    def obstacle(self) -> str | None:
        """Why a draft could not take the file's place."""

    def save(self, content: bytes) -> str | None:
        """Keep this draft; returns why that is impossible."""

    def commit(self, content: bytes) -> str | None:
        """Make this the configuration file; returns why that fails."""


class Publisher(Protocol):
    """The way of an event to whoever may see it."""

    def __call__(self, event: Event) -> None:
        """Send the event to its audience and keep it for the snapshot if it is a state."""
