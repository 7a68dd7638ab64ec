"""The ports: what the steps need of the world, on one page. `system/` and `simulator/` both implement them.

A method returns at once with what is known now, or with a value that says what is missing; it raises only what should
end the process. Where a method says so, it may take tens of milliseconds, and its caller runs it beside the event loop.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from appliance.core.access.audit_entry import AuditEntry, StoredEntry
from appliance.core.access.login_queue import Waiting
from appliance.core.access.person import Person, TokenRecord
from appliance.core.alerting.message import AlertMessage
from appliance.core.alerting.notice import ChannelState, Notice
from appliance.core.alerting.report_order import ReportKey
from appliance.core.backup_state import BackupState
from appliance.core.blocking.answer_cache import HeardAddress
from appliance.core.blocking.block import Block
from appliance.core.blocking.blocked_names import LearnedAddress
from appliance.core.blocking.cover import Range
from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.protection import Protected
from appliance.core.blocking.sets import BlockSet
from appliance.core.detection.habits.habit import Habit
from appliance.core.detection.incident_record import IncidentRecord, Mute
from appliance.core.detection.rates.anomaly import StoredAnomaly
from appliance.core.kernel.nftables.elements import Bounds, Point
from appliance.core.machine import (
    Address,
    Connection,
    Frame,
    Lights,
    Link,
    NextHop,
    Press,
    Sighting,
    Vitals,
    Vlan,
)
from appliance.core.metering.account import AccountKey
from appliance.core.metering.history_series import Key, Series, Step
from appliance.core.metering.meter import Plan, Reading
from appliance.core.metering.quota import Ledger, QuotaKind, QuotaRequest
from appliance.core.metering.usage import Mark, Passed
from appliance.core.operations.foreign_rules import Listing
from appliance.core.operations.maintenance_window import Maintenance
from appliance.core.operations.schedule import Schedule
from appliance.core.operations.trial import StoredConfig
from appliance.core.operations.update import RunningRoot, Update, UpdateOrder
from appliance.core.pause import Pause, no_pause
from appliance.core.traffic.devices.device_register import KnownDevice, RegisterChanges
from appliance.core.traffic.devices.server_sign import ServerKey
from appliance.events import Event


class Interfaces(Protocol):
    """The kernel's network interfaces."""

    def links(self) -> Mapping[str, Link]:
        """Every interface that exists now, by name, with absolute counters."""


class Neighbours(Protocol):
    """The devices that the kernel knows on its links."""

    def sightings(self) -> Sequence[Sighting]:
        """Every device in the neighbour tables and on bridge ports; one device may appear more than once."""


class Flows(Protocol):
    """The kernel's connection tracking."""

    def connections(self, pause: Pause = no_pause) -> Mapping[Connection, int]:
        """The number of tracked connections between each two addresses now; empty where the kernel tracks none.

        `pause`: gives others their turn, each few milliseconds.
        """


class Sensors(Protocol):
    """The computer's own gauges."""

    def vitals(self) -> Vitals:
        """Load since the previous call, temperature, memory and storage."""


class Panel(Protocol):
    """LEDs and the button."""

    def presses(self) -> Sequence[Press]:
        """Presses of the button since the previous call, oldest first."""

    def show(self, lights: Lights) -> None:
        """Make the LEDs show these lights; the same lights again change nothing."""


class Firewall(Protocol):
    """The kernel's packet filter: rules for places, and sets of the addresses that must not pass there.

    A change returns `None`, or why the kernel refused it; then the former state stays in force. Pieces of one set are
    disjoint; they end as long after now as their `ends` is after `at_s`.
    """

    def install_rules(self, places: Sequence[Place]) -> str | None:
        """Put the rules for these places in force, in one transaction; the sets keep their elements."""

    def is_intact(self) -> bool:
        """Whether the rules are as they were installed."""

    def tampered_by(self) -> str | None:
        """The program that changed our rules or elements since the previous call; `None`: none did."""

    def replace_elements(self, pieces: Mapping[BlockSet, Collection[Range]], at_s: float) -> str | None:
        """Put exactly these pieces into the sets, in one transaction, whatever they had before."""

    def update_elements(
        self, gone: Mapping[BlockSet, Collection[Bounds]], new: Mapping[BlockSet, Collection[Range]], at_s: float
    ) -> str | None:
        """Remove some pieces and add others, in one transaction."""

    def let_pass(self, for_s: float) -> str | None:
        """Stop nothing for so long, whatever becomes of this program; 0: stop again what is in the sets, at once."""

    def list_elements(self, block_set: BlockSet) -> Iterator[Sequence[Point]]:
        """List a set in portions of a few milliseconds' work; nothing where the set does not exist.

        Only one listing at a time, and to its end. Elements that change meanwhile may be in it or not, and a set that
        grows meanwhile may not show all of its elements.
        """

    def stopped(self) -> Mapping[str, int]:
        """By origin, the packets that were stopped since the rules were first installed."""

    def hit_counts(self) -> Sequence[Hit]:
        """By block and host, the packets that were stopped in the last minutes."""


