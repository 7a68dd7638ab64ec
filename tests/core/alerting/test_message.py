from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from appliance.core.alerting.message import MOST_LINES, Sender, compose, trial_message
from appliance.core.alerting.notice import Notice, Topic
from appliance.core.detection.incident import Severity

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SENDER = Sender("pi", {"a": "Radiology"}, ZoneInfo("Europe/Berlin"))


def notice(number: int, severity: Severity = Severity.HIGH, department: str | None = "a") -> Notice:
    return Notice(NOON + timedelta(seconds=number), Topic.INCIDENT, severity, department, f"scan {number}", number)


def test_one_notice_is_said_in_the_title() -> None:
    message = compose("it", [notice(1)], 0, SENDER)
    assert message.title == "[pi] high: Radiology: scan 1"
    assert message.lines == ("2026-11-23 13:00:01 high: Radiology: scan 1",)


def test_what_is_about_the_appliance_names_no_department() -> None:
    assert compose("it", [notice(1, department=None)], 0, SENDER).title == "[pi] high: scan 1"


def test_some_notices_are_all_said_in_their_order() -> None:
    message = compose("it", [notice(1, Severity.LOW), notice(2)], 0, SENDER)
    assert message.title == "[pi] high: 2 notices: 1 high, 1 low"
    assert [line[-6:] for line in message.lines] == ["scan 1", "scan 2"]


def test_a_storm_is_counted_and_its_worst_are_named() -> None:
    storm = [notice(number, Severity.MEDIUM) for number in range(1, 1000)] + [notice(1000, Severity.CRITICAL)]
    message = compose("it", storm, 0, SENDER)
    assert message.title == "[pi] critical: 1000 notices: 1 critical, 999 medium"
    assert message.lines[:3] == ("999 x security:incident (medium)", "1 x security:incident (critical)", "")
    assert message.lines[3].endswith("scan 1000")
    assert len(message.lines) == 3 + MOST_LINES + 1
    assert message.lines[-1] == "and 980 more, which the appliance has."
    assert len(message.notices) == 1000


def test_what_was_given_up_is_said() -> None:
    assert compose("it", [notice(1)], 12, SENDER).lines[-1].endswith("in time: 12.")


def test_each_attempt_of_a_message_has_one_id_and_no_other_message_has_it() -> None:
    ids = [
        compose("it", [notice(1), notice(2)], given_up, SENDER).id
        for given_up in (0, 3)  # some were given up between two attempts
    ]
    assert ids[0] == ids[1]
    others = [
        compose("it", [notice(1)], 0, SENDER).id,
        compose("b", [notice(1), notice(2)], 0, SENDER).id,
        compose("it", [notice(1), notice(3)], 0, SENDER).id,
        trial_message("it", NOON, SENDER).id,
    ]
    assert len({ids[0], *others}) == 5


def test_a_simulation_says_so() -> None:
    simulated = Sender("pi", {}, UTC, simulated=True)
    assert compose("it", [notice(1)], 0, simulated).title.startswith("SIMULATED [pi]")
    assert trial_message("it", NOON, simulated).title == "SIMULATED [pi] test of the channel it"
