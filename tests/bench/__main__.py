"""Runs the benches that are named, or all, and prints their rows; with `--compare REVISION`, those of both."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

from tests.bench import anomalies
from tests.bench.compare import compare

NAMES = (
    "packets", "forwarding", "metering", "overshoot", "history", "disk", "names", "server", "blocking", "page",
    "anomalies",
)  # fmt: skip


def rows(words: Sequence[str]) -> Iterable[str]:
    match words:
        case ["--compare", revision, *names]:
            yield from compare(revision, names or NAMES)
        case ["anomalies", *words] if words and not set(words) <= set(NAMES):
            yield from anomalies.run(words)
        case _:
            for name in words or NAMES:
                yield from import_module(f"tests.bench.{name}").run()


for row in rows(sys.argv[1:]):
    print(row, flush=True)
