"""Logging in, renewing, adding, removing and pairing people, and what the audit trail records of it."""

import json
import subprocess
import threading
from typing import Any

import pytest

from appliance.core.access.person import Role
from appliance.core.refusal import Code
from appliance.server.access.people import LOGIN_S, SESSION_S
from tests.client import NodeClient
from tests.server.conftest import Connect, Running

PASSWORD = "correct horse battery"
ANNA = {"name": "anna", "password": PASSWORD}


def _post(
    server: Running, path: str, body: object, kind: str = "application/json", method: str = "POST"
) -> tuple[int, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    program = ["curl", "-sS", "-w", "\n%{http_code}", "-H", f"Content-Type: {kind}", "-X", method]
    done = subprocess.run(
        [*program, "--data-binary", text, f"{server.url}{path}"], capture_output=True, text=True, timeout=30, check=True
    )
    answer, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(answer) if answer.startswith("{") else answer


@pytest.fixture
def admin(connect: Connect) -> NodeClient:
    return connect()


@pytest.fixture
def anna(server: Running, admin: NodeClient) -> str:
    """The token of Anna, an operator of dept123."""
    added = admin.call("user:add", {**ANNA, "role": "operator", "departments": ["dept123"]})
    assert added["success"], added
    return _post(server, "/login", ANNA)[1]["token"]


def _code(answer: Any) -> str:
    assert answer["success"] is False
    return answer["code"]


def _entries(admin: NodeClient, **asked: Any) -> list[dict[str, Any]]:
    return admin.call("audit:get", asked)["entries"]


def test_a_person_logs_in_and_sees_only_their_own_departments(server: Running, anna: str) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        assert client.call("quota:get", "dept123")["success"]
        assert _code(client.call("quota:get", "dept456")) == Code.FORBIDDEN
        assert client.call("ip:block", {"address": "10.9.9.9", "departmentId": "dept123"})["success"]
        assert (
            _code(client.call("quota:set", {"departmentId": "dept123", "type": "daily", "limit": 1})) == Code.FORBIDDEN
        )


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(server: Running, anna: str) -> None:
    wrong = [_post(server, "/login", {**ANNA, "password": "x" * 12}), _post(server, "/login", {**ANNA, "name": "bert"})]
    assert wrong[0] == wrong[1]
    assert wrong[0][0] == 401
    assert wrong[0][1]["code"] == Code.UNAUTHORIZED


def test_wrong_passwords_delay_the_next_login(server: Running, anna: str) -> None:
    for _ in range(5):
        assert _post(server, "/login", {**ANNA, "password": "x" * 12})[0] == 401
    _post(server, "/login", {**ANNA, "password": "x" * 12})
    status, answer = _post(server, "/login", ANNA)
    assert (status, answer["code"]) == (429, Code.RATE_LIMITED)
    assert "wait" in answer["error"]
    server.advance(400)
    assert _post(server, "/login", ANNA)[0] == 200


def test_many_logins_at_once_are_queued_up_to_a_limit(server: Running, anna: str, connect: Connect) -> None:
    client, answers = connect(), []
    threads = [threading.Thread(target=lambda: answers.append(_post(server, "/login", ANNA)[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        assert client.call("ip:list")["success"]
    for thread in threads:
        thread.join()
    assert answers.count(200) >= 8
    assert set(answers) <= {200, 429}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        '{"name":"anna"}',
        '{"name":5,"password":"x"}',
        "[" * 3000,
        '{"name":"a","password":NaN}',
    ],
)
def test_a_malformed_login_is_refused(shared: Running, body: str) -> None:
    status, answer = _post(shared, "/login", body)
    assert (status, answer["code"]) == (400, Code.BAD_REQUEST)


def test_a_login_is_limited_in_size_and_must_be_posted_as_json(shared: Running) -> None:
    assert _post(shared, "/login", {**ANNA, "password": "x" * 5000})[0] == 413
    assert _post(shared, "/login", {**ANNA, "password": "x" * 300})[0] == 400
    assert _post(shared, "/login", ANNA, kind="text/plain")[0] == 400
    assert _post(shared, "/login", ANNA, method="PUT")[0] == 405  # a GET is for the page that asks for the password


def test_a_login_is_renewed_while_it_is_used_and_ends_after_half_a_day(server: Running, anna: str) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        token = anna
        for _ in range(SESSION_S // 1500):
            server.advance(1500)
            renewed = client.call("token:renew")
            if not renewed["success"]:
                break
            assert 0 < renewed["expiresIn"] <= LOGIN_S
            assert renewed["token"] != token
            token = renewed["token"]
        server.advance(1500)
        assert client.wait_for("error", lambda data: data["code"] == Code.TOKEN_EXPIRED)
        assert client.wait_for("disconnect")
    with NodeClient(server.url, token) as late:
        assert late.wait_for("connect_error")["code"] == Code.TOKEN_EXPIRED


def test_a_login_that_is_not_renewed_ends(server: Running, anna: str) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        server.advance(LOGIN_S)
        assert client.wait_for("disconnect")


def test_a_token_of_the_command_line_is_not_renewed(admin: NodeClient) -> None:
    assert _code(admin.call("token:renew")) == Code.BAD_REQUEST


def test_logging_out_is_acknowledged_and_ends_the_token(server: Running, anna: str) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        assert client.call("token:revoke") == {"success": True}
        assert client.wait_for("disconnect")
    with NodeClient(server.url, anna) as again:
        refusal = again.wait_for("connect_error")
        assert refusal["code"] == Code.UNAUTHORIZED
        assert "revoked" in refusal["message"]


def test_a_revoked_token_is_disconnected_at_once_and_others_stay(server: Running, admin: NodeClient, anna: str) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        (listed,) = [one for one in admin.call("token:list")["tokens"] if one["subject"] == "anna"]
        assert listed["origin"] == "login"
        assert admin.call("token:revoke", {"id": listed["id"]})["success"]
        assert "revoked" in client.wait_for("error")["message"]
        assert client.wait_for("disconnect")
    assert admin.call("ip:list")["success"]


def test_a_token_that_does_not_exist_is_not_said_to_be_revoked(admin: NodeClient) -> None:
    answer = admin.call("token:revoke", {"id": "nonsense"})
    assert (answer["success"], answer["code"]) == (False, "E_BAD_REQUEST")
    assert 'there is no token "nonsense"' in answer["error"]
    assert "revoke" not in str(admin.call("audit:get", {"action": "token:revoke"})["entries"])


def test_a_person_for_a_department_that_does_not_exist_is_refused_with_those_that_do(admin: NodeClient) -> None:
    argument = {"name": "ben", "password": "x" * 12, "role": "viewer", "departments": ["dept12"]}
    answer = admin.call("user:add", argument)
    assert answer["code"] == "E_UNKNOWN_DEPARTMENT"
    assert "did you mean dept123?" in answer["error"]


@pytest.mark.parametrize(
    "call", [("user:remove", {"name": "anna"}), ("user:password", {"name": "anna", "password": "x" * 12})]
)
def test_a_person_who_is_removed_or_gets_another_password_is_disconnected(
    server: Running, admin: NodeClient, anna: str, call: tuple[str, dict[str, Any]]
) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        assert admin.call(*call)["success"]
        assert client.wait_for("disconnect")
    assert _post(server, "/login", ANNA)[0] == 401


def test_changing_ones_own_password_needs_the_present_one(server: Running, anna: str) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        new = "another good password"
        assert _code(client.call("user:password", {"password": new})) == Code.FORBIDDEN
        assert _code(client.call("user:password", {"password": new, "current": "x" * 12})) == Code.FORBIDDEN
        assert _code(client.call("user:password", {"password": "short", "current": PASSWORD})) == Code.BAD_REQUEST
        assert client.call("user:password", {"password": new, "current": PASSWORD})["success"]
    assert _post(server, "/login", {"name": "anna", "password": new})[0] == 200


ADMINISTRATION = [
    ("user:list", None),
    ("user:add", {"name": "x", "password": "x" * 12, "role": "admin"}),
    ("user:remove", {"name": "anna"}),
    ("user:password", {"name": "anna", "password": "x" * 12}),
    ("token:list", None),
    ("token:revoke", {"id": "something"}),
    ("audit:get", None),
]


@pytest.mark.parametrize("claims", [{"role": Role.OPERATOR}, {"role": Role.ADMIN, "departments": ["dept123"]}])
def test_only_an_administrator_of_everything_administers_people(shared: Running, claims: dict[str, Any]) -> None:
    with NodeClient(shared.url, shared.token(**claims)) as client:
        client.wait_for("connect")
        for event, argument in ADMINISTRATION:
            assert _code(client.call(event, argument)) == Code.FORBIDDEN


def test_a_person_cannot_be_added_twice_nor_for_a_department_that_is_not_there(admin: NodeClient, anna: str) -> None:
    person = {**ANNA, "role": "viewer"}
    twice = admin.call("user:add", person)
    assert _code(twice) == Code.CONFLICT
    assert 'there is a "anna" already (by tester, 2026-12-15T04:49:29.000Z)' in twice["error"]
    assert _code(admin.call("user:add", {**person, "name": "b", "departments": ["nope"]})) == Code.UNKNOWN_DEPARTMENT
    assert _code(admin.call("user:remove", {"name": "nobody"})) == Code.BAD_REQUEST
    [person] = admin.call("user:list")["users"]
    assert (person["name"], person["role"], person["departments"]) == ("anna", "operator", "dept123")


def test_a_person_who_was_changed_meanwhile_is_not_changed_as_they_were_seen(admin: NodeClient, anna: str) -> None:
    seen = {"role": "operator", "departments": "dept123"}
    admin.call("user:remove", {"name": "anna"})
    gone = admin.call("user:password", {"name": "anna", "password": "x" * 12, "seen": seen})
    assert (_code(gone), "anna was removed meanwhile (by tester" in gone["error"]) == (Code.CONFLICT, True)
    admin.call("user:add", {**ANNA, "role": "admin"})
    other = admin.call("user:remove", {"name": "anna", "seen": seen})
    assert (_code(other), "anna is admin of * by now (by tester" in other["error"]) == (Code.CONFLICT, True)
    seen = {"role": "admin", "departments": "*"}
    assert _code(admin.call("user:remove", {"name": "anna", "seen": {"role": "boss"}})) == Code.BAD_REQUEST
    assert admin.call("user:password", {"name": "anna", "password": "x" * 12, "seen": seen})["success"]
    assert admin.call("user:remove", {"name": "anna", "seen": seen})["success"]


def test_the_pairing_code_makes_exactly_one_administrator(server: Running) -> None:
    server.order({"pair": "code"})
    code = server.log().split("person: ")[1][:9]
    wrong = _post(server, "/pair", {**ANNA, "code": "22222222"})
    assert (wrong[0], wrong[1]["code"]) == (401, Code.UNAUTHORIZED)
    assert "not the pairing code" in wrong[1]["error"]
    status, answer = _post(server, "/pair", {**ANNA, "code": code.lower()})
    assert status == 200
    with NodeClient(server.url, answer["token"]) as client:
        client.wait_for("connect")
        [person] = client.call("user:list")["users"]
        assert (person["name"], person["role"], person["departments"]) == ("anna", "admin", "*")
    assert _post(server, "/pair", {**ANNA, "name": "eve", "code": code})[0] == 403


def test_a_pairing_code_has_little_time(server: Running) -> None:
    server.order({"pair": "code"})
    code = server.log().split("person: ")[1][:9]
    server.advance(901)
    assert "no pairing code now" in _post(server, "/pair", {**ANNA, "code": code})[1]["error"]


def test_the_button_lets_one_person_pair_without_a_code(server: Running) -> None:
    assert _post(server, "/pair", ANNA)[0] == 401
    assert server.order({"pair": "button"}) is True
    server.advance(121)
    assert _post(server, "/pair", ANNA)[0] == 401
    assert server.order({"pair": "button"}) is True
    assert _post(server, "/pair", ANNA)[0] == 200
    assert _post(server, "/pair", {**ANNA, "name": "eve"})[0] == 403
    assert server.order({"pair": "button"}) is False  # there is an administrator already


def test_every_change_is_recorded_with_who_where_what_before_and_after(
    server: Running, admin: NodeClient, anna: str
) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        assert client.call("ip:block", {"address": "10.9.9.9", "reason": "scans", "departmentId": "dept123"})["success"]
        assert client.call("ip:unblock", {"address": "10.9.9.9", "departmentId": "dept123"})["success"]
        asked = {"departmentId": "dept123", "type": "daily", "bytes": 1000, "reason": "exam"}
        assert client.call("quota:extend", asked)["success"]
    assert admin.call("maintenance:start")["success"]
    assert admin.call("maintenance:stop")["success"]
    found = {one["action"]: one for one in _entries(admin)}
    assert set(found) == {
        "user:add",
        "login",
        "ip:block",
        "ip:unblock",
        "quota:extend",
        "maintenance:start",
        "maintenance:stop",
    }
    block = found["ip:block"]
    assert (block["who"], block["role"], block["address"]) == ("anna", "operator", "127.0.0.1")
    assert (block["what"]["address"], block["before"], block["outcome"]) == ("10.9.9.9", [], "done")
    assert [one["reason"] for one in block["after"]] == ["scans"]
    assert [one["reason"] for one in found["ip:unblock"]["before"]] == ["scans"]
    assert found["ip:unblock"]["after"] == []
    assert (found["quota:extend"]["before"]["granted"], found["quota:extend"]["after"]["granted"]) == (0, 1000)
    assert (found["maintenance:start"]["before"], found["maintenance:start"]["after"]["type"]) == (None, "manual")
    assert PASSWORD not in (server.state_dir / "audit.sqlite3").read_bytes().decode("latin-1")
    assert PASSWORD not in (server.state_dir / "audit.sqlite3-wal").read_bytes().decode("latin-1")


def test_people_and_tokens_are_listed_with_who_is_connected_and_when_they_were_seen(
    server: Running, admin: NodeClient, anna: str
) -> None:
    def of_anna() -> list[tuple[int, str | None]]:
        [person] = admin.call("user:list")["users"]
        tokens = [one for one in admin.call("token:list")["tokens"] if one["subject"] == "anna"]
        return [(one["connected"], one["seenAt"]) for one in (person, *tokens)]

    assert of_anna() == [(0, None), (0, None)]
    with NodeClient(server.url, anna) as client, NodeClient(server.url, anna) as other:
        client.wait_for("connect")
        other.wait_for("connect")
        renewed = client.call("token:renew")["token"]
        server.advance(60)
        assert of_anna() == [(2, "2026-12-15T04:50:29.000Z")] * 2
    while server.count()["members"] > 1:
        pass
    server.advance(60)
    assert of_anna() == [(0, "2026-12-15T04:50:29.000Z")] * 2
    url = f"{server.url}/blocks.txt?department=dept123"
    subprocess.run(["curl", "-fsS", "-H", f"Authorization: Bearer {renewed}", url], check=True)
    assert of_anna() == [(0, "2026-12-15T04:51:29.000Z")] * 2
    admin.call("user:remove", {"name": "anna"})
    admin.call("user:add", {**ANNA, "role": "viewer"})
    assert admin.call("user:list")["users"][0]["seenAt"] is None


def test_a_refused_call_is_not_recorded(admin: NodeClient, connect: Connect) -> None:
    viewer = connect(role=Role.VIEWER)
    assert _code(viewer.call("ip:block", {"address": "10.9.9.9"})) == Code.FORBIDDEN
    assert _code(admin.call("ip:block", {"address": "nonsense!"})) == Code.BAD_REQUEST
    assert _entries(admin) == []


def test_refused_logins_are_recorded_and_cannot_push_out_what_people_did(
    server: Running, anna: str, connect: Connect
) -> None:
    admin = connect(ttl_s=10**6)
    for _ in range(30):
        _post(server, "/login", {**ANNA, "password": "x" * 12})
        server.advance(301)
    refused = [one for one in _entries(admin) if one["outcome"] != "done"]
    assert 10 <= len(refused) <= 26  # ten at once, then one each ten minutes
    assert refused[-1]["what"] == {"tried": "anna"}
    assert any("notTold" in one["what"] for one in refused)


def test_the_audit_trail_is_read_in_pages(admin: NodeClient) -> None:
    for number in range(5):
        assert admin.call("ip:block", {"address": f"10.9.9.{number}"})["success"]
    first = admin.call("audit:get", {"limit": 2})
    assert [one["number"] for one in first["entries"]] == [5, 4]
    assert [one["number"] for one in _entries(admin, limit=9, before=first["more"])] == [3, 2, 1]
    assert admin.call("audit:get", {"limit": 9})["more"] is None
    assert _entries(admin, who="nobody") == []
    assert [one["number"] for one in _entries(admin, contains="9.9.3")] == [4]
    assert first["isIntact"] is True
    assert "isIntact" not in admin.call("audit:get", {"before": 3})


def test_a_change_is_published_and_recorded_although_the_medium_fails_after_it(
    server: Running, admin: NodeClient
) -> None:
    assert admin.call("ip:block", {"address": "10.9.9.1", "departmentId": "dept123"})["success"]
    (server.state_dir / "state.db-wal").unlink()
    for call, published, address in (
        ("ip:block", "ip:blocked", "10.9.9.2"),
        ("ip:unblock", "ip:unblocked", "10.9.9.1"),
    ):
        answer = admin.call(call, {"address": address, "departmentId": "dept123"})
        assert _code(answer) == Code.MAINTENANCE
        assert "it is done, but a power cut may take it back" in answer["error"]
        assert admin.wait_for(published, lambda data, it=address: data["ip"]["address"] == it)
        [entry] = _entries(admin, limit=1)
        assert (entry["action"], entry["outcome"]) == (call, Code.MAINTENANCE)
        assert entry["before"] != entry["after"]


@pytest.mark.parametrize("months", [-1, 1])
def test_a_wall_clock_that_jumps_a_month_neither_ends_nor_prevents_a_login(
    server: Running, anna: str, months: int
) -> None:
    with NodeClient(server.url, anna) as client:
        client.wait_for("connect")
        server.order({"jump": months * 30 * 86400, "trusted": True})
        assert client.call("ip:list")["success"]
        with NodeClient(server.url, anna) as other:
            other.wait_for("connect")
        server.advance(LOGIN_S)
        assert client.wait_for("disconnect")
