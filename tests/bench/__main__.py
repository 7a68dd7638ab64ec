"""Runs the benches that are named, or all, and prints their rows; with `--compare REVISION`, those of both.

With `--write` it puts the rows of `growth` and `offload`, which are tables, into `deploy/docs/performance.md`.
"""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

from tests.bench import anomalies, incidents
from tests.bench.compare import compare
from tests.bench.report import write

NAMES = (
    "packets", "forwarding", "metering", "overshoot", "history", "disk", "names", "server", "blocking", "page",
    "anomalies", "incidents", "offload", "growth",
)  # fmt: skip
WRITTEN = ("offload", "growth")


def rows(words: Sequence[str]) -> Iterable[str]:
    match words:
        case ["--compare", revision, *names]:
            yield from compare(revision, names or NAMES)
        case ["--write", *names]:
            for name in names or WRITTEN:
                found = [*import_module(f"tests.bench.{name}").run()]
                write(name, found)
                yield from found
        case ["anomalies", *files] if files and not set(files) <= set(NAMES):
            yield from anomalies.run(files)
        case ["incidents", *folders] if folders and not set(folders) <= set(NAMES):
            yield from incidents.run(folders)
        case _:
            for name in words or NAMES:
                yield from import_module(f"tests.bench.{name}").run()


for row in rows(sys.argv[1:]):
    print(row, flush=True)
