"""Reads a published block list: the targets to block, and the lines without meaning.

The format of a list is not declared: the parser judges each line by its look, because lists change form over night.

    10.0.0.5  10.0.0.0/8  2001:db8::/32  10.0.0.1-10.0.0.9  aa:bb:cc:dd:ee:ff  example.com   an entry, alone on its line
    0.0.0.0 example.com example.org                            a hosts file: the names are meant, not the address
    10.0.0.5,malware,2024-12-15                                CSV, the entry first; a heading in the first line
    {"ip": "10.0.0.5"}                                         an object a line
    elements = { 10.0.0.5, 10.0.0.0/8 timeout 1h }             what `nft list` prints, and what `nft -f` reads

`#` begins a comment, and `;` after a space. An address with another word behind it is no entry: it may be a hosts file
of the user's own network, whose addresses must not be blocked.

A line without meaning is reported with its number, and the other lines are used.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, summarize_address_range

from appliance.core.blocking.targets import parse_target, target_text
from appliance.core.refusal import Refused

ORIGIN = "list:"  # what the origins of all lists begin with
LARGEST_BYTES = 16 << 20  # 100,000 lines of 160 characters; the largest public lists of addresses have 5 MB
MOST_ENTRIES = 100_000  # as many as can be blocked at all
LONGEST_LINE = 65_536  # bytes: nftables' elements may all be on one line
MOST_REPORTED = 20  # faults of one list that are reported one by one; people mend those and ask again
LONGEST_SHOWN = 60  # characters of a faulty entry: enough to find it

# Addresses that a hosts file gives unwanted names, and names that are in every hosts file anyway.
SINKS = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104  read from a file, never bound to
LOCAL_NAMES = frozenset(
    {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback", "0.0.0.0"}  # noqa: S104
)
JSON_KEYS = ("value", "ip", "address", "cidr", "prefix", "mac", "domain")  # the first of these keys that exists counts

_COMMENT = re.compile(r"#.*|(?:^|\s);.*")
_ELEMENTS = re.compile(r"\belements?\b[^{}]*\{([^{}]*)")
_NFTABLES = re.compile(
    r"(?:(?:add|create|flush|delete)\s+)?(?:table|set|map|chain|element)\s.*"
    r"|(?:type|typeof|flags|timeout|size|policy|gc-interval)\s.*|auto-merge;?|[{};\s]+"
)
_HEADING = re.compile(r"[\"']?[A-Za-z_ -]+[\"']?,.*")


@dataclass(frozen=True, slots=True)
class BlockList:
    """A configured list. `department`: `None` for all.

    `duration_s`: how long an entry stays blocked after the last reading that had it; 0: until a reading without it.
    """

    name: str
    source: str
    refresh_s: float
    department: str | None = None
    duration_s: int = 0

    @property
    def origin(self) -> str:
        """The origin of its blocks."""
        return f"{ORIGIN}{self.name}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer of a source: its content and the version of that, or why there is none.

    `content`: `None` where it has not changed, or where there is a `trouble`, a sentence for people. `version`: to send
    with the next request; empty where the source has none.
    """

    content: bytes | None = None
    version: str = ""
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class LineFault:
    """A line that was not used, and why. `line`: from 1; `text`: as far as it can be shown on one line."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class ListContents:
    """The content of a list. `targets`: as `parse_target` writes them, each once, in the list's order.

    `faults`: the first `MOST_REPORTED` of them; `fault_count`: all.
    """

    targets: tuple[str, ...]
    faults: tuple[LineFault, ...] = ()
    fault_count: int = 0


def parse_list(content: bytes) -> ListContents:
    """Parse a file; never raises. 100,000 lines take a second."""
    targets: dict[str, None] = {}
    faults: list[LineFault] = []
    fault_count = 0
    for number, entry in _entries(content):
        try:
            if len(targets) >= MOST_ENTRIES:
                raise _NoEntry(f"the list has more than {MOST_ENTRIES} entries; what follows is not used")
            targets |= dict.fromkeys(_targets(entry))
        except (_NoEntry, Refused) as fault:
            fault_count += 1
            if len(faults) < MOST_REPORTED:
                faults.append(LineFault(number, _shown(entry), _shown(str(fault).removeprefix("address: "), 200)))
            if len(targets) >= MOST_ENTRIES:
                break
    return ListContents(tuple(targets), tuple(faults), fault_count)


class _NoEntry(Exception):
    """A line that cannot be used; the text says why."""


def _entries(content: bytes) -> Iterator[tuple[int, str]]:
    """The entries as written, with the numbers of their lines; `_targets` finds the faults."""
    reader = _Reader()
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = raw[: LONGEST_LINE + 1].decode(errors="replace").strip()
        for entry in reader.entries(line):
            yield number, entry


class _Reader:
    """Splits lines into entries. It remembers whether nftables' braces are open, and whether there was a line yet."""

    def __init__(self) -> None:
        self._is_inside = False
        self._has_begun = False

    def entries(self, line: str) -> Iterable[str]:
        """The entries of this line; a line without meaning is itself one."""
        if len(line) > LONGEST_LINE or (line.startswith("{") and '"' in line):
            return [line]
        line = _COMMENT.sub("", line).strip()
        if not line:
            return []
        is_first, self._has_begun = not self._has_begun, True
        if self._is_inside or _ELEMENTS.search(line):
            return self._elements(line)
        if _NFTABLES.fullmatch(line) or (is_first and _HEADING.fullmatch(line)):
            return []
        return _words(line)

    def _elements(self, line: str) -> Iterable[str]:
        pieces = [line.partition("}")[0]] if self._is_inside else []
        pieces += _ELEMENTS.findall(line)
        self._is_inside = "}" not in line if self._is_inside else "}" not in line[line.rindex("{") :]
        # Behind an element come its timeout and its counters.
        return [words[0] for piece in pieces for element in piece.split(",") if (words := element.split())]


def _words(line: str) -> list[str]:
    first, comma, _ = line.partition(",")
    if comma:
        return [first.strip().strip("\"'")]
    words = line.split()
    if words[0] in SINKS and len(words) > 1:
        return [word for word in words[1:] if word not in LOCAL_NAMES]
    return [line]


def _targets(entry: str) -> Iterable[str]:
    if len(entry) > LONGEST_LINE:
        raise _NoEntry(f"the line is longer than {LONGEST_LINE} characters")
    if entry.startswith("{"):
        entry = _json_value(entry)
    if len(entry.split()) > 1:
        raise _NoEntry("more than one word on the line; a comment begins with #")
    first, dash, last = entry.partition("-")
    if dash and (addresses := _range(first, last)) is not None:
        return addresses
    return [parse_target(entry)]


def _json_value(entry: str) -> str:
    try:
        found = json.loads(entry)
    except (ValueError, RecursionError):
        raise _NoEntry("not a JSON object on one line") from None
    values = [found[key] for key in JSON_KEYS if isinstance(found.get(key), str)] if isinstance(found, dict) else []
    if not values:
        raise _NoEntry(f"a JSON object with none of the texts {', '.join(JSON_KEYS)}")
    return str(values[0])


def _range(first: str, last: str) -> list[str] | None:
    """The prefixes that cover a range of addresses; `None`: this is no range, as names have dashes too."""
    try:
        return [target_text(one) for one in summarize_address_range(ip_address(first), ip_address(last))]
    except (ValueError, TypeError):
        return None


def _shown(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Text from a list as a terminal can show it: on one line, without control characters, clipped."""
    line = text[:longest].encode("unicode_escape").decode("ascii")
    return line if len(line) <= longest and len(text) <= longest else line[: longest - 3] + "..."
