"""The opening: while a maintenance runs that is configured so, blocks and quotas stay in the kernel and stop nothing.

The kernel is told so for `LEASE_S` at a time, and again before that is over. A service that ends, or hangs, renews
nothing: then the kernel enforces again by itself, within this time, and never later than the maintenance's end.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from appliance.core.moment import Moment

log = logging.getLogger(__name__)

# As long as a network may stay open without a service that watches over it; a restart takes a third of it.
LEASE_S = 15.0
RENEWED_S = 5.0  # two renewals may fail, or come late on a loaded computer


class Opening:
    """Opens and closes the enforcement. `left_s`: for how many seconds it is to be open; 0: it is to be closed.

    `parts`: each stops nothing for so many seconds, or enforces again (0), and returns why the kernel refuses that.
    """

    def __init__(self, left_s: Callable[[Moment], float], parts: Sequence[Callable[[float], str | None]]) -> None:
        self._left_s, self._parts = left_s, parts
        self._is_open: bool | None = None  # not known yet: a former process may have opened it
        self._told_s = 0.0
        self._refusal: str | None = None

    def step(self, now: Moment) -> None:
        """Open, stay open, or close."""
        left_s = self._left_s(now)
        wanted = left_s > 0
        if wanted is self._is_open and not (wanted and now.is_due(self._told_s, RENEWED_S)):
            return
        refusals = [let_pass(min(LEASE_S, left_s)) for let_pass in self._parts]
        refusal = next((one for one in refusals if one), None)
        if refusal is not None and refusal != self._refusal:
            log.error("the kernel refuses to open or to close the enforcement: %s", refusal)
        elif refusal is None and (wanted or self._is_open) and wanted is not self._is_open:
            log.warning("blocks and quotas are %s", "not enforced in this maintenance" if wanted else "enforced again")
        # Refused: it is tried again with the next step, and until then the kernel's own time runs out.
        self._refusal, self._is_open, self._told_s = refusal, None if refusal else wanted, now.monotonic_s

    def troubles(self, now: Moment) -> Sequence[str]:
        """A sentence while nothing is enforced, and where the kernel does not open or close as it should."""
        left_s = self._left_s(now)
        if self._refusal is not None:
            verb = "stop nothing" if left_s > 0 else "enforce again at once"
            return [f"the kernel refuses to {verb}: {self._refusal}"]
        if self._is_open:
            end = now.wall + timedelta(seconds=left_s + 0.5)
            return [f"blocks and quotas are not enforced, until {end:%H:%M:%S} UTC at the latest"]
        return []