class DnsFilter(Protocol):
    """The kernel's filter of DNS queries: it answers queries for a denied name, or a name below it, with NXDOMAIN.

    While it denies anything, it drops what goes to port 53 and cannot be read to its question.
    A change returns `None`, or why the kernel refused it; then the former state stays in force. A denial ends as long
    after now as its `ends` is after `at_s`.
    """

    def replace_denials(self, places: Sequence[Place], denials: Collection[Denial], at_s: float) -> str | None:
        """Deny exactly these at exactly these places, as far as they exist; without denials the filter is removed.

        May take a tenth of a second, for the first denials or for twice as many as before.
        """

    def update_denials(self, gone: Collection[Question], new: Collection[Denial], at_s: float) -> str | None:
        """Remove some denials and add others; refused where there is no filter yet, or it is full."""

    def let_pass(self, for_s: float) -> str | None:
        """Refuse and drop nothing for so long, whatever becomes of this program; 0: refuse what is denied, at once."""

    def is_intact(self) -> bool:
        """Whether the filter is as it was installed, at each place that exists now."""

    def refused(self) -> Mapping[str, int]:
        """By origin, the look-ups that were refused since the start."""

    def unreadable(self) -> int:
        """Packets to port 53 that were dropped since the start, because their question could not be read."""

    def hit_counts(self) -> Sequence[Hit]:
        """By block and host, the look-ups that were refused."""


class Upstream(Protocol):
    """The network around the appliance, as far as it needs it itself."""

    def essentials(self) -> Sequence[Protected]:
        """The gateways and name servers that the appliance uses now."""

    def next_hops(self) -> Sequence[NextHop]:
        """The next hops of all routes; of a table of a million only some."""

    def names(self) -> Sequence[str]:
        """The names by which people may look for the appliance, in lower case."""

    def gateways(self) -> Iterable[Address]:
        """The next hops of the default routes."""

    def uplinks(self) -> Iterable[str]:
        """The interfaces of the default routes, those without a next hop too."""


class Forwarding(Protocol):
    """The kernel's settings for packets that pass through this computer."""

    def versions(self, interface: str, /) -> frozenset[int]:
        """The IP versions that the kernel forwards from this interface."""

    def filters_bridged(self) -> bool:
        """Whether bridged packets pass the forward chains for routed ones too."""

    def foreign_rules(self) -> Listing:
        """Other programs' tables with a forward chain; may take some milliseconds."""

    def offload(self, departments: Collection[str], carriers: Mapping[str, int], /) -> None:
        """Have the kernel take established connections from and to these interfaces by a shorter way, if it can.

        `carriers`: the interfaces that they may pass then, by name, with their index. Nothing is offloaded where
        another program has rules that are to see each packet. Cheap when nothing changed.
        """


