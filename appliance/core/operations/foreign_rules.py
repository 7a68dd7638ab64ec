"""Other programs' firewalls: whether one of their chains drops everything that is to be forwarded between interfaces.

It follows a connection's first packet through a chain as the kernel would (nft(8)), and knows only what it came in by,
where it goes out, and its IP version. A condition on anything else may hold or not. So a chain counts as closed only
where no rule can accept such a packet.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct, field

Listing = Sequence[Mapping[str, Any]]  # the objects of `nft --json --terse list table`
Expression = Mapping[str, Any]

DEEPEST = 16  # NFT_JUMP_STACK_SIZE, linux/netfilter/nf_tables.h: the kernel follows no more jumps
VERSIONS = {"ip": (4,), "ip6": (6,), "inet": (4, 6), "bridge": (4, 6)}  # by family, what passes its chains
HARMLESS = frozenset({"counter", "log", "mangle", "notrack", "flow", "set", "ct helper", "ct timeout", "secmark"})
# What iptables' own tables (iptables-nft) show of a condition on the connection's state, without saying which.
OPAQUE = frozenset({"xt"})


class FirstPacket(Struct, frozen=True):
    """A connection's first packet. `outbound`: the interfaces by which it may leave."""

    inbound: str
    outbound: Collection[str]
    version: int


class _Fate(Enum):
    PASSES = "may pass"
    DROPPED = "is dropped"
    GOES_ON = "reaches the end"


class _Rule(Struct):
    """`holds`: `None`: may hold or not."""

    holds: bool | None = True
    verdict: str | None = None
    target: str = ""


class _Table(Struct):
    """A table with its rules, by chain."""

    family: str
    name: str
    rules: dict[str, list[Sequence[Expression]]] = field(default_factory=dict)


def closed_chains(listing: Listing, families: Collection[str], packet: FirstPacket) -> Sequence[str]:
    """The forward chains that drop every such packet, as `family table chain`."""
    tables: dict[tuple[str, str], _Table] = {}
    bases = []
    for kind, one in (item for entry in listing for item in entry.items()):
        if kind in {"chain", "rule"}:
            key = one["family"], one["table"]
            table = tables.setdefault(key, _Table(*key))
            if kind == "chain":
                table.rules.setdefault(one["name"], [])
                bases += [(table, one)] if one.get("hook") == "forward" and one.get("type") == "filter" else []
            else:
                table.rules.setdefault(one["chain"], []).append(one["expr"])
    return [
        f"{table.family} {table.name} {chain['name']}"
        for table, chain in bases
        if table.family in families and packet.version in VERSIONS[table.family] and _drops(table, chain, packet)
    ]


def _drops(table: _Table, chain: Mapping[str, Any], packet: FirstPacket) -> bool:
    fate = _follow(table, chain["name"], packet, 0)
    return fate is _Fate.DROPPED or (fate is _Fate.GOES_ON and chain.get("policy") == "drop")


def _follow(table: _Table, chain: str, packet: FirstPacket, depth: int) -> _Fate:
    is_sure = True  # false behind a rule that may have left the chain
    for rule in (_judge(one, packet) for one in table.rules.get(chain, ())):
        if rule.holds is False or rule.verdict is None:
            continue
        is_sure = is_sure and (rule.holds is True or rule.verdict not in {"return", "goto"})
        fate = _fate(table, rule, packet, depth)
        if fate is _Fate.PASSES or (fate is _Fate.DROPPED and rule.holds and is_sure):
            return fate
        if rule.holds and rule.verdict in {"return", "goto"}:
            return _Fate.GOES_ON
    return _Fate.GOES_ON


def _fate(table: _Table, rule: _Rule, packet: FirstPacket, depth: int) -> _Fate:
    if rule.verdict in {"drop", "reject"}:
        return _Fate.DROPPED
    if rule.verdict in {"jump", "goto"} and depth < DEEPEST:
        return _follow(table, rule.target, packet, depth + 1)
    return _Fate.GOES_ON if rule.verdict in {"return", "continue"} else _Fate.PASSES


def _judge(expressions: Sequence[Expression], packet: FirstPacket) -> _Rule:
    rule = _Rule()
    names_interface = any(_field(one) in {"iif", "iifname", "oif", "oifname"} for one in expressions)
    for kind, value in (item for one in expressions for item in one.items()):
        if kind == "match":
            rule.holds = _both(rule.holds, _matches(value, packet))
        elif kind in {"accept", "drop", "reject", "jump", "goto", "return", "continue", "queue"}:
            rule.verdict, rule.target = kind, value["target"] if kind in {"jump", "goto"} else ""
        elif kind == "vmap":
            rule.verdict, rule.target = _mapped(value)
            rule.holds = _both(rule.holds, None)
        elif kind in OPAQUE and not names_interface:
            rule.holds = False  # by custom the rule for answers: "--ctstate RELATED,ESTABLISHED"
        elif kind not in HARMLESS:
            rule.holds = _both(rule.holds, None)
    return rule


def _mapped(value: Mapping[str, Any]) -> tuple[str | None, str]:
    """The kindest verdict of a map, but for what belongs to known connections."""
    data = value["data"]
    entries = data.get("set", ()) if isinstance(data, Mapping) else ()
    verdicts = [verdict for key, verdict in entries if key not in {"established", "related", "untracked"}]
    if isinstance(data, str) or any("accept" in one for one in verdicts):
        return "accept", ""
    jumps = [one[kind]["target"] for one in verdicts for kind in ("jump", "goto") if kind in one]
    return ("jump", jumps[0]) if len(jumps) == 1 else ("accept" if jumps else None, "")


def _both(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _field(expression: Expression) -> str:
    left = expression.get("match", {}).get("left", {})
    return str(left.get("meta", {}).get("key", "")) if isinstance(left, Mapping) else ""


def _matches(match: Mapping[str, Any], packet: FirstPacket) -> bool | None:
    left, right = match["left"], list(_values(match["right"]))
    key = left.get("meta", left.get("ct", {})).get("key", "") if isinstance(left, Mapping) else ""
    known: dict[str, Collection[str]] = {
        "iif": [packet.inbound],
        "iifname": [packet.inbound],
        "oif": packet.outbound,
        "oifname": packet.outbound,
        "nfproto": [f"ipv{packet.version}"],
        "protocol": ["ip" if packet.version == 4 else "ip6"],
        "state": ["new"],
    }
    if key not in known or any(one.startswith("@") for one in right):
        return None
    found = {any(fnmatchcase(value, one) for one in right) for value in known[key]}
    held = found.pop() if len(found) == 1 else None
    return held if held is None or match["op"] != "!=" else not held


def _values(right: Any) -> Iterator[str]:
    if isinstance(right, Mapping):
        yield from (text for one in right.values() for text in _values(one))
    elif isinstance(right, list):
        yield from (text for one in right for text in _values(one))
    else:
        yield str(right)
