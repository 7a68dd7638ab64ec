"""Records: what becomes an entry of the audit trail, and how many refused logins may.

A stranger can fail to log in as often as he likes; the trail takes some of that and counts the rest, so that he cannot
push out of it what people have done.
"""

from collections.abc import Sequence
from typing import Protocol

from appliance.core.access.audit_entry import Actor, AuditEntry, StoredEntry, value_text
from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code

# Ten at once tell of an attack as well as a thousand; one each ten minutes then, half a year of which fits beside it.
REFUSALS = Rate(rate_per_s=1 / 600, burst=10)


class Trail(Protocol):
    """Where entries are kept."""

    def record(self, entry: AuditEntry) -> None:
        """Append this entry."""

    def read(
        self, most: int, before: int | None = None, who: str | None = None, action: str | None = None
    ) -> Sequence[StoredEntry]:
        """The newest entries, newest first."""


class AuditRecords:
    """Words what happened and has it kept."""

    def __init__(self, trail: Trail) -> None:
        """`trail`: where to."""
        self.trail = trail
        self._refusals = RateLimit(REFUSALS, most_keys=1)
        self._untold = 0

    def done(
        self,
        actor: Actor,
        action: str,
        now: Moment,
        what: object = None,
        before: object = None,
        after: object = None,
        outcome: str = "done",
    ) -> None:
        """Something was changed: from `before` to `after`. `outcome`: or the code of what failed nevertheless."""
        self._record(actor, action, now, outcome, what, before, after)

    def refused(self, actor: Actor, action: str, now: Moment, code: Code, what: object = None) -> None:
        """Somebody was not let in; of many, some are told and the others counted."""
        if self._refusals.take("", now.monotonic_s) > 0:
            self._untold += 1
            return
        untold, self._untold = self._untold, 0
        self._record(actor, action, now, code, {"tried": what, "notTold": untold} if untold else {"tried": what})

    def _record(
        self,
        actor: Actor,
        action: str,
        now: Moment,
        outcome: str,
        what: object,
        before: object = None,
        after: object = None,
    ) -> None:
        self.trail.record(
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
