import re
from datetime import UTC, datetime

from appliance.core.alerting.message import AlertMessage, Sender, compose, trial_message
from appliance.core.alerting.notice import Notice, Topic
from appliance.core.alerting.syslog_records import LONGEST_BYTES, records
from appliance.core.detection.incident import Severity

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SENDER = Sender("pi", {}, UTC)
# RFC 5424, section 6: PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG
RECORD = re.compile(
    rb"<(\d{1,3})>1 (\S{1,40}) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) (-|\[.+?\]) (.*)",
    re.DOTALL,
)


def split(frames: bytes) -> list[tuple[str, ...]]:
    found = []
    while frames:
        length, _, rest = frames.partition(b" ")
        record, frames = rest[: int(length)], rest[int(length) :]
        match = RECORD.fullmatch(record)
        assert match, record
        found.append(tuple(part.decode() for part in match.groups()))
    return found


def message(count: int, text: str = "scan") -> AlertMessage:
    notices = [Notice(NOON, Topic.INCIDENT, Severity.CRITICAL, "a", text, number) for number in range(count)]
    return compose("it", notices, 0, SENDER)


def test_each_notice_is_a_record_of_its_own() -> None:
    notices = [
        Notice(NOON, Topic.INCIDENT, Severity.CRITICAL, "a", "scan „böse“", 41),
        Notice(NOON, Topic.QUOTA_ALERT, Severity.MEDIUM, None, "used up", 2**40),
    ]
    assert split(records(compose("it", notices, 0, SENDER), "pi")) == [
        (
            "130",
            "2026-11-23T12:00:00.000Z",
            "pi",
            "appliance",
            "-",
            "security:incident",
            '[meta sequenceId="42"]',
            "\ufeffdepartment=a scan „böse“",
        ),
        (
            "132",
            "2026-11-23T12:00:00.000Z",
            "pi",
            "appliance",
            "-",
            "quota:alert",
            '[meta sequenceId="513"]',
            "department=- used up",
        ),
    ]


def test_a_storm_is_one_record_of_bounded_length() -> None:
    [record] = split(records(message(1000, "ä" * 490), "pi"))
    assert record[5:7] == ("digest", "-")
    assert record[7].startswith("\ufeff[pi] critical: 1000 notices")
    assert len(record[7].encode()) < LONGEST_BYTES


def test_a_test_is_a_record_too_and_a_name_of_other_letters_is_none() -> None:
    [record] = split(records(trial_message("it", NOON, SENDER), "prüf stand"))
    assert record[2] == "prfstand"
    assert "test of the channel it" in record[7]
    assert split(records(message(1), "ü"))[0][2] == "-"
