"""Messages: one text for the notices that a channel delivers together, the worst first where there are many.

A message of few notices has them all. One of a storm counts them, and names some of each severity; the appliance's
record has the rest.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from msgspec import Struct

from appliance.core.alerting.notice import Notice
from appliance.core.detection.incident import RANKS, Severity

MOST_TOGETHER = 2000  # notices of one message: those of two minutes of a storm
MOST_LINES = 20  # that a person reads on a telephone


class Attachment(Struct, frozen=True):
    """A text file that goes with a mail. `subtype`: of the media type `text`."""

    name: str
    subtype: str
    text: str


class AlertMessage(Struct, frozen=True):
    """What a channel delivers. `id`: the same in each attempt, so that a receiver can tell a repetition.

    `title`: a line; `lines`: a sentence each; `severity`: the worst. `html`: the same as a page, for mail; empty: none.
    """

    id: str
    at: datetime
    severity: Severity
    title: str
    lines: tuple[str, ...]
    notices: tuple[Notice, ...] = ()
    html: str = ""
    attachments: tuple[Attachment, ...] = ()

    @property
    def text(self) -> str:
        """The lines, as one text."""
        return "\n".join(self.lines)


class Sender(Struct, frozen=True):
    """The appliance, as its messages name it. `names`: of the departments, by their ids."""

    name: str
    names: Mapping[str, str]
    zone: tzinfo
    simulated: bool = False

    def about(self, notice: Notice) -> str:
        """What a notice says, with its department."""
        return (
            f"{self.names.get(notice.department, notice.department)}: {notice.text}"
            if notice.department
            else notice.text
        )


def compose(channel: str, notices: Sequence[Notice], given_up: int, sender: Sender) -> AlertMessage:
    """The message of these notices, of which there is at least one, oldest first.

    `given_up`: how many the channel has not delivered, and has not said yet.
    """
    worst = max((one.severity for one in notices), key=RANKS.index)
    alone = sender.about(notices[0])
    about = alone if len(notices) == 1 else f"{len(notices)} notices: {_counted(notices)}"
    lines = [_line(one, sender) for one in _chosen(notices)]
    if len(notices) > MOST_LINES:
        lines = [*_by_kind(notices), "", *lines, f"and {len(notices) - MOST_LINES} more, which the appliance has."]
    if given_up:
        lines.append(f"Given up before, because it could not be delivered in time: {given_up}.")
    return AlertMessage(
        id=_identity(channel, notices, sender.name),
        at=notices[-1].at,
        severity=worst,
        title=f"{'SIMULATED ' if sender.simulated else ''}[{sender.name}] {worst}: {about}"[:200],
        lines=tuple(lines),
        notices=tuple(notices),
    )


def trial_message(channel: str, wall: datetime, sender: Sender) -> AlertMessage:
    """A message by which a person tries a channel."""
    title = f"{'SIMULATED ' if sender.simulated else ''}[{sender.name}] test of the channel {channel}"
    identity = hashlib.sha256(f"{sender.name} {channel} {wall.isoformat()}".encode()).hexdigest()[:32]
    text = "This is a test that an administrator asked for. Nothing is wrong."
    return AlertMessage(id=identity, at=wall, severity=Severity.LOW, title=title, lines=(text,))


def _identity(channel: str, notices: Sequence[Notice], appliance: str) -> str:
    """The same for the same notices of one channel. Their times are in it, as numbers begin again with a new state."""
    told = " ".join(f"{one.number} {one.at.isoformat()}" for one in (notices[0], notices[-1]))
    return hashlib.sha256(f"{appliance} {channel} {len(notices)} {told}".encode()).hexdigest()[:32]


def _chosen(notices: Sequence[Notice]) -> Sequence[Notice]:
    """All in their order, or the worst of too many."""
    if len(notices) <= MOST_LINES:
        return notices
    return sorted(notices, key=lambda one: -RANKS.index(one.severity))[:MOST_LINES]


def _counted(notices: Sequence[Notice]) -> str:
    found = Counter(one.severity for one in notices)
    return ", ".join(f"{found[severity]} {severity}" for severity in reversed(RANKS) if found[severity])


def _by_kind(notices: Sequence[Notice]) -> list[str]:
    """A line for each kind of event, the most frequent first."""
    found = Counter((one.topic, one.severity) for one in notices)
    return [f"{number} x {topic} ({severity})" for (topic, severity), number in found.most_common()]


def _line(notice: Notice, sender: Sender) -> str:
    return f"{notice.at.astimezone(sender.zone):%Y-%m-%d %H:%M:%S} {notice.severity}: {sender.about(notice)}"
