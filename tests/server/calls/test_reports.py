"""Reports, as a department head asks for them."""

from typing import Any

import pytest

from appliance.server.access import Role
from tests.server.conftest import Connect, Running

FIRST = {"departmentId": "dept123", "span": "2026-12-15"}  # the day at which the harness's clock starts


def use(server: Running, up: int, down: int) -> None:
    server.order({"pass": {"dept123": [up, down], "dept456": [7, 7]}, "hosts": []})


def scan(server: Running, department: str, state: str, at: str, severity: str = "high") -> None:
    incident = {"type": "port_scan", "source": "10.0.0.9", "details": f"{state} at {at}", "state": state}
    payload = {"severity": severity, "departmentId": department, "timestamp": at, "incident": incident}
    server.publish("security:incident", payload)


def test_a_running_day_is_told_by_the_hour(server: Running, connect: Connect) -> None:
    use(server, 100, 200)
    server.advance(3600)
    use(server, 1, 2)
    scan(server, "dept123", "open", "2026-12-15T05:00:00.000Z")
    scan(server, "dept456", "open", "2026-12-15T05:00:00.000Z")
    scan(server, "dept123", "closed", "2026-12-15T05:10:00.000Z")
    client = connect(role=Role.VIEWER, departments=["dept123"], ttl_s=100_000)
    assert client.call("report:get", FIRST) == {
        "success": True,
        **FIRST,
        "from": "2026-12-15T00:00:00.000Z",
        "to": "2026-12-16T00:00:00.000Z",
        "isComplete": False,
        "up": 101,
        "down": 202,
        "before": None,
        "days": [["2026-12-15T04:00:00.000Z", 100, 200], ["2026-12-15T05:00:00.000Z", 1, 2]],
        "quotas": [],
        "incidents": [
            {
                "type": "port_scan",
                "source": "10.0.0.9",
                "severity": "high",
                "details": "closed at 2026-12-15T05:10:00.000Z",
                "at": "2026-12-15T05:00:00.000Z",
                "until": "2026-12-15T05:10:00.000Z",
            }
        ],
        "how": [
            "Counted are the bytes of IP packets, in both directions, by the days of UTC.",
            "Not metered: 5h48m in 2 gaps of a minute or more, the longest from 2026-12-15 00:00 to 2026-12-15 04:49.",
            "The figures go up to 2026-12-15 05:49.",
        ],
        "counting": {
            "upTo": "2026-12-15T05:49:29.000Z",
            "exempt": [],
            "oddDays": [],
            "gaps": 2,
            "gapSeconds": 20880.0,
            "gapStep": "minute",
            "longestGap": ["2026-12-15T00:00:00.000Z", "2026-12-15T04:49:00.000Z"],
        },
    }


def test_a_week_that_is_over_has_its_days_and_what_was_before(server: Running, connect: Connect) -> None:
    use(server, 1000, 2000)
    server.advance(7 * 86400)
    use(server, 10, 20)
    server.advance(86400)
    use(server, 1, 2)
    server.advance(7 * 86400)
    report = connect(ttl_s=10**7).call("report:get", {**FIRST, "span": "2026-W52"})
    assert (report["from"], report["to"]) == ("2026-12-21T00:00:00.000Z", "2026-12-28T00:00:00.000Z")
    assert (report["isComplete"], report["up"], report["down"]) == (True, 11, 22)
    assert report["before"] == {"up": 1000, "down": 2000}
    assert report["days"] == [["2026-12-22T00:00:00.000Z", 10, 20], ["2026-12-23T00:00:00.000Z", 1, 2]]
    assert report["incidents"] == []
    month = connect(ttl_s=10**7).call("report:get", {**FIRST, "span": "2026-12"})
    assert (month["up"], month["before"], len(month["days"])) == (1011, None, 3)


def test_the_quota_periods_that_ended_within_the_span_are_in_it(server: Running, connect: Connect) -> None:
    for _ in range(2):
        server.order({"meter": True})
        server.advance(86400)
    server.order({"meter": True})
    client = connect(ttl_s=10**6)
    day = {"type": "daily", "used": 0, "limit": 5 * 2**30, "granted": 0}
    days = [
        {**day, "startedAt": f"2026-12-{number}T00:00:00.000Z", "endedAt": f"2026-12-{number + 1}T00:00:00.000Z"}
        for number in (16, 15)
    ]
    assert client.call("report:get", {**FIRST, "span": "2026-W51"})["quotas"] == days
    assert client.call("report:get", FIRST)["quotas"] == days[1:]
    assert client.call("report:get", {**FIRST, "span": "2026-12-17"})["quotas"] == []


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"departmentId": "dept456"}, "E_FORBIDDEN", "dept456"),
        ({"departmentId": "dept999"}, "E_UNKNOWN_DEPARTMENT", "dept999"),
        ({"span": "2026-W99"}, "E_BAD_REQUEST", "span: there is no 2026-W99; it must be a day such as"),
        ({"span": "yesterday"}, "E_BAD_REQUEST", "span: must be a day such as 2026-11-27, a week such as"),
        ({"span": "2026"}, "E_BAD_REQUEST", "span: must be a day"),
        ({"span": 2026}, "E_BAD_REQUEST", "span: must be a day"),
    ],
)
def test_a_report_of_another_department_or_of_no_span_is_refused(
    server: Running, connect: Connect, change: dict[str, Any], code: str, said: str
) -> None:
    answer = connect(role=Role.VIEWER, departments=["dept123"]).call("report:get", {**FIRST, **change})
    assert (answer["success"], answer["code"]) == (False, code)
    assert said in answer["error"]
