"""The desk and its channels, over a real database; receivers are values that take messages, or do not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance import events
from appliance.core.alerting.attempts import GATHER_S, LEAST_FAILURES, LONGEST_RETRY_S, MOST_AGE, PACE_S
from appliance.core.alerting.message import AlertMessage, Sender
from appliance.core.alerting.notice import MOST_RECORDED
from appliance.core.alerting.rules import NotificationRule
from appliance.core.detection.incident import Severity
from appliance.core.moment import Moment, timestamp
from appliance.core.operations.update_window import UpdateWindow, window_of
from appliance.core.refusal import Refused
from appliance.monitor.alerting.channel_queue import REOPEN_S, TROUBLED_AFTER, ChannelQueue
from appliance.monitor.alerting.notification_desk import NotificationDesk
from appliance.system.storage.store import SqliteStore

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")


class Receiver:
    """Takes messages, or says why not."""

    def __init__(self) -> None:
        self.taken: list[AlertMessage] = []
        self.tried: list[AlertMessage] = []
        self.fault: str | None = None

    def send(self, message: AlertMessage) -> str | None:
        self.tried.append(message)
        if self.fault is None:
            self.taken.append(message)
        return self.fault


class Office:
    """A desk with two channels, and a clock."""

    def __init__(self, path: Path, **rule) -> None:
        self.path = path
        self.rule = {"topics": None, "least": Severity.LOW, "departments": None, "quiet": None, "digest_s": 0} | rule
        self.receivers = {"a": Receiver(), "b": Receiver()}
        self.passed_s = 0.0
        self.begin()

    def begin(self) -> None:
        """Begin again, as after a crash: nothing is closed."""
        self.store = SqliteStore(self.path)
        channels = [
            ChannelQueue(
                name,
                "test",
                "nowhere",
                outlet=receiver,
                store=self.store.notices,
                sender=Sender("pi", {}, ZONE),
                aside=lambda work, *arguments: work(*arguments),
            )
            for name, receiver in self.receivers.items()
        ]
        self.desk = NotificationDesk(
            [NotificationRule(channels=("a", "b"), **self.rule)], channels, self.store.notices, ZONE
        )

    @property
    def now(self) -> Moment:
        return Moment(START + timedelta(seconds=self.passed_s), 100.0 + self.passed_s, True)

    def alert(self, number: int, severity: Severity = Severity.HIGH) -> None:
        facts = events.IncidentFacts(type="port_scan", source=f"10.0.0.{number}", details="20 ports")
        self.desk.hear(
            events.SecurityIncident(
                timestamp=timestamp(self.now.wall), department_id="d", severity=severity, incident=facts
            )
        )

    def pass_time(self, seconds: float, step_s: float = 1.0) -> None:
        until_s = self.passed_s + seconds
        while self.passed_s < until_s:
            self.passed_s += step_s
            self.desk.step(self.now)
            for channel in self.desk.channels.values():
                channel.step(self.now)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "state.sqlite3")
    yield made
    made.store.close()


def sources(messages: list[AlertMessage]) -> list[list[str]]:
    return [[one.text.split(":")[0].rpartition(" ")[2] for one in message.notices] for message in messages]


def test_an_alert_reaches_every_channel_of_its_rule(office: Office) -> None:
    office.alert(1)
    office.pass_time(GATHER_S + 2)
    assert [sources(one.taken) for one in office.receivers.values()] == [[["10.0.0.1"]]] * 2
    assert office.desk.waiting() == {"a": 0, "b": 0}
    assert office.desk.channels["a"].state.delivered_at is not None


def test_a_thousand_alerts_in_a_minute_are_one_message_and_all_are_in_the_record(office: Office) -> None:
    for number in range(60):
        for _ in range(17):
            office.alert(number)
        office.pass_time(1)
    office.pass_time(60)
    for receiver in office.receivers.values():
        assert [len(one.notices) for one in receiver.taken] == [1020]
    assert len(office.desk.recorded(None, 2000)) == 1020


def test_a_dead_receiver_delays_no_other_and_gets_all_in_order_once_it_is_back(office: Office) -> None:
    office.receivers["a"].fault = "refused"
    office.alert(1)
    office.pass_time(GATHER_S + 2)
    assert sources(office.receivers["b"].taken) == [["10.0.0.1"]]
    for number in range(2, 5):
        office.alert(number)
        office.pass_time(1200)
    assert office.receivers["a"].taken == []
    assert office.desk.waiting() == {"a": 4, "b": 0}
    office.receivers["a"].fault = None
    office.pass_time(LONGEST_RETRY_S + PACE_S + GATHER_S + 2)
    assert sources(office.receivers["a"].taken) == [["10.0.0.1"], ["10.0.0.2", "10.0.0.3", "10.0.0.4"]]
    assert office.desk.channels["a"].state.fault == ""


def test_each_attempt_is_the_same_message_also_after_a_crash(office: Office) -> None:
    office.receivers["a"].fault = "the connection ended"
    office.alert(1)
    office.pass_time(GATHER_S + 2)
    office.alert(2)
    office.pass_time(30)
    office.store.close()
    office.begin()
    office.pass_time(30)
    assert len(office.receivers["a"].tried) >= 3
    assert len({one.id for one in office.receivers["a"].tried}) == 1
    office.receivers["a"].fault = None
    office.pass_time(1200)
    assert sources(office.receivers["a"].taken) == [["10.0.0.1"], ["10.0.0.2"]]


def test_what_waits_outlives_a_crash(office: Office) -> None:
    office.alert(1)
    office.pass_time(1)
    office.store.close()
    office.begin()
    office.pass_time(GATHER_S + 2)
    assert sources(office.receivers["a"].taken) == [["10.0.0.1"]]


def test_a_receiver_that_takes_nothing_is_a_trouble_with_its_reason(office: Office) -> None:
    office.receivers["a"].fault = "the server does not answer"
    office.alert(1)
    office.pass_time(GATHER_S + 2)
    assert office.desk.troubles(office.now) == []  # a server that restarts is none
    office.pass_time(10.0 * 2 ** (TROUBLED_AFTER - 1))
    assert office.desk.troubles(office.now) == ["the channel a delivers nothing: the server does not answer"]
    office.receivers["a"].fault = None
    office.pass_time(LONGEST_RETRY_S)
    assert office.desk.troubles(office.now) == []


def test_what_is_too_old_is_given_up_and_the_next_message_says_so(office: Office) -> None:
    office.receivers["a"].fault = "refused"
    office.alert(1)
    office.pass_time(GATHER_S + 2)
    office.pass_time(MOST_AGE.total_seconds() + 2 * LONGEST_RETRY_S, step_s=60.0)
    assert len(office.receivers["a"].tried) > LEAST_FAILURES
    assert office.desk.waiting() == {"a": 0, "b": 0}
    office.alert(2)
    office.receivers["a"].fault = None
    office.pass_time(LONGEST_RETRY_S + GATHER_S + 2)
    [message] = office.receivers["a"].taken
    assert message.lines[-1] == "Given up before, because it could not be delivered in time: 1."
    assert office.desk.channels["a"].state.given_up == 1
    office.alert(3)
    office.pass_time(PACE_S + GATHER_S + 2)
    assert "Given up" not in office.receivers["a"].taken[-1].text


def test_a_clock_that_jumps_gives_nothing_up(office: Office) -> None:
    office.receivers["a"].fault = "refused"
    office.alert(1)
    office.pass_time(GATHER_S + 2)
    office.pass_time(86_400 * 300, step_s=86_400 * 100)
    assert office.desk.waiting()["a"] == 1


def test_the_record_is_bounded_and_what_falls_out_of_it_is_given_up(office: Office) -> None:
    office.receivers["a"].fault = "refused"
    for _ in range(MOST_RECORDED // 500 + 1):
        for number in range(500):
            office.alert(number)
        office.pass_time(1)
    assert len(office.desk.recorded(None, 2 * MOST_RECORDED)) == MOST_RECORDED
    assert office.desk.waiting()["a"] == MOST_RECORDED
    office.receivers["a"].fault = None
    office.pass_time(3 * LONGEST_RETRY_S)
    assert "in time: 500." in office.receivers["a"].taken[0].text
    assert office.desk.channels["a"].state.given_up == 500


def test_quiet_hours_keep_a_notice_until_they_are_over(tmp_path: Path) -> None:
    quiet: UpdateWindow = window_of("12:30-14:00")  # noon in UTC is one o'clock in Berlin
    office = Office(tmp_path / "quiet.sqlite3", quiet=quiet)
    office.alert(1)
    office.pass_time(3500, step_s=10.0)
    assert office.receivers["a"].taken == []
    office.alert(2, Severity.CRITICAL)
    office.pass_time(GATHER_S + 2)
    assert sources(office.receivers["a"].taken) == [["10.0.0.2"]]
    office.pass_time(200)
    assert sources(office.receivers["a"].taken) == [["10.0.0.2"], ["10.0.0.1"]]
    office.store.close()


def test_a_channel_that_is_gone_leaves_nothing_behind(office: Office) -> None:
    office.receivers["b"].fault = "refused"
    office.alert(1)
    office.pass_time(GATHER_S + 2)
    del office.receivers["b"]
    office.rule["departments"] = frozenset({"none"})
    office.store.close()
    office.begin()
    assert dict(office.store.notices.waiting()) == {}
    assert set(office.store.notices.states()) == {"a"}


def test_without_channels_nothing_is_recorded(office: Office) -> None:
    office.desk = NotificationDesk([], [], office.store.notices, ZONE)
    office.alert(1)
    office.pass_time(1)
    assert office.desk.recorded(None, 10) == []


def test_a_channel_is_tried_at_once_and_an_unknown_one_is_refused_by_name(office: Office) -> None:
    assert office.desk.try_out("a", office.now) is None
    assert office.receivers["a"].taken[0].title == "[pi] test of the channel a"
    office.receivers["a"].fault = "refused"
    assert office.desk.try_out("a", office.now) == "refused"
    with pytest.raises(Refused, match="there is no channel"):
        office.desk.try_out("c", office.now)


class Connection:
    """A connection that is to stay open, and ends."""

    def __init__(self) -> None:
        self.is_open, self.fault, self.opened, self.turned = False, "refused", 0, 0

    def open(self) -> str | None:
        self.opened += 1
        self.is_open = not self.fault
        return self.fault or None

    def turn(self) -> None:
        self.turned += 1


def test_a_connection_that_is_to_stay_is_made_again_once_a_minute(office: Office) -> None:
    kept = Connection()
    channel = ChannelQueue(
        "a",
        "test",
        "nowhere",
        outlet=office.receivers["a"],
        store=office.store.notices,
        sender=Sender("pi", {}, ZONE),
        aside=lambda work, *arguments: work(*arguments),
        kept=kept,
    )
    office.desk.channels["a"] = channel
    office.pass_time(2 * REOPEN_S + 1)
    assert (kept.opened, kept.turned, channel.state.fault) == (3, 0, "refused")
    kept.fault = ""
    office.pass_time(REOPEN_S)
    assert kept.is_open
    opened = kept.opened
    office.pass_time(REOPEN_S * 2)
    assert kept.opened == opened
    assert kept.turned >= REOPEN_S


def test_in_maintenance_nothing_leaves_and_afterwards_everything_does(office: Office) -> None:
    office.alert(1)
    office.pass_time(1)
    office.store.hold()
    office.alert(2)
    office.pass_time(60)
    assert office.receivers["a"].tried == []
    office.store.release()
    office.pass_time(GATHER_S + 2)
    assert sources(office.receivers["a"].taken) == [["10.0.0.1", "10.0.0.2"]]


def test_what_was_delivered_as_maintenance_began_is_not_delivered_again(office: Office) -> None:
    receiver = office.receivers["a"]
    send = receiver.send

    class Slow(Receiver):
        """Takes a message, and maintenance begins meanwhile."""

        def send(self, message: AlertMessage) -> str | None:
            office.store.hold()
            return send(message)

    office.receivers["a"] = Slow()
    office.store.close()
    office.begin()
    office.alert(1)
    office.pass_time(GATHER_S + 2)
    assert sources(receiver.taken) == [["10.0.0.1"]]
    office.store.release()
    office.pass_time(5 * PACE_S)
    assert sources(receiver.taken) == [["10.0.0.1"]]
    assert office.desk.waiting()["a"] == 0
