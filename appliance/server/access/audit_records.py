"""Writes entries of the audit trail, and limits how many of them refused logins may make.

A stranger can fail to log in any number of times. The trail takes some of these failures and counts the rest, so that
they cannot push out what people have done.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from appliance.core.access.audit_entry import Actor, AuditEntry, StoredEntry, value_text
from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code, Refused

if TYPE_CHECKING:  # the ports load half of the core, which the command line can do without
    from appliance.ports import AuditStore

# Ten at once show an attack as well as a thousand; then one each ten minutes, of which half a year fits in the trail.
REFUSALS = Rate(rate_per_s=1 / 600, burst=10)
MOST_ACTIONS = 10  # kinds of refusals, each limited by itself: strangers' logins do not hide who guesses with a token
MOST_LOGINS = 1000  # of the newest, by which people are known where they come from: some weeks of a department's


class AuditRecords:
    """Makes entries of what happened, and stores them."""

    def __init__(self, store: "AuditStore") -> None:
        self._store = store
        self._refusals = RateLimit(REFUSALS, MOST_ACTIONS)
        self._left_out: Counter[str] = Counter()

    def entries(
        self, most: int, *, before: int | None, who: str | None, action: str | None, contains: str | None
    ) -> Sequence[StoredEntry]:
        """The newest entries, newest first. `before`: only older than the entry with this number; `None`: any."""
        return self._store.entries(most, before=before, who=who, action=action, contains=contains)

    def is_intact(self) -> bool | None:
        """Whether each entry follows from the one before; `None`: it cannot be told."""
        return self._store.is_intact()

    def logins(self) -> Sequence[tuple[str, str]]:
        """Who has logged in from which address, the oldest first; nobody where the trail cannot be read."""
        found: list[AuditEntry] = []
        with suppress(Refused):
            found = [one.entry for one in self._store.entries(MOST_LOGINS, action="login")]
        return [(one.who, one.address) for one in reversed(found) if one.outcome == "done" and one.address is not None]

    def record_change(
        self,
        actor: Actor,
        action: str,
        now: Moment,
        what: object = None,
        before: object = None,
        after: object = None,
        outcome: str = "done",
    ) -> None:
        """Record a change from `before` to `after`. `outcome`: `done`, or the code of what failed after the change."""
        self._store.record(
            AuditEntry(
                at=timestamp(now.wall),
                who=actor.who,
                role=actor.role,
                address=actor.address,
                action=action,
                what=value_text(what),
                before=value_text(before),
                after=value_text(after),
                outcome=outcome,
            )
        )

    def record_refusal(self, actor: Actor, action: str, now: Moment, code: Code, what: object = None) -> None:
        """Record a wrong password or code; of each action, only `REFUSALS`, each with the number of those left out."""
        if self._refusals.spend(action, now.monotonic_s) > 0:
            self._left_out[action] += 1
            return
        left_out = self._left_out.pop(action, 0)
        tried = {"tried": what, "notTold": left_out} if left_out else {"tried": what}
        self.record_change(actor, action, now, tried, outcome=code)
