"""What a broker is told: the topics of an appliance, and what lets Home Assistant find it by itself.

Home Assistant makes a device of the appliance, with an entity for events; each message is an event whose type is its
severity. The broker itself says that the appliance is gone, when its connection ends.
"""

import json
import re

from msgspec import Struct

from appliance.core.alerting.message import AlertMessage
from appliance.core.detection.incident import RANKS
from appliance.core.moment import timestamp

ONLINE, OFFLINE = b"online", b"offline"
LONGEST_TEXT = 4000  # characters: Home Assistant keeps attributes up to 16 kB in its database


class Topics(Struct, frozen=True):
    """The topics of an appliance below `prefix`. `host`: its name."""

    prefix: str
    host: str

    @property
    def node(self) -> str:
        """The name in topics, of letters that Home Assistant takes."""
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.host) or "appliance"

    @property
    def availability(self) -> str:
        """Whether it is there."""
        return f"{self.prefix}/{self.node}/availability"

    @property
    def notices(self) -> str:
        """Its messages."""
        return f"{self.prefix}/{self.node}/notices"


def discovery_topic(topics: Topics, discovery: str) -> str:
    """Where Home Assistant looks; `discovery`: its prefix."""
    return f"{discovery}/event/{topics.node}/notices/config"


def discovery_payload(topics: Topics, version: str) -> bytes:
    """The entity, as Home Assistant's discovery of MQTT events takes it."""
    identity = f"appliance_{topics.node}"
    return _encoded(
        {
            "name": "Notices",
            "unique_id": f"{identity}_notices",
            "state_topic": topics.notices,
            "event_types": [str(one) for one in RANKS],
            "availability_topic": topics.availability,
            "payload_available": ONLINE.decode(),
            "payload_not_available": OFFLINE.decode(),
            "qos": 1,
            "icon": "mdi:lan",
            "device": {
                "identifiers": [identity],
                "name": topics.host,
                "model": "Network appliance",
                "sw_version": version,
            },
            "origin": {"name": "appliance", "sw_version": version},
        }
    )


def message_payload(message: AlertMessage) -> bytes:
    """A message as an event. `id` is the same in each attempt, by which a receiver knows a repetition."""
    return _encoded(
        {
            "event_type": message.severity,
            "id": message.id,
            "timestamp": timestamp(message.at),
            "title": message.title,
            "text": message.text[:LONGEST_TEXT],
            "count": len(message.notices),
        }
    )


def _encoded(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
