"""Keeps the kernel's own meters: one table of the packet filter, changed only where plans differ from it.

The table `netdev appliance_meters` outlives this program, and the next start goes on with its counts. When another
program flushes it, new meters with other identities begin at zero. A table that another program loaded from a listing
shows bytes that are charged already, so it is made again, and what passed in between is not metered: a table of ours
has a chain that is named by the table's handle, which no listing brings back. For each department the table has

    counters   `up`, `down`            bytes and packets, never touched while the department stays as it is
    quota      `stop`                  the same bytes from the same zero on; what exceeds its limit is refused
    sets       `hostsup`, `hostsdown`  a counter for each device, by its MAC address
    set        `left`                  a quota for each device, where hosts are limited
    quota      `newcomers`             what devices share for which the set has no room
    sets       `leftrouted4`, ...      the same for the hosts behind a router, by their IP addresses
    set        `open`                  has an element while nothing is refused
    chains     `from`, `to`            the rules (`core.kernel.nftables.meter_rules`)
               `made`                  no rules: its name proves that this program made the table

and these values describe it:

    value          content                                             made by                 valid for
    Plan           what a department is to have                        monitor                 one `apply`
    Structure      the plans without the quotas' limits; when it is    `apply`                 comparing
                   the same as before, only limits move
    Layout         the objects, chains and rules of a structure        `meter_rules.layout`    as long as its structure
    ExistingTable  what is in the table before a change                Nfnetlink, or InForce   one transaction
    Limit          a new limit for one `stop` quota                    `meter_change.moved`    one transaction
    InForce        structure and layout after the last change, and     `_commit`               until the next change
                   the handles by which a foreign change shows

    plans -> Structure -- the same, and nobody else changed the table ------> limits alone --+
                 |                                                                           +--> one transaction
                 +------- another --> Layout (wanted), ExistingTable (as the kernel shows) --+    (`meter_change`)

A transaction empties the chains that change, deletes what nothing refers to any more, adds objects and moves limits,
and fills the chains again. The kernel does all of it between two packets, or nothing.

The limit of a `stop` quota moves without loss: the quota has counted the same bytes as the counters since the same
moment, and no count has to be read and written back. Quotas are read before counters, because a quota that is met
refuses everything, so that its counters no longer change. The kernel counts outgoing packets with their Ethernet
header, which each `apply` adds to the limit. While this program is dead a department is therefore stopped early: by 1 %
of what then remained where packets are full, by more where they are small, never late. A quota goes on counting what it
refuses: after its first refusal nothing passes. The readings name its budget, and only another budget, with another
quota, lets packets pass again.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.kernel.nftables import meter_names
from appliance.core.kernel.nftables.elements import opening
from appliance.core.kernel.nftables.frame_rules import frames_by_kind
from appliance.core.kernel.nftables.host_rules import host_keys
from appliance.core.kernel.nftables.meter_change import (
    TABLE,
    Counters,
    Limit,
    Quotas,
    cuts_off,
    moved,
    refused_budgets,
    transaction,
)
from appliance.core.kernel.nftables.meter_rules import DEFAULT, REFUSED, SPOOFED, Setting, layout
from appliance.core.kernel.nftables.notice_rules import LEADING, leading_rules, notice_table, removal
from appliance.core.kernel.nftables.ruleset import Command, add
from appliance.core.kernel.nftables.table import ExistingTable, Layout
from appliance.core.kernel.nftables.throttle_rules import shares
from appliance.core.metering.meter import NEWCOMERS, Plan, Reading
from appliance.system.nftables.host_meters import HostMeters
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements

__all__ = ["TABLE", "NftablesMeters"]

Counted = Sequence[int]  # bytes and packets, as the kernel counts them
LOOKS_APART = 600  # calls of `refused_hosts`, a second each, after which all is read, with or without a sign
PROOF = "made_"
# Removes a table that may exist; deleting what does not exist would be an error.
UNMADE: Sequence[Command] = [{action: {"table": {"family": "netdev", "name": TABLE}}} for action in ("add", "delete")]
ACTIVE_BYTES = 1500  # a full packet since the look before: forged devices of a small one each make no share smaller
LOOKS = 4  # for which a host that was active still counts as such, beside the latest


class Structure(Struct, frozen=True):
    """All that decides the table's content except limits. `present`: its interfaces that exist, with their
    index.

    `shares`: by throttled department, the number of shares of its rate.
    """

    plans: tuple[Plan, ...] = ()
    present: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)


class Activity(Struct, frozen=True):
    """Hosts of a throttled department. `counted`: bytes by set and key. `active`: how many, latest look last."""

    counted: Mapping[tuple[str, bytes], int] = field(default_factory=dict)
    active: Sequence[int] = ()

    @property
    def shares(self) -> int:
        """The number of shares for the most hosts of the latest looks, because a pause is not yet an end."""
        return shares(max(self.active, default=1))


class InForce(Struct, frozen=True):
    """The latest change, and what the kernel showed after it.

    `is_limited`: whether a department has a limit. `leads`: HTTP is led to the notice.
    """

    structure: Structure = Structure()
    layout: Layout = field(default_factory=Layout)
    handle: int | None = None
    chains: Mapping[str, int] = field(default_factory=dict)
    is_limited: bool = False
    leads: bool = False


class NftablesMeters:
    """`ports.Meters` of the network namespace that `nftables`, `shown` and `elements` were made in."""

    def __init__(
        self, nftables: Nftables, shown: Nfnetlink, elements: SetElements, boot: str, setting: Setting = DEFAULT
    ) -> None:
        """`shown`: reads `TABLE`. `boot`: the kernel's name of this boot, part of a meter's identity."""
        self._nftables = nftables
        self._shown = shown
        self._elements = elements
        self._hosts = HostMeters(nftables, shown, elements)
        self._boot = boot
        self._setting = setting
        self._in_force = InForce()
        self._own_table: int | None = None
        self._refused_hosts: Mapping[str, frozenset[str]] = {}
        self._refusals_seen: Counted | None = None
        self._refusals_unread = 0
        self._seen_generation: int | None = None  # of the ruleset in which the table was unchanged
        self._activity: Mapping[str, Activity] = {}
        self._counters: Counters = {}
        self._latest: tuple[Quotas, Counters] | None = None  # of a `read` that no `apply` has followed yet

    def apply(self, plans: Sequence[Plan]) -> str | None:
        """Meter and hold exactly by these plans; a meter that exists already keeps its count."""
        latest, self._latest = self._latest, None
        self._activity = {
            plan.department: self._latest_activity(plan) for plan in plans if plan.throttle_bytes_s is not None
        }
        found = {name: self._shown.interface_index(name) for name in dict.fromkeys(plan.interface for plan in plans)}
        structure = Structure(
            tuple(replace(plan, stop_at_bytes=None) for plan in plans),
            {name: index for name, index in found.items() if index is not None},
            {name: activity.shares for name, activity in self._activity.items()},
        )
        if structure.present != self._in_force.structure.present:
            self._seen_generation = None  # with an interface, older kernels take its chain away, and count no change
        if structure == self._in_force.structure and self._is_unchanged():
            return self._move_limits(plans, latest)
        return self._rebuild(structure, plans, leads=self._leads(plans, latest))

    def read(self) -> Mapping[str, Reading]:
        """By department, its meter; `unclaimed_meter(interface)` is what no department there claims."""
        quotas = self._shown.quotas()
        refused = dict(refused_budgets(quotas))
        readings = {
            department: replace(meter_names.reading(identity, facing, up, down), refused_budget=refused.get(department))
            for department, facing, identity, up, down in self._meters()
        }
        self._latest = quotas, self._counters
        return readings

    def hosts(self) -> Mapping[str, Mapping[str, Reading]]:
        """By department and host, the meters of its hosts. After a day of silence a host begins at zero again."""
        readings = self.read()
        return {
            plan.department: self._hosts.readings(plan, readings[plan.department].identity) | self._shared(plan)
            for plan in self._in_force.structure.plans
            if plan.department in readings
        }

    def newcomers(self) -> Mapping[str, tuple[int, int]]:
        """By department, of hosts that share an allowance: bytes that passed, and packets that were refused."""
        found = {}
        for plan in self._in_force.structure.plans:
            passed, refused = (
                self._counters.get(meter_names.object_name(f"{NEWCOMERS}{kind}", plan), (0, 0, 0))
                for kind in ("passed", "refused")
            )
            if passed[2] or refused[2]:
                found[plan.department] = passed[1], refused[2]
        return found

    def refused_hosts(self) -> Mapping[str, frozenset[str]]:
        """By department, the hosts of which a packet was refused for lack of what they have left.

        The sets are read when packets were refused since the previous call, by the latest `read`. As a refusal may lead
        to the notice and is not counted then, those of departments in which `hold_hosts` found a stopped host are, too.
        """
        refused, plans = self._counters.get(REFUSED), self._in_force.structure.plans
        self._refusals_unread += 1
        if refused != self._refusals_seen or self._refusals_unread >= LOOKS_APART:
            self._refused_hosts = {plan.department: self._hosts.refused(plan) for plan in plans}
            self._refusals_seen, self._refusals_unread = refused, 0
        elif stopped := [plan for plan in plans if plan.department in self._hosts.stopped]:
            self._refused_hosts = {
                **self._refused_hosts,
                **{plan.department: self._hosts.refused(plan) for plan in stopped},
            }
        if not self._in_force.leads and self._leads((), ({}, {})) and self._is_unchanged():
            # Before anybody is told of them. Where the kernel refuses, `apply` says so.
            self._change_in_place(self._in_force, (), leads=True)
        return self._refused_hosts

    def spoofed(self) -> int:
        """Packets dropped because of a false source address, since the table was made."""
        _, _, packets = self._shown.counters().get(SPOOFED, (0, 0, 0))
        return packets

    def unread(self) -> Mapping[str, Mapping[str, int]]:
        counters = self._shown.counters()
        interfaces = dict.fromkeys(plan.interface for plan in self._in_force.structure.plans)
        return {interface: frames_by_kind(counters, interface) for interface in interfaces}

    def refused(self) -> int:
        """Packets refused because a quota was used up, since the table was made."""
        _, _, packets = self._shown.counters().get(REFUSED, (0, 0, 0))
        return packets

    def let_pass(self, for_s: float) -> str | None:
        return self._elements.update(*opening(TABLE, for_s))

    def hold_hosts(self, left: Mapping[str, Mapping[str, int]]) -> str | None:
        """Hold each of these hosts to the bytes it has left; returns the reason where the kernel refuses."""
        refusals = [self._hosts.hold(plan, left.get(plan.department, {})) for plan in self._in_force.structure.plans]
        return next((refusal for refusal in refusals if refusal is not None), None)

    def make_room(self, used: Mapping[str, Mapping[str, int]]) -> Mapping[str, Sequence[str]]:
        """Remove the hosts that have used least where the kernel's sets are nearly full; returns them."""
        removed = {
            plan.department: self._hosts.make_room(plan, used.get(plan.department, {}))
            for plan in self._in_force.structure.plans
        }
        return {department: hosts for department, hosts in removed.items() if hosts}

    def _shared(self, plan: Plan) -> dict[str, Reading]:
        """What newcomers without a place of their own have carried, if anything."""
        handle, size, packets = self._counters.get(meter_names.object_name(f"{NEWCOMERS}passed", plan), (0, 0, 0))
        return {NEWCOMERS: Reading(f"{self._boot}/{handle}", size, 0, packets)} if packets else {}

    def _meters(self) -> Iterator[tuple[str, str, str, Counted, Counted]]:
        """Department, facing, identity, and the counters up and down."""
        table = self._shown.table_handle()
        self._counters = self._shown.counters() if self._is_own(table) else {}
        for name, (handle, *up) in self._counters.items():
            kind, _, meter = name.partition("_")
            down = self._counters.get(f"down_{meter}")
            if kind == "up" and down is not None:
                facing, department = meter_names.parse_name(name)
                yield department, facing, f"{self._boot}/{table}/{handle}", up, down[1:]

    def _latest_activity(self, plan: Plan) -> Activity:
        """The hosts of a throttled department whose bytes have changed since the previous look."""
        before = self._activity.get(plan.department, Activity())
        ways = [(key, direction) for key in host_keys(plan) for direction in meter_names.CHAINS]
        counted = {
            (f"{direction}{key.ending}", host): size
            for key, direction in ways
            for host, (size, _) in self._hosts.counted(plan, key, direction).items()
        }
        moved = {one: size - before.counted.get(one, 0) for one, size in counted.items()}
        active = {host for (_, host), size in moved.items() if size < 0 or size >= ACTIVE_BYTES}
        return Activity(counted, (*before.active[-LOOKS:], len(active)))

    def _leads(self, plans: Sequence[Plan], latest: tuple[Quotas, Counters] | None) -> bool:
        """Whether HTTP is to be led to the notice: somebody is cut off. `latest`: what the kernel showed just now."""
        if self._setting.notice_port is None:
            return False
        if self._setting.blocks_unclaimed or any(self._refused_hosts.values()):
            return True
        return cuts_off(plans, *(latest or (self._shown.quotas(), self._shown.counters())))

    def _notice(self, *, leads: bool) -> Sequence[Command]:
        """The commands that make the table of the notice, or take it away."""
        port = self._setting.notice_port
        return notice_table(port) if leads and port is not None else removal()

    def _is_unchanged(self) -> bool:
        """Whether the table is as the latest change left it, rules and hooks included.

        Chains are listed only after a change of any program: hundreds of them take milliseconds.
        """
        generation = self._shown.generation()
        if generation != self._seen_generation:
            table, in_force = self._shown.table_handle(), self._in_force
            is_same = table is not None and table == in_force.handle and self._chains() == in_force.chains
            self._seen_generation = generation if is_same else None
        return self._seen_generation is not None

    def _is_own(self, table: int | None) -> bool:
        """Whether this program made the table, in this run or an earlier one. `table`: its handle."""
        if table != self._own_table and table is not None and _proof(table) in self._shown.chains():
            self._own_table = table
        return table is not None and table == self._own_table

    def _chains(self) -> dict[str, int]:
        """The table's chains with their use counts, but for the proof of its making."""
        return {name: uses for name, uses in self._shown.chains().items() if not name.startswith(PROOF)}

    def _rebuild(self, structure: Structure, plans: Sequence[Plan], *, leads: bool) -> str | None:
        """Put the table into the state of the plans, whatever its content."""
        known_rules = self._in_force.layout.rules if self._is_unchanged() else {}
        is_own = self._is_own(self._shown.table_handle())
        existing = ExistingTable(self._shown.objects(), self._chains(), known_rules) if is_own else ExistingTable()
        wanted = layout(plans, self._setting, structure.shares, leads=leads)
        # Only kernels from 6.16 on take a chain for an interface that does not exist, and keep it when one goes.
        absent = {
            chain
            for chain, interface in wanted.devices.items()
            if interface not in structure.present and chain not in existing.chains
        }
        changed = InForce(structure, wanted.without(absent), is_limited=_are_limited(plans), leads=leads)
        limits = self._due_limits(plans) if is_own else moved(plans, {}, {})
        return self._commit(changed, existing, limits, before=[] if is_own else UNMADE, after=self._notice(leads=leads))

    def _move_limits(self, plans: Sequence[Plan], latest: tuple[Quotas, Counters] | None) -> str | None:
        """Move the limits of a table that is otherwise as it should be.

        `latest`: what the kernel showed just now. Where no limit is due by that, it is not asked again.
        """
        former = self._in_force
        leads = self._leads(plans, latest)
        changed = replace(former, is_limited=_are_limited(plans))
        may_move = former.is_limited or changed.is_limited
        may_move = may_move and (latest is None or bool(moved(plans, *latest)))
        limits = self._due_limits(plans) if may_move else []
        if limits or leads is not former.leads:
            return self._change_in_place(changed, limits, leads=leads)
        self._in_force = changed
        return None

    def _change_in_place(self, changed: InForce, limits: Sequence[Limit], *, leads: bool) -> str | None:
        """Move limits, and begin or end to lead HTTP to the notice, in a table that is otherwise as it should be."""
        former = changed.layout
        kinds = {name: kind for name, (kind, _) in former.objects.items()}
        leading = replace(former, rules={**former.rules, LEADING: leading_rules(leads=leads)})
        notice = () if leads is changed.leads else self._notice(leads=leads)
        existing = ExistingTable(kinds, changed.chains, former.rules)
        return self._commit(replace(changed, layout=leading, leads=leads), existing, limits, after=notice)

    def _due_limits(self, plans: Sequence[Plan]) -> list[Limit]:
        quotas = self._shown.quotas()  # before the counters: those of a quota that is met no longer change
        return moved(plans, quotas, self._shown.counters())

    def _commit(
        self,
        changed: InForce,
        existing: ExistingTable,
        limits: Sequence[Limit],
        *,
        before: Sequence[Command] = (),
        after: Sequence[Command] = (),
    ) -> str | None:
        """One transaction; then note what the kernel shows of it."""
        _, refusal = self._nftables.run([*before, *transaction(existing, changed.layout, limits), *after])
        if refusal is None:
            table = self._shown.table_handle()
            if table is not None and not self._is_own(table):
                _, refusal = self._nftables.run([add("chain", {"family": "netdev", "table": TABLE}, _proof(table))])
                self._own_table = table
            self._in_force = replace(changed, handle=table, chains=self._chains())
        return refusal


def _proof(table: int) -> str:
    """The name of the chain that proves that this program made the table with this handle."""
    return f"{PROOF}{table}"


def _are_limited(plans: Sequence[Plan]) -> bool:
    return any(plan.stop_at_bytes is not None for plan in plans)
