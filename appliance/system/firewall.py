"""Blocks in the kernel's packet filter: one table of our own, replaced whole or not at all.

Table `netdev appliance` holds, for each interface that faces a department, two chains that every frame passes before
routing, NAT and bridging, so that it works alike in each position and cuts established connections too:

    in-<interface>    from the department: what comes from or goes to a target is refused (TCP reset, ICMP), so that a
                      person sees at once that something is forbidden, and does not wait for a timeout
    out-<interface>   toward the department: dropped, except for refusals: those sent by the chain above pass here too.
                      A refusal from outside passes with them; it carries no data

and four sets: `hosts4-`, `hosts6-` for single addresses (hash sets), `prefixes4-`, `prefixes6-` for disjoint prefixes
(interval sets). The kernel drops an element when its time is over, even when this program has died.

Table `inet appliance` has one rule that nothing ever runs through: that a rule speaks of `ct` is what makes the kernel
track connections at all in this network namespace. For a bridge to be tracked, `br_netfilter` must be loaded and
`net.bridge.bridge-nf-call-iptables` and `-ip6tables` be 1.

Commands go as JSON, because an interface may have a name that would be syntax in the text form.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Protocol

from appliance.core.blocks import is_address
from appliance.core.machine import Order
from appliance.core.ruleset import REFUSE, WITHHOLD, Command, add, add_rule, field, goto, match, verdict_chains

TABLE = "appliance"
NETDEV = {"family": "netdev", "table": TABLE}
INET = {"family": "inet", "table": TABLE}

# The four sets of an interface: name, what it holds, and the protocol whose addresses are looked up in it.
SETS = (
    ("hosts4", "ipv4_addr", ["timeout"], "ip"),
    ("hosts6", "ipv6_addr", ["timeout"], "ip6"),
    ("prefixes4", "ipv4_addr", ["timeout", "interval"], "ip"),
    ("prefixes6", "ipv6_addr", ["timeout", "interval"], "ip6"),
)
# The two chains of an interface: name, the hook it stands at, and where a packet of a target goes.
CHAINS = (("in", "ingress", REFUSE), ("out", "egress", WITHHOLD))

SHORTEST_TIMEOUT_S = 1  # the JSON form takes whole seconds, and 0 would mean for ever
LONGEST_TIMEOUT_S = 10 * 365 * 86_400  # far below what the kernel takes (2^63 ns); nobody waits that long


class Run(Protocol):
    """How a transaction is put to the packet filter (`system.nftables.Nftables.run`)."""

    def __call__(self, commands: Sequence[Command]) -> tuple[str, str | None]:
        """What the kernel listed, and the reason where it refused."""


class NftablesFirewall:
    """`ports.Firewall` of the network namespace that `run` was made in."""

    def __init__(self, run: Run, *, tracks_connections: bool = True) -> None:
        """`tracks_connections`: make the kernel track them; of no use on a mirror port, where nothing passes."""
        self._run = run
        self._tracks_connections = tracks_connections

    def sync(self, orders: Mapping[str, Sequence[Order]]) -> str | None:
        """Put exactly these orders in force, in one transaction; returns the kernel's reason where it refuses."""
        commands = [*_remove_tables(), {"add": {"table": {"family": "netdev", "name": TABLE}}}, *_verdicts()]
        for interface, wanted in orders.items():
            commands += [*_interface_chains(interface), *_elements(interface, wanted)]
        if self._tracks_connections:
            commands += _tracking()
        _, refusal = self._run(commands)
        return refusal

    def enforced(self) -> Mapping[str, frozenset[str]] | None:
        """By interface, the targets in force; `None`: the table is not there. An interface without chains is absent."""
        listed, refusal = self._run([{"list": {"table": {"family": "netdev", "name": TABLE}}}])
        if refusal is not None:
            return None
        entries = json.loads(listed)["nftables"]
        rules = [entry["rule"]["chain"] for entry in entries if "rule" in entry]
        sets = {entry["set"]["name"]: entry["set"].get("elem", ()) for entry in entries if "set" in entry}
        interfaces = [name.removeprefix("in-") for name in dict.fromkeys(rules) if name.startswith("in-")]
        return {name: _targets(name, sets) for name in interfaces if f"out-{name}" in rules}

    def release(self) -> None:
        """Take all that is ours out of the kernel, as at an uninstall; nothing is blocked afterwards."""
        self._run(_remove_tables())


def _remove_tables() -> list[Command]:
    # Adding what exists changes nothing, deleting what does not is an error: so each table is added, then deleted.
    tables = [{"table": {"family": family, "name": TABLE}} for family in ("netdev", "inet")]
    return [{action: table} for table in tables for action in ("add", "delete")]


def _tracking() -> list[Command]:
    return [
        {"add": {"table": {"family": "inet", "name": TABLE}}},
        {"add": {"chain": {**INET, "name": "tracking"}}},
        add_rule(INET, "tracking", [match({"ct": {"key": "state"}}, "new", "in")]),
    ]


def _verdicts() -> list[Command]:
    rules = verdict_chains()
    chains = [add("chain", NETDEV, name) for name in dict.fromkeys(name for name, _ in rules)]
    return [*chains, *(add_rule(NETDEV, chain, expression) for chain, expression in rules)]


def _interface_chains(interface: str) -> list[Command]:
    commands: list[Command] = [
        {"add": {"set": {**NETDEV, "name": f"{name}-{interface}", "type": kind, "flags": flags}}}
        for name, kind, flags, _ in SETS
    ]
    for name, hook, verdict in CHAINS:
        chain = f"{name}-{interface}"
        base = {"type": "filter", "hook": hook, "prio": 0, "dev": interface, "policy": "accept"}
        commands.append({"add": {"chain": {**NETDEV, "name": chain, **base}}})
        commands += [
            add_rule(NETDEV, chain, [match(field(protocol, end), f"@{set_name}-{interface}"), goto(verdict)])
            for set_name, _, _, protocol in SETS
            for end in ("saddr", "daddr")
        ]
    return commands


def _elements(interface: str, orders: Iterable[Order]) -> list[Command]:
    by_set: dict[str, list[Any]] = {}
    for order in orders:
        kind = "hosts" if is_address(order.target) else "prefixes"
        by_set.setdefault(f"{kind}{6 if ':' in order.target else 4}-{interface}", []).append(_element(order))
    return [{"add": {"element": {**NETDEV, "name": name, "elem": elements}}} for name, elements in by_set.items()]


def _element(order: Order) -> Any:
    address, _, length = order.target.partition("/")
    value: Any = {"prefix": {"addr": address, "len": int(length)}} if length else address
    if order.remaining_s is None:
        return value
    timeout_s = min(max(math.ceil(order.remaining_s), SHORTEST_TIMEOUT_S), LONGEST_TIMEOUT_S)
    return {"elem": {"val": value, "timeout": timeout_s}}


def _targets(interface: str, sets: Mapping[str, Iterable[Any]]) -> frozenset[str]:
    return frozenset(
        _target(element, is_prefix=name.startswith("prefixes"))
        for name, *_ in SETS
        for element in sets.get(f"{name}-{interface}", ())
    )


def _target(element: Any, *, is_prefix: bool) -> str:
    """An order's target from what the kernel lists: bare, as a prefix, or either of them with its timeout around."""
    value = element["elem"]["val"] if "elem" in element else element
    text = f"{value['prefix']['addr']}/{value['prefix']['len']}" if "prefix" in value else value
    network = ip_network(text)  # C and Python disagree on how to write an embedded IPv4 address
    return str(network) if is_prefix else str(network.network_address)
