"""Calls about quotas, ended periods and requests for more: what they answer, and who may see what."""

from typing import Any

import pytest

from appliance.core.refusal import Code
from appliance.server.access import Role
from tests.server.conftest import Connect, Running

GIB = 2**30
DAILY = {"departmentId": "dept123", "type": "daily"}
MORE = {**DAILY, "bytes": 3 * GIB, "reason": "exam week"}
PC, OTHER = "10.20.0.11", "10.99.0.12"


@pytest.fixture(autouse=True)
def _used_up(connect: Connect) -> None:
    """Both departments have used up their quotas."""
    client = connect()
    for department in ("dept123", "dept456"):
        assert client.call("quota:set", {**DAILY, "departmentId": department, "limit": 0})["success"]


def ask(server: Running, text: str, department: str = "dept123", address: str = PC) -> str:
    found = server.order({"ask": text, "in": department, "at": address})
    assert isinstance(found, str)
    return found


def code(answer: Any) -> str:
    assert answer["success"] is False
    assert answer["error"]
    return str(answer["code"])


def test_all_quotas_of_the_callers_departments_come_in_one_answer(connect: Connect) -> None:
    everywhere, one = connect(), connect(role=Role.VIEWER, departments=["dept456"])
    single = everywhere.call("quota:get", "dept123")
    for everything in (everywhere.call("quota:get"), everywhere.call("quota:get", None)):
        assert [row["departmentId"] for row in everything["departments"]] == ["dept123", "dept456"]
        assert everything["departments"][0] == {"departmentId": "dept123", "quotas": single["quotas"]}
    assert [row["departmentId"] for row in one.call("quota:get")["departments"]] == ["dept456"]


def test_a_quota_names_its_grants_and_since_when_it_is_used_up(connect: Connect) -> None:
    client = connect()
    [before] = [one for one in client.call("quota:get", "dept123")["quotas"] if one["type"] == "daily"]
    assert (before["isExceeded"], before["exceededAt"]) == (True, "2026-12-15T04:49:29.000Z")
    assert before["startedAt"] == "2026-12-15T00:00:00.000Z"
    assert "grants" not in before
    [after] = [one for one in client.call("quota:extend", MORE)["quotas"] if one["type"] == "daily"]
    assert after["isExceeded"] is False
    assert "exceededAt" not in after
    [weekly] = [one for one in client.call("quota:get", "dept123")["quotas"] if one["type"] == "weekly"]
    assert weekly["limit"] is None
    assert "isExceeded" not in weekly
    grant = {"bytes": 3 * GIB, "by": "tester", "at": "2026-12-15T04:49:29.000Z", "reason": "exam week"}
    assert (after["grants"], after["granted"]) == ([grant], 3 * GIB)
    entry = client.call("audit:get", {"action": "quota:extend"})["entries"][0]
    assert "grants" not in entry["after"], "the trail has them as changes"


def test_what_was_granted_is_taken_back_and_no_more(connect: Connect) -> None:
    client = connect()
    client.call("quota:extend", MORE)
    undo = {**MORE, "bytes": 2 * GIB, "reason": "too much", "takeBack": True}
    [after] = [one for one in client.call("quota:extend", undo)["quotas"] if one["type"] == "daily"]
    assert (after["granted"], after["limit"], after["isExceeded"]) == (GIB, GIB, False)
    assert [(one["bytes"], one["reason"]) for one in after["grants"]] == [
        (3 * GIB, "exam week"),
        (-2 * GIB, "too much"),
    ]
    refused = client.call("quota:extend", undo)
    assert code(refused) == Code.BAD_REQUEST
    assert f"{GIB} bytes were granted" in refused["error"]
    [last] = [one for one in client.call("quota:extend", {**undo, "bytes": GIB})["quotas"] if one["type"] == "daily"]
    assert (last["granted"], last["isExceeded"]) == (0, True)


def test_ended_periods_are_answered_newest_first_with_their_limits(server: Running, connect: Connect) -> None:
    client = connect(role=Role.VIEWER, departments=["dept123"], ttl_s=86_400 * 7)
    asked = {**DAILY, "count": 2}
    assert client.call("quota:closed", asked)["periods"] == []
    connect().call("quota:extend", MORE)
    for _ in range(3):
        server.advance(86_400)
        server.order({"meter": True})
    found = client.call("quota:closed", asked)
    assert (found["departmentId"], found["type"]) == ("dept123", "daily")
    assert [one["startedAt"][:10] for one in found["periods"]] == ["2026-12-17", "2026-12-16"]
    [first] = client.call("quota:closed", {**asked, "count": 400})["periods"][2:]
    assert first == {
        "startedAt": "2026-12-15T00:00:00.000Z",
        "endedAt": "2026-12-16T00:00:00.000Z",
        "used": 0,
        "limit": 3 * GIB,
        "granted": 3 * GIB,
        "exceededAt": "2026-12-15T04:49:29.000Z",
    }
    for count in (0, 401, "1", None):
        assert code(client.call("quota:closed", {**asked, "count": count})) == Code.BAD_REQUEST
    assert code(client.call("quota:closed", {**asked, "departmentId": "dept456"})) == Code.FORBIDDEN


