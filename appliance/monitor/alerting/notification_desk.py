"""The desk of notifications: hears every event, records what people should be told, and queues it for the channels.

Hearing an event costs nothing but memory; a step saves all that was heard since the one before.
"""

import logging
from collections import deque
from collections.abc import Sequence
from itertools import islice
from zoneinfo import ZoneInfo

from appliance.core.alerting.notice import Notice
from appliance.core.alerting.rules import NotificationRule, deliveries
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.core.text import unknown_text
from appliance.events import Event
from appliance.monitor.alerting.channel_queue import ChannelQueue
from appliance.monitor.alerting.event_notices import Wording
from appliance.ports import NoticeStore

log = logging.getLogger(__name__)

MOST_HEARD = 5000  # in memory, while the medium takes nothing; as many as are recorded
MOST_AT_ONCE = 500  # of one transaction: some milliseconds


class NotificationDesk:
    """Notices on their way to the channels, which are `channels`."""

    def __init__(
        self, rules: Sequence[NotificationRule], channels: Sequence[ChannelQueue], store: NoticeStore, zone: ZoneInfo
    ) -> None:
        self.channels = {one.name: one for one in channels}
        self._rules, self._store, self._zone = tuple(rules), store, zone
        self._wording = Wording()
        self._heard: deque[Notice] = deque(maxlen=MOST_HEARD)
        store.forget_channels(list(self.channels))

    def hear(self, event: Event) -> None:
        """Take note of an event; of none where nobody would be told."""
        if not self.channels:
            return
        self._heard.extend(self._wording.notices(event))

    def step(self, now: Moment) -> None:
        """Record and queue what was heard."""
        if not self._heard:
            return
        found = list(islice(self._heard, MOST_AT_ONCE))
        queued = [(one, deliveries(self._rules, one, self._zone)) for one in found]
        if not self._store.add(queued):
            return
        for _ in found:
            self._heard.popleft()
        for name in {channel for _, channels in queued for channel, due in channels.items() if due is None}:
            self.channels[name].arrived(now)

    def try_out(self, name: str, now: Moment) -> str | None:
        """Try a channel; returns `None`, or why the receiver has not taken the message. Raises `Refused`."""
        channel = self.channels.get(name)
        if channel is None:
            raise Refused(Code.BAD_REQUEST, f"channel: {unknown_text('channel', name, self.channels)}")
        return channel.try_out(now)

    def waiting(self) -> dict[str, int]:
        """How many notices wait for each channel."""
        waiting = self._store.waiting()
        return {name: waiting.get(name, 0) for name in self.channels}

    def recorded(self, before: int | None, most: int) -> Sequence[Notice]:
        """At most so many notices, the newest first. `before`: only those with a smaller number."""
        return self._store.recorded(before, most)

    def troubles(self, _: Moment) -> list[str]:
        """A sentence for each channel whose receiver takes nothing."""
        return [one for channel in self.channels.values() for one in channel.troubles()]
