"""Block lists: what of a file that somebody publishes is to be blocked, and which of its lines mean nothing.

A list's format is not declared: each line is read by what it looks like, because lists change their form over night.

    10.0.0.5  10.0.0.0/8  2001:db8::/32  10.0.0.1-10.0.0.9  aa:bb:cc:dd:ee:ff  example.com   an entry, alone on its line
    0.0.0.0 example.com example.org                            a hosts file: the names are meant, not the address
    10.0.0.5,malware,2024-12-15                                CSV, the entry first; a heading in the first line
    {"ip": "10.0.0.5"}                                         an object a line
    elements = { 10.0.0.5, 10.0.0.0/8 timeout 1h }             what `nft list` prints, and what `nft -f` reads

`#` begins a comment, and `;` after a space. An address with something else behind it is no entry: it may be a hosts
file of somebody's own network, where the addresses are anything but what is to be blocked.

A line that means nothing is told with its number and costs only itself.
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
LONGEST_LINE = 65_536  # bytes: nftables' elements may stand all in one line
MOST_TOLD = 20  # faults of one list that are told one by one; a person who has mended those asks again
LONGEST_SHOWN = 60  # characters of a faulty entry: enough to find it

# What a hosts file leads unwanted names to, and the names that are in every hosts file anyway.
SINKS = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104  read in a file, bound to by nobody
LOCAL_NAMES = frozenset(
    {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback", "0.0.0.0"}  # noqa: S104
)
JSON_KEYS = ("value", "ip", "address", "cidr", "prefix", "mac", "domain")  # the first of these that is there counts

_COMMENT = re.compile(r"#.*|(?:^|\s);.*")
_ELEMENTS = re.compile(r"\belements?\b[^{}]*\{([^{}]*)")
_NFTABLES = re.compile(
    r"(?:(?:add|create|flush|delete)\s+)?(?:table|set|map|chain|element)\s.*"
    r"|(?:type|typeof|flags|timeout|size|policy|gc-interval)\s.*|auto-merge;?|[{};\s]+"
)
_HEADING = re.compile(r"[\"']?[A-Za-z_ -]+[\"']?,.*")


@dataclass(frozen=True, slots=True)
class BlockList:
    """A list that is configured. `department`: `None` for all.

    `duration_s`: how long an entry stays blocked after the list was last seen with it; 0: until it is seen without it.
    """

    name: str
    source: str
    refresh_s: float
    department: str | None = None
    duration_s: int = 0

    @property
    def origin(self) -> str:
        """What its blocks say of where they come from."""
        return f"{ORIGIN}{self.name}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source has given: its content and the version that this is, or why there is none.

    `content`: `None` where it has not changed, and where there is a `trouble`, a sentence for a person. `version`: to
    ask for with the next time; empty where the source has none.
    """

    content: bytes | None = None
    version: str = ""
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class LineFault:
    """A line, counted from 1, that was not used, as far as it can be shown on one line, and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class ListContents:
    """What a list says. `targets`: as `parse_target` writes them, each once, in the list's order.

    `faults`: the first of them; `fault_count`: all.
    """

    targets: tuple[str, ...]
    faults: tuple[LineFault, ...] = ()
    fault_count: int = 0


def read(content: bytes) -> ListContents:
    """What this file says, whatever is in it; for 100,000 lines this takes a second."""
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
            if len(faults) < MOST_TOLD:
                faults.append(LineFault(number, _shown(entry), _shown(str(fault).removeprefix("address: "), 200)))
            if len(targets) >= MOST_ENTRIES:
                break
    return ListContents(tuple(targets), tuple(faults), fault_count)


class _NoEntry(Exception):
    """A line that cannot be used; the text says why."""


def _entries(content: bytes) -> Iterator[tuple[int, str]]:
    """The entries as they are written, with their line; what is wrong with a line is found by `_targets`."""
    reader = _Reader()
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = raw[: LONGEST_LINE + 1].decode(errors="replace").strip()
        for entry in reader.entries(line):
            yield number, entry


class _Reader:
    """Reads line by line; all that it remembers is whether nftables' braces are open, and whether lines have begun."""

    def __init__(self) -> None:
        self._is_inside = False
        self._has_begun = False

    def entries(self, line: str) -> Iterable[str]:
        """The entries of this line; a line without sense is its own entry."""
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
        # Behind an element stand its timeout and its counters.
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
    """The prefixes that cover a range of addresses; `None` where it is none, because names have dashes too."""
    try:
        return [target_text(one) for one in summarize_address_range(ip_address(first), ip_address(last))]
    except (ValueError, TypeError):
        return None


def _shown(text: str, longest: int = LONGEST_SHOWN) -> str:
    """A stranger's text for a person's terminal: on one line, without control characters, clipped."""
    line = text[:longest].encode("unicode_escape").decode("ascii")
    return line if len(line) <= longest and len(text) <= longest else line[: longest - 3] + "..."
