"""Reads a published block list: the targets to block, and the lines of which something is not used.

The format of a list is not declared: the parser judges each line by its look, because lists change form over night.
In `forms`, `list_text` finds the text in the bytes, `json_entries` reads JSON, `languages` has the table of all other
forms, `entry` reads a single entry, and `columns` those among other fields.

`#` and `//` begin a comment, `;` after a space, and `!` a whole line of it. An address with another word behind it is
no entry: it may be a hosts file of the user's own network, whose addresses must not be blocked.

A line of which something is not used is reported with its number, and the other lines are used. A text that as a whole
is no list has a `trouble` and no targets.
"""

from collections.abc import Iterable

from appliance.core.blocking.lists.forms.entry import Meaning, NoEntry, read_entry
from appliance.core.blocking.lists.forms.json_entries import is_json, json_entries
from appliance.core.blocking.lists.forms.line_reader import entries_by_line
from appliance.core.blocking.lists.forms.list_text import NoList, list_text
from appliance.core.blocking.lists.list_contents import LARGEST_BYTES, MOST_REPORTED, LineFault, ListContents
from appliance.core.blocking.targets import Scope, TargetKind, kind_of, name_and_scope

MOST_ENTRIES = 100_000  # as many as can be blocked at all
LONGEST_SHOWN = 60  # characters of a faulty entry: enough to find it


def parse_list(content: bytes) -> ListContents:
    """Parse a file; never raises. 100,000 lines take a second."""
    try:
        text = list_text(content, LARGEST_BYTES)
        collected = _Collected()
        for number, entry in json_entries(text) if is_json(text) else entries_by_line(text):
            if not collected.add(number, entry):
                break
    except NoList as why:
        return ListContents((), trouble=str(why))
    return collected.contents() if text.strip() else ListContents((), is_blank=True)


class _Collected:
    """The targets and the faults that were found so far."""

    def __init__(self) -> None:
        self._targets: dict[str, None] = {}
        self._excepted: set[str] = set()
        self._faults: list[LineFault] = []
        self._fault_count = 0
        self._meaningless = 0

    def add(self, number: int, entry: str | Meaning | LineFault) -> bool:
        """Add an entry, still as text or as read, or a fault; false: there are too many, and nothing more is used."""
        if isinstance(entry, LineFault):
            self._note(number, entry.text, entry.why)
            self._meaningless += 1
            return True
        try:
            meaning = read_entry(entry) if isinstance(entry, str) else entry
            excepted = [target for one in meaning.excepted for target in read_entry(one).targets]
        except NoEntry as why:
            return self.add(number, LineFault(number, _text_of(entry), str(why)))
        if len(self._targets) >= MOST_ENTRIES and not self._targets.keys() >= set(meaning.targets):
            self._note(
                number, _text_of(entry), f"the list has more than {MOST_ENTRIES} entries; what follows is not used"
            )
            return False
        self._targets |= dict.fromkeys(meaning.targets)
        self._excepted.update(excepted)
        if meaning.note is not None:
            self._note(number, _text_of(entry), meaning.note)
        return True

    def contents(self) -> ListContents:
        """All that was found, without what is excepted."""
        targets = _joined({one: None for one in self._targets if not _is_excepted(one, self._excepted)})
        return ListContents(tuple(targets), tuple(self._faults), self._fault_count, self._meaningless)

    def _note(self, number: int, text: str, why: str) -> None:
        self._fault_count += 1
        if len(self._faults) < MOST_REPORTED:
            self._faults.append(LineFault(number, _shown(text), why))


def _is_excepted(target: str, excepted: set[str]) -> bool:
    """Whether the list takes this target out again: by itself, or with a name above it."""
    if not excepted or target in excepted:
        return bool(excepted)
    if kind_of(target) is not TargetKind.NAME:
        return False
    name, _ = name_and_scope(target)
    parts = name.split(".")
    return any(".".join(parts[at:]) in excepted for at in range(len(parts)))


def _joined(targets: dict[str, None]) -> Iterable[str]:
    """The same targets, with a name itself and all names below it as one."""
    for target in targets:
        if target[0] in "=*":
            name, scope = name_and_scope(target)
            is_whole = name in targets or (f"*.{name}" if scope is Scope.ITSELF else f"={name}") in targets
            if is_whole and (scope is Scope.BELOW or name in targets):
                continue
            yield name if is_whole else target
        else:
            yield target


def _text_of(entry: str | Meaning) -> str:
    return entry if isinstance(entry, str) else " ".join([*entry.targets, *entry.excepted])


def _shown(text: str) -> str:
    """Text from a list as a terminal can show it: on one line, without control characters, clipped."""
    line = text[:LONGEST_SHOWN].encode("unicode_escape").decode("ascii")
    return line if len(line) <= LONGEST_SHOWN and len(text) <= LONGEST_SHOWN else line[: LONGEST_SHOWN - 3] + "..."