def test_a_limit_that_the_caller_has_not_seen_is_not_overwritten(server: Running, connect: Connect) -> None:
    client = connect()
    first = {**DAILY, "limit": 20 * GIB, "seen": 0}
    assert client.call("quota:set", first)["success"]
    late = client.call("quota:set", {**DAILY, "limit": 30 * GIB, "seen": 0})
    assert code(late) == Code.CONFLICT
    assert (
        "the daily limit of dept123 is 20 GiB now, and not 0 bytes any more; tester set it to 20 GiB" in late["error"]
    )
    assert client.call("quota:set", {**DAILY, "limit": None, "seen": 20 * GIB})["success"]
    again = client.call("quota:set", {**DAILY, "limit": 1, "seen": 20 * GIB})
    assert "is no limit now, and not 20 GiB any more; tester set it to no limit" in again["error"]
    assert client.call("quota:set", {**DAILY, "limit": 10 * GIB, "seen": None})["success"]
    client.call("quota:extend", MORE)
    granted = client.call("quota:set", {**DAILY, "limit": 1, "seen": 10 * GIB})
    assert "is 13 GiB now, and not 10 GiB any more; tester granted 3 GiB" in granted["error"]
    assert client.call("quota:set", {**DAILY, "limit": 5})["success"], "without what was seen, the last one wins"
    for seen in (-1, "5", 1.5):
        assert code(client.call("quota:set", {**DAILY, "limit": 5, "seen": seen})) == Code.BAD_REQUEST


def test_the_limit_of_each_host_has_its_own_conflict(connect: Connect) -> None:
    client = connect()
    each = {**DAILY, "eachHost": True}
    assert client.call("quota:set", {**each, "limit": 7, "seen": None})["success"]
    late = client.call("quota:set", {**each, "limit": 8, "seen": None})
    assert code(late) == Code.CONFLICT
    assert "the daily limit of each host of dept123 is 7 bytes now, and not no limit any more" in late["error"]


def test_a_request_is_told_listed_and_answered_to_the_departments_clients_only(
    server: Running, connect: Connect
) -> None:
    here, there = connect(role=Role.VIEWER, departments=["dept123"]), connect(role=Role.VIEWER, departments=["dept456"])
    request_id = ask(server, "payroll <b>")
    told = here.wait_for("quota:request")
    request = {
        "id": request_id,
        "departmentId": "dept123",
        "address": PC,
        "name": "T. Brandt",
        "text": "payroll <b>",
        "at": "2026-12-15T04:49:29.000Z",
        "state": "open",
    }
    assert told == {"departmentId": "dept123", "timestamp": "2026-12-15T04:49:29.000Z", "request": request}
    assert here.call("quota:requests")["requests"] == [request]
    assert here.call("quota:requests", {"departmentId": "dept123"})["requests"] == [request]
    assert there.call("quota:requests")["requests"] == []
    assert code(there.call("quota:requests", {"departmentId": "dept123"})) == Code.FORBIDDEN
    ask(server, "theirs", "dept456", OTHER)
    assert there.wait_for("quota:request")["request"]["text"] == "theirs"
    assert [one["text"] for one in connect().call("quota:requests")["requests"]] == ["theirs", "payroll <b>"]
    assert [one["request"]["text"] for one in here.named("quota:request")] == ["payroll <b>"]


def test_an_operator_of_the_department_declines_a_viewer_and_another_do_not(server: Running, connect: Connect) -> None:
    request_id = ask(server, "payroll")
    viewer = connect(role=Role.VIEWER, departments=["dept123"])
    other = connect(role=Role.OPERATOR, departments=["dept456"])
    operator = connect(role=Role.OPERATOR, departments=["dept123"])
    asked = {"id": request_id, "reason": "the quota is for all"}
    assert code(viewer.call("quota:decline", asked)) == Code.FORBIDDEN
    unknown = other.call("quota:decline", {"id": "none"})
    assert other.call("quota:decline", asked) == unknown, "what they may not see does not exist"
    assert code(unknown) == Code.BAD_REQUEST
    declined = operator.call("quota:decline", asked)["request"]
    assert (declined["state"], declined["by"], declined["reason"]) == ("declined", "tester", "the quota is for all")
    assert viewer.wait_for("quota:request", lambda data: data["request"]["state"] == "declined")["request"] == declined
    assert code(operator.call("quota:decline", {"id": request_id})) == Code.CONFLICT
    [entry] = connect().call("audit:get", {"action": "quota:decline"})["entries"]
    assert (entry["before"]["state"], entry["after"]["state"], entry["who"]) == ("open", "declined", "tester")


def test_a_grant_closes_the_departments_requests_and_tells_it(server: Running, connect: Connect) -> None:
    client = connect(role=Role.OPERATOR, departments=["dept123"])
    ask(server, "payroll")
    ask(server, "theirs", "dept456", OTHER)
    assert client.call("quota:extend", MORE)["success"]
    granted = client.wait_for("quota:request", lambda data: data["request"]["state"] == "granted")["request"]
    assert (granted["text"], granted["by"], granted["reason"]) == ("payroll", "tester", "exam week")
    states = {one["text"]: one["state"] for one in connect().call("quota:requests")["requests"]}
    assert states == {"payroll": "granted", "theirs": "open"}


def test_in_maintenance_a_person_may_ask_and_nobody_declines(server: Running, connect: Connect) -> None:
    client = connect()
    client.call("maintenance:start")
    request_id = ask(server, "payroll")
    assert code(client.call("quota:decline", {"id": request_id})) == Code.MAINTENANCE
