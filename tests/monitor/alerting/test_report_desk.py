"""The desk of reports over a real database, with a receiver that takes messages, or does not, and a clock."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from appliance.core.alerting.attempts import LEAST_FAILURES, LONGEST_RETRY_S
from appliance.core.alerting.message import Sender
from appliance.core.alerting.report_order import ReportKey, ReportOrder
from appliance.core.metering.quota import QuotaKind
from appliance.core.moment import Moment
from appliance.core.operations.report import ReportSpan
from appliance.monitor.alerting.channel_queue import ChannelQueue
from appliance.monitor.alerting.report_desk import ReportDesk
from appliance.system.storage.store import SqliteStore
from tests.monitor.alerting.test_notification_desk import Receiver

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAILY, WEEKLY = ReportOrder("it", "a", QuotaKind.DAILY, time(6)), ReportOrder("it", "b", QuotaKind.WEEKLY, time(6))
HOUR, DAY = 3600.0, 86_400.0


class Office:
    """A desk with one channel."""

    def __init__(self, path: Path) -> None:
        self.path, self.passed_s, self.is_trusted = path, 0.0, True
        self.receiver = Receiver()
        self.begin()

    def begin(self, *orders: ReportOrder) -> None:
        self.store = SqliteStore(self.path)
        sender = Sender("pi", {"a": "Sales"}, BERLIN)
        channel = ChannelQueue(
            "it",
            "mail",
            "nowhere",
            outlet=self.receiver,
            store=self.store.notices,
            sender=sender,
            aside=lambda work, *arguments: work(*arguments),
        )
        chosen = orders or (DAILY, WEEKLY)
        self.desk = ReportDesk(chosen, {"it": channel}, self.store, sender=sender, zone=BERLIN, make=self.make)

    def make(self, department: str, span: ReportSpan, now: Moment) -> Mapping[str, Any]:
        empty = dict.fromkeys(("days", "quotas", "incidents", "how"), ())
        found = {"departmentId": department, "span": span.text, "up": 1, "down": 2, "before": None}
        return {**found, **empty, "isComplete": span.bounds(BERLIN)[1] <= now.wall}

    def pass_(self, seconds: float) -> list[str]:
        """Time passes, and all that is due is sent; returns the titles of what the receiver has taken."""
        self.passed_s += seconds
        now = Moment(MONDAY + timedelta(seconds=self.passed_s), 1000.0 + self.passed_s, self.is_trusted)
        before = len(self.receiver.taken)
        for _ in range(4):
            self.desk.step(now)
        return [one.title.removeprefix("[pi] ") for one in self.receiver.taken[before:]]

    def restart(self) -> None:
        self.store.close()
        self.begin()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    one = Office(tmp_path / "state.sqlite3")
    with closing(one.store):
        yield one


def test_each_day_and_week_is_sent_once_from_the_first_that_ends_after_it_was_configured(office: Office) -> None:
    assert office.pass_(0) == []
    assert office.pass_(16 * HOUR) == []  # 05:00 in Berlin
    office.restart()
    assert office.pass_(HOUR) == ["Sales: report of the day 2026-11-23"]
    assert office.pass_(HOUR) == []
    office.restart()
    assert office.pass_(HOUR) == []
    sent = [office.pass_(DAY) for _ in range(6)]
    assert sent[0] == ["Sales: report of the day 2026-11-24"]
    assert sent[5] == ["Sales: report of the day 2026-11-29", "b: report of the week 2026-W48"]
    assert all("were used:" in one.text for one in office.receiver.taken), "none is of a span that is not over"


def test_a_server_that_is_down_gets_it_once_it_is_back_and_the_same_mail_again(office: Office) -> None:
    office.pass_(0)
    office.receiver.fault = "Connection refused"
    assert office.pass_(18 * HOUR) == []
    tried = len(office.receiver.tried)
    assert tried == 1, "it waits before it tries again"
    office.restart()
    office.receiver.fault = None
    assert office.pass_(LONGEST_RETRY_S) == ["Sales: report of the day 2026-11-23"]
    assert len({one.id for one in office.receiver.tried}) == 1


def test_of_days_without_a_server_the_latest_alone_is_sent(office: Office) -> None:
    office.pass_(0)
    office.receiver.fault = "Connection refused"
    office.pass_(18 * HOUR)
    office.pass_(DAY)
    office.receiver.fault = None
    assert office.pass_(HOUR) == ["Sales: report of the day 2026-11-24"]


def test_what_nobody_takes_for_three_days_is_given_up(office: Office) -> None:
    office.begin(WEEKLY)
    office.pass_(0)
    office.receiver.fault = "no such reader"
    office.pass_(7 * DAY)
    for _ in range(int(3 * DAY / LONGEST_RETRY_S) + LEAST_FAILURES):
        office.pass_(LONGEST_RETRY_S)
    assert office.store.sent_reports() == {ReportKey("it", "b", QuotaKind.WEEKLY): date(2026, 11, 23)}
    office.receiver.fault = None
    assert office.pass_(HOUR) == []


def test_nothing_leaves_while_the_time_is_not_known_or_nothing_may_be_written(office: Office) -> None:
    office.pass_(0)
    office.is_trusted = False
    assert office.pass_(18 * HOUR) == []
    office.is_trusted = True
    office.store.hold()
    assert office.pass_(HOUR) == []
    office.store.release()
    assert office.pass_(HOUR) == ["Sales: report of the day 2026-11-23"]
