"""The documents for people, as the tests read them: pages, blocks, code in the text, tables and links."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).parents[1]

_FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")  # `\|` is a bar inside a cell


@dataclass(frozen=True)
class Block:
    """A fenced block. `where`: the page and the line of its first line, for a failure."""

    where: str
    kind: str
    text: str


@dataclass(frozen=True)
class Page:
    """One document. `name`: its path in the project."""

    name: str

    @property
    def path(self) -> Path:
        return PROJECT / self.name

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    def blocks(self, kind: str) -> list[Block]:
        """The fenced blocks of this kind, such as `toml`."""
        return [
            Block(f"{self.name}:{self.text.count(chr(10), 0, match.start()) + 2}", kind, match["text"])
            for match in _FENCE.finditer(self.text)
            if match["kind"] == kind
        ]

    def spans(self) -> list[str]:
        """The code within the text, each on one line."""
        prose = _FENCE.sub("", self.text)
        return [" ".join(found.replace("\\|", "|").split()) for found in _SPAN.findall(prose)]

    def table(self, *header: str) -> list[list[str]]:
        """The rows of the table with this header, cell by cell; empty where there is no such table."""
        lines = iter(self.text.splitlines())
        for line in lines:
            if _cells(line) == list(header):
                next(lines)  # the rule
                return list(_rows(lines))
        return []

    def links(self) -> list[str]:
        """The targets of its links."""
        return _LINK.findall(_FENCE.sub("", self.text))

    def anchors(self) -> set[str]:
        """What a link can name behind `#`: the headings, written as GitHub does."""
        headings = _HEADING.findall(_FENCE.sub("", self.text))
        return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _cells(line: str) -> list[str]:
    return [cell.replace("\\|", "|").strip() for cell in _CELL.split(line)[1:-1]]


def _rows(lines: Iterator[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield _cells(line)


README = Page("README.md")
EVENTS, CONFIGURATION = Page("deploy/docs/events-and-calls.md"), Page("deploy/docs/configuration.md")
PAGES: Sequence[Page] = (
    README,
    *(Page(path.relative_to(PROJECT).as_posix()) for path in sorted((PROJECT / "deploy/docs").glob("*.md"))),
)


def blocks(kind: str) -> list[Block]:
    """The blocks of this kind in all documents."""
    return [block for page in PAGES for block in page.blocks(kind)]
