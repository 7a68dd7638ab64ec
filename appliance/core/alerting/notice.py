"""Notices: what people who are not connected are told of, a sentence each, and how many of them are kept.

A notice is of one event. The record has the latest of them, whether anybody was told or not; each channel's queue has
those that it has still to deliver.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from appliance.core.detection.incident import Severity

MOST_RECORDED = 5000  # a storm of 1,000 a minute for five minutes, or months of a quiet network; 2 MB
LONGEST_TEXT = 500  # characters of a sentence; details of an incident name a handful of ports and hosts


class Topic(StrEnum):
    """The events of which there are notices, by their names on the wire."""

    QUOTA_ALERT = "quota:alert"
    HOST_QUOTA = "quota:host"
    QUOTA_REQUEST = "quota:request"
    INCIDENT = "security:incident"
    ANOMALY = "analytics:anomaly"
    BLOCKED = "ip:blocked"
    STATUS = "department:status"
    HEALTH = "system:health"
    MAINTENANCE = "system:maintenance"
    UPDATE = "system:update"


class Notice(Struct, frozen=True):
    """What is told of one event. `department`: `None` where it is about the appliance; `number`: 0 until it is kept."""

    at: datetime
    topic: Topic
    severity: Severity
    department: str | None
    text: str
    number: int = 0


class ChannelState(Struct, frozen=True):
    """How a channel fares. `fault`: why its latest attempt failed, at `fault_at`; empty: it did not.

    `given_up`: notices that were never delivered, since the state began; `unreported`: those of them that the channel's
    next message has still to say.
    """

    delivered_at: datetime | None = None
    fault: str = ""
    fault_at: datetime | None = None
    given_up: int = 0
    unreported: int = 0
