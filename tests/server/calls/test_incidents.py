"""What dashboards are told of incidents, and what people say to them."""

from typing import Any

import pytest

from appliance.server.access import Role
from tests.client.node import NodeClient
from tests.core import frames
from tests.server.conftest import Connect, Running

SCANNER, VICTIM = "10.20.0.66", "10.20.0.7"


def scan(server: Running, department: str = "dept123", source: str = SCANNER) -> None:
    tried = [
        one for port in range(1, 21) for one in (frames.syn(source, VICTIM, port), frames.rst(source, VICTIM, port))
    ]
    server.order({"frames": [one.hex() for one in tried], "interface": department})
    server.order({"judge": True})


def listed(client: NodeClient, **asked: Any) -> list[dict[str, Any]]:
    answer = client.call("incident:list", asked)
    assert answer["success"], answer
    assert answer["total"] == len(answer["incidents"])
    found: list[dict[str, Any]] = answer["incidents"]
    return found


def test_an_incident_is_told_listed_and_has_its_evidence(server: Running, connect: Connect) -> None:
    client = connect(role=Role.VIEWER)
    scan(server)
    told = client.wait_for("security:incident")["incident"]
    [one] = listed(client)
    assert one == {
        "id": told["incidentId"],
        "departmentId": "dept123",
        "type": "port_scan",
        "source": SCANNER,
        "severity": "medium",
        "state": "open",
        "details": told["details"],
        "count": 20,
        "times": 1,
        "openedAt": told["openedAt"],
        "latestAt": one["latestAt"],
    }
    evidence = client.call("incident:get", {"id": one["id"]})["evidence"]
    assert evidence["peers"] == [VICTIM]
    assert evidence["ports"] == ["1", "2", "3", "4", "5"]
    assert evidence["devices"] == [frames.MAC["client"]]
    assert evidence["knownDevices"] == []
    assert [(step["change"], step["count"]) for step in evidence["course"]] == [("opened", 20)]
    assert evidence["advice"] == told["advice"]
    assert evidence["series"] == {"from": told["openedAt"], "stepS": 5.0, "counts": [20]}
    assert evidence["levels"] == [[0, "low"], [15, "medium"], [100, "high"], [1000, "critical"]]
    assert "10 in 10 s" in evidence["expected"]


def test_an_incident_names_its_device_as_people_do(server: Running, connect: Connect) -> None:
    client, mac = connect(role=Role.OPERATOR), frames.MAC["client"]
    server.order({"see": {SCANNER: mac}, "connections": []})
    client.call("device:name", {"departmentId": "dept123", "host": mac, "name": "Anna's laptop"})
    scan(server)
    [known] = client.wait_for("security:incident")["incident"]["knownDevices"]
    assert (known["mac"], known["address"], known["name"]) == (mac, SCANNER, "Anna's laptop")
    [one] = listed(client)
    assert client.call("incident:get", {"id": one["id"]})["evidence"]["knownDevices"] == [known]


def test_a_list_can_be_narrowed(server: Running, connect: Connect) -> None:
    client = connect(role=Role.VIEWER)
    scan(server)
    scan(server, "dept456", "10.20.0.67")
    assert [one["source"] for one in listed(client)] == ["10.20.0.67", SCANNER]
    assert [one["source"] for one in listed(client, departmentId="dept123")] == [SCANNER]
    assert [one["source"] for one in listed(client, source="10.20.0.67", state="open", kind="port_scan")] == [
        "10.20.0.67"
    ]
    assert listed(client, state="closed") == listed(client, kind="host_sweep") == []


def test_incidents_and_mutes_are_for_those_who_may_see_the_department(server: Running, connect: Connect) -> None:
    other = connect(role=Role.OPERATOR, departments=["dept456"])
    scan(server)
    every = connect(role=Role.OPERATOR)
    [one] = listed(every)
    muted = every.call("incident:mute", {"departmentId": "dept123", "source": SCANNER})["mute"]
    assert listed(other) == []
    assert other.call("incident:list", {})["mutes"] == []
    assert other.call("incident:list", {"departmentId": "dept123"})["code"] == "E_FORBIDDEN"
    assert other.call("incident:mute", {"departmentId": "dept123", "source": SCANNER})["code"] == "E_FORBIDDEN"
    for event, known in (
        ("incident:get", one["id"]),
        ("incident:acknowledge", one["id"]),
        ("incident:unmute", muted["id"]),
    ):
        refused, unknown = (other.call(event, {"id": id_}) for id_ in (known, "nothing"))
        assert refused == unknown
        assert refused["code"] == "E_BAD_REQUEST"


