"""Schedules on the wire: what is kept, who is refused, and what people read. The server's clock says 04:49 UTC."""

from collections.abc import Iterator
from typing import Any

import pytest

from appliance.server.access import Role
from tests.client import NodeClient
from tests.server.conftest import Connect, Running

NIGHTS = {"effect": "block", "address": "192.168.1.40", "departmentId": "dept123", "window": "22:00-06:00"}


def test_a_schedule_is_kept_listed_in_force_and_removed(connect: Connect) -> None:
    client, viewer = connect(role=Role.OPERATOR), connect(role=Role.VIEWER, departments=["dept123"])
    answer = client.call("schedule:add", {**NIGHTS, "days": ["mon", "sat"], "reason": "a night"})
    kept = {
        "id": "block-20261215T044929Z",
        "effect": "block",
        "address": "192.168.1.40",
        "departmentId": "dept123",
        "reason": "a night",
        "actor": "tester",
        "addedAt": "2026-12-15T04:49:29.000Z",
        "window": "22:00-06:00",
        "days": ["mon", "sat"],
        "endsAt": "2026-12-15T06:00:00.000Z",
    }
    assert answer == {"success": True, "schedule": kept}
    assert viewer.wait_for("ip:blocked")["ip"]["duration"] == 4231
    assert viewer.call("schedule:list") == {"success": True, "schedules": [kept], "timezone": "UTC"}
    [block] = viewer.call("ip:list")["blocks"]
    assert (block["origin"], block["reason"], block["duration"]) == ("schedule", "a night", 4231)
    assert client.call("schedule:remove", {"id": kept["id"]}) == {"success": True}
    assert viewer.wait_for("ip:unblocked")["ip"]["address"] == "192.168.1.40"
    assert viewer.call("schedule:list")["schedules"] == []
    [added, removed] = connect().call("audit:get", {"contains": "block-20261215T044929Z"})["entries"][::-1]
    assert (added["action"], removed["action"]) == ("schedule:add", "schedule:remove")


def test_a_quota_pauses_and_a_person_reads_that_it_does(connect: Connect) -> None:
    client = connect()
    asked = {"effect": "unlimited", "departmentId": "dept123", "duration": 1800}
    found = client.call("schedule:add", asked)["schedule"]
    assert (found["until"], found["endsAt"]) == ("2026-12-15T05:19:29.000Z",) * 2
    assert all(one["isPaused"] for one in client.call("quota:get", "dept123")["quotas"])
    client.call("schedule:remove", {"id": found["id"]})
    assert not any("isPaused" in one for one in client.call("quota:get", "dept123")["quotas"])


@pytest.fixture(scope="module")
def patient(shared: Running) -> Iterator[NodeClient]:
    """A client whose calls are refused."""
    with NodeClient(shared.url, shared.token()) as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({**NIGHTS, "window": "22-06"}, 'window: must be a window such as "22:00-06:00"'),
        ({**NIGHTS, "window": None}, "window: give either"),
        ({**NIGHTS, "duration": 60}, "window: give either"),
        ({**NIGHTS, "window": None, "duration": 60}, "duration: block once with ip:block"),
        ({**NIGHTS, "days": ["monday"]}, "days[0]: must be one of mon, tue"),
        ({**NIGHTS, "effect": "close"}, "effect: must be block, allow or unlimited"),
        ({**NIGHTS, "address": None}, "address: missing"),
        ({"effect": "unlimited", "window": "22:00-06:00"}, "departmentId: missing"),
        ({**NIGHTS, "effect": "unlimited", "address": "10.0.0.0/8"}, "address: must be a host's address"),
        ({**NIGHTS, "effect": "allow", "window": None, "duration": 60, "days": ["mon"]}, "days: they go with a window"),
        ({**NIGHTS, "address": "127.0.0.1"}, "is protected"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_the_key_is_named(
    patient: NodeClient, asked: dict[str, Any], error: str
) -> None:
    answer = patient.call("schedule:add", {key: value for key, value in asked.items() if value is not None})
    assert answer["success"] is False
    assert error in answer["error"]


def test_a_department_is_not_scheduled_for_by_others(connect: Connect) -> None:
    admin, operator = connect(), connect(role=Role.OPERATOR, departments=["dept456"])
    made = admin.call("schedule:add", NIGHTS)["schedule"]["id"]
    everywhere = {key: value for key, value in NIGHTS.items() if key != "departmentId"}
    for call, asked in (("add", NIGHTS), ("add", everywhere), ("remove", {"id": made})):
        assert operator.call(f"schedule:{call}", asked)["code"] == "E_FORBIDDEN"
    assert operator.call("schedule:list")["schedules"] == []
    assert connect(role=Role.VIEWER).call("schedule:add", NIGHTS)["code"] == "E_FORBIDDEN"
    assert "schedule:list shows" in admin.call("schedule:remove", {"id": "block-1"})["error"]


def test_a_preview_says_what_a_schedule_would_be_and_keeps_nothing(connect: Connect) -> None:
    client = connect(role=Role.OPERATOR)
    found = client.call("schedule:add", {**NIGHTS, "days": ["wed"], "preview": True})["schedule"]
    assert (found["window"], found["days"], found["beginsAt"]) == ("22:00-06:00", ["wed"], "2026-12-16T22:00:00.000Z")
    assert client.call("schedule:list")["schedules"] == []
    assert client.call("schedule:add", {**NIGHTS, "window": "late", "preview": True})["error"].startswith("window: ")
    assert connect().call("audit:get", {"action": "schedule:add"})["entries"] == []
