"""Texts from strangers, made fit for the log; what is said of an unknown word, and to a user without permission."""

import difflib
from collections.abc import Iterable

AS_ITS_USER = "run it with sudo, or as the user who runs the service"  # after a refusal of the operating system
LONGEST_LOGGED = 200  # characters of a stranger's text
MOST_NAMED = 16  # of the words that exist; a network has a handful of departments, and a line ends somewhere


def clipped(text: object) -> str:
    """A text fit for one line of the log: control characters escaped, at most 200 characters."""
    line = str(text)[:LONGEST_LOGGED].encode("unicode_escape", "backslashreplace").decode("ascii")
    return line if len(line) <= LONGEST_LOGGED else line[: LONGEST_LOGGED - 3] + "..."


def unknown_text(kind: str, word: str, known: Iterable[str]) -> str:
    """A sentence about a word that is none of the known ones: which was meant perhaps, and which there are."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:LONGEST_LOGGED], names, n=1)
    more = ", ..." if len(names) > MOST_NAMED else ""
    there_are = f"there are {', '.join(names[:MOST_NAMED])}{more}"
    hint = f"; did you mean {close[0]}? ({there_are})" if close else f"; {there_are}" if names else ""
    return f'there is no {kind} "{clipped(word)}"{hint}'
