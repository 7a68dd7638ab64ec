"""Rules: which notice goes to which channel, and how long it waits there.

A rule matches by event, least severity and department. What is critical waits for nothing: neither for the end of the
quiet hours nor for a digest. Where several rules send a notice to one channel, the soonest counts.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from appliance.core.alerting.notice import Notice, Topic
from appliance.core.detection.incident import RANKS, Severity
from appliance.core.operations.update_window import UpdateWindow


class NotificationRule(Struct, frozen=True, kw_only=True):
    """A rule. `topics`, `departments`: those that it is for, `None` for all; what is of no department is for all only.

    `quiet`: local hours in which its channels stay silent. `digest_s`: notices are gathered until the local time of day
    is a multiple of it; 0: they are not.
    """

    channels: tuple[str, ...]
    topics: frozenset[Topic] | None
    least: Severity
    departments: frozenset[str] | None
    quiet: UpdateWindow | None
    digest_s: int

    def matches(self, notice: Notice) -> bool:
        """Whether it is for this notice."""
        return (
            (self.topics is None or notice.topic in self.topics)
            and RANKS.index(notice.severity) >= RANKS.index(self.least)
            and (self.departments is None or notice.department in self.departments)
        )

    def due(self, notice: Notice, zone: ZoneInfo) -> datetime | None:
        """When the notice may leave, in UTC; `None`: at once."""
        if notice.severity is Severity.CRITICAL:
            return None
        at = notice.at if not self.digest_s else _end_of_digest(notice.at, self.digest_s, zone)
        ends = _end_of_quiet(at, self.quiet, zone) if self.quiet else at
        return ends if ends > notice.at else None


def deliveries(rules: Sequence[NotificationRule], notice: Notice, zone: ZoneInfo) -> Mapping[str, datetime | None]:
    """The channels that are to deliver the notice, each with when it is due; `None`: at once."""
    found: dict[str, datetime | None] = {}
    for rule in rules:
        if not rule.matches(notice):
            continue
        due = rule.due(notice, zone)
        for channel in rule.channels:
            former = found.get(channel, due)
            found[channel] = None if due is None or former is None else min(due, former)
    return found


def _end_of_digest(at: datetime, digest_s: int, zone: ZoneInfo) -> datetime:
    """The next multiple of the digest's length on the local clock, or the next midnight, whichever is first."""
    local = at.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    past_s = local.hour * 3600 + local.minute * 60 + local.second
    after_s = (past_s // digest_s + 1) * digest_s
    # Arithmetic in one zone is by the clock on the wall. Where it skips that time, UTC has the instant after the gap.
    ends = midnight + timedelta(seconds=min(after_s, 86_400))
    return max(ends.astimezone(UTC), at)


def _end_of_quiet(at: datetime, quiet: UpdateWindow, zone: ZoneInfo) -> datetime:
    """The end of the quiet hours that this instant is in; the instant itself where it is in none."""
    local = at.astimezone(zone)
    night = quiet.night(local)
    if night is None:
        return at
    day = night + timedelta(days=quiet.end <= quiet.begin)
    return max(datetime.combine(day, quiet.end, zone).astimezone(UTC), at)
