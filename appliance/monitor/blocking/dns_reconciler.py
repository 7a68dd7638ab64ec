"""DNS reconciler: keeps the kernel's DNS filter equal to the blocked names.

Where the kernel cannot refuse look-ups, the addresses that blocked names resolve to are blocked all the same
(`core.blocking.blocked_names`), and people are shown what is missing.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from appliance.core.blocking.blocked_names import BlockedNames
from appliance.core.blocking.denials import Question
from appliance.core.blocking.place import Place
from appliance.core.moment import Moment
from appliance.monitor.blocking.reconciliation import Reconciliation
from appliance.monitor.blocking.tampering import SHOWN_S
from appliance.ports import DnsFilter

log = logging.getLogger(__name__)

RETRY_S = 60.0  # after a refusal: a kernel that takes no program will hardly take one a moment later


class DnsReconciler:
    """Keeps the DNS filter equal to the blocked names, and restores it when another program removes it."""

    def __init__(self, places: Callable[[], Sequence[Place]], names: BlockedNames, dns_filter: DnsFilter) -> None:
        """`places`: as they are now, with their VLANs."""
        self._places = places
        self._names = names
        self._filter = dns_filter
        self._state = Reconciliation(RETRY_S)
        self._present: Mapping[str, int] = {}
        self._unreadable, self._unreadable_s = 0, float("-inf")  # packets, and when their number last grew

    def troubles(self, now: Moment) -> Sequence[str]:
        """Sentences for people: why look-ups are not refused, and recent tampering."""
        answered = "look-ups of blocked names are answered, and only what they resolve to is blocked"
        refused = f"{answered}: {self._state.refusal}" if self._state.refusal else None
        return [one for one in (refused, self._state.tampering.text(now)) if one]

    def fault(self) -> str | None:
        """Why the kernel does not refuse the look-ups that it should; `None`: it does."""
        if not self._present or self._state.is_whole:
            return None
        return self._state.refusal or "the kernel does not refuse look-ups of blocked names"

    def notes(self, now: Moment) -> Sequence[str]:
        """A sentence about packets that were dropped because they may be look-ups of blocked names."""
        if now.monotonic_s - self._unreadable_s > SHOWN_S:
            return []
        return [f"{self._unreadable} packets to port 53 since the start could not be read and were dropped"]

    def refuses(self, department: str, name: str) -> bool:
        """Whether the kernel refuses the department's look-ups of this name now, as far as is known."""
        return self._state.is_whole and self._names.are_blocked(name, department)

    def apply(self, questions: Collection[Question], now: Moment) -> None:
        """Put the current denials of these questions in force."""
        if not questions:
            return
        denials = {one: self._names.denial(one) for one in questions}
        gone = [one for one, denial in denials.items() if denial is None]
        new = [denial for denial in denials.values() if denial is not None]
        if not self._state.is_whole or self._filter.update_denials(gone, new, now.wall.timestamp()) is not None:
            self._put_all(now)  # a refused update may only mean that the filter is full

    def let_pass(self, for_s: float) -> str | None:
        """Have the kernel refuse nothing for so long, with all that it has; 0: refuse it again."""
        return self._filter.let_pass(for_s)

    def step(self, now: Moment, present: Mapping[str, int], *, is_moved: bool) -> None:
        """Restore the filter where it is missing. `present`: by name, the index of each existing interface of a place.

        `is_moved`: the clock moved, so that the lifetimes in the kernel are wrong.
        """
        if self._state.is_whole and not self._filter.is_intact():
            self._state.is_whole = False
            if present == self._present:
                self._state.tampering.note("somebody", "took the filter of look-ups out of the kernel", now)
        self._present = present
        before, self._unreadable = self._unreadable, self._filter.unreadable()
        if self._unreadable > before:
            self._unreadable_s = now.monotonic_s
        if is_moved or self._state.is_due(now):
            self._put_all(now)

    def _put_all(self, now: Moment) -> None:
        refusal = self._filter.replace_denials(self._places(), self._names.denials(), now.wall.timestamp())
        if self._state.note_attempt(refusal, now):
            log.warning("the kernel does not refuse look-ups of blocked names: %s", refusal)
