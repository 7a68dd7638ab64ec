"""What the appliance says of itself to the dashboards that ask."""

import socket
from importlib.metadata import version

from appliance.server.access import Role
from tests.server.conftest import Connect, Running

FIRST = {
    "id": "dept123",
    "name": "dept123",
    "interface": "dept123",
    "subnets": ["10.20.0.0/16"],
    "lineRate": None,
    "onExceeded": "alert",
    "throttleRate": None,
    "thresholds": [0.8, 0.95, 1.0],
}
SECOND = {
    "id": "dept456",
    "name": "Second",
    "interface": "dept456",
    "subnets": ["10.99.0.0/16"],
    "lineRate": 12_500_000,
    "onExceeded": "throttle",
    "throttleRate": 125_000,
    "thresholds": [0.5, 0.8, 1.0],
}


def test_the_appliance_says_what_it_is_and_how_it_is_configured(server: Running, connect: Connect) -> None:
    server.advance(90)
    assert connect(role=Role.VIEWER).call("appliance:get") == {
        "success": True,
        "name": socket.gethostname(),
        "version": version("appliance"),
        "position": "host",
        "timezone": "UTC",
        "inMaintenance": "stays",
        "simulated": False,
        "startedAt": "2026-12-15T04:49:29.000Z",
        "now": "2026-12-15T04:50:59.000Z",
        "isClockTrusted": True,
        "contact": None,
        "periods": {"metering": 1.0, "analytics": 5.0, "health": 5.0},
        "buttonHold": 3.0,
        "departments": [FIRST, SECOND],
    }


def test_a_caller_sees_only_the_departments_of_their_token(connect: Connect) -> None:
    client = connect(role=Role.VIEWER, departments=["dept456"])
    assert client.call("appliance:get")["departments"] == [SECOND]
    assert connect(role=Role.ADMIN, departments=["dept789"]).call("appliance:get")["departments"] == []


def test_the_start_is_told_by_the_clock_of_now(server: Running, connect: Connect) -> None:
    server.order({"jump": 3600, "trusted": False})
    answer = connect(ttl_s=7200).call("appliance:get")
    assert answer["startedAt"] == "2026-12-15T05:49:29.000Z"
    assert answer["isClockTrusted"] is False


def test_a_server_that_speaks_http_has_no_certificate(connect: Connect) -> None:
    assert connect(role=Role.VIEWER).call("certificate:get") == {"success": True, "certificate": None}