class Meters(Protocol):
    """The kernel's own meters, which count and hold departments even while this program is dead."""

    def apply(self, plans: Sequence[Plan]) -> str | None:
        """Meter and hold exactly by these plans, in one transaction; an existing meter keeps its count.

        Returns `None`, or why the kernel refused; then the former plans stay in force.
        """

    def read(self) -> Mapping[str, Reading]:
        """The meters by department, and by `unclaimed_meter(interface)` what none claims. Missing: no meter."""

    def hosts(self) -> Mapping[str, Mapping[str, Reading]]:
        """The meters of hosts, by department and host; takes tens of microseconds for each host.

        A host is named by its device's MAC address, behind a router by its IP address, and `NEWCOMERS` are together all
        that found no room.
        """

    def newcomers(self) -> Mapping[str, tuple[int, int]]:
        """By department, the bytes of its newcomers, and their packets that were refused; missing: there were none.

        When `read` or `hosts` was called last; cheap.
        """

    def refused_hosts(self) -> Mapping[str, frozenset[str]]:
        """By department, the hosts that are stopped because their next packet did not fit in what they had left; cheap.

        Until `hold_hosts` gives them more.
        """

    def make_room(self, used: Mapping[str, Mapping[str, int]]) -> Mapping[str, Sequence[str]]:
        """Remove the meters and limits of the hosts that have used least, where room for hosts becomes scarce.

        `used`: by department and host, the bytes in the running periods. Returns those removed, by department. To be
        called after `hosts` and `hold_hosts`.
        """

    def spoofed(self) -> int:
        """Packets that were dropped because of a false source address, since the meters were first made."""

    def unread(self) -> Mapping[str, Mapping[str, int]]:
        """By interface, the bytes of frames whose addresses no rule can read, by kind (`PPPoE`, ...)."""

    def refused(self) -> int:
        """Packets that were turned away because a quota was used up, since the meters were first made."""

    def let_pass(self, for_s: float) -> str | None:
        """Go on counting, and limit nobody for so long, whatever becomes of this program; 0: limit again, at once.

        Returns `None`, or why the kernel refused.
        """

    def hold_hosts(self, left: Mapping[str, Mapping[str, int]]) -> str | None:
        """Set the bytes that hosts have left, by department and host; below 0: more was used than allowed.

        `left` goes by what `hosts` has just shown, and has only departments whose plan limits hosts. A host that was
        never in it has its plan's whole limit. Takes tens of microseconds for each host. Returns `None`, or why the
        kernel refused.
        """


class Backups(Protocol):
    """Makes backups, one at a time, beside the event loop."""

    def begin(self, day: date) -> None:
        """Begin the backup of this local day; nothing is made twice."""

    def outcome(self) -> str | None:
        """`None` while it goes on, an empty text where it is made, else why it failed."""

    def end(self) -> None:
        """End the one that goes on; nothing of it is left."""

    def settle(self) -> None:
        """Wait until it has ended and writes nothing more."""


class PageBackups(Protocol):
    """Makes a backup that the page fetches, or restores one that it gives; one at a time, beside the event loop.

    All but `state` raise `Refused`.
    """

    def state(self) -> BackupState:
        """How far it is."""

    def make(self, passphrase: str) -> None:
        """Begin to make one."""

    def read(self, offset: int, most: int) -> bytes:
        """So many bytes at most of the one that is made; none at its end."""

    def take(self, offset: int, piece: bytes) -> int:
        """Take a piece of one that is to be restored; returns how many bytes there are."""

    def judge(self, passphrase: str) -> None:
        """Begin to judge the one that was given; it changes nothing."""

    def restore(self, actor: str) -> None:
        """Put the one that was judged in the place of all that is there; the service ends and starts with it."""

    def discard(self) -> None:
        """Forget what was made, given or judged."""


class Vendors(Protocol):
    """To whom hardware addresses were given."""

    def vendor(self, mac: str, /) -> str | None:
        """The vendor of a device with this hardware address; `None`: not known. Takes some microseconds."""


class Capture(Protocol):
    """Captures the frames that a filter in the kernel passes: what names a site or a device, and connections' ends."""

    @property
    def descriptor(self) -> int | None:
        """A file descriptor that can be read from while frames wait; `None`: they have to be looked for."""

    def attach(self, interfaces: Iterable[str], vlans: Iterable[Vlan | None] = ()) -> None:
        """Listen on exactly these interfaces, as far as they exist; cheap when nothing changed. `vlans`: theirs."""

    def frames(self) -> Sequence[Frame]:
        """Frames since the previous call, at most 64, so that a busy line cannot starve other work."""

    def lost(self) -> int:
        """Frames that the kernel dropped since the start because this program was too slow."""


