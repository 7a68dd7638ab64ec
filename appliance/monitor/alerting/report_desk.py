"""The desk of reports: sends the report of each day, week or month by mail, once, when it is due.

What was sent is saved, and what is due follows from that and the time: so a restart neither repeats a report nor leaves
one out, and a mail server that is down gets it once it is back. The first report is of the first span that ends after
it was configured. While the time is not known, and in maintenance, none leaves.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from random import random
from typing import Any
from zoneinfo import ZoneInfo

from appliance.core.alerting.attempts import Attempts
from appliance.core.alerting.message import Sender
from appliance.core.alerting.report_order import ReportKey, ReportOrder
from appliance.core.alerting.report_text import report_message
from appliance.core.moment import Moment
from appliance.core.operations.report import ReportSpan, latest_span
from appliance.core.refusal import Refused
from appliance.monitor.alerting.channel_queue import ChannelQueue
from appliance.ports import Store

log = logging.getLogger(__name__)

MakeReport = Callable[[str, ReportSpan, Moment], Mapping[str, Any]]  # department, span -> the answer of `report:get`


class ReportDesk:
    """Sends the reports that are ordered. `channels`: of mail, by name."""

    def __init__(
        self,
        orders: Sequence[ReportOrder],
        channels: Mapping[str, ChannelQueue],
        store: Store,
        *,
        sender: Sender,
        zone: ZoneInfo,
        make: MakeReport,
    ) -> None:
        self._orders, self._channels, self._store = tuple(orders), channels, store
        self._sender, self._zone, self._make = sender, zone, make
        self._sent: dict[ReportKey, date] = dict(store.sent_reports())
        self._attempts = {one.channel: Attempts() for one in orders}

    def step(self, now: Moment) -> None:
        """Send what is due, one report at a time for each channel."""
        if not now.is_trusted or self._store.is_held:
            return
        for channel, attempts in self._attempts.items():
            due = self._due(channel, now)
            if due is not None and now.monotonic_s >= attempts.not_before_s:
                self._send(*due, attempts, now)

    def _due(self, channel: str, now: Moment) -> tuple[ReportOrder, ReportSpan, datetime] | None:
        """The next report that the channel has to send, and since when it is due; `None`: there is none."""
        for order in self._orders:
            span, since = latest_span(order.kind, order.at, now.wall, self._zone)
            if order.channel != channel or self._sent.get(order.key, date.min) >= span.first:
                continue
            if order.key in self._sent:
                return order, span, since
            self._remember(order.key, span)  # it was over before this was configured
        return None

    def _send(self, order: ReportOrder, span: ReportSpan, due: datetime, attempts: Attempts, now: Moment) -> None:
        report = self._make(order.department, span, now)
        channel = self._channels[order.channel]
        fault = channel.deliver(report_message(report, order.channel, self._sender, self._zone, due), now)
        if fault is None:
            log.info("the report of %s for %s is sent by %s", order.department, span.text, order.channel)
            attempts.failures, attempts.not_before_s = 0, now.monotonic_s
            self._remember(order.key, span)
            return
        attempts.failed(now.monotonic_s, random())  # noqa: S311  it only spreads appliances over time
        log.warning("the report of %s for %s waits: %s", order.department, span.text, fault)
        if attempts.is_too_old(due, now.wall):
            log.error("the report of %s for %s is given up", order.department, span.text)
            self._remember(order.key, span)

    def _remember(self, key: ReportKey, span: ReportSpan) -> None:
        self._sent[key] = span.first
        try:
            self._store.save_sent_reports({key: span.first})
        except Refused as refused:  # after a restart it is sent once more, as the same mail
            log.warning("that a report was sent is not saved: %s", refused.message)
