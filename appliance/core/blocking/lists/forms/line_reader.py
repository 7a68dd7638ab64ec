"""Splits the lines of a list into entries, and remembers what earlier lines have begun.

`languages` has what a single line can mean. Only what goes over several lines is here: the braces of nftables, the
heading of columns, a zone, and a line that goes on in the next one.
"""

import re
from collections.abc import Iterable, Iterator

from appliance.core.blocking.lists.forms import languages
from appliance.core.blocking.lists.forms.columns import Heading, delimiter_of, entries_in, find_heading
from appliance.core.blocking.lists.forms.entry import Meaning, NoEntry, is_entry, is_name, try_entry
from appliance.core.blocking.lists.forms.firewall_lines import attributed, is_passing
from appliance.core.blocking.lists.forms.json_entries import object_entries
from appliance.core.blocking.lists.forms.zone_records import Zone, exception
from appliance.core.blocking.lists.list_contents import LineFault

LONGEST_LINE = 4 << 20  # characters: nftables' elements and plain lists may all be on one line

_COMMENT = re.compile(r"(?<!/)#.*|(?:^|\s);.*|(?:^|\s)//.*|^(?:!|--|/\*|\*/|<!--).*")
_COSMETIC = re.compile(r"[^\s#]#[@?$%]{0,2}#|##\^|\$\$|\$@\$")
# Most lines of most lists: a name, or an address.
_SIMPLE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*[0-9A-Za-z]|[0-9A-Fa-f:.]+(?:/\d{1,3})?")
_SET = re.compile(r"\b(?:set|map|chain|table)\s+([^\s{]+)")
_ELEMENTS = re.compile(r"\b(?:elements?|define|table\s*<)[^{}]{0,200}\{([^{}]*)")
_NFTABLES = re.compile(
    r"(?!.*\b[sd]addr\b)(?:nft\s+)?"
    r"(?:(?:add|create|flush|delete|destroy)\s+(?:table|set|map|chain|element|ruleset)\b.*"
    r"|(?:table|set|map|chain)\s+[^{}]*\{.*|(?:type|typeof|flags|timeout|size|policy|gc-interval|counter)\s.*)"
)
_ELEMENT = re.compile(r'(?:[^,"]|"[^"]*")+')
_INVISIBLE = "\u200b\u200e\u2060\ufeff"  # that an office program puts around a word
_DASHED = re.compile(r"[-*•]\s+(?=\S)")
_COUNTS = re.compile(r"[\d.:T+-]+Z?")  # numbers, dates and times behind an entry

Found = Iterable[str | Meaning | LineFault]


