"""Enforcement: what is wanted is saved, the kernel is made to agree, and only then is it told.

A start, a crash, an unblock, a block that ran out and another program's flush are one path: look at what the kernel
says is in force, and put exactly the wanted state there if it differs. Where the position cannot enforce, the same
blocks are kept and told, with `enforced` false.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

from msgspec import UNSET

from appliance.core.blocks import Block, BlockRequest, Protected, orders_at, protection_of
from appliance.core.department import Department
from appliance.core.machine import Link, Order, Position
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code, Refused
from appliance.core.targets import Kind, kind_of, parse_target
from appliance.events import BlockedIp, IpBlocked, IpUnblocked, UnblockedIp
from appliance.ports import Firewall, Publisher, Store

log = logging.getLogger(__name__)

MOST_BLOCKS = 100_000  # what the kernel was measured to take in one transaction in less than a second


class Enforcement:
    """Keeps the set of blocks, and the kernel in agreement with it."""

    def __init__(
        self,
        departments: Sequence[Department],
        position: Position,
        protected: Sequence[Protected],
        links: Callable[[], Mapping[str, Link]],
        firewall: Firewall,
        store: Store,
        require_writable: Callable[[], None],
        publish: Publisher,
    ) -> None:
        """`links`: the interfaces that exist now. `require_writable`: raises `Refused` in maintenance."""
        self.can_enforce = position is not Position.MIRROR
        self._departments = [one.id for one in departments]
        self._interfaces: dict[str, list[str]] = {}
        for one in departments:
            self._interfaces.setdefault(one.interface, []).append(one.id)
        self._protected = tuple(protected)
        self._links = links
        self._firewall = firewall
        self._store = store
        self._require_writable = require_writable
        self._publish = publish
        self._blocks = {block.key: block for block in store.blocks()}
        self._is_stale = True  # the kernel may hold other lifetimes than wanted, which `enforced` does not show
        self._refusal: str | None = None
        self._wanted: Mapping[str, frozenset[str]] = {}
        self._enforced: Mapping[str, frozenset[str]] | None = {}

    def block(self, requests: Sequence[BlockRequest], now: Moment) -> Sequence[Block]:
        """Block these targets from now on, all in one transaction, or none; what is blocked already is replaced.

        Raises `Refused`, naming the target that cannot be blocked: `E_MAINTENANCE` (on a full disk too),
        `E_BAD_REQUEST`, `E_PROTECTED_ADDRESS`.
        """
        self._require_writable()
        asked = [self._judged(request, now) for request in requests]
        if len(self._blocks.keys() | {block.key for block in asked}) > MOST_BLOCKS:
            raise Refused(Code.BAD_REQUEST, f"there may be {MOST_BLOCKS} blocks; lift some, or block prefixes")
        self._change(saved=asked, deleted=[])
        for block in asked:
            log.info("%s blocks %s: %s", block.actor, block.target, block.reason)
        self.step(now)
        return [self._blocks[block.key] for block in asked]

    def unblock(
        self, targets: Sequence[str], department: str | None, actor: str, now: Moment, *, origin: str | None = None
    ) -> Sequence[Block]:
        """Lift the blocks of these targets, all in one transaction; `origin`: only those of it, `None`: of every one.

        Raises `Refused`: `E_MAINTENANCE`, `E_BAD_REQUEST` where a target is not blocked; then none is lifted.
        """
        self._require_writable()
        lifted = [block for target in targets for block in self._found(parse_target(target), department, origin)]
        self._change(saved=[], deleted=lifted)
        for block in lifted:
            log.info("%s lifts the block of %s", actor, block.target)
        self.step(now)
        for block in lifted:
            self._tell_end(block, f"lifted by {actor}", now)
        return lifted

    def _judged(self, request: BlockRequest, now: Moment) -> Block:
        target = parse_target(request.target)
        if kind_of(target) not in {Kind.ADDRESS, Kind.PREFIX}:
            raise Refused(Code.BAD_REQUEST, f"{target}: only addresses and prefixes can be blocked")
        rule = protection_of(target, self._protections(request.caller_address))
        if rule is not None:
            raise Refused(Code.PROTECTED_ADDRESS, f"{target} is protected: {rule}")
        expires_at = now.wall + timedelta(seconds=request.duration_s) if request.duration_s else None
        return Block(target, request.reason, request.actor, request.origin, now.wall, request.department, expires_at)

    def _found(self, target: str, department: str | None, origin: str | None) -> list[Block]:
        found = [
            block
            for block in self._blocks.values()
            if block.target == target and block.department == department and origin in (None, block.origin)
        ]
        if not found:
            where = f"in {department}" if department else "for all departments"
            raise Refused(Code.BAD_REQUEST, f"{target} is not blocked {where}; ip:list shows what is")
        return found

    def objections(self, targets: Sequence[str], caller_address: str | None = None) -> Mapping[str, str]:
        """By target, as `parse_target` writes it, why this caller can never block it; what may be is missing."""
        protected = self._protections(caller_address)
        found: dict[str, str] = {}
        for target in targets:
            if kind_of(target) not in {Kind.ADDRESS, Kind.PREFIX}:
                found[target] = "only addresses and prefixes can be blocked"
            elif rule := protection_of(target, protected):
                found[target] = rule
        return found

    def blocks(self, now: Moment) -> Sequence[Block]:
        """The blocks that should be in force."""
        return [block for block in self._blocks.values() if block.is_live(now.wall)]

    def tally(self, department: Department) -> tuple[int, int | None]:
        """How many targets should be stopped at the department's interface, and how many are; `None`: not known."""
        wanted = self._wanted.get(department.interface, frozenset())
        if self._enforced is None:
            return len(wanted), None
        return len(wanted), len(wanted & self._enforced.get(department.interface, frozenset()))

    def step(self, now: Moment) -> None:
        """Forget what ran out, make the kernel agree, and tell what has begun and ended."""
        ended = [block for block in self._blocks.values() if not block.is_live(now.wall)]
        if ended:
            self._note(saved=[], deleted=ended)
        orders = orders_at(self._blocks.values(), self._interfaces, now.wall)
        self._wanted = {name: frozenset(order.target for order in wanted) for name, wanted in orders.items()}
        if self.can_enforce:
            self._reconcile(orders)
        for block in ended:
            self._tell_end(block, "its time has run out", now)
        if self._refusal is None:
            self._tell_begin(now)

    def _change(self, saved: Sequence[Block], deleted: Sequence[Block]) -> None:
        """Do what a person ordered, if it can be saved."""
        self._store.save_blocks(saved, deleted)
        self._is_stale = True
        self._become(saved, deleted)

    def _note(self, saved: Sequence[Block], deleted: Sequence[Block]) -> None:
        """Keep what time and the kernel did, saved or not: the next start finds it out, and tells it, once more."""
        try:
            self._store.save_blocks(saved, deleted)
        except Refused as refused:
            log.warning("blocks that began or ended are not saved: %s", refused.message)
        self._become(saved, deleted)

    def _become(self, saved: Sequence[Block], deleted: Sequence[Block]) -> None:
        for block in deleted:
            del self._blocks[block.key]
        self._blocks |= {block.key: block for block in saved}

    def _reconcile(self, orders: Mapping[str, Sequence[Order]]) -> None:
        present = [name for name in orders if name in self._links()]
        self._enforced = self._firewall.enforced()
        if not self._is_stale and self._enforced == {name: self._wanted[name] for name in present}:
            return
        refusal = self._firewall.sync({name: orders[name] for name in present})
        if refusal is not None and refusal != self._refusal:
            log.error("the kernel refuses the blocks, the former ones stay in force: %s", refusal)
        self._refusal = refusal
        self._is_stale = refusal is not None
        self._enforced = self._firewall.enforced()

    def _tell_begin(self, now: Moment) -> None:
        begun = [block for block in self._blocks.values() if not block.announced and self._holds(block)]
        for block in begun:
            for department in self._concerned(block):
                self._publish(_blocked(block, department, self.can_enforce, now))
        if begun:
            announced = [replace(block, announced=True) for block in begun]
            self._note(saved=announced, deleted=[])

    def _holds(self, block: Block) -> bool:
        """Whether the block is in force somewhere; where nothing can be enforced, being known is all it can be."""
        concerned = {name for name, ids in self._interfaces.items() if block.department in (None, *ids)}
        return not self.can_enforce or not concerned.isdisjoint(self._enforced or ())

    def _tell_end(self, block: Block, reason: str, now: Moment) -> None:
        for department in self._concerned(block):
            self._publish(
                IpUnblocked(
                    timestamp=timestamp(now.wall),
                    department_id=department,
                    ip=UnblockedIp(address=block.target, reason=reason),
                )
            )

    def _concerned(self, block: Block) -> Sequence[str]:
        return self._departments if block.department is None else [block.department]

    def _protections(self, caller_address: str | None) -> list[Protected]:
        own = [
            Protected(ip_network(address.ip), f"it is the appliance's own address on {link.name}")
            for link in self._links().values()
            for address in link.addresses
        ]
        caller = [Protected(ip_network(caller_address), "this command comes from it")] if caller_address else []
        return [*self._protected, *own, *caller]


def _blocked(block: Block, department: str, enforced: bool, now: Moment) -> IpBlocked:
    remaining_s = block.remaining_s(now.wall)
    return IpBlocked(
        timestamp=timestamp(now.wall),
        department_id=department,
        ip=BlockedIp(
            address=block.target,
            reason=block.reason,
            duration=0 if remaining_s is None else max(1, round(remaining_s)),
            enforced=UNSET if enforced else False,
        ),
    )
