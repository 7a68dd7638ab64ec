"""The text of a report, as people and table programs read it."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from appliance.core.alerting.message import Sender
from appliance.core.alerting.report_text import report_csv, report_html, report_message, report_text

BERLIN = ZoneInfo("Europe/Berlin")
GIB = 1 << 30
WEEK: dict[str, Any] = {
    "departmentId": "dept123",
    "span": "2026-W48",
    "isComplete": True,
    "up": GIB,
    "down": 3 * GIB,
    "before": {"up": GIB, "down": GIB},
    "days": [["2026-11-22T23:00:00.000Z", 10, 20], ["2026-11-23T23:00:00.000Z", GIB, 3 * GIB]],
    "quotas": [
        {
            "type": "daily",
            "used": 5 * GIB,
            "limit": 4 * GIB,
            "startedAt": "2026-11-23T23:00:00.000Z",
            "exceededAt": "2026-11-24T13:30:00.000Z",
        },
        {"type": "weekly", "used": 5 * GIB, "limit": None, "startedAt": "2026-11-22T23:00:00.000Z", "exceededAt": None},
    ],
    "incidents": [
        {
            "type": "port_scan",
            "source": "10.0.0.9",
            "severity": "high",
            "details": "<b>20 ports\u202e",
            "at": "2026-11-24T09:00:00.000Z",
        }
    ],
    "how": ["Counted are the bytes of IP packets."],
}


def test_a_person_reads_figures_quotas_incidents_days_and_how_they_were_counted() -> None:
    assert report_text(WEEK, "Radiology", BERLIN).splitlines() == [
        "Radiology: report of the week 2026-W48",
        "",
        "4.0 GiB were used: 3.0 GiB down and 1.0 GiB up. In the span before it were 2.0 GiB.",
        "Quotas that were used up: 1. Incidents: 1.",
        "",
        "Quotas",
        "daily, 2026-11-24   5.0 GiB of 4.0 GiB  used up at 2026-11-24 14:30",
        "weekly, 2026-11-23  5.0 GiB no limit",
        "",
        "Incidents",
        "2026-11-24 10:00  high: port scan  10.0.0.9, <b>20 ports(U+202E)",
        "",
        "Used",
        "2026-11-23  20 B down     10 B up",
        "2026-11-24  3.0 GiB down  1.0 GiB up",
        "",
        "How this was counted",
        "Counted are the bytes of IP packets.",
    ]


def test_a_page_has_the_same_and_nothing_of_what_others_wrote_is_markup() -> None:
    page = report_html(WEEK, "R&D <script>", BERLIN)
    assert "<h1>R&amp;D &lt;script&gt;: report of the week 2026-W48</h1>" in page
    assert "<td>10.0.0.9, &lt;b&gt;20 ports(U+202E)</td>" in page
    assert "<td>3.0 GiB down</td>" in page


def test_a_table_program_reads_bytes_and_utc() -> None:
    assert report_csv(WEEK) == (
        f"start,down_bytes,up_bytes\r\n2026-11-22T23:00:00.000Z,20,10\r\n2026-11-23T23:00:00.000Z,{3 * GIB},{GIB}\r\n"
    )


def test_the_hours_of_a_day_that_is_not_over_are_told_as_such() -> None:
    hour = ["2026-11-24T09:00:00.000Z", 1, 2]
    day = {**WEEK, "span": "2026-11-24", "isComplete": False, "before": None, "days": [hour]}
    text = report_text(day, "Radiology", BERLIN)
    assert "4.0 GiB were used so far: 3.0 GiB down and 1.0 GiB up.\n" in text
    assert "10:00  2 B down  1 B up" in text


def test_a_mail_of_one_report_has_one_identity_for_each_channel() -> None:
    sender, at = Sender("pi", {"dept123": "Radiology"}, BERLIN, simulated=True), datetime(2026, 11, 30, 5, tzinfo=UTC)
    mail = report_message(WEEK, "it", sender, BERLIN, at)
    assert mail.title == "SIMULATED [pi] Radiology: report of the week 2026-W48"
    assert (mail.attachments[0].name, mail.attachments[0].text) == ("dept123-2026-W48.csv", report_csv(WEEK))
    assert report_message(WEEK, "it", sender, BERLIN, at).id == mail.id
    assert report_message(WEEK, "head", sender, BERLIN, at).id != mail.id
