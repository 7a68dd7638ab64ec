"""The text of a report, from the answer of `report:get` alone: for a terminal, for mail as text and page, and as CSV.

Names come from the network and from people: in HTML they are escaped, in text what has no shape of its own is visible.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from appliance.core.alerting.message import AlertMessage, Attachment, Sender
from appliance.core.detection.incident import Severity
from appliance.core.metering.quota import QuotaKind
from appliance.core.operations.report import span_of
from appliance.core.size import size_text
from appliance.core.text import visible

MOST_INCIDENTS = 50  # a page of them; the dashboard has the rest
WORDS = {QuotaKind.DAILY: "day", QuotaKind.WEEKLY: "week", QuotaKind.MONTHLY: "month"}

Report = Mapping[str, Any]  # the answer of `report:get`
Rows = Sequence[Sequence[str]]


def report_csv(report: Report) -> str:
    """The days, or the hours of a single day, in bytes: with CR LF, as RFC 4180 has it. Times are in UTC."""
    rows = [("start", "down_bytes", "up_bytes"), *((start, str(down), str(up)) for start, up, down in report["days"])]
    return "".join(f"{','.join(row)}\r\n" for row in rows)


def report_text(report: Report, name: str, zone: ZoneInfo) -> str:
    """The report for a person, as text."""
    title, sentences, parts = _content(report, name, zone)
    lines = [title, "", *sentences]
    for heading, rows in parts:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
        lines += ["", heading, *("  ".join(row).rstrip() for row in cells)]
    return "\n".join(lines)


def report_html(report: Report, name: str, zone: ZoneInfo) -> str:
    """The same as a page that loads nothing."""
    title, sentences, parts = _content(report, name, zone)
    body = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(one)}</p>" for one in sentences)]
    for heading, rows in parts:
        cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
        table = "".join(f"<tr>{one}</tr>" for one in cells)
        body.append(f'<h2>{escape(heading)}</h2><table cellpadding="4">{table}</table>')
    return f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>{"".join(body)}</html>'


def report_message(report: Report, channel: str, sender: Sender, zone: ZoneInfo, at: datetime) -> AlertMessage:
    """The mail with the report; of one report and channel always with the same id."""
    department, span = report["departmentId"], report["span"]
    name = sender.names.get(department, department)
    identity = f"{sender.name} {channel} {department} {span}"
    mark = "SIMULATED " if sender.simulated else ""
    return AlertMessage(
        id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        at=at,
        severity=Severity.LOW,
        title=f"{mark}[{sender.name}] {visible(name)}: {_span_words(span)}"[:200],
        lines=tuple(report_text(report, name, zone).splitlines()),
        html=report_html(report, name, zone),
        attachments=(Attachment(f"{department}-{span}.csv", "csv", report_csv(report)),),
    )


def _content(report: Report, name: str, zone: ZoneInfo) -> tuple[str, list[str], list[tuple[str, Rows]]]:
    """Title, sentences, and tables with their headings."""
    title = f"{visible(name)}: {_span_words(report['span'])}"
    parts: list[tuple[str, Rows]] = [
        ("Quotas", [_quota_row(one, zone) for one in report["quotas"]]),
        ("Incidents", [_incident_row(one, zone) for one in report["incidents"][-MOST_INCIDENTS:]]),
        ("Used", [_day_row(one, report, zone) for one in report["days"]]),
        ("How this was counted", [(one,) for one in report["how"]]),
    ]
    return title, _sentences(report), [(heading, rows) for heading, rows in parts if rows]


def _span_words(span: str) -> str:
    return f"report of the {WORDS[span_of(span).kind]} {span}"


def _sentences(report: Report) -> list[str]:
    so_far = "" if report["isComplete"] else " so far"
    used = f"{size_text(report['up'] + report['down'])} were used{so_far}: {size_text(report['down'])} down and"
    before = report["before"]
    compared = "" if before is None else f" In the span before it were {size_text(before['up'] + before['down'])}."
    over = sum("exceededAt" in one and one["exceededAt"] is not None for one in report["quotas"])
    incidents = len(report["incidents"])
    return [
        f"{used} {size_text(report['up'])} up.{compared}",
        f"Quotas that were used up: {over}. Incidents: {incidents}.",
    ]


def _quota_row(one: Report, zone: ZoneInfo) -> tuple[str, str, str]:
    limit = "no limit" if one["limit"] is None else f"of {size_text(one['limit'])}"
    exceeded = one.get("exceededAt")
    return (
        f"{one['type']}, {_local(one['startedAt'], zone):%Y-%m-%d}",
        f"{size_text(one['used'])} {limit}",
        f"used up at {_local(exceeded, zone):%Y-%m-%d %H:%M}" if exceeded else "",
    )


def _incident_row(one: Report, zone: ZoneInfo) -> tuple[str, str, str]:
    what = f"{one['severity']}: {one['type'].replace('_', ' ')}"
    return f"{_local(one['at'], zone):%Y-%m-%d %H:%M}", what, visible(f"{one['source']}, {one['details']}")


def _day_row(one: tuple[str, int, int], report: Report, zone: ZoneInfo) -> tuple[str, str, str]:
    start, up, down = one
    form = "%H:%M" if span_of(report["span"]).kind is QuotaKind.DAILY else "%Y-%m-%d"
    return _local(start, zone).strftime(form), f"{size_text(down)} down", f"{size_text(up)} up"


def _local(timestamp: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(timestamp).astimezone(zone)
