"""Issues: what is wrong with the appliance itself, how grave it is, and what a person can do.

Some are found by the checks of `checks.py`. The others are sentences of the parts that are concerned, which know best
what they do not do; the table here gives each part's the rest of the record.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct, field

from appliance.core.detection.incident import Severity
from appliance.core.text import Values

# By them a sentence about the same thing differs from look to look. A name such as eth1 is no number.
_NUMBERS = re.compile(r"(?<![A-Za-z])[0-9][0-9.,:TZ%-]*")
# From here on something is not done that should be, or will not be for long: it lowers the score of each department.
TROUBLES = frozenset({Severity.HIGH, Severity.CRITICAL})


class Issue(Struct, frozen=True):
    """One issue. `id`: of the check or the part that found it; one may find several. `since`: when it was first found.

    `cause`: what was found, `suggestion`: what a person can do; both are sentences. `values`: what a check's `cause`
    says.
    """

    id: str
    severity: Severity
    cause: str
    suggestion: str
    since: datetime
    values: Values = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        return f"{self.cause}; {self.suggestion}"


def kind_of(sentence: str) -> str:
    """The sentence without its numbers: the same for the same thing at another time."""
    return _NUMBERS.sub("#", sentence)


class IssueSource(StrEnum):
    """A part of the appliance that tells in sentences what it does not do, in the order in which they are told."""

    METERING = "metering"
    STATE = "state"
    ACCESS = "access"
    HISTORY = "history"
    TRIAL = "trial"
    LISTS = "lists"
    ENFORCEMENT = "enforcement"
    OPENING = "maintenance"
    SCHEDULES = "schedules"
    NOTIFICATIONS = "notifications"
    BACKUP = "backup"
    PANEL = "panel"
    CERTIFICATE = "certificate"
    CRASH = "crash"


class Rest(NamedTuple):
    """What the sentences of a part do not say."""

    severity: Severity
    suggestion: str


# What only will be wrong, or is no fault of the work that is done now, is of medium severity.
SOURCES = {
    IssueSource.METERING: Rest(Severity.HIGH, "make room on the medium; for hosts, make departments smaller"),
    IssueSource.STATE: Rest(Severity.HIGH, "see appliance doctor, and make a backup while it can be read"),
    IssueSource.ACCESS: Rest(Severity.HIGH, "see of people and tokens what the manual says under failures"),
    IssueSource.HISTORY: Rest(Severity.HIGH, "make room on the medium, or take a damaged history.sqlite3 away"),
    IssueSource.TRIAL: Rest(Severity.HIGH, "confirm it, or wait until the former one is back"),
    IssueSource.LISTS: Rest(Severity.HIGH, "see appliance lists, and mend the list or the way to it"),
    IssueSource.ENFORCEMENT: Rest(Severity.CRITICAL, "see appliance status, and in the log why it is not in force"),
    IssueSource.OPENING: Rest(Severity.MEDIUM, "appliance maintenance stop has them enforced again at once"),
    IssueSource.NOTIFICATIONS: Rest(Severity.HIGH, "try it with appliance notify test, and mend the receiver"),
    IssueSource.SCHEDULES: Rest(Severity.HIGH, "connect a time server; see appliance schedule list"),
    IssueSource.BACKUP: Rest(Severity.HIGH, "mend the folder, or make one by hand: appliance backup create"),
    IssueSource.PANEL: Rest(Severity.HIGH, "look at the pins that [panel] names, and at what is connected to them"),
    IssueSource.CERTIFICATE: Rest(Severity.MEDIUM, "name another in [server], or none: then it makes its own"),
    IssueSource.CRASH: Rest(Severity.MEDIUM, "read its report, or send it on: appliance doctor --bundle FILE"),
}
