import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest

from appliance.server import access
from appliance.server.access import Role
from tests.client import NodeClient
from tests.contract.schema import examples, violations
from tests.server.conftest import Connect, Running

STATES = ("usage:update", "department:status", "system:health", "system:maintenance")


def _example(name: str, department: str | None = None) -> dict[str, Any]:
    payload = examples()[name]
    return {**payload, "departmentId": department} if department else payload


def _documented(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "alertId"}


def _publish_states(server: Running) -> None:
    for department in ("dept123", "dept456"):
        for name in ("usage:update", "department:status", "analytics:update"):
            server.publish(name, _example(name, department))
    for name in ("system:health", "system:maintenance"):
        server.publish(name, _example(name))


def _departments(client: NodeClient, name: str) -> set[str]:
    return {data["departmentId"] for data in client.named(name)}


def _round_trip(client: NodeClient) -> None:
    """Wait until the client has everything that the server sent it before."""
    assert client.call("ip:list")["success"]


@pytest.mark.parametrize("transports", [["polling", "websocket"], ["websocket"], ["polling"]])
def test_a_client_of_every_transport_connects_and_gets_events(
    server: Running, connect: Connect, transports: list[str]
) -> None:
    client = connect(options={"transports": transports})
    if len(transports) > 1:
        assert client.wait_for("upgrade") == "websocket"
    server.publish("usage:update", _example("usage:update"))
    assert client.wait_for("usage:update", lambda data: data["metrics"]["activeConnections"] == 25)
    assert client.call("analytics:subscribe", "dept123") == {"success": True}


def test_every_documented_event_arrives_as_it_was_published(server: Running, connect: Connect) -> None:
    client = connect()
    client.call("analytics:subscribe", "dept123")
    for name in examples():
        if name == "error":
            continue  # not published, but sent to one client or with a quota alert
        server.publish(name, _example(name))
        client.wait_for(name, lambda data, name=name: _documented(data) == _example(name))


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "E_UNAUTHORIZED"),
        ("nonsense", "E_UNAUTHORIZED"),
        ("x" * 9000, "E_UNAUTHORIZED"),
        (jwt.encode({"sub": "a"}, None, "none"), "E_UNAUTHORIZED"),
        (jwt.encode({"sub": "a"}, "x" * 32, "HS256"), "E_UNAUTHORIZED"),
    ],
)
def test_a_client_without_a_good_token_is_refused_with_the_reason(
    server: Running, token: str | None, code: str
) -> None:
    with NodeClient(server.url, token) as client:
        refusal = client.wait_for("connect_error")
        assert refusal["code"] == code
        assert "token" in refusal["message"].lower()
        assert client.named("connect") == []


def test_malformed_credentials_are_refused_and_disturb_no_other_client(server: Running, connect: Connect) -> None:
    honest = connect()
    for auth in ({"token": 5}, {"token": ["a"]}, {"token": {"a": 1}}, {"Token": "x"}, {"token": True}, 7):
        with NodeClient(server.url, auth=auth) as client:
            assert client.wait_for("connect_error")["code"] == "E_UNAUTHORIZED"
            assert client.named("connect") == []
    _round_trip(honest)


def test_an_expired_token_is_refused_with_a_code_of_its_own(server: Running) -> None:
    token = access.issue(server.secret, Role.VIEWER, None, 60, "late", server.wall - timedelta(seconds=60))
    with NodeClient(server.url, token) as client:
        assert client.wait_for("connect_error")["code"] == "E_TOKEN_EXPIRED"


@pytest.mark.parametrize("changed", [{"iss": "another"}, {"aud": "another"}, {"exp": None}])
def test_a_token_for_something_else_is_refused(server: Running, changed: dict[str, Any]) -> None:
    good = jwt.decode(server.token(), options={"verify_signature": False})
    claims = {name: value for name, value in (good | changed).items() if value is not None}
    with NodeClient(server.url, jwt.encode(claims, server.secret, "HS256")) as client:
        assert client.wait_for("connect_error")["code"] == "E_UNAUTHORIZED"


def test_a_client_gets_only_events_of_its_tokens_departments(server: Running, connect: Connect) -> None:
    one, all_of_them = connect(role=Role.VIEWER, departments=["dept123"]), connect()
    for name in ("usage:update", "quota:alert", "security:incident", "department:status", "ip:blocked"):
        for department in ("dept456", "dept123"):
            server.publish(name, _example(name, department))
    for name in ("usage:update", "quota:alert", "security:incident", "department:status", "ip:blocked"):
        for client in (one, all_of_them):
            client.wait_for(name, lambda data, name=name: _documented(data) == _example(name, "dept123"))
        assert _departments(one, name) == {"dept123"}
        all_of_them.wait_for(name, lambda data, name=name: _documented(data) == _example(name, "dept456"))