def entries_by_line(text: str) -> Iterator[tuple[int, str | Meaning | LineFault]]:
    """The entries as written, with the numbers of their lines."""
    begun: list[str] = []
    reader, at, length = _LineReader(), 0, 0
    for number, match in enumerate(re.finditer(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)", text), 1):
        line, at = match[1], at if begun else number
        is_continued = line.endswith("\\") and length + len(line) < LONGEST_LINE
        begun.append(line[:-1] if is_continued else line)
        length += len(line)
        if is_continued:
            continue
        whole, begun, length = "".join(begun), [], 0
        try:
            for entry in reader.entries(whole):
                yield at, entry
        except NoEntry as why:
            yield at, LineFault(at, whole.strip(), str(why))


class _LineReader:
    """Splits lines into entries, and remembers what the lines before have begun: braces, a heading, a zone."""

    def __init__(self) -> None:
        self._heading: Heading | None = None
        self._zone = Zone()
        self._is_inside = False
        self._is_passing = False
        self._has_entry = False

    def entries(self, line: str) -> Found:
        """The entries of this line. Raises `NoEntry` where the line means nothing."""
        if len(line) > LONGEST_LINE:
            raise NoEntry(f"the line is longer than {LONGEST_LINE} characters")
        stripped = line.strip().strip(_INVISIBLE).strip()
        if _SIMPLE.fullmatch(stripped) and not self._is_inside and not languages.is_without_entry(stripped):
            return [stripped]
        if _COSMETIC.search(stripped) and not stripped.startswith("#") and not _is_address(stripped.partition("#")[0]):
            raise NoEntry("a filter of parts of pages")
        if stripped.startswith("!") and is_entry(stripped[1:]):
            return [exception(stripped[1:])]
        bare = _COMMENT.sub("", stripped).strip()
        if not bare:
            return self._of_comment(stripped)
        if stripped.startswith("{") and '"' in stripped:
            return object_entries(stripped)
        return self._of_line(line, bare)

    def _of_comment(self, line: str) -> Found:
        """A comment may be the heading of the columns."""
        found = None if self._has_entry else find_heading(line.lstrip("#;/! "))
        self._heading = found[0] if found else self._heading
        return ()

    def _of_line(self, line: str, bare: str) -> Found:
        if self._is_inside or _ELEMENTS.search(bare):
            return self._elements(bare)
        if languages.is_without_entry(bare) or _NFTABLES.fullmatch(bare):
            self._note_set(bare)
            return ()
        for found in (languages.hosts_line(bare), self._zone.readings(line)):
            if found is not None:
                return found
        bare = _DASHED.sub("", bare, count=1) if bare[0] in "-*•" else bare
        for pattern, reader in languages.languages_of(bare):
            match = pattern.fullmatch(bare)
            if match is not None:
                return reader(match)
        return self._of_fields(bare)

    def _of_fields(self, line: str) -> Found:
        found = None if self._has_entry else find_heading(line)
        if found is not None:
            self._heading, note = found
            return [Meaning(note=note)] if note else ()
        if self._heading is not None and self._heading.delimiter in line:
            return [self._heading.entry_of(line)]
        self._has_entry = True
        delimiter = delimiter_of(line)
        if delimiter is not None and delimiter != "\t":
            return entries_in(line, delimiter)
        return _words(line)

    def _elements(self, line: str) -> Found:
        """The elements of nftables' sets, between braces, which may be on many lines."""
        pieces = [line.partition("}")[0]] if self._is_inside else []
        pieces += _ELEMENTS.findall(line)
        self._note_set(line)
        self._is_inside = "}" not in (line if self._is_inside else line[line.rindex("{") :])
        elements = [one.strip() for piece in pieces for one in _ELEMENT.findall(piece) if one.strip()]
        return [exception(one) for one in elements] if self._is_passing else [_attributed(one) for one in elements]

    def _note_set(self, line: str) -> None:
        """Note the name of the set that begins here: the elements of some are let pass."""
        name = _SET.search(line) or re.search(r"\belement\s+\S+\s+\S+\s+(\S+)|\bdefine\s+(\S+)", line)
        self._is_passing = is_passing(name[1] or name[2]) if name else self._is_passing


def _is_address(text: str) -> bool:
    found = try_entry(text)
    return found is not None and not is_name(found)


def _attributed(element: str) -> str | Meaning:
    """An element without its timeout, counter and comment; one with anything else is left to be reported."""
    try:
        return attributed(element)
    except NoEntry:
        return element


def _words(line: str) -> Iterable[str | Meaning]:
    words = line.rstrip(";").split()
    if len(words) == 1:
        return words
    first = try_entry(words[0])
    if first is None:
        return _refuse()
    found = [one for one in map(try_entry, words) if one is not None]
    if len(found) == len(words) and len(set(map(is_name, found))) == 1:
        return found
    if len(found) == 1 and all(map(_COUNTS.fullmatch, words[1:])):
        if "\t" not in line and len(words) == 2 and words[1].isdigit() and int(words[1]) <= 128:
            raise NoEntry("a prefix is written with a slash")
        return [first]
    return _refuse() if is_name(first) else [_with_attributes(line, words[0])]


def _with_attributes(line: str, entry: str) -> str:
    """The entry that has attributes as in `ipset list`."""
    if attributed(line) != entry:
        raise NoEntry("more than an entry and its attributes")
    return entry


def _refuse() -> Iterable[str]:
    raise NoEntry("more than one word on the line; a comment begins with #")
