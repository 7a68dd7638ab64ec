"""Look-ups: the kernel refuses those of blocked names; when somebody takes that away, it does so again.

A kernel that cannot refuse them blocks the addresses that names resolve to all the same
(`core.blocking.blocked_names`); then a person is told what is not done.
"""

import logging
from collections.abc import Collection, Mapping, Sequence

from appliance.core.blocking.blocked_names import BlockedNames
from appliance.core.blocking.denials import Question
from appliance.core.blocking.place import Place
from appliance.core.moment import Moment
from appliance.monitor.blocking.tampering import Tampering
from appliance.ports import DnsFilter

log = logging.getLogger(__name__)

RETRY_S = 60.0  # after a refusal: a kernel that takes no program will hardly take one a moment later


class DnsReconciler:
    """Holds the kernel's DNS filter to the blocked names."""

    def __init__(self, places: Sequence[Place], names: BlockedNames, dns_filter: DnsFilter) -> None:
        self._places = tuple(places)
        self._names = names
        self._filter = dns_filter
        self._is_whole = False  # a filter may stand from before this program's start
        self._refusal: str | None = None
        self._retry_s = 0.0
        self._present: Mapping[str, int] = {}
        self._disturbance = Tampering()

    def troubles(self, now: Moment) -> Sequence[str]:
        """What a person should know, a sentence each."""
        answered = "look-ups of blocked names are answered, and only what they resolve to is blocked"
        refused = f"{answered}: {self._refusal}" if self._refusal else None
        return [one for one in (refused, self._disturbance.text(now)) if one]

    def apply(self, questions: Collection[Question], now: Moment) -> None:
        """These may be answered otherwise from now on."""
        if not questions:
            return
        denials = {one: self._names.denial(one) for one in questions}
        gone = [one for one, denial in denials.items() if denial is None]
        new = [denial for denial in denials.values() if denial is not None]
        if (
            not self._is_whole or self._filter.update_denials(gone, new, now.wall.timestamp()) is not None
        ):  # it may be full
            self._heal(now)

    def step(self, now: Moment, present: Mapping[str, int], *, is_moved: bool) -> None:
        """See that the filter still stands. `present`: by name, the indices of the places' interfaces that exist.

        `is_moved`: it was given wrong lifetimes.
        """
        if self._is_whole and not self._filter.is_intact():
            self._is_whole = False
            if present == self._present:
                self._disturbance.note("somebody", "took the filter of look-ups out of the kernel", now)
        self._present = present
        due = self._refusal is None or now.monotonic_s >= self._retry_s
        if is_moved or (not self._is_whole and due):
            self._heal(now)

    def _heal(self, now: Moment) -> None:
        refusal = self._filter.replace_denials(self._places, self._names.denials(), now.wall.timestamp())
        if refusal is not None and refusal != self._refusal:
            log.warning("the kernel does not refuse look-ups of blocked names: %s", refusal)
        self._refusal = refusal
        self._is_whole = refusal is None
        self._retry_s = now.monotonic_s + RETRY_S
