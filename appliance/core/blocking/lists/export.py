"""Exports the wanted blocks in the forms that other firewalls read, for a position that cannot enforce by itself.

Each form has addresses and prefixes, none inside another, in order: so the same blocks give the same text, and a
firewall that refuses overlaps takes it. MAC addresses and names are left out, because these forms have no place for
them; where a form has comments, one says how many.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from appliance.core.blocking.block import Block
from appliance.core.blocking.lists.address_ranges import address_range
from appliance.core.blocking.targets import TargetKind

TABLE = "appliance_blocks"  # of nftables, and the name of MikroTik's address list
LONGEST_DECISION_S = 10 * 365 * 86_400  # a block until lifted, in a form that needs an end


class MinimalPrefixes(Struct, frozen=True):
    """Blocked addresses and prefixes by IP version, none inside another, and the number of targets of other kinds."""

    v4: tuple[str, ...]
    v6: tuple[str, ...]
    left_out: int


def minimal_prefixes(targets: Iterable[str]) -> MinimalPrefixes:
    """The addresses and prefixes among these targets, without those inside others."""
    ranges, others = [], set()
    for target in {*targets}:
        one = address_range(target)
        if one is None:
            others.add(target)
        else:
            ranges.append((one, target))
    # Of two prefixes that overlap one contains the other. Sorted, it comes first, and behind it all that it contains.
    found: dict[int, list[str]] = {4: [], 6: []}
    end = (0, -1)
    for one, target in sorted(ranges):
        if (one.version, one.first) > end:
            found[one.version].append(target)
            end = one.version, one.last
    return MinimalPrefixes(tuple(found[4]), tuple(found[6]), len(others))


def write_plain(covered: MinimalPrefixes) -> str:
    """One target on each line."""
    return "".join(f"{line}\n" for line in (*_comments(covered), *covered.v4, *covered.v6))


def write_nftables(covered: MinimalPrefixes) -> str:
    """A file for `nft -f`: a table of its own that drops packets from and to the targets."""
    table = f"table inet {TABLE}"
    sets = [*_nft_set("blocked4", "ipv4_addr", covered.v4), *_nft_set("blocked6", "ipv6_addr", covered.v6)]
    families = (("blocked4", "ip"), ("blocked6", "ip6"))
    rules = [f"    {family} {end} @{name} drop" for name, family in families for end in ("saddr", "daddr")]
    chains: list[str] = []
    for hook in ("input", "forward", "output"):
        chains += [f"  chain {hook} {{", f"    type filter hook {hook} priority -10; policy accept;", *rules, "  }"]
    # Deleting a missing table is an error, so it is added first: the file replaces the table of an earlier one.
    lines = [*_comments(covered), table, f"delete {table}", f"{table} {{", *sets, *chains, "}"]
    return "".join(f"{line}\n" for line in lines)


def _nft_set(name: str, kind: str, targets: Sequence[str]) -> list[str]:
    elements = [f"    elements = {{ {', '.join(targets)} }}"] if targets else []
    return [f"  set {name} {{", f"    type {kind}; flags interval;", *elements, "  }"]


def write_mikrotik(covered: MinimalPrefixes) -> str:
    """A RouterOS script for `/import` that replaces the address list."""
    lines = list(_comments(covered))
    for menu, targets in (("/ip firewall address-list", covered.v4), ("/ipv6 firewall address-list", covered.v6)):
        lines += [menu, f"remove [find list={TABLE}]"]
        lines += [f"add list={TABLE} address={target}" for target in targets]
    return "".join(f"{line}\n" for line in lines)


def _comments(covered: MinimalPrefixes) -> list[str]:
    count = len(covered.v4) + len(covered.v6)
    more = f"; {covered.left_out} MAC addresses and names are not in this form" if covered.left_out else ""
    return [f"# {count} addresses and prefixes are to be blocked{more}"]


# File name extension -> form.
FORMS: Mapping[str, Callable[[MinimalPrefixes], str]] = {
    "txt": write_plain,
    "nft": write_nftables,
    "rsc": write_mikrotik,
}

Decisions = Mapping[str, Block]  # by target, the longest-lived block of it


def find_decisions(blocks: Iterable[Block]) -> Decisions:
    """CrowdSec's decisions: the longest-lived block of each address and prefix."""
    found: dict[str, Block] = {}
    for block in blocks:
        is_address = block.kind in {TargetKind.ADDRESS, TargetKind.PREFIX}
        if is_address and (block.target not in found or block.ends_s > found[block.target].ends_s):
            found[block.target] = block
    return found


def write_stream(now: Decisions, before: Decisions, wall: datetime) -> str:
    """The decision stream of CrowdSec's local API, in JSON: decisions that came since `before`, and those that went."""
    new = [one for target, one in now.items() if target not in before or before[target].expires_at != one.expires_at]
    deleted = [one for target, one in before.items() if target not in now]
    changes = {"new": new, "deleted": deleted}
    return json.dumps({kind: [_decision(one, wall) for one in blocks] for kind, blocks in changes.items()})


def _decision(block: Block, wall: datetime) -> dict[str, object]:
    remaining_s = block.remaining_s(wall)
    seconds = LONGEST_DECISION_S if remaining_s is None else max(0, round(remaining_s))
    return {
        "duration": f"{seconds}s",
        "origin": "appliance",
        "scenario": block.reason,
        "scope": "Range" if block.kind is TargetKind.PREFIX else "Ip",
        "type": "ban",
        "value": block.target,
    }