def test_a_viewer_changes_nothing(server: Running, connect: Connect) -> None:
    client = connect(role=Role.VIEWER)
    scan(server)
    [one] = listed(client)
    assert client.call("incident:acknowledge", {"id": one["id"]})["code"] == "E_FORBIDDEN"
    assert client.call("incident:mute", {"departmentId": "dept123", "source": SCANNER})["code"] == "E_FORBIDDEN"
    assert client.call("incident:unmute", {"id": "x"})["code"] == "E_FORBIDDEN"


def test_an_incident_is_acknowledged_and_that_is_taken_back(server: Running, connect: Connect) -> None:
    client = connect(role=Role.ADMIN)
    scan(server)
    [one] = listed(client)
    seen = client.call("incident:acknowledge", {"id": one["id"]})["incident"]
    assert seen["acknowledgedBy"]
    assert listed(client) == [seen]
    entry = client.call("audit:get", {"action": "incident:acknowledge"})["entries"][0]
    assert (entry["before"].get("acknowledgedBy"), entry["after"]["acknowledgedBy"]) == (None, seen["acknowledgedBy"])
    client.call("incident:acknowledge", {"id": one["id"], "undo": True})
    assert listed(client) == [one]


def test_a_mute_says_before_and_after_what_it_covers_and_nobody_is_told(server: Running, connect: Connect) -> None:
    client = connect(role=Role.ADMIN)
    scan(server)
    client.wait_for("security:incident")
    [one] = listed(client)
    asked = {"departmentId": "dept123", "kind": "port_scan", "source": "10.20.0.0/24", "reason": "an inventory"}
    preview = client.call("incident:mute", {**asked, "preview": True})
    assert ([covered["id"] for covered in preview["covers"]], preview["total"]) == ([one["id"]], 1)
    assert preview["mute"]["sentence"] == "port_scan by 10.20.0.0/24"
    assert client.call("incident:list", {})["mutes"] == []
    muted = client.call("incident:mute", asked)
    assert listed(client)[0]["mutedBy"] == muted["mute"]["id"]
    assert client.call("incident:list", {})["mutes"] == [muted["mute"]]
    scan(server, source="10.20.0.67")  # recorded, and told to nobody
    scan(server, source="10.21.0.68")
    client.wait_for("security:incident", count=2)
    assert [one["incident"]["source"] for one in client.named("security:incident")] == [SCANNER, "10.21.0.68"]
    assert [found["source"] for found in listed(client)] == ["10.21.0.68", "10.20.0.67", SCANNER]
    lifted = client.call("incident:unmute", {"id": muted["mute"]["id"]})
    assert lifted["total"] == 2
    assert all("mutedBy" not in found for found in listed(client))
    entries = client.call("audit:get", {"action": "incident:unmute"})["entries"]
    assert [len(entries[0][when]) for when in ("before", "after")] == [1, 0]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({}, "departmentId"),
        ({"departmentId": "dept123"}, "kind"),
        ({"departmentId": "dept123", "kind": "rumour"}, "kind"),
        ({"departmentId": "dept123", "source": "a b"}, "source"),
        ({"departmentId": "dept123", "port": "all"}, "port"),
        ({"departmentId": "dept123", "port": "22", "until": "2020-01-01T00:00:00.000Z"}, "until"),
        ({"departmentId": "dept123", "port": "22", "until": "2999-01-01T00:00:00.000Z"}, "until"),
    ],
)
def test_a_mute_that_means_nothing_is_refused(connect: Connect, asked: dict[str, Any], named: str) -> None:
    refused = connect(role=Role.OPERATOR).call("incident:mute", asked)
    assert (refused["code"], named in refused["error"]) == ("E_BAD_REQUEST", True)
