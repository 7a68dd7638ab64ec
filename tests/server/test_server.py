import urllib.request
from datetime import timedelta

import jwt
import pytest

from appliance.server import access
from appliance.server.access import Role
from tests.client import NodeClient
from tests.contract.schema import examples, violations

STATES = ("usage:update", "department:status", "system:health", "system:maintenance")


def _example(name, department=None):
    payload = examples()[name]
    return {**payload, "departmentId": department} if department else payload


def _documented(data):
    return {key: value for key, value in data.items() if key != "alertId"}


def _publish_states(server):
    for department in ("dept123", "dept456"):
        for name in ("usage:update", "department:status", "analytics:update"):
            server.publish(name, _example(name, department))
    for name in ("system:health", "system:maintenance"):
        server.publish(name, _example(name))


def _departments(client, name):
    return {data["departmentId"] for data in client.named(name)}


def _round_trip(client):
    """After this, all that the server had sent the client before is there."""
    assert client.call("ip:list")["success"]


@pytest.mark.parametrize("transports", [["polling", "websocket"], ["websocket"], ["polling"]])
def test_a_client_of_every_transport_connects_and_hears(server, connect, transports):
    client = connect(options={"transports": transports})
    if len(transports) > 1:
        assert client.wait_for("upgrade") == "websocket"
    server.publish("usage:update", _example("usage:update"))
    assert client.wait_for("usage:update", lambda data: data["metrics"]["activeConnections"] == 25)
    assert client.call("analytics:subscribe", "dept123") == {"success": True}


def test_every_documented_event_arrives_as_it_was_published(server, connect):
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
def test_a_client_without_a_good_token_is_told_why(server, token, code):
    with NodeClient(server.url, token) as client:
        refusal = client.wait_for("connect_error")
        assert refusal["code"] == code
        assert "token" in refusal["message"].lower()
        assert client.named("connect") == []


def test_odd_credentials_are_refused_and_hurt_nobody(server, connect):
    honest = connect()
    for auth in ({"token": 5}, {"token": ["a"]}, {"token": {"a": 1}}, {"Token": "x"}, {"token": True}, 7):
        with NodeClient(server.url, auth=auth) as client:
            assert client.wait_for("connect_error")["code"] == "E_UNAUTHORIZED"
            assert client.named("connect") == []
    _round_trip(honest)


def test_an_expired_token_is_refused_as_such(server):
    token = access.issue(server.secret, Role.VIEWER, None, 60, "late", server.wall - timedelta(seconds=60))
    with NodeClient(server.url, token) as client:
        assert client.wait_for("connect_error")["code"] == "E_TOKEN_EXPIRED"


@pytest.mark.parametrize("changed", [{"iss": "another"}, {"aud": "another"}, {"exp": None}])
def test_a_token_for_something_else_is_refused(server, changed):
    good = jwt.decode(server.token(), options={"verify_signature": False})
    claims = {name: value for name, value in (good | changed).items() if value is not None}
    with NodeClient(server.url, jwt.encode(claims, server.secret, "HS256")) as client:
        assert client.wait_for("connect_error")["code"] == "E_UNAUTHORIZED"


def test_a_client_hears_only_of_the_departments_of_its_token(server, connect):
    one, all_of_them = connect(role=Role.VIEWER, departments=["dept123"]), connect()
    for name in ("usage:update", "quota:alert", "security:incident", "department:status", "ip:blocked"):
        for department in ("dept456", "dept123"):
            server.publish(name, _example(name, department))
    for name in ("usage:update", "quota:alert", "security:incident", "department:status", "ip:blocked"):
        for client in (one, all_of_them):
            client.wait_for(name, lambda data, name=name: _documented(data) == _example(name, "dept123"))
        assert _departments(one, name) == {"dept123"}
        all_of_them.wait_for(name, lambda data, name=name: _documented(data) == _example(name, "dept456"))


def test_a_department_that_is_not_configured_opens_no_room(server, connect):
    client = connect(role=Role.VIEWER, departments=["dept999", "dept456"])
    server.publish("usage:update", _example("usage:update", "dept999"))
    server.publish("usage:update", _example("usage:update", "dept456"))
    client.wait_for("usage:update", lambda data: data["departmentId"] == "dept456")
    assert _departments(client, "usage:update") == {"dept456"}


def test_a_newcomer_gets_the_latest_states_after_its_connect(server, connect):
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


def test_a_snapshot_has_no_moments_and_no_other_departments(server, connect):
    for name in ("quota:alert", "security:incident", "ip:blocked", "analytics:anomaly"):
        server.publish(name, _example(name))
    _publish_states(server)
    client = connect(role=Role.VIEWER, departments=["dept456"])
    client.wait_for("system:maintenance")
    _round_trip(client)
    assert {one.event for one in client.received} - {"upgrade"} == {"connect", *STATES}
    assert _departments(client, "usage:update") == {"dept456"}


def test_analytics_goes_to_subscribers_only_and_with_its_snapshot(server, connect):
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


def test_who_unsubscribes_hears_no_more_analytics(server, connect):
    client = connect()
    client.call("analytics:subscribe", "dept123")
    assert client.call("analytics:unsubscribe", "dept123") == {"success": True}
    server.publish("analytics:update", _example("analytics:update"))
    _round_trip(client)
    assert client.named("analytics:update") == []


def test_a_subscription_without_a_callback_subscribes_too(server, connect):
    client = connect()
    client.send("analytics:subscribe", "dept123")
    _round_trip(client)
    server.publish("analytics:update", _example("analytics:update"))
    assert client.wait_for("analytics:update") == _example("analytics:update")


def test_a_failed_call_is_told_the_same_way_with_and_without_a_callback(server, connect):
    client, other = connect(), connect()
    answer = client.call("analytics:subscribe", "nowhere")
    assert answer == {"success": False, "code": "E_UNKNOWN_DEPARTMENT", "error": 'there is no department "nowhere"'}
    client.send("analytics:subscribe", "nowhere")
    told = client.wait_for("error", count=2)
    assert (told["code"], told["message"]) == (answer["code"], answer["error"])
    assert violations("error", told) == []
    _round_trip(other)
    assert other.named("error") == []


def test_a_token_that_expires_while_connected_is_told_and_the_client_sent_away(server, connect):
    clients = [connect(options={"transports": [name]}, ttl_s=60) for name in ("websocket", "polling")]
    stays = connect(ttl_s=600)
    server.advance(59)
    for client in clients:
        _round_trip(client)
    server.advance(1)
    for client in clients:
        assert client.wait_for("error")["code"] == "E_TOKEN_EXPIRED"
        assert client.wait_for("disconnect") == "io server disconnect"
    _round_trip(stays)


def test_a_simulation_says_so_everywhere(start):
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
