"""Runs the benches that are named, or all, and prints their rows."""

import sys
from importlib import import_module

NAMES = ("packets", "forwarding", "metering", "overshoot", "history", "disk", "server", "blocking", "page")

for name in sys.argv[1:] or NAMES:
    for row in import_module(f"tests.bench.{name}").run():
        print(row, flush=True)
