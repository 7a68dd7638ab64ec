"""Texts from strangers, made fit for the log."""

LONGEST_LOGGED = 200  # characters of a stranger's text


def clipped(text: object) -> str:
    """A text fit for one line of the log: control characters escaped, at most 200 characters."""
    line = str(text)[:LONGEST_LOGGED].encode("unicode_escape", "backslashreplace").decode("ascii")
    return line if len(line) <= LONGEST_LOGGED else line[: LONGEST_LOGGED - 3] + "..."
