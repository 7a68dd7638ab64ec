"""Line numbers: where the keys of a TOML text stand, which the standard library's reader does not tell.

Only texts that this reader has accepted are looked through, so that little of TOML's grammar is needed here. A value
inside an inline table or a list has the line at which its key begins.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEYS = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_HEADER = re.compile(rf"[ \t]*(?P<brackets>\[\[?)[ \t]*(?P<keys>{_KEYS})")
_ENTRY = re.compile(rf"[ \t]*(?P<keys>{_KEYS})[ \t]*=")
# What may hold a bracket or a line end that is none: strings of four kinds, and comments.
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)
_LAST = re.compile(r"(?:(?:^|\.)[^.\[\]]*|\[\d+\]|[^.])\Z")  # the last step of a path
_TOLD = re.compile(r"\(at line (\d+), column \d+\)")


def lines_of_keys(text: str) -> Mapping[str, int]:
    """The line of each table and key, by its path as faults have it: `departments[2].quota.daily`."""
    found: dict[str, int] = {}
    tables: Counter[str] = Counter()  # of each list of tables
    here = ""
    for line, statement in _statements(text):
        if header := _HEADER.match(statement):
            here = _table(header["keys"], tables, is_another=header["brackets"] == "[[")
            found.setdefault(here, line)
        elif entry := _ENTRY.match(statement):
            path = here
            for key in re.findall(_KEY, entry["keys"]):
                path = _joined(path, key)
                found.setdefault(path, line)
    return found


def line_of(path: str, found: Mapping[str, int]) -> int | None:
    """The line of this path, or of the nearest table or list around it; `None`: nothing of it is in the text."""
    while path and path not in found:
        path = _LAST.sub("", path)
    return found.get(path)


def line_of_syntax_error(message: str, text: str) -> int | None:
    """The line that the standard library's reader tells in its message; `None`: it tells none."""
    told = _TOLD.search(message)
    if told is None:
        return text.count("\n") + 1 if "end of document" in message else None
    return int(told[1])


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """The first line of each table and key, with its number from 1."""
    line, depth = 1, 0
    yield line, text.partition("\n")[0]
    for token in _TOKEN.finditer(text):
        line += token[0].count("\n")
        depth += (token[0] in ("[", "{")) - (token[0] in ("]", "}"))
        if token[0] == "\n" and depth == 0:
            end = text.find("\n", token.end())
            yield line, text[token.end() : None if end < 0 else end]


def _table(keys: str, tables: Counter[str], *, is_another: bool) -> str:
    """The path of a table's header; `is_another`: the header begins one more table of a list."""
    path, names = "", re.findall(_KEY, keys)
    for position, key in enumerate(names, 1):
        path = _joined(path, key)
        if is_another and position == len(names):
            tables[path] += 1
        if path in tables:
            path = f"{path}[{tables[path]}]"
    return path


def _joined(path: str, key: str) -> str:
    return f"{path}.{key.strip(chr(34) + chr(39))}".removeprefix(".")
