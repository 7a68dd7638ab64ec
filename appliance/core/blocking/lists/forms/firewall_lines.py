"""Reads the lines of packet filters' lists: iptables, ipset, nftables' rules, MikroTik, routers, web servers.

A rule counts if it stops all packets of an address. One that is about some packets only, or lets them pass, is
reported: to block the whole address would be more than it means.
"""

import re
import shlex
from collections.abc import Iterable, Mapping

from appliance.core.blocking.lists.forms.entry import NO_TARGET, Meaning, NoEntry, is_entry
from appliance.core.blocking.lists.forms.zone_records import SINKS, exception

SOME_PACKETS = "it is about some packets only; a block is about all"
_UNKNOWN = "its effect is not known here"
# Sets and lists whose name says that they are let pass.
_PASSING = re.compile(r"(?:^|[_-])(?:allow|white|trust|safe|permit|except|accept|ignore)", re.IGNORECASE)
_STOPPING = frozenset({"DROP", "REJECT", "TARPIT", "BLACKHOLE"})
_ATTRIBUTES = re.compile(
    r"(?:\s+(?:(?:timeout|expires|packets|bytes|skbmark|skbprio|skbqueue|size) \S+|counter|-exist|-!|: ?(?:drop|reject)"
    r"|comment (?:\"[^\"]*\"|\S+)))*\s*"
)
_PAIR = re.compile(r"([\w-]+)=(\"(?:[^\"\\]|\\.)*\"|[^\s}]+)")
_TAKES = {  # options of iptables that are about addresses, or say nothing about which packets
    **dict.fromkeys(("-s", "--source", "--src", "-d", "--destination", "--dst", "--src-range", "--dst-range"), "entry"),
    "--mac-source": "entry",
    **dict.fromkeys(("-j", "--jump"), "verdict"),
    **dict.fromkeys(("-A", "-I", "--append", "--insert", "-t", "--table", "-i", "-o", "--comment", "-w"), "nothing"),
    **dict.fromkeys(("--in-interface", "--out-interface", "--reject-with"), "nothing"),
    **dict.fromkeys(("-m", "--match"), "module"),
}
_PLAIN_MODULES = frozenset({"comment", "iprange", "mac"})


def is_passing(name: str) -> bool:
    """Whether the name of a set or list says that what is in it is let pass."""
    return _PASSING.search(name) is not None


def attributed(text: str) -> str:
    """The entry that comes before attributes such as `timeout 60`. Raises `NoEntry` where something else follows."""
    entry, _, rest = text.strip().partition(" ")
    if rest.strip() == "nomatch":
        raise NoEntry("an exception within a set")
    if _ATTRIBUTES.fullmatch(f" {rest}" if rest else "") is None:
        raise NoEntry("more than an entry and its attributes")
    return entry


def ipset_line(match: re.Match[str]) -> Iterable[str | Meaning]:
    """`add SET ENTRY [timeout N] ...`: groups `set`, `entry`."""
    entry = match["entry"].strip()
    if is_passing(match["set"]):
        return [exception(attributed(entry))]
    if "," in entry.partition(" ")[0]:
        raise NoEntry(SOME_PACKETS)
    if entry.endswith(" nomatch"):
        return [exception(entry.removesuffix(" nomatch").strip())]
    return [attributed(entry)]


def iptables_line(match: re.Match[str]) -> Iterable[str | Meaning]:
    """A rule of iptables: group `rule`, from its chain on."""
    try:
        words = shlex.split(match["rule"])
    except ValueError:
        raise NoEntry("a quote is not closed") from None
    if "!" in words:
        raise NoEntry("it is about all others")
    entries, verdict, at = [], "", 0
    while at < len(words):
        kind = _TAKES.get(words[at])
        value = words[at + 1] if at + 1 < len(words) else ""
        if kind is None and at > 0 and words[at].isdigit():  # the place of an inserted rule
            at += 1
            continue
        if kind is None or (kind == "module" and value not in _PLAIN_MODULES):
            raise NoEntry(SOME_PACKETS)
        entries += value.split(",") if kind == "entry" else []
        verdict = value.upper() if kind == "verdict" else verdict
        at += 2
    return _by_verdict(entries, verdict)


def _by_verdict(entries: list[str], verdict: str) -> Iterable[str | Meaning]:
    if verdict in {"ACCEPT", "RETURN"}:
        return [exception(one) for one in entries]
    if verdict not in _STOPPING:
        raise NoEntry(_UNKNOWN)
    if len(entries) != 1 and not all(map(is_entry, entries)):
        raise NoEntry(NO_TARGET)
    return entries


