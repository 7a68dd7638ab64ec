"""The server, on real sockets, with the real client."""

from datetime import UTC, datetime

START = datetime(2024, 12, 15, 4, 49, 29, tzinfo=UTC)  # the time at every harness's start
GHOST = "ghost"  # the server knows it and metering does not: a bug, from a call's point of view
BOOT = "harness"  # the boot of the harness's machine, whose monotonic clock stands at 1000 s at the start
