"""Two revisions of this project, measured in turns: each figure of both, and what the second is to the first.

A row of a bench is shown once, each of its figures as `before|after (ratio)`: medians of the rounds. Numbers that are
the same in every round are part of the text. What else the machine does falls on both, and falls less on the CPU
seconds, and least on the instructions, which a line for each bench has too.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).parents[2]
LOCK = Path("tests", "requirements.lock")
ROUNDS = 2
LONGEST_S = 3600  # of one bench; the longest takes a quarter of an hour
PERF = ["perf", "stat", "--field-separator=,", "--event=instructions"]
PREPARE = "project=$PWD; source deploy/environment; make_environment .venv/tests tests/requirements.lock"
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Tree:
    """A revision's files, and the Python that runs them."""

    folder: Path
    python: Path


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a bench. `instructions`: `None` where this machine does not count them."""

    rows: Sequence[str]
    cpu_s: float
    instructions: int | None


def compare(revision: str, names: Sequence[str]) -> Iterator[str]:
    """The rows of these benches, in the revision and in these files. Raises `CalledProcessError`."""
    here = Tree(PROJECT, Path(sys.executable))
    with _tree_of(revision, with_page="page" in names) as former:
        for name in names:
            rounds: list[tuple[Measured, Measured]] = []
            for turn in range(ROUNDS):
                trees = (former, here) if turn % 2 == 0 else (here, former)
                measured = [_measure(tree, name) for tree in trees]
                rounds.append((measured[0], measured[1]) if turn % 2 == 0 else (measured[1], measured[0]))
            yield from _compared(name, rounds)


@contextmanager
def _tree_of(revision: str, *, with_page: bool) -> Iterator[Tree]:
    with TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch)
        archive = subprocess.run(["git", "archive", revision], cwd=PROJECT, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "--extract", "--directory", scratch], input=archive, check=True)
        prepare = f"{PREPARE}; make_page ." if with_page else PREPARE
        if with_page or (folder / LOCK).read_bytes() != (PROJECT / LOCK).read_bytes():
            subprocess.run(["bash", "-euo", "pipefail", "-c", prepare], cwd=folder, check=True)
        own = folder / ".venv" / "tests" / "bin" / "python"
        yield Tree(folder, own if own.exists() else Path(sys.executable))


def _measure(tree: Tree, name: str) -> Measured:
    """Run a bench of this tree. PYTHONPATH: the environment itself runs the files that it was made for."""
    environment = {**os.environ, "PYTHONPATH": str(tree.folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with TemporaryDirectory() as scratch:
        counted = Path(scratch, "instructions")
        counting = [*PERF, f"--output={counted}"] if _can_count() else []
        before_s = _children_s()
        process = subprocess.Popen(
            [*counting, str(tree.python), "-m", "tests.bench", name],
            cwd=tree.folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=LONGEST_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        instructions = _instructions(counted.read_text()) if counting else None
        return Measured(out.splitlines(), _children_s() - before_s, instructions)


def _children_s() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _can_count() -> bool:
    """Whether this machine counts instructions: many a virtual one does not."""
    if shutil.which("perf") is None:
        return False
    told = subprocess.run([*PERF, "true"], capture_output=True, text=True, check=False)
    return told.returncode == 0 and _instructions(told.stderr) is not None


def _instructions(told: str) -> int | None:
    match = re.search(r"^(\d+),.*instructions", told, re.MULTILINE)
    return int(match[1]) if match else None


def _compared(name: str, rounds: Sequence[tuple[Measured, Measured]]) -> Iterator[str]:
    """The rows that both have, then CPU seconds and instructions of the whole bench."""
    before, after = ([_by_text(one[at].rows) for one in rounds] for at in (0, 1))
    for text in after[0]:
        if all(text in one for one in (*before, *after)):
            yield filled(text[0], [one[text] for one in before], [one[text] for one in after])
        else:
            yield f"{text[0]} (not in both)"
    cpu_s = _pair([one.cpu_s for one, _ in rounds], [one.cpu_s for _, one in rounds])
    counts = [[one[at].instructions for one in rounds if one[at].instructions is not None] for at in (0, 1)]
    counted = f"{_pair(*counts)} instructions" if all(counts) else "instructions cannot be counted here (perf stat)"
    yield f"{name}, all of it: {cpu_s} s of CPU; {counted}"


def _by_text(rows: Sequence[str]) -> dict[tuple[str, int], list[float]]:
    """The figures of each row, by its text without them, and which row of this text it is."""
    found: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        text = NUMBER.sub("#", row)
        number = sum(known == text for known, _ in found)
        found[text, number] = [float(one) for one in NUMBER.findall(row)]
    return found


def filled(text: str, before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> str:
    """The row with its figures. `before`, `after`: the figures of each round, in the order of the text."""
    figures = [
        f"{former[0]:g}" if len({*former, *latter}) == 1 else _pair(former, latter)
        for former, latter in zip(zip(*before, strict=True), zip(*after, strict=True), strict=True)
    ]
    pieces = text.split("#")
    return "".join(piece + figure for piece, figure in zip(pieces, [*figures, ""], strict=True))


def _pair(before: Sequence[float], after: Sequence[float]) -> str:
    former, latter = median(before), median(after)
    return f"{former:.4g}|{latter:.4g} ({latter / former:.2f})" if former else f"{former:.4g}|{latter:.4g}"