def nftables_rule(match: re.Match[str]) -> Iterable[str | Meaning]:
    """`ip saddr ADDRESSES ... drop`: groups `before`, `addresses`, `after`."""
    after = re.sub(
        r"\bcounter(?: packets \d+ bytes \d+)?|\bcomment \"[^\"]*\"|\blog(?: prefix \"[^\"]*\")?", "", match["after"]
    )
    words = after.split()
    before = match["before"].split()
    if before and before[0] not in {"add", "insert", "nft", "rule"}:
        raise NoEntry(SOME_PACKETS)
    if match["addresses"].startswith("@"):
        return ()  # the set's elements are read where it is
    entries = [one.strip() for one in match["addresses"].strip("{} ").split(",")]
    if words[:1] in (["accept"], ["return"]):
        return [exception(one) for one in entries]
    if words[:1] not in (["drop"], ["reject"]):
        raise NoEntry(SOME_PACKETS if words else _UNKNOWN)
    return entries


def mikrotik_line(match: re.Match[str]) -> Iterable[str | Meaning]:
    """`add KEY=VALUE ...` of an address list, a filter or static DNS: group `pairs`."""
    pairs = {key: value.strip('"') for key, value in _PAIR.findall(match["pairs"])}
    if pairs.get("disabled") == "yes":
        raise NoEntry("it is disabled")
    if "name" in pairs or "regexp" in pairs:
        return _static_name(pairs)
    if "action" in pairs:
        return _filter_rule(pairs)
    if "address" not in pairs:
        raise NoEntry("it has no address")
    return [exception(pairs["address"])] if is_passing(pairs.get("list", "")) else [pairs["address"]]


def _static_name(pairs: Mapping[str, str]) -> Iterable[str | Meaning]:
    is_blocked = pairs.get("type", "").upper() == "NXDOMAIN" or pairs.get("address") in SINKS
    if "name" not in pairs or not is_blocked:
        raise NoEntry("a name that is not blocked, or an expression")
    return [pairs["name"] if pairs.get("match-subdomain") == "yes" else f"={pairs['name']}"]


def _filter_rule(pairs: Mapping[str, str]) -> Iterable[str | Meaning]:
    ends = [pairs[key] for key in ("src-address", "dst-address") if key in pairs]
    others = pairs.keys() - {"src-address", "dst-address", "action", "chain", "comment", "log", "log-prefix"}
    if len(ends) != 1 or others - {"place-before", "in-interface", "out-interface", "disabled"}:
        raise NoEntry(SOME_PACKETS)
    return _by_verdict(ends, pairs["action"].upper())


def access_rule(match: re.Match[str]) -> Iterable[str | Meaning]:
    """`deny ip host ADDRESS any` of a router, `deny ADDRESS;` of a web server: groups `verdict`, `what`."""
    words = [
        one for one in match["what"].rstrip("; ").split() if one not in {"any", "log", "from", "host", "ip", "ipv6"}
    ]
    words = [one.rstrip(",") for one in words]
    if not words or "all" in words:
        raise NoEntry("it means everything")
    if len(words) == 2 and _is_mask(words[1]):
        words = [f"{words[0]}/{words[1]}"]
    if not all(map(is_entry, words)):
        raise NoEntry(SOME_PACKETS)
    return [exception(one) for one in words] if match["verdict"].lower() in {"permit", "allow"} else words


def _is_mask(text: str) -> bool:
    """Whether this is a mask of IPv4, or the reverse of one, which Cisco's lists have."""
    numbers = text.split(".")
    if len(numbers) != 4 or not all(one.isdigit() and int(one) < 256 for one in numbers):
        return False
    mask = int.from_bytes(map(int, numbers))
    reverse = mask ^ 0xFFFF_FFFF
    return (numbers[0] == "255" and reverse & (reverse + 1) == 0) or (
        mask > 0 == mask & (mask + 1) and numbers[0] == "0"
    )


def masked(match: re.Match[str]) -> Iterable[str | Meaning]:
    """`ADDRESS MASK`: groups `address`, `mask`. Raises `NoEntry` where the second is no mask."""
    if not _is_mask(match["mask"]):
        return [match["address"], match["mask"]]
    return [f"{match['address']}/{match['mask']}"]
