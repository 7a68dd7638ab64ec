"""Texts from strangers, made fit for the log and for HTML; what is said of an unknown word, or where root is needed."""

import unicodedata
from collections.abc import Iterable, Mapping

# What a sentence says: its numbers and names, by name. With its kind, another language can say it.
Values = Mapping[str, str | int]

AS_ITS_USER = "run it with sudo, or as the user who runs the service"  # after a refusal of the operating system
LONGEST_LOGGED = 200  # characters of a stranger's text
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode's categories of what has no shape of its own
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_JOINERS = "\u200c\u200d"  # which some scripts need inside words; they turn nothing
MOST_NAMED = 16  # of the words that exist; a network has a handful of departments, and a line ends somewhere


def clipped(text: object) -> str:
    """A text fit for one line of the log: control characters escaped, at most 200 characters."""
    line = str(text)[:LONGEST_LOGGED].encode("unicode_escape", "backslashreplace").decode("ascii")
    return line if len(line) <= LONGEST_LOGGED else line[: LONGEST_LOGGED - 3] + "..."


def visible(text: str) -> str:
    """A stranger's text in which control characters, and those that turn its direction, are written out: `(U+202E)`."""
    return "".join(f"(U+{ord(one):04X})" if _is_unseen(one) else one for one in text)


def escape(text: str) -> str:
    """A text fit for HTML and its attributes, as `html.escape` has it; `html` loads the names of 2,231 characters."""
    return text.translate(_MARKUP)


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN and character not in _JOINERS


def unknown_text(kind: str, word: str, known: Iterable[str]) -> str:
    """A sentence about a word that is none of the known ones: which was meant perhaps, and which there are."""
    import difflib  # after a mistake only

    names = sorted(known)
    close = difflib.get_close_matches(word[:LONGEST_LOGGED], names, n=1)
    more = ", ..." if len(names) > MOST_NAMED else ""
    there_are = f"there are {', '.join(names[:MOST_NAMED])}{more}"
    hint = f"; did you mean {close[0]}? ({there_are})" if close else f"; {there_are}" if names else ""
    return f'there is no {kind} "{clipped(word)}"{hint}'
