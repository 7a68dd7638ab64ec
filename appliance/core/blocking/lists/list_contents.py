"""A published block list: as a source sends it, and what the parser finds in it."""

from msgspec import Struct

LARGEST_BYTES = 16 << 20  # 100,000 lines of 160 characters; the largest public lists of addresses have 5 MB
MOST_REPORTED = 20  # faults of one list that are reported one by one; people mend those and ask again


class LineFault(Struct, frozen=True):
    """A line of which something was not used, and why. `line`: from 1; `text`: as far as it can be shown on one line.

    `why` repeats nothing of the line, because not everybody may see it.
    """

    line: int
    text: str
    why: str


class Fetched(Struct, frozen=True):
    """The answer of a source: its content and the version of that, or why there is none.

    `content`: `None` where it has not changed, or where there is a `trouble`, a sentence for people. `version`: to send
    with the next request; empty where the source has none.
    """

    content: bytes | None = None
    version: str = ""
    trouble: str | None = None


class ListContents(Struct, frozen=True):
    """The content of a list. `targets`: as `parse_target` writes them, each once, in the list's order.

    `faults`: the first `MOST_REPORTED` of them; `fault_count`: all; `meaningless`: those of which nothing was used.
    `trouble`: why this is no list at all, as a sentence for people; then there are no targets. `is_blank`: it has no
    text.
    """

    targets: tuple[str, ...]
    faults: tuple[LineFault, ...] = ()
    fault_count: int = 0
    meaningless: int = 0
    trouble: str | None = None
    is_blank: bool = False
