"""A list of blocks as it is configured; the service knows it long before it reads one."""

from msgspec import Struct

ORIGIN = "list:"  # what the origins of all lists begin with


class BlockList(Struct, frozen=True):
    """A configured list. `department`: `None` for all.

    `duration_s`: how long an entry stays blocked after the last reading that had it; 0: until a reading without it.
    `confirm_reads`: the readings in a row for which a list that is doubted (`plausibility`) keeps its former entries.
    """

    name: str
    source: str
    refresh_s: float
    department: str | None = None
    duration_s: int = 0
    confirm_reads: int = 0

    @property
    def origin(self) -> str:
        """The origin of its blocks."""
        return f"{ORIGIN}{self.name}"