def test_a_token_for_an_unconfigured_department_gets_none_of_its_events(server: Running, connect: Connect) -> None:
    client = connect(role=Role.VIEWER, departments=["dept999", "dept456"])
    server.publish("usage:update", _example("usage:update", "dept999"))
    server.publish("usage:update", _example("usage:update", "dept456"))
    client.wait_for("usage:update", lambda data: data["departmentId"] == "dept456")
    assert _departments(client, "usage:update") == {"dept456"}


def test_a_new_client_gets_the_latest_states_after_connecting(server: Running, connect: Connect) -> None:
    server.publish("usage:update", {**_example("usage:update"), "timestamp": "2024-12-15T04:00:00.000Z"})
    _publish_states(server)
    client = connect()
    for name in STATES:
        client.wait_for(name)
    _round_trip(client)
    assert next(one.event for one in client.received if one.event != "upgrade") == "connect"
    assert [data["timestamp"] for data in client.named("usage:update")] == ["2024-12-15T04:49:29.000Z"] * 2
    assert _departments(client, "department:status") == {"dept123", "dept456"}
    assert len(client.named("system:health")) == 1


def test_a_snapshot_has_only_states_of_the_tokens_departments(server: Running, connect: Connect) -> None:
    for name in ("quota:alert", "security:incident", "ip:blocked", "analytics:anomaly"):
        server.publish(name, _example(name))
    _publish_states(server)
    client = connect(role=Role.VIEWER, departments=["dept456"])
    client.wait_for("system:maintenance")
    _round_trip(client)
    assert {one.event for one in client.received} - {"upgrade"} == {"connect", *STATES}
    assert _departments(client, "usage:update") == {"dept456"}


def test_analytics_goes_to_subscribers_only_and_with_its_snapshot(server: Running, connect: Connect) -> None:
    _publish_states(server)
    subscriber, other = connect(), connect()
    assert subscriber.call("analytics:subscribe", "dept123") == {"success": True}
    subscriber.wait_for("analytics:update")
    for department in ("dept456", "dept123"):
        server.publish("analytics:anomaly", _example("analytics:anomaly", department))
    subscriber.wait_for("analytics:anomaly")
    _round_trip(other)
    assert _departments(subscriber, "analytics:update") == _departments(subscriber, "analytics:anomaly") == {"dept123"}
    assert other.named("analytics:update") == other.named("analytics:anomaly") == []


def test_a_client_gets_no_analytics_after_unsubscribing(server: Running, connect: Connect) -> None:
    client = connect()
    client.call("analytics:subscribe", "dept123")
    assert client.call("analytics:unsubscribe", "dept123") == {"success": True}
    server.publish("analytics:update", _example("analytics:update"))
    _round_trip(client)
    assert client.named("analytics:update") == []


def test_a_subscription_without_a_callback_subscribes_too(server: Running, connect: Connect) -> None:
    client = connect()
    client.send("analytics:subscribe", "dept123")
    _round_trip(client)
    server.publish("analytics:update", _example("analytics:update"))
    assert client.wait_for("analytics:update") == _example("analytics:update")


def test_a_failed_call_sends_an_error_event_with_and_without_a_callback(server: Running, connect: Connect) -> None:
    client, other = connect(), connect()
    answer = client.call("analytics:subscribe", "nowhere")
    text = 'there is no department "nowhere"; there are dept123, dept456, ghost'
    assert answer == {"success": False, "code": "E_UNKNOWN_DEPARTMENT", "error": text}
    client.send("analytics:subscribe", "nowhere")
    sent = client.wait_for("error", count=2)
    assert (sent["code"], sent["message"]) == (answer["code"], answer["error"])
    assert violations("error", sent) == []
    _round_trip(other)
    assert other.named("error") == []


def test_a_client_is_disconnected_with_an_error_event_when_its_token_expires(server: Running, connect: Connect) -> None:
    clients = [connect(options={"transports": [name]}, ttl_s=60) for name in ("websocket", "polling")]
    stays = connect(ttl_s=600)
    server.advance(59)
    for client in clients:
        _round_trip(client)
    server.advance(1)
    for client in clients:
        assert client.wait_for("error")["code"] == "E_TOKEN_EXPIRED"
        assert client.wait_for("disconnect") in {
            "transport close",
            "transport error",
        }  # after which it connects again by itself
        assert client.wait_for("connect_error")["code"] == "E_TOKEN_EXPIRED"  # and gives up, with the same token
    _round_trip(stays)


def test_a_simulation_says_so_everywhere(start: Callable[..., Running]) -> None:
    server = start(simulated=True)
    with NodeClient(server.url, server.token()) as client:
        server.publish("system:health", _example("system:health"))
        assert client.wait_for("system:health") == {**_example("system:health"), "simulated": True}
        client.call("nonsense")
        assert client.wait_for("error")["simulated"] is True
    page = urllib.request.urlopen(server.url + "/").read().decode()
    health = urllib.request.urlopen(server.url + "/healthz").read().decode()
    assert "SIMULATED" in page
    assert '"simulated": true' in health
