"""The server, on real sockets, with the real client."""

from datetime import UTC, datetime

START = datetime(2026, 12, 15, 4, 49, 29, tzinfo=UTC)  # the time at every harness's start
GHOST = "ghost"  # the server knows it, but metering does not: to a call that is a bug
BOOT = "harness"  # of the harness's machine, whose monotonic clock starts at 1000 s