class Store(Protocol):
    """The state that survives a power cut. Every `save_*` is one transaction, on disk when it returns.

    Where the medium is full or broken, people's orders raise `Refused` (`E_MAINTENANCE`), and nothing was saved.
    """

    @property
    def is_held(self) -> bool:
        """Whether nothing is written: orders are kept in memory, and metering is saved afterwards."""

    def is_answering(self) -> bool:
        """Whether a query comes back; what the medium takes is another question."""

    def ledgers(self, account: AccountKey) -> Sequence[Ledger]:
        """The account's newest ledger of each kind."""

    def closed_ledgers(self, account: AccountKey, kind: QuotaKind, before: date, most: int) -> Sequence[Ledger]:
        """The account's ledgers of periods that began before this day, at most so many, newest first."""

    def used_by_day(self, account: AccountKey) -> Mapping[date, int]:
        """By local day, the bytes that the account used in it, as far as its daily ledgers are kept."""

    def marks(self) -> Mapping[AccountKey, Mark]:
        """By account, the reading of the meter up to which its bytes are charged."""

    def saved_at(self) -> datetime | None:
        """Time of the last `save_metering`, by the wall clock; `None`: never."""

    def save_metering(
        self,
        ledgers: Mapping[AccountKey, Sequence[Ledger]],
        marks: Mapping[AccountKey, Mark],
        wall: datetime,
        *,
        forgotten: Collection[AccountKey] = (),
    ) -> bool:
        """Ledgers and marks by account, together: a byte is charged and marked, or neither.

        `forgotten`: accounts of which all earlier records are deleted. Until `sync`, a power cut may undo it. Returns
        False where the medium is full or broken: nothing was saved, and trying again helps.
        """

    def limits(self) -> Mapping[AccountKey, Mapping[QuotaKind, int | None]]:
        """The limits that people set over the configured ones, by account and kind; `None`: no limit."""

    def save_limit(self, account: AccountKey, kind: QuotaKind, limit_bytes: int | None) -> None:
        """Save a limit that a person set; until `sync`, a power cut may undo it."""

    def quota_requests(self) -> Sequence[QuotaRequest]:
        """What people have asked for, the oldest first."""

    def save_quota_requests(self, saved: Sequence[QuotaRequest], deleted: Sequence[str]) -> None:
        """Write or replace some requests, and delete others by their ids; until `sync`, a power cut may undo it."""

    def devices(self) -> Mapping[str, Sequence[KnownDevice]]:
        """The saved devices, by department."""

    def learning(self) -> Mapping[str, float]:
        """By department, since when its devices are learned, in seconds since 1970."""

    def save_devices(self, changes: Mapping[str, RegisterChanges]) -> None:
        """Save what has changed of the devices, by department; until `sync`, a power cut may undo it."""

    def known_servers(self) -> Mapping[str, Sequence[ServerKey]]:
        """The servers that departments were learned to have, by department."""

    def save_known_server(self, department: str, server: ServerKey) -> None:
        """Save that a department has this server; until `sync`, a power cut may undo it."""

    def incidents(self) -> Sequence[IncidentRecord]:
        """The incidents that were saved, the latest changed last."""

    def save_incidents(self, saved: Sequence[IncidentRecord], deleted: Sequence[str]) -> None:
        """Write or replace some incidents, and delete others by their ids; until `sync`, a power cut may undo it."""

    def mutes(self) -> Sequence[Mute]:
        """What is muted, the oldest first."""

    def habits(self) -> Sequence[Habit]:
        """What devices do each day."""

    def save_habits(self, saved: Sequence[Habit], deleted: Sequence[str]) -> None:
        """Save or replace some habits, and delete others by their ids; until `sync`, a power cut may undo it."""

    def save_mutes(self, saved: Sequence[Mute], deleted: Sequence[str]) -> None:
        """Write or replace some mutes, and delete others by their ids; until `sync`, a power cut may undo it."""

    def blocks(self) -> Sequence[Block]:
        """All saved blocks."""

    def save_blocks(
        self, saved: Sequence[Block], deleted: Sequence[Block], pause: Callable[[], None] | None = None
    ) -> None:
        """Write or replace some blocks and delete others, all or none; until `sync`, a power cut may undo it.

        `pause`: gives others their turn, again and again, before anything is changed.
        """

    def sync(self) -> None:
        """Wait until all that was saved is on the medium, while others have their turn.

        Raises `Refused` (`E_MAINTENANCE`) where that fails.
        """

    def learned(self) -> Sequence[LearnedAddress]:
        """The addresses that blocked names were seen to resolve to."""

    def save_learned(self, saved: Sequence[LearnedAddress], deleted: Sequence[LearnedAddress]) -> None:
        """Save some learned addresses and delete others; not synced, because they will be seen again."""

    def answers(self, at_s: float) -> Sequence[HeardAddress]:
        """The addresses that hosts were told in the day before, the oldest first; unreadable ones are left out."""

    def save_answers(self, saved: Sequence[HeardAddress]) -> None:
        """Add what hosts were told; not synced, because it may be lost."""

    def reckoned_at(self) -> datetime | None:
        """The latest saved time of the blocks' clock; `None`: never saved."""

    def save_reckoned(self, wall: datetime) -> None:
        """Save the time of the blocks' clock; not synced, because an earlier one will do."""

    def schedules(self) -> Sequence[Schedule]:
        """The schedules, the oldest first."""

    def save_schedules(self, saved: Sequence[Schedule], deleted: Sequence[str]) -> None:
        """Write some schedules, and delete others by their ids; until `sync`, a power cut may undo it."""

    def sent_reports(self) -> Mapping[ReportKey, date]:
        """The first day of the latest report that was sent, by channel, department and kind."""

    def save_sent_reports(self, sent: Mapping[ReportKey, date]) -> None:
        """Save some of them; until `sync`, a power cut may undo it."""

    def maintenances(self) -> Sequence[Maintenance]:
        """The maintenance under way, if there is one, and those that are announced."""

    def save_maintenances(self, plan: Sequence[Maintenance]) -> None:
        """Save these instead of those before; until `sync`, a power cut may undo it."""


