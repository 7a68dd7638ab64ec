"""Enforcement: what is wanted is saved, the kernel is made to agree, the medium has it, and only then is it told.

Where the position cannot enforce, the same blocks are kept and told, with `enforced` false. A step looks only at what
has come to its end and at whether somebody has meddled, not at 100,000 blocks.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from appliance.core import holdover
from appliance.core.blocking.block import Block, BlockKey, BlockRequest
from appliance.core.blocking.block_index import BlockIndex, IndexChange
from appliance.core.blocking.blocked_names import MOST_LEARNED, AnswerCache
from appliance.core.blocking.place import Place
from appliance.core.blocking.protection import Protected
from appliance.core.blocking.targets import TargetKind, parse_target
from appliance.core.machine import Facing, Link, Position
from appliance.core.metering.department import Department
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.core.traffic.dns import DnsAnswer
from appliance.monitor.blocking.announcements import BlockAnnouncer
from appliance.monitor.blocking.dns_reconciler import DnsReconciler
from appliance.monitor.blocking.hits import HitCounters, log_some
from appliance.monitor.blocking.protections import ProtectedAddresses
from appliance.monitor.blocking.reconciler import Reconciler
from appliance.ports import DnsFilter, Firewall, Publisher, Store, Upstream

log = logging.getLogger(__name__)

MOST_BLOCKS = 200_000  # what the kernel was measured to take in one transaction in less than two seconds
TIME_SAVED_S = 300.0  # so much longer a block may last after each power cut; the medium is written to as often
STRAYED = timedelta(seconds=2)  # by which the wall clock may move without the kernel's lifetimes being put right


class Enforcement:
    """Keeps the blocks, and the kernel in agreement with them."""

    def __init__(
        self,
        departments: Sequence[Department],
        position: Position,
        protected: Sequence[Protected],
        links: Callable[[], Mapping[str, Link]],
        upstream: Upstream,
        firewall: Firewall,
        dns_filter: DnsFilter,
        store: Store,
        require_writable: Callable[[], None],
        publish: Publisher,
    ) -> None:
        """`links`: the interfaces that exist now. `require_writable`: raises `Refused` in maintenance."""
        self.can_enforce = position is not Position.MIRROR
        self._interfaces = {one.id: one.interface for one in departments}
        self._safeguard = ProtectedAddresses(protected, links, upstream)
        self._store = store
        self._require_writable = require_writable
        self._announcer = BlockAnnouncer([one.id for one in departments], publish, can_enforce=self.can_enforce)
        facing = Facing.SELF if position is Position.HOST else Facing.DEPARTMENT
        places = [Place(one.id, one.interface, facing, one.subnets) for one in departments]
        self._reconciler = Reconciler(places, links, firewall)
        self._register = BlockIndex()
        self._lookups = DnsReconciler(places, self._register.names, dns_filter)
        self._told = AnswerCache()
        self._holdover = holdover.NOT_STARTED
        self._time_saved_s = 0.0
        self._hits = HitCounters(self._register, firewall, dns_filter)

    def restore(self, now: Moment) -> None:
        """Put in force what was saved. Called once, before all else, and before anything is forwarded if possible.

        Nothing is told yet: that is for the first step.
        """
        self._holdover = holdover.earliest(now, self._store.reckoned_at())
        now = self._holdover.moment(now)
        blocks = self._configured(self._store.blocks())
        change = self._register.apply([one if one.number else self._numbered(one) for one in blocks], [])
        learned = self._register.learn(self._store.learned())
        self._announcer.expect(blocks)
        self._obey(IndexChange(change.dropped, [*change.put, *learned.put], change.questions), now)

    def block(self, requests: Sequence[BlockRequest], now: Moment) -> Sequence[Block]:
        """Block these targets from now on, all in one transaction, or none; what is blocked already is replaced.

        Raises `Refused`, naming the target that cannot be blocked: `E_MAINTENANCE` (on a full disk too),
        `E_BAD_REQUEST`, `E_PROTECTED_ADDRESS`. Only where the medium fails at the very end, it is done all the same.
        """
        self._require_writable()
        now = self._holdover.moment(now)
        judged = self._judged(requests, now)
        if len(self._register) + sum(key not in self._register for key in judged) > MOST_BLOCKS:
            raise Refused(Code.BAD_REQUEST, f"there may be {MOST_BLOCKS} blocks; lift some, or block prefixes")
        blocks = list(judged.values())
        self._store.save_blocks(blocks, [])
        self._announcer.expect(blocks)
        self._obey(self._register.apply(blocks, []), now)
        self._recall(blocks, now)
        try:
            self._store.sync()  # only now, because a medium may take a tenth of a second, but before anybody is told
        finally:  # it is in force even so
            log_some(log, "%s blocks %s: %s", [(one.actor, one.target, one.reason) for one in blocks])
            self._tell_begin(now)
        return [self._register[key] for key in judged]

    def unblock(
        self, targets: Sequence[str], department: str | None, actor: str, now: Moment, *, origin: str | None = None
    ) -> Sequence[Block]:
        """Lift the blocks of these targets, all in one transaction; `origin`: only those of it, `None`: of every one.

        Raises `Refused`: `E_MAINTENANCE`, `E_BAD_REQUEST` where a target is not blocked; then none is lifted, unless it
        is that the medium fails at the very end.
        """
        self._require_writable()
        now = self._holdover.moment(now)
        found = [one for target in targets for one in self._found(parse_target(target), department, origin)]
        lifted = list({one.key: one for one in found}.values())
        self._store.save_blocks([], lifted)
        self._obey(self._register.apply([], lifted), now)
        try:
            self._store.sync()
        finally:  # it is lifted even so
            log_some(log, "%s lifts the block of %s", [(actor, one.target) for one in lifted])
            self._announcer.tell_end(lifted, f"lifted by {actor}", now)
        return lifted

    def objections(self, targets: Sequence[str], now: Moment, caller_address: str | None = None) -> Mapping[str, str]:
        """By target, as `parse_target` writes it, why this caller can never block it; what may be is missing."""
        protections = self._safeguard.protections(now, caller_address)
        return {target: rule for target in targets if (rule := protections.rule_for(target)) is not None}

    def blocks(self, now: Moment) -> Sequence[Block]:
        """The blocks that should be in force."""
        wall = self._holdover.moment(now).wall
        return [block for block in self._register if block.is_live(wall)]

    def find(self, target: str, department: str | None) -> Sequence[Block]:
        """The blocks of this target there, of every origin. `target`: as `parse_target` writes it."""
        return self._register.find(target, department, None)

    def remaining_s(self, block: Block, now: Moment) -> float | None:
        """Seconds until the block ends, also while the wall clock is not trusted; `None`: until it is lifted."""
        return block.remaining_s(self._holdover.moment(now).wall)

    def is_enforced(self, block: Block) -> bool:
        """Whether the block is in force, somewhere at least where its departments are; for all that is known."""
        absent = self._reconciler.absent()
        if not self.can_enforce or absent is None or block.key in absent:
            return False
        return any(
            interface in self._reconciler.present
            for department, interface in self._interfaces.items()
            if block.department in {None, department}
        )

    def tally(self, department: Department) -> tuple[int, int]:
        """How many blocks should hold in the department, and how many do."""
        wanted = self._register.count(department.id)
        absent = self._reconciler.absent()
        if not self.can_enforce or absent is None or department.interface not in self._reconciler.present:
            return wanted, 0
        lost = [block for key in absent if (block := self._register.get(key)) is not None]
        return wanted, wanted - sum(block.department in {None, department.id} for block in lost)

    def troubles(self, now: Moment) -> Sequence[str]:
        """What a person should know of the blocks, a sentence each."""
        told = [self._reconciler.refusal, self._reconciler.disturbance(now), *self._lookups.troubles(now)]
        return [*filter(None, told), *(one.text for one in self._register.names.spared.values())]

    def stopped(self) -> Mapping[str, int]:
        """By origin, the packets that blocks stopped since the kernel was first told, refused look-ups among them.

        Nothing where the position cannot enforce.
        """
        return self._hits.stopped() if self.can_enforce else {}

    def log_hits(self) -> None:
        """Log which block has stopped which host how often since the previous call, the busiest first."""
        if self.can_enforce:
            self._hits.log_news()

    def hear(self, department: str, answer: DnsAnswer, now: Moment) -> None:
        """A host of the department was told where a name lives: if the name is blocked, so is what it lives at."""
        now = self._holdover.moment(now)
        self._told.note(department, answer, now.wall.timestamp())
        if self._register.names.are_blocked(answer.name):
            self._learn([(department, answer)], now)

    def step(self, now: Moment) -> None:
        """Forget what ran out, see that the kernel agrees, and tell what has begun and ended."""
        is_moved = self._follow_clock(now)
        now = self._holdover.moment(now)
        ended, forgotten = self._register.over(now.wall.timestamp())
        if forgotten:
            self._note(lambda: self._store.save_learned([], forgotten))
            self._obey(self._register.forget(forgotten), now)
        if ended:
            self._note(lambda: self._store.save_blocks([], ended))
            self._obey(self._register.apply([], ended), now)
            self._announcer.tell_end(ended, "its time has run out", now)
        if self.can_enforce:
            self._reconciler.step(now, is_moved=is_moved)
            self._lookups.step(now, self._reconciler.present, is_moved=is_moved)
        self._tell_begin(now)

    def audit(self, now: Moment, pause: Callable[[], None]) -> None:
        """Compare what the kernel shows with what it should have. `pause`: gives others their turn, again and again."""
        if self.can_enforce:
            self._reconciler.audit(self._holdover.moment(now), pause)

    def _judged(self, requests: Sequence[BlockRequest], now: Moment) -> dict[BlockKey, Block]:
        is_provisional = not (now.is_trusted or self._holdover.since.is_trusted)
        callers = {request.caller_address for request in requests}
        protections = {one: self._safeguard.protections(now, one) for one in callers}
        judged: dict[BlockKey, Block] = {}
        for asked in requests:
            target = parse_target(asked.target)
            rule = protections[asked.caller_address].rule_for(target)
            if rule is not None:
                raise Refused(Code.PROTECTED_ADDRESS, f"{target} is protected: {rule}")
            ends = now.wall + timedelta(seconds=asked.duration_s) if asked.duration_s else None
            block = Block(target, asked.reason, asked.actor, asked.origin, now.wall, asked.department, ends)
            judged[block.key] = self._numbered(replace(block, is_provisional=is_provisional))
        return judged

    def _configured(self, blocks: Sequence[Block]) -> Sequence[Block]:
        """Those of departments that there are; the others are kept for when there are again."""
        known = [one for one in blocks if one.department in {None, *self._interfaces}]
        if len(known) < len(blocks):
            log.warning("%d blocks are of departments that are not configured: not in force", len(blocks) - len(known))
        return known

    def _found(self, target: str, department: str | None, origin: str | None) -> list[Block]:
        found = self._register.find(target, department, origin)
        if not found:
            where = f"in {department}" if department else "for all departments"
            raise Refused(Code.BAD_REQUEST, f"{target} is not blocked {where}; ip:list shows what is")
        return found

    def _numbered(self, block: Block) -> Block:
        return replace(block, number=self._register.next_number())

    @staticmethod
    def _note(save: Callable[[], None]) -> None:
        """Keep what time and the kernel did, saved or not: the next start finds it out, and tells it, once more."""
        try:
            save()
        except Refused as refused:
            log.warning("blocks that began or ended are not saved: %s", refused.message)

    def _obey(self, change: IndexChange, now: Moment) -> None:
        if self.can_enforce:
            self._reconciler.apply(change, now)
            self._lookups.apply(change.questions, now)

    def _recall(self, blocks: Iterable[Block], now: Moment) -> None:
        """What hosts know already of names that are blocked from now on is blocked too, connections and all."""
        names = {block.target for block in blocks if block.kind is TargetKind.NAME}
        if names:
            self._learn(self._told.about(names, now.wall.timestamp()), now)

    def _learn(self, told: Iterable[tuple[str, DnsAnswer]], now: Moment) -> None:
        names, protections, at_s = self._register.names, self._safeguard.protections(now), now.wall.timestamp()
        learned = (one for department, answer in told for one in names.concern(answer, department, protections, at_s))
        new = list({(one.block, one.address): one for one in islice(learned, MOST_LEARNED)}.values())
        if new:
            self._note(lambda: self._store.save_learned(new, []))
            self._obey(self._register.learn(new), now)

    def _tell_begin(self, now: Moment) -> None:
        told = self._announcer.tell_begin(self._register, self.is_enforced, now)
        if told:
            announced = [replace(block, announced=True) for block in told]
            self._note(lambda: self._store.save_blocks(announced, []))  # lost, they are told once more
            for block in announced:
                self._register.note(block)

    def _follow_clock(self, now: Moment) -> bool:
        """Follow the clock; true: it was moved so far that the kernel's lifetimes are wrong."""
        before, self._holdover = self._holdover, self._holdover.follow(now)
        if now.is_trusted and not before.since.is_trusted:
            moved = [block.moved_by(before.jump(now)) for block in self._register if block.is_provisional]
            self._note(lambda: self._store.save_blocks(moved, []))
            self._obey(self._register.apply(moved, []), now)
        if now.monotonic_s - self._time_saved_s >= TIME_SAVED_S:
            self._time_saved_s = now.monotonic_s
            self._note(lambda: self._store.save_reckoned(self._holdover.moment(now).wall))
        return now.is_trusted and abs(before.jump(now)) > STRAYED
