"""A client brings the next token before the old one ends, or connects again with it as socket.io-client does."""

from collections.abc import Callable
from threading import Semaphore
from typing import Any

import pytest

from appliance.client import Client
from appliance.core.refusal import Code
from appliance.server import access
from appliance.server.access import Role
from tests.client import NodeClient
from tests.client.recorder import PATIENCE_S
from tests.contract.schema import examples
from tests.server.conftest import Connect, Running


def make_token(server: Running, subject: str = "tester", ttl_s: int = 3600, **claims: Any) -> str:
    role, departments = claims.get("role", Role.ADMIN), claims.get("departments")
    return access.issue(server.secret, role, departments, ttl_s, subject, server.wall)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_client_that_brings_the_next_token_is_not_thrown_out(
    server: Running, connect: Connect, transport: str
) -> None:
    client = connect(options={"transports": [transport]}, ttl_s=60)
    server.advance(50)
    answer = client.call("token:renew", {"token": f"Bearer {make_token(server, ttl_s=600)}\n"})
    assert answer == {"success": True, "expiresIn": 550}  # it was made 50 s ago, by the token's own clock
    server.advance(500)
    assert client.call("ip:list")["success"]
    server.advance(50)
    assert client.wait_for("disconnect")


def test_a_token_of_another_subject_or_a_bad_one_changes_nothing(server: Running, connect: Connect) -> None:
    client = connect(ttl_s=60)
    refused = client.call("token:renew", {"token": make_token(server, "somebody else")})
    assert (refused["code"], "another subject" in refused["error"]) == (Code.FORBIDDEN, True)
    for token, code in (("nonsense", Code.UNAUTHORIZED), ("", Code.BAD_REQUEST), (5, Code.BAD_REQUEST)):
        assert client.call("token:renew", {"token": token})["code"] == code
    assert client.call("ip:list")["success"]
    server.advance(60)
    assert client.wait_for("disconnect")


def test_role_and_departments_are_those_of_the_next_token(server: Running, connect: Connect) -> None:
    for department in ("dept123", "dept456"):
        server.publish("usage:update", {**examples()["usage:update"], "departmentId": department})
    client = connect(role=Role.OPERATOR, departments=["dept123"])
    client.wait_for("usage:update")
    assert client.call("analytics:subscribe", "dept123")["success"]
    token = make_token(server, role=Role.VIEWER, departments=["dept456"])
    assert client.call("token:renew", {"token": token})["success"]
    snapshot = client.wait_for("usage:update", lambda data: data["departmentId"] == "dept456")
    assert snapshot["metrics"]
    assert client.call("ip:block", {"address": "10.9.9.9", "departmentId": "dept456"})["code"] == Code.FORBIDDEN
    assert client.call("quota:get", "dept123")["code"] == Code.FORBIDDEN
    count = len(client.received)
    for name in ("usage:update", "analytics:update", "ip:blocked"):
        for department in ("dept123", "dept456"):
            server.publish(name, {**examples()[name], "departmentId": department})
    client.wait_for("ip:blocked")
    departments = {one.data["departmentId"] for one in client.received[count:] if one.event != "error"}
    assert departments == {"dept456"}


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_client_whose_token_expired_connects_again_by_itself_with_the_next_one(
    server: Running, transport: str
) -> None:
    tokens = [make_token(server, ttl_s=60), make_token(server, ttl_s=600)]
    options = {"transports": [transport], "reconnectionDelay": 100}
    with NodeClient(server.url, auth={"tokens": tokens}, options=options) as client:
        client.wait_for("connect")
        server.advance(60)
        assert client.wait_for("error")["code"] == Code.TOKEN_EXPIRED
        assert client.wait_for("disconnect") in {"transport close", "transport error"}
        client.wait_for("connect", count=2)
        assert client.call("ip:list")["success"]


def test_the_command_lines_client_goes_on_with_its_next_token(server: Running) -> None:
    tokens, connections = iter([make_token(server, ttl_s=60), make_token(server, ttl_s=600)]), Semaphore(0)
    client = Client(server.url, lambda: next(tokens), None)
    client.on_connect(connections.release)
    client.connect()
    assert connections.acquire(timeout=PATIENCE_S)
    server.advance(60)
    assert connections.acquire(timeout=PATIENCE_S)
    assert client.call("ip:list")["success"]
    client.close()


def test_a_client_whose_token_was_revoked_stays_away(server: Running, connect: Connect) -> None:
    client = connect()
    assert client.call("token:revoke") == {"success": True}
    assert client.wait_for("disconnect") == "io server disconnect"
    assert client.named("reconnect_attempt") == []


@pytest.mark.parametrize("namespace", ["/admin", "/socket.io", "/a/b"])
def test_an_unknown_namespace_is_refused_with_a_clear_message(
    server: Running, namespace: str, connect: Callable[..., NodeClient]
) -> None:
    with NodeClient(server.url + namespace, server.token()) as client:
        refusal = client.wait_for("connect_error")
        assert refusal["code"] == Code.BAD_REQUEST
        assert "there is no namespace" in refusal["message"]
    assert connect().call("ip:list")["success"]