class NoticeStore(Protocol):
    """Notices, and what each channel has still to deliver. Nothing waits for the medium.

    Where the medium is full or broken, and in maintenance, a method that changes something returns false, and nothing
    was changed.
    """

    def add(self, notices: Sequence[tuple[Notice, Mapping[str, datetime | None]]]) -> bool:
        """Record notices, and queue each for its channels until it is due; `None`: at once.

        The oldest of too many are forgotten, and given up by the channels that have not delivered them.
        """

    def attempt(self, channel: str, now: datetime, most: int) -> Sequence[Notice]:
        """What the channel is to deliver, oldest first: until it is settled or given up, the same again."""

    def has_waiting(self, channel: str, now: datetime) -> bool:
        """Whether the channel has anything to deliver now."""

    def waiting(self) -> Mapping[str, int]:
        """How many notices each channel has still to deliver, now or later."""

    def states(self) -> Mapping[str, ChannelState]:
        """How each channel fares, as far as it has tried."""

    def settle(self, channel: str, state: ChannelState, numbers: Sequence[int] = ()) -> bool:
        """Save how a channel fares, and forget the notices that it has delivered."""

    def give_up(self, channel: str, numbers: Sequence[int]) -> bool:
        """Forget notices that a channel could not deliver, and count them."""

    def forget_channels(self, known: Sequence[str]) -> None:
        """Forget the channels beside these, and what they had to deliver."""

    def recorded(self, before: int | None, most: int) -> Sequence[Notice]:
        """At most so many notices, the newest first. `before`: only those with a smaller number."""


class Outlet(Protocol):
    """A way out of the appliance. Its methods wait for the network: their caller runs them beside the event loop."""

    def send(self, message: AlertMessage) -> str | None:
        """Deliver a message; returns `None`, or why the receiver has not taken it."""


class KeptConnection(Protocol):
    """An outlet's connection that stays open between two messages."""

    @property
    def is_open(self) -> bool:
        """Whether it is there."""

    def open(self) -> str | None:
        """Make it; returns `None`, or why that failed. It waits for the network, beside the event loop."""

    def turn(self) -> None:
        """Do what it needs now, without waiting."""


class HistoryStore(Protocol):
    """History on the disk, which may be lost; state that must survive is in the `Store`."""

    def accumulate(self, sums: Mapping[Series, Mapping[Key, Sequence[int]]]) -> str | None:
        """Add these bytes (up, down) to the saved ones, in one transaction.

        Returns `None`, or why nothing was added; then trying again helps.
        """

    def passed_in(self, step: Step, series: Series, buckets: range) -> Mapping[int, Passed]:
        """The saved bytes of this series, by bucket; empty where the file cannot be read."""

    def prune(self, step: Step, before: int, hosts_before: int, most: int) -> int:
        """Delete up to `most` records of buckets before these, the oldest first; returns their number, 0 at the end.

        A record may have several buckets; it is deleted when the last of them is old.
        """

    def fold(self) -> None:
        """Fold the log of changes into the file; takes up to a second, and its caller runs it beside the event loop."""


