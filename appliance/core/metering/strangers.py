"""What passes at an interface and belongs to no department, or has addresses that no rule can read: shares and kinds.

Both are figures of the last minutes, so that what an administrator has mended disappears from the status.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

WINDOW_S = 300.0
SAMPLED_S = 10.0  # 30 samples in the window
TOLD_FROM = 0.01  # of the interface's traffic: less is link-local chatter of devices that have no address yet


class _Sample(NamedTuple):
    at_s: float
    metered_bytes: int
    unclaimed_bytes: int
    unread_bytes: Mapping[str, int]


class Strangers:
    """The unclaimed and the unreadable traffic of one interface, in the latest `WINDOW_S`."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._samples: deque[_Sample] = deque()

    def is_due(self, now_s: float) -> bool:
        """Whether another sample is wanted. `now_s`: monotonic."""
        return not self._samples or now_s - self._samples[-1].at_s >= SAMPLED_S

    def note(self, metered_bytes: int, unclaimed_bytes: int, unread_bytes: Mapping[str, int], now_s: float) -> None:
        """Keep a sample: what all meters of the interface show, the part of no department, and bytes by kind."""
        last = self._samples[-1] if self._samples else None
        if last is not None and (metered_bytes < last.metered_bytes or unclaimed_bytes < last.unclaimed_bytes):
            self._samples.clear()  # meters that were made again begin at zero
        self._samples.append(_Sample(now_s, metered_bytes, unclaimed_bytes, dict(unread_bytes)))
        while self._samples[0].at_s < now_s - WINDOW_S:
            self._samples.popleft()

    def sentences(self) -> Sequence[str]:
        """What to tell an administrator; empty: nothing worth it."""
        if len(self._samples) < 2:
            return ()
        first, last = self._samples[0], self._samples[-1]
        metered = last.metered_bytes - first.metered_bytes
        unclaimed = last.unclaimed_bytes - first.unclaimed_bytes
        found: list[str] = []
        if metered and unclaimed / metered >= TOLD_FROM:
            found.append(
                f"{unclaimed / metered:.1%} of the traffic at {self._interface} belongs to no department; "
                'give its subnets to one, or refuse it with unclaimed = "block"'
            )
        for kind, total_bytes in last.unread_bytes.items():
            passed_bytes = total_bytes - first.unread_bytes.get(kind, 0)
            if passed_bytes > 0:
                found.append(
                    f"{kind} at {self._interface}: {passed_bytes:,} bytes in which no block can see an address"
                )
        return tuple(found)
