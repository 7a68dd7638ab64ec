"""Enforcement: saves an order, makes the kernel obey, syncs it to the medium, and only then publishes it.

Where the position cannot enforce, the same blocks are kept and published, with `enforced` false. A step looks only at
blocks that expired and at signs of tampering, not at 100,000 blocks.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from appliance.core import holdover
from appliance.core.blocking.block import Block, BlockKey, BlockOrigin, BlockRequest
from appliance.core.blocking.block_index import BlockIndex, IndexChange
from appliance.core.blocking.blocked_names import LearnedAddress, SharedAddresses, SparedAddress
from appliance.core.blocking.lists.block_list import ORIGIN
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.protection import Protected, Protections
from appliance.core.blocking.targets import parse_target
from appliance.core.machine import Facing, Position
from appliance.core.metering.department import Department, claims_of
from appliance.core.moment import Moment
from appliance.core.pause import no_pause
from appliance.core.positions import POSITIONS
from appliance.core.refusal import Code, Refused
from appliance.core.traffic.dns import DnsAnswer
from appliance.monitor.blocking.announcements import MOST_AT_ONCE, BlockAnnouncer
from appliance.monitor.blocking.dns_reconciler import DnsReconciler
from appliance.monitor.blocking.hits import HitCounters, log_some
from appliance.monitor.blocking.name_learning import NameLearning
from appliance.monitor.blocking.protections import ProtectedAddresses
from appliance.monitor.blocking.reconciler import Reconciler
from appliance.monitor.blocking.suspended_blocks import SuspendedBlocks
from appliance.ports import DnsFilter, Firewall, Interfaces, Publisher, Store, Upstream

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_BLOCKS = 200_000  # what the kernel was measured to take in one transaction in less than two seconds
TIME_SAVED_S = 300.0  # how much longer a block may last after a power cut; the medium is written to as often
SLICE = 100  # blocks of an order that are judged, or put in force, in one go: some milliseconds
PROTECTED_S = 5.0  # how long an address may stay blocked that has just become the appliance's; a look opens four files
MOST_TOLD = 5  # blocks not wholly in force that are named; people mend those and see the next
STRAYED = timedelta(seconds=2)  # a smaller move of the wall clock leaves the lifetimes in the kernel as they are


class Enforcement:
    """Keeps the blocks, and the kernel in agreement with them. `require_writable`: raises `Refused` in maintenance."""

    _time_saved_s = 0.0  # when the blocks' clock was last saved, by the monotonic clock
    _protected_s = 0.0  # when the protections were last applied, likewise
    _scheduled: frozenset[BlockKey] = frozenset()  # what schedules wanted at the latest look
    is_open = False  # in maintenance nothing may be stopped, though all is in the kernel

    def __init__(
        self,
        *,
        departments: Sequence[Department],
        position: Position,
        protected: Sequence[Protected],
        interfaces: Interfaces,
        upstream: Upstream,
        firewall: Firewall,
        dns_filter: DnsFilter,
        store: Store,
        require_writable: Callable[[], None],
        publish: Publisher,
        shared: SharedAddresses,
    ) -> None:
        self.can_enforce = POSITIONS[position].can_enforce
        self._interfaces = {one.id: one.interface for one in departments}
        self._store, self._require_writable, self._holdover = store, require_writable, holdover.NOT_STARTED
        self._announcer = BlockAnnouncer([*self._interfaces], publish, can_enforce=self.can_enforce)
        places = _places(departments, POSITIONS[position].facing)
        self._index, self._protected = BlockIndex(), ProtectedAddresses(protected, departments, interfaces, upstream)
        self._learning = NameLearning(self._index, departments, self._protected, store, shared)
        self._reconciler = Reconciler(places, interfaces, firewall)
        self._dns_reconciler = DnsReconciler(self._reconciler.places, self._index.names, dns_filter)
        self._hits, self._suspended = HitCounters(self._index, firewall, dns_filter), SuspendedBlocks(self._index)

    def restore(self, now: Moment, scheduled: Sequence[Block] = ()) -> None:
        """Put the saved blocks in force. To be called once, before all else, if possible before anything is forwarded.

        `scheduled`: as for `hold_scheduled`. Nothing is published yet: the first step does that.
        """
        self._holdover = holdover.earliest(now, self._store.reckoned_at())
        now = self._holdover.moment(now)
        self._index.protect(self._protected.protections(now))
        blocks = self._configured(self._store.blocks())
        restored = self._index.apply([one if one.number else self._numbered(one) for one in blocks], [])
        held, _ = self._take_scheduled(scheduled)
        learned = self._index.learn(self._store.learned())
        self._announcer.expect(blocks)
        whole = restored.then(held)._replace(put=[*restored.put, *held.put, *learned.put])
        self._enforce(whole.then(self._index.settle((None, *self._interfaces))), now)
        self._tell_open({})

    def remember(self, now: Moment) -> None:
        """Remember what hosts were told in the last day. To be called once, after `restore`, before all calls."""
        now = self._holdover.moment(now)
        self._enforce(self._learning.restore(now), now)

    def block(
        self, requests: Sequence[BlockRequest], now: Moment, pause: Callable[[], None] = no_pause
    ) -> Sequence[Block]:
        """Block these targets in one transaction, all or none; an existing block of the same target is replaced.

        `pause`: gives others their turn, before all is saved and while the kernel gets one slice after the other.

        Raises `Refused`, naming the target that cannot be blocked: `E_MAINTENANCE` (on a full disk too),
        `E_BAD_REQUEST`, `E_PROTECTED_ADDRESS`. Only where the medium fails at the very end, the blocks are in force all
        the same.
        """
        self._require_writable()
        now = self._holdover.moment(now)
        judged = self._judged(requests, now, pause)
        self._require_space(judged.values())
        if len(self._index) + sum(key not in self._index for key in judged) > MOST_BLOCKS:
            raise Refused(Code.BAD_REQUEST, f"there may be {MOST_BLOCKS} blocks; lift some, or block prefixes")
        blocks = list(judged.values())
        self._save(blocks, [], pause)
        if len(blocks) > SLICE:
            pause()
        for some in _slices(blocks, pause):
            latest = [one for one in some if one.key not in self._index or self._index[one.key].number <= one.number]
            self._announcer.expect(latest)
            self._enforce(self._index.apply(latest, []), now)
        if len(blocks) > SLICE:  # another order between the slices has not seen what this one was about to block
            self._enforce(self._index.settle((None, *self._interfaces)), now)
        self._enforce(self._learning.recall(blocks, now), now)
        self._suspended.forget(blocks)
        try:
            self._store.sync()  # before anything is published, but after the kernel: a medium may take 0.1 s
        finally:  # the blocks are in force even so
            log_some(log, "%s blocks %s: %s", [(one.actor, one.target, one.reason) for one in blocks])
            self._announce_begun(now, len(blocks))  # no more: a client orders faster than the steps follow each other
        return [self._index.get(one.key) or one for one in blocks]

    def unblock(
        self,
        targets: Sequence[str],
        department: str | None,
        actor: str,
        now: Moment,
        *,
        origin: str | None = None,
        pause: Callable[[], None] = no_pause,
    ) -> Sequence[Block]:
        """Lift the blocks of these targets in one transaction; `origin`: only those of it, `None`: of every origin.

        `pause`: as for `block`.

        Raises `Refused`: `E_MAINTENANCE`, `E_BAD_REQUEST` where a target is not blocked; then none is lifted. Only
        where the medium fails at the very end, all are lifted all the same.
        """
        self._require_writable()
        now = self._holdover.moment(now)
        sliced = (parse_target(one) for some in _slices(targets, pause) for one in some)
        found = [one for target in sliced for one in self._found(target, department, origin)]
        lifted = list({one.key: one for one in found}.values())
        self._save([], lifted, pause)
        self._suspended.forget(lifted)
        # Else a step between the slices would announce, and save, some again.
        self._announcer.forget(one for one in lifted if self._index.numbered(one.number) is not None)
        if len(lifted) > SLICE:
            pause()
        for some in _slices(lifted, pause):
            known = ((one, self._index.get(one.key)) for one in some)
            self._enforce(self._index.apply([], [one for one, is_ in known if is_ and is_.number == one.number]), now)
        try:
            self._store.sync()
        finally:  # they are lifted even so
            log_some(log, "%s lifts the block of %s", [(actor, one.target) for one in lifted])
            self._announcer.announce_ended(lifted, f"lifted by {actor}", now)
        return lifted

    def hold_scheduled(self, wanted: Sequence[Block], now: Moment) -> None:
        """Have these blocks of schedules in force, and no others of schedules; also in maintenance, and on a full disk.

        Their numbers do not matter. Nothing of them is saved.
        """
        now = self._holdover.moment(now)
        change, over = self._take_scheduled(wanted)
        if any(change) or over:
            self._enforce(change.then(self._index.settle((None, *self._interfaces))), now)
            self._enforce(self._learning.recall(wanted, now), now)
            self._announcer.forget(over)
            self._announcer.announce_ended(over, "its schedule is over", now)
            self._announce_begun(now, len(wanted))

    def suspend(self, allowed: Mapping[tuple[str, str | None], datetime], now: Moment) -> None:
        """Let pass what was blocked before its allowance began, and put back in force what is no longer allowed.

        `allowed`: since when, by target and department. A later block holds, and so does an entry of a list.
        """
        now = self._holdover.moment(now)
        back, ended = self._suspended.take_back(allowed, now.wall)
        back = [replace(self._numbered(one), announced=False) for one in back]
        passing = self._suspended.suspend(allowed)
        if not (back or ended or passing):
            return
        if back or ended:
            self._note(lambda: self._store.save_blocks(back, ended))
        self._announcer.forget(passing)
        self._announcer.expect(back)
        self._enforce(self._index.apply(back, passing), now)
        self._enforce(self._learning.recall(back, now), now)
        self._announcer.announce_ended(passing, "a schedule allows it", now)

    def objections(
        self,
        targets: Sequence[str],
        now: Moment,
        caller_address: str | None = None,
        pause: Callable[[], None] = no_pause,
    ) -> Mapping[str, str]:
        """By target, as `parse_target` writes it, why this caller may never block it; allowed targets are left out."""
        protections = self._protected.protections(now, caller_address)
        rules = ((one, protections.rule_for(one)) for some in _slices(targets, pause) for one in some)
        return {target: rule for target, rule in rules if rule is not None}

    def objection(self, target: str, department: str | None, now: Moment, caller_address: str | None) -> str | None:
        """Why this caller may not block this target there; `None`: nothing is against it."""
        rule = self.objections([target], now, caller_address).get(target)
        departments = (None, *self._interfaces) if department is None else (department,)
        return rule or self._index.shield.would_fill([target], departments).get(target)

    def holds_in(self, department: str | None) -> Sequence[str]:
        """The departments in which a block of this department, or of all (`None`), would be in force now."""
        if not self.can_enforce:
            return []
        present = self._reconciler.present
        return [one for one, at in self._interfaces.items() if department in {None, one} and at in present]

    def protections(self, now: Moment) -> Protections:
        """What is protected at this instant."""
        return self._protected.protections(now)

    def blocks(self, now: Moment) -> Sequence[Block]:
        """The blocks that should be in force."""
        wall = self._holdover.moment(now).wall
        return [block for block in self._index if block.is_live(wall)]

    def find(self, target: str, department: str | None) -> Sequence[Block]:
        """The blocks of this target in this department, of every origin. `target`: as `parse_target` writes it."""
        return self._index.find(target, department, None)

    def remaining_s(self, block: Block, now: Moment) -> float | None:
        """Seconds until the block ends, also while the wall clock is not trusted; `None`: until it is lifted."""
        return block.remaining_s(self._holdover.moment(now).wall)

    def is_enforced(self, block: Block) -> bool:
        """Whether the block is in force at an interface of one of its departments, as far as is known."""
        absent, present = self._reconciler.absent, self._reconciler.present
        if not self.can_enforce or self.is_open or absent is None:
            return False
        if block.key in absent or block.key in self._index.shield.withheld:
            return False
        concerned = [one for one in self._interfaces if block.department in {None, one}]
        return any(self._interfaces[one] in present for one in concerned)

    def tally(self, department: Department) -> tuple[int, int]:
        """The number of blocks that concern the department, and how many of them are in force."""
        wanted = self._index.count(department.id)
        absent = self._reconciler.absent
        is_held = self.can_enforce and not self.is_open and absent is not None
        if not is_held or department.interface not in self._reconciler.present:
            return wanted, 0
        out = {*(absent or ()), *self._index.shield.withheld}
        lost = [block for key in out if (block := self._index.get(key)) is not None]
        return wanted, wanted - sum(block.department in {None, department.id} for block in lost)

    def troubles(self, now: Moment) -> Sequence[str]:
        """Sentences for people: what is not in force and why, recent tampering, and addresses that were spared."""
        spared = self._learning.troubles()
        return [*self._reconciler.troubles(now), *self._dns_reconciler.troubles(now), *spared, *self._open_troubles()]

    def fault(self) -> str | None:
        """Why the kernel has not what it should have; `None`: it has, or this position enforces nothing."""
        return (self._reconciler.fault() or self._dns_reconciler.fault()) if self.can_enforce else None

    def notes(self, department: str, now: Moment) -> Sequence[str]:
        """Sentences about what is as configured, and worth knowing in this department."""
        return [*self._learning.notes(department), *self._dns_reconciler.notes(now)]

    def resolved(self, block: Block) -> tuple[Sequence[LearnedAddress], Sequence[SparedAddress]]:
        """The addresses and aliases that the block of a name holds, and those that are spared."""
        return self._learning.resolved(block)

    def save(self) -> None:
        """Save what is only worth saving now and then, at a stop."""
        self._learning.save()

    def stopped(self) -> Mapping[str, int]:
        """By origin, the packets stopped since the rules were first installed, refused look-ups among them.

        Empty where the position cannot enforce.
        """
        return self._hits.stopped() if self.can_enforce else {}

    def stopped_last_hour(self) -> Mapping[int, int] | None:
        """By number of a block, the packets that it stopped in the last hour; `None`: this position stops nothing."""
        return self._hits.last_hour() if self.can_enforce else None

    def log_hits(self) -> Sequence[tuple[Block, Hit]]:
        """Log which block stopped which host how often since the previous call, the busiest first; returns the same."""
        return self._hits.log_news() if self.can_enforce else ()

    def refuses(self, department: str, name: str) -> bool:
        """Whether the kernel refuses the department's look-ups of this name."""
        return self.can_enforce and not self.is_open and self._dns_reconciler.refuses(department, name)

    def let_pass(self, for_s: float) -> str | None:
        """Have the kernel stop nothing for so long, or stop again all that is blocked (0); returns why it does not."""
        if not self.can_enforce:
            return None
        refusal, of_names = self._reconciler.let_pass(for_s), self._dns_reconciler.let_pass(for_s)
        if refusal is None:
            self.is_open = for_s > 0
        return refusal or of_names

    def hear(self, department: str, answer: DnsAnswer, now: Moment) -> None:
        """Take note of a DNS answer to a host of the department; the addresses of a blocked name become blocked."""
        now = self._holdover.moment(now)
        self._enforce(self._learning.hear(department, answer, now), now)

    def step(self, now: Moment) -> None:
        """Drop what expired, restore what the kernel lost, and publish which blocks began and ended."""
        is_moved = self._follow_clock(now)
        now = self._holdover.moment(now)
        self._protect(now)
        ended, forgotten = self._index.take_expired(now.wall.timestamp())
        for change in (self._learning.forget(forgotten), self._learning.step(now)):
            self._enforce(change, now)
        if ended:
            self._note(lambda: self._store.save_blocks([], _saved(ended)))
            self._enforce(self._index.apply([], ended), now)
            self._announcer.announce_ended(ended, "its time has run out", now)
        if self.can_enforce:
            self._reconciler.step(now, is_moved=is_moved)
            self._dns_reconciler.step(now, self._reconciler.present, is_moved=is_moved)
        self._announce_begun(now)

    def audit(self, now: Moment, pause: Callable[[], None]) -> None:
        """Compare all that the kernel has with the wanted state. `pause`: gives others their turn, again and again."""
        if self.can_enforce:
            self._reconciler.audit(self._holdover.moment(now), pause)

    def _judged(
        self, requests: Sequence[BlockRequest], now: Moment, pause: Callable[[], None]
    ) -> dict[BlockKey, Block]:
        is_provisional = not (now.is_trusted or self._holdover.since.is_trusted)
        callers = {request.caller_address for request in requests}
        protections = {one: self._protected.protections(now, one) for one in callers}
        judged: dict[BlockKey, Block] = {}
        for asked in (one for some in _slices(requests, pause) for one in some):
            target = parse_target(asked.target)
            protected = protections[asked.caller_address]
            rule = protected.rule_for(target)
            # A list is taken without what is protected (`Shield`); it is told with the list.
            if rule is not None and (not asked.origin.startswith(ORIGIN) or protected.is_forbidden(target)):
                raise Refused(Code.PROTECTED_ADDRESS, f"{target} is protected: {rule}")
            ends = now.wall + timedelta(seconds=asked.duration_s) if asked.duration_s else None
            block = Block(
                target=target,
                reason=asked.reason,
                actor=asked.actor,
                origin=asked.origin,
                started_at=now.wall,
                department=asked.department,
                expires_at=ends,
                number=self._index.next_number(),
                is_provisional=is_provisional,
            )
            judged[block.key] = block
        return judged

    def _require_space(self, blocks: Collection[Block]) -> None:
        """Raise `Refused` where these blocks, together with those that there are, fill a space."""
        departments = {one.department for one in blocks}
        filling = self._index.shield.would_fill(
            [one.target for one in blocks], (None, *self._interfaces) if None in departments else departments
        )
        for target, rule in filling.items():
            raise Refused(Code.PROTECTED_ADDRESS, f"{target} is protected: {rule}")

    def _protect(self, now: Moment) -> None:
        """Take out of force what has become protected, and put back what no longer is."""
        self._protected.refresh(now)
        if now.monotonic_s - self._protected_s < PROTECTED_S:
            return
        self._protected_s = now.monotonic_s
        protections = self._protected.protections(now)
        if protections == self._index.shield.protections and not self._index.shield.is_full:
            return
        before = self._index.shield.left_open()
        self._enforce(self._index.protect(protections).then(self._index.settle((None, *self._interfaces))), now)
        self._tell_open(before)

    def _tell_open(self, before: Mapping[BlockKey, str]) -> None:
        """Log which blocks are no longer, or not wholly, in force because of what is protected."""
        now = self._index.shield.left_open()
        news = [(key[2], key[0], rule) for key, rule in now.items() if key not in before]
        log_some(log, "the block of %s on %s is not wholly in force: %s", [(one[1], one[0], one[2]) for one in news])

    def _open_troubles(self) -> Sequence[str]:
        """Sentences about blocks that are not, or not wholly, in force; what a list has for ever is told with it."""
        found = self._index.shield.left_open()
        told = [(key, rule) for key, rule in found.items() if self._is_told(key)]
        shown = [f"the block of {key[0]} is not wholly in force: {rule}" for key, rule in told[:MOST_TOLD]]
        more = len(told) - len(shown)
        return [*shown, f"{more} more blocks are not wholly in force"] if more else shown

    def _is_told(self, key: BlockKey) -> bool:
        return key in self._index.shield.withheld or not key[2].startswith(ORIGIN)

    def _configured(self, blocks: Sequence[Block]) -> Sequence[Block]:
        """Blocks of configured departments. The others stay saved until their department is configured again."""
        departments = {None, *self._interfaces}
        known = [one for one in blocks if one.department in departments]
        if len(known) < len(blocks):
            log.warning("%d blocks are of departments that are not configured: not in force", len(blocks) - len(known))
        return known

    def _take_scheduled(self, wanted: Sequence[Block]) -> tuple[IndexChange, Sequence[Block]]:
        """Put these blocks of schedules into the index, and take the others out; returns the change, and those."""
        held = {key: one for key in self._scheduled if (one := self._index.get(key)) is not None}
        self._scheduled = frozenset(one.key for one in wanted)
        over = [one for key, one in held.items() if key not in self._scheduled]
        put = []
        for one in wanted:
            former = held.get(one.key)
            if former is None or (former.expires_at, former.reason) != (one.expires_at, one.reason):
                started = one if former is None else replace(one, started_at=former.started_at)
                put.append(replace(self._numbered(started), announced=former is not None and former.announced))
        self._announcer.expect(put)
        return self._index.apply(put, over), over

    def _found(self, target: str, department: str | None, origin: str | None) -> list[Block]:
        found = self._index.find(target, department, origin) + self._suspended.find(target, department, origin)
        if found and all(one.origin == BlockOrigin.SCHEDULE for one in found):
            raise Refused(
                Code.BAD_REQUEST,
                f"{target} is blocked by a schedule; schedule:list shows which, schedule:remove ends it, and"
                ' schedule:add with the effect "allow" lets it pass for a while',
            )
        found = [one for one in found if one.origin != BlockOrigin.SCHEDULE]
        if not found:
            where = f"in {department}" if department else "for all departments"
            raise Refused(Code.BAD_REQUEST, f"{target} is not blocked {where}; ip:list shows what is")
        return found

    def _numbered(self, block: Block) -> Block:
        return replace(block, number=self._index.next_number())

    def _save(self, saved: Sequence[Block], deleted: Sequence[Block], pause: Callable[[], None]) -> None:
        """Save an order; what others ordered for the same targets between its pauses stays saved."""
        self._store.save_blocks(saved, deleted, pause)
        known = ((one, self._index.get(one.key)) for one in (*saved, *deleted))
        newer = [latest for one, latest in known if latest is not None and latest.number > one.number]
        if newer:
            self._store.save_blocks(newer, [])

    @staticmethod
    def _note(save: Callable[[], None]) -> None:
        """Save what time or the kernel did. If that fails, the next start finds it out, and publishes it, once more."""
        try:
            save()
        except Refused as refused:
            log.warning("blocks that began or ended are not saved: %s", refused.message)

    def _enforce(self, index_change: IndexChange, now: Moment) -> None:
        if self.can_enforce and any(index_change):
            self._reconciler.apply(index_change, now)
            self._dns_reconciler.apply(index_change.questions, now)

    def _announce_begun(self, now: Moment, most_blocks: int = MOST_AT_ONCE) -> None:
        begun = self._announcer.announce_begun(self._index, self.is_enforced, now, most_blocks)
        if begun:
            announced = [replace(block, announced=True) for block in begun]
            self._note(
                lambda: self._store.save_blocks(_saved(announced), [])
            )  # if this is lost, they are published once more
            for block in announced:
                self._index.update(block)

    def _follow_clock(self, now: Moment) -> bool:
        """Follow the clock; true: it moved so far that the lifetimes in the kernel are wrong."""
        before, self._holdover = self._holdover, self._holdover.follow(now)
        if now.is_trusted and not before.since.is_trusted:
            moved = [block.moved_by(before.jump(now)) for block in self._index if block.is_provisional]
            self._note(lambda: self._store.save_blocks(moved, []))
            self._enforce(self._index.apply(moved, []), now)
        if now.monotonic_s - self._time_saved_s >= TIME_SAVED_S:
            self._time_saved_s = now.monotonic_s
            self._note(lambda: self._store.save_reckoned(self._holdover.moment(now).wall))
        return now.is_trusted and abs(before.jump(now)) > STRAYED


def _saved(blocks: Sequence[Block]) -> Sequence[Block]:
    """Those that are in the store: what a schedule blocks follows from it, and the former version does not know it."""
    return [one for one in blocks if one.origin != BlockOrigin.SCHEDULE]


def _slices(items: Sequence[T], pause: Callable[[], None]) -> Iterator[Sequence[T]]:
    """The items a slice at a time, with a pause after each but the last."""
    for at in range(0, len(items), SLICE):
        yield items[at : at + SLICE]
        if at + SLICE < len(items):
            pause()


def _places(departments: Sequence[Department], facing: Facing) -> Sequence[Place]:
    claims = claims_of(departments, facing)
    return [Place(one.id, one.interface, facing, claims[one.id]) for one in departments]
