"""A client that comes back gets the latest states, and once each alert that it missed."""

from itertools import count

import pytest

from appliance.server.access import Role
from tests.client import NodeClient
from tests.client.browser import BrowserClient
from tests.contract.schema import examples
from tests.ports import reserve_port
from tests.server.conftest import Running

# The seed document's "Reconnection Strategy".
STRATEGY = {
    "reconnection": True,
    "reconnectionAttempts": 5,
    "reconnectionDelay": 1000,
    "reconnectionDelayMax": 5000,
}
PATIENCE_S = 60  # five attempts, and a browser's start on a busy machine


def _incident(number, department="dept123"):
    example = examples()["security:incident"]
    incident = {**example["incident"], "details": f"incident {number}"}
    return {**example, "departmentId": department, "incident": incident}


def _details(client):
    return [data["incident"]["details"] for data in client.named("security:incident")]


def _wait_for(client, number):
    details = f"incident {number}"
    client.wait_for("security:incident", lambda data: data["incident"]["details"] == details, within_s=PATIENCE_S)


def test_a_client_that_names_its_latest_alert_gets_the_later_ones_in_order(server, connect) -> None:
    for number in range(5):
        server.publish("security:incident", _incident(number))
    with NodeClient(server.url, server.token(), since=0) as client:
        _wait_for(client, 4)
        seen = client.named("security:incident")[2]["alertId"]
    with NodeClient(server.url, server.token(), since=seen) as client:
        server.publish("security:incident", _incident(5))
        _wait_for(client, 5)
        assert _details(client) == ["incident 3", "incident 4", "incident 5"]


def test_a_client_that_names_no_alert_gets_no_old_ones(server, connect) -> None:
    server.publish("security:incident", _incident(1))
    client = connect()
    server.publish("security:incident", _incident(2))
    _wait_for(client, 2)
    assert _details(client) == ["incident 2"]


def test_missed_alerts_go_only_to_clients_that_may_see_the_department(server) -> None:
    server.publish("security:incident", _incident(1, "dept456"))
    server.publish("security:incident", _incident(2))
    with NodeClient(server.url, server.token(Role.VIEWER, ["dept123"]), since=0) as client:
        _wait_for(client, 2)
        assert _details(client) == ["incident 2"]


def test_missed_anomalies_come_with_the_subscription(server) -> None:
    server.publish("analytics:anomaly", examples()["analytics:anomaly"])
    server.publish("quota:alert", examples()["quota:alert"])
    with NodeClient(server.url, server.token(), since=0) as client:
        client.wait_for("quota:alert")
        assert client.named("analytics:anomaly") == []
        client.call("analytics:subscribe", "dept123")
        client.wait_for("analytics:anomaly")
        client.call("analytics:subscribe", "dept123")
        assert client.call("ip:list")["success"]
        assert len(client.named("analytics:anomaly")) == 1


@pytest.mark.parametrize("since", [-1, "x", 1.5, True, [], 2**53])
def test_a_wrong_alert_number_is_refused_with_a_reason(shared, since) -> None:
    with NodeClient(shared.url, auth={"token": shared.token(), "since": since}) as client:
        refusal = client.wait_for("connect_error")
        assert refusal["code"] == "E_BAD_REQUEST"
        assert "since" in refusal["message"]


@pytest.mark.parametrize("restarts", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_over_crashes_and_restarts_every_alert_arrives_once(tmp_path, restarts):
    reserved = reserve_port()  # nobody else gets it between a crash and the restart
    server = Running(tmp_path, port=reserved.getsockname()[1])
    numbers = count()
    polling_first, direct = dict(STRATEGY), {**STRATEGY, "transports": ["websocket"]}
    clients = [
        NodeClient(server.url, server.token(), since=0, options=polling_first),
        NodeClient(server.url, server.token(), since=0, options=direct),
        BrowserClient(server.url, server.token(), since=0, options=polling_first),
        BrowserClient(server.url, server.token(), since=0, options=direct),
    ]
    try:
        for client in clients:
            client.wait_for("connect", within_s=PATIENCE_S)
        for _ in range(restarts):
            server.publish("security:incident", _incident(next(numbers)))
            server.kill()  # events on the way to the clients may be lost
            server = Running(tmp_path, port=server.port)
            server.publish("security:incident", _incident(latest := next(numbers)))  # no client is back yet
            for client in clients:
                _wait_for(client, latest)
        expected = [f"incident {number}" for number in range(next(numbers))]
        for client in clients:
            assert sorted(_details(client)) == sorted(expected)
            assert len({data["alertId"] for data in client.named("security:incident")}) == len(expected)
    finally:
        for client in clients:
            client.close()
        server.stop()
        reserved.close()


@pytest.mark.parametrize("transports", [["polling", "websocket"], ["websocket"]])
def test_a_browser_connects_and_gets_events(server, transports) -> None:
    server.publish("system:health", examples()["system:health"])
    with BrowserClient(server.url, server.token(), options={"transports": transports}) as client:
        client.wait_for("connect", within_s=PATIENCE_S)
        assert client.wait_for("system:health") == examples()["system:health"]
        if len(transports) > 1:
            assert client.wait_for("upgrade") == "websocket"
            server.publish("usage:update", examples()["usage:update"])
            client.wait_for("usage:update", lambda data: data == examples()["usage:update"])