class RateStore(Protocol):
    """What is usual for departments, and which anomalies there were; both may be lost."""

    def save_learned_rates(self, learned: Mapping[str, bytes]) -> None:
        """Save what was learned, by department, over what was saved before; a failure is logged."""

    def learned_rates(self) -> Mapping[str, bytes]:
        """What was saved, by department; empty where the file cannot be read."""

    def save_sent_volumes(self, learned: Mapping[str, bytes]) -> None:
        """Save how much devices send, by department, over what was saved before; a failure is logged."""

    def sent_volumes(self) -> Mapping[str, bytes]:
        """What was saved, by department; empty where the file cannot be read."""

    def add_anomaly(self, one: StoredAnomaly) -> None:
        """Save an anomaly; the oldest of too many is deleted; a failure is logged."""

    def anomalies(
        self, departments: Sequence[str], since: datetime, until: datetime, most: int
    ) -> Sequence[StoredAnomaly]:
        """Those that were told from `since` until before `until`, the newest first, at most so many."""


class AuditStore(Protocol):
    """The audit trail, which only grows."""

    def record(self, entry: AuditEntry) -> None:
        """Append this entry, synced to the medium; where the medium is full or broken, the log has the entry."""

    def entries(
        self,
        most: int,
        *,
        before: int | None = None,
        who: str | None = None,
        action: str | None = None,
        contains: str | None = None,
    ) -> Sequence[StoredEntry]:
        """At most so many entries, the newest first; `before`: only those older than the entry with this number.

        `contains`: only those with this text in them. Raises `Refused` (`E_MAINTENANCE`) where the medium cannot be
        read.
        """

    def is_intact(self) -> bool | None:
        """Whether each entry follows from the one before; `None`: it cannot be told."""


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

    def last_seen(self) -> Mapping[str, datetime]:
        """When tokens and people were last seen, as `save_last_seen` got it."""

    def save_last_seen(self, seen: Mapping[str, datetime | None]) -> None:
        """Save when these were last seen; `None`: forget it. It may be lost."""

    def floor(self) -> datetime | None:
        """The latest moment that has certainly passed; `None`: unknown."""

    def save_floor(self, wall: datetime) -> None:
        """Save that this moment has certainly passed."""


class PasswordHashing(Protocol):
    """Hashes passwords, one at a time; either method may take a second, and as long again for each visitor before."""

    def hashed(self, password: str) -> str:
        """The hash of a new password. Raises `Refused`."""

    def matches(self, password: str, password_hash: str, visitor: Waiting, begin: Callable[[], None]) -> bool:
        """Whether this is the password. Raises `Refused`, also what `begin` raises, called when it is their turn."""


class ConfigFiles(Protocol):
    """The configuration file and its draft; both are whole after a power cut."""

    def obstacle(self) -> str | None:
        """Why a draft could not replace the file; `None`: it could."""

    def stored(self) -> StoredConfig | None:
        """The configuration file; `None`: the service runs without one. Raises `Refused` where it cannot be read."""

    def save(self, content: bytes) -> str | None:
        """Save this draft; returns `None`, or why that failed."""

    def commit(self, content: bytes) -> str | None:
        """Replace the configuration file by this; returns `None`, or why that failed."""

    def order_reset(self) -> str | None:
        """Order that the next start erases state and configuration; returns `None`, or why that failed."""


class Updates(Protocol):
    """Updates of the whole computer, which another program carries out."""

    def obstacle(self) -> str | None:
        """Why nothing can be updated here; `None`: it can."""

    def running(self) -> RunningRoot | None:
        """The root that runs; `None`: there is only one."""

    def latest(self) -> Update | None:
        """The latest update, as it is now; `None`: there was none."""

    def looked_at(self) -> str:
        """When the appliance last looked for an update by itself; empty: never."""

    def is_ordered(self) -> bool:
        """Whether an order has not been taken yet."""

    def order(self, order: UpdateOrder) -> None:
        """Order it. Raises `Refused`."""


class Publisher(Protocol):
    """Sends events to the people who may see them."""

    def __call__(self, event: Event) -> None:
        """Send the event to its audience, and keep it for the snapshot if it is a state."""
