"""Reads JSON: arrays of entries, arrays of objects, and objects around both, from the first character to the last.

An object's entry is the member with one of the names in `columns`; the rest of such an object describes it, and its
arrays are no entries. An object without one is a frame, and what is inside counts. It reads token by token, so that the
event loop has its turn, and finds the line of each entry.
"""

import json
import re
from collections.abc import Iterator

from msgspec import Struct, field

from appliance.core.blocking.lists.forms.columns import ADDRESS_NAMES, ENTRY_NAMES, VALUE_NAMES, plain_name
from appliance.core.blocking.lists.forms.entry import Meaning, NoEntry, is_entry
from appliance.core.blocking.lists.forms.firewall_lines import is_passing
from appliance.core.blocking.lists.forms.list_text import NoList
from appliance.core.blocking.lists.forms.zone_records import exception
from appliance.core.blocking.lists.list_contents import LineFault

DEEPEST = 32  # published lists nest four deep
_BEGIN = re.compile(r"\s*(?:\[\s*[\[\]{\"]|\{\s*[\"}])")
_TOKEN = re.compile(r'\s*(?:([\[\]{},:])|("[^"\\]*(?:\\.[^"\\]*)*")|(-?[0-9][-+.0-9eE]*|true|false|null)|(\Z))')
_CLOSING = {"{": "}", "[": "]"}
_DESCRIBING = frozenset(
    {
        "tags",
        "tag",
        "labels",
        "references",
        "reference",
        "refs",
        "links",
        "sources",
        "authors",
        "categories",
        "category",
    }
)

Item = tuple[int, str | Meaning | LineFault]


def is_json(text: str) -> bool:
    """Whether the whole text is one JSON value, and not an object on each line."""
    if not _BEGIN.match(text):
        return False
    first, _, rest = text.strip().partition("\n")
    return not (rest and first.startswith("{") and first.rstrip().endswith(("}", "},")))


class _Frame(Struct):
    """An open object or array. `name`: of its member; `found`: in it; `own`: by name, its members that are entries."""

    kind: str
    name: str
    line: int
    found: list[Item] = field(default_factory=list)
    own: dict[str, list[Item]] = field(default_factory=dict)
    key: str | None = None
    is_metadata: bool = False


def json_entries(text: str, line: int = 1) -> Iterator[Item]:
    """The entries of one JSON value, with the numbers of their lines. Raises `NoList`. `line`: of its begin."""
    scan = _Scan()
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise NoList(f"it is JSON that is broken or ends in the middle, in line {line}")
        line += text.count("\n", at, token.end())
        at = token.end()
        scan.take(token, line)
        if token[4] is not None:
            break
    if scan.is_open:
        raise NoList("it is JSON that ends in the middle")
    yield from scan.found


class _Scan:
    """The open objects and arrays, and what was found in the closed ones."""

    def __init__(self) -> None:
        self.found: list[Item] = []
        self._frames: list[_Frame] = []

    @property
    def is_open(self) -> bool:
        """Whether an object or array is not closed yet."""
        return bool(self._frames)

    def take(self, token: re.Match[str], line: int) -> None:
        """Take the next token. Raises `NoList`."""
        frame = self._frames[-1] if self._frames else None
        if token[1] in _CLOSING:
            if len(self._frames) >= DEEPEST:
                raise NoList(f"it is JSON that is nested deeper than {DEEPEST}")
            self._frames.append(_Frame(token[1], (frame.key or frame.name) if frame else "", line))
        elif token[1] in {"}", "]"}:
            if frame is None or _CLOSING[frame.kind] != token[1]:
                raise NoList(f"it is JSON that is broken in line {line}")
            self._close(self._frames.pop(), line)
        elif token[1] == "," and frame is not None:
            frame.key = None
        elif token[2] is not None:
            self._take_text(frame, _text_of(token[2], line), line)

    def _take_text(self, frame: _Frame | None, text: str, line: int) -> None:
        if frame is None:
            self.found.append((line, text))
        elif frame.kind == "[":
            frame.found.append((line, text))
        elif frame.key is None:
            frame.key = text
            if "." in text and is_entry(text):
                frame.own.setdefault("entry", []).append((line, text))
        elif plain_name(frame.key) in ENTRY_NAMES:
            frame.own.setdefault(plain_name(frame.key), []).append((line, text))
        else:
            frame.is_metadata = frame.is_metadata or (plain_name(frame.key), text) == ("type", "metadata")

    def _close(self, frame: _Frame, line: int) -> None:
        parent = self._frames[-1] if self._frames else None
        found = _items_of(frame, line, is_item=parent is None or parent.kind == "[")
        name = plain_name(frame.name)
        if is_passing(frame.name):
            found = [_excepted(one) for one in found]
        if parent is None:
            self.found += found
        elif parent.kind == "{" and frame.kind == "[" and name in ENTRY_NAMES:
            parent.own.setdefault(name, []).extend(found)
        elif name not in _DESCRIBING:
            parent.found += found


def _items_of(frame: _Frame, line: int, *, is_item: bool) -> list[Item]:
    """What a closed object or array has: its own entry, or what is inside."""
    own = frame.own
    for names in (VALUE_NAMES, ADDRESS_NAMES, ENTRY_NAMES):
        chosen = [name for name in names if name in own]
        if chosen:
            used = chosen if names is ADDRESS_NAMES else chosen[:1]
            found = [one for name in used for one in own[name]]
            if len(own) > len(used):
                found.append((line, Meaning(note="of its members that could be blocked, only one kind is used")))
            return found
    if frame.kind == "{" and is_item and not frame.found and not frame.is_metadata:
        return [(frame.line, LineFault(frame.line, "{...}", "a JSON object without a member that is an entry"))]
    return frame.found


def _excepted(item: Item) -> Item:
    line, found = item
    return (line, exception(found)) if isinstance(found, str) else item


def _text_of(token: str, line: int) -> str:
    if "\\" not in token:
        return token[1:-1]
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        raise NoList(f"it is JSON that is broken in line {line}") from None


def object_entries(text: str) -> list[str | Meaning | LineFault]:
    """The entries of an object on a line of its own. Raises `NoEntry`."""
    try:
        return [entry for _, entry in json_entries(text.rstrip(","))]
    except NoList:
        raise NoEntry("not a JSON object on one line") from None
