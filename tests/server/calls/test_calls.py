from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.config import LimitsSection
from appliance.core.operations.trial import digest_of
from appliance.server.access import Role
from appliance.server.calls.blocking.blocks import MOST_AT_ONCE
from appliance.server.calls.call_table import CALLS
from tests.client import NodeClient
from tests.server import GHOST
from tests.server.conftest import Connect, Running

ADDRESS = "192.168.1.100"


@pytest.fixture(scope="module")
def patient(shared: Running) -> Iterator[NodeClient]:
    """A client for calls that change nothing."""
    with NodeClient(shared.url, shared.token()) as client:
        yield client


def _code(answer: Any) -> str:
    assert answer["success"] is False
    assert answer["error"]
    return answer["code"]


def test_a_block_is_acknowledged_published_listed_and_lifted(connect: Connect) -> None:
    client, other = connect(role=Role.OPERATOR), connect(role=Role.VIEWER, departments=["dept123"])
    asked = {"address": ADDRESS, "reason": "scans", "duration": 3600, "departmentId": "dept123"}
    block = {
        "address": ADDRESS,
        "reason": "scans",
        "actor": "tester",
        "origin": "manual",
        "departmentId": "dept123",
        "startedAt": "2026-12-15T04:49:29.000Z",
        "expiresAt": "2026-12-15T05:49:29.000Z",
        "duration": 3600,
    }
    assert client.call("ip:block", asked) == {"success": True, "block": block}
    assert other.wait_for("ip:blocked")["ip"] == {"address": ADDRESS, "reason": "scans", "duration": 3600}
    listed = {"success": True, "blocks": [{**block, "refused": 0}], "total": 1, "next": None, "origins": {"manual": 1}}
    assert other.call("ip:list") == listed
    lifted = client.call("ip:unblock", {"address": ADDRESS, "departmentId": "dept123"})
    assert lifted == {"success": True}
    assert other.wait_for("ip:unblocked")["ip"]["address"] == ADDRESS
    assert other.call("ip:list", {}) == {"success": True, "blocks": [], "total": 0, "next": None, "origins": {}}


def test_a_blocked_name_is_listed_with_the_addresses_that_it_holds_and_those_that_are_spared(
    server: Running, connect: Connect
) -> None:
    client = connect()
    server.order({"hear": "evil.test", "addresses": ["203.0.113.1", "203.0.113.2", "192.0.2.53"]})
    server.order({"hear": "good.test", "addresses": ["203.0.113.2"]})
    client.call("ip:block", {"address": "evil.test"})
    [block] = client.call("ip:list")["blocks"]
    why = "evil.test resolves to it, as the name server 192.0.2.53 said"
    shown = {"why": why, "expiresAt": "2026-12-15T04:59:29.000Z"}
    assert block["resolved"] == {
        "blocked": 2,
        "spared": 1,
        "addresses": [
            {"address": "192.0.2.53", **shown, "spared": "hosts use the name server there"},
            {"address": "203.0.113.2", **shown, "shared": "hosts visit good.test there too"},
            {"address": "203.0.113.1", **shown},
        ],
    }
    [other] = connect(role=Role.VIEWER, departments=["dept123"]).call("ip:list")["blocks"]
    assert other["resolved"] == {"blocked": 2, "spared": 1, "addresses": []}
    client.call("ip:block", {"addresses": [f"n{number}.test" for number in range(300)]})
    found = client.call("ip:list", {"contains": "evil"})["blocks"] + client.call("ip:list", {"limit": 301})["blocks"]
    assert [len(one["resolved"]["addresses"]) for one in found if one["address"] == "evil.test"] == [3, 3]


def test_the_duration_in_a_list_is_what_remains(server: Running, connect: Connect) -> None:
    client = connect()
    client.call("ip:block", {"address": ADDRESS, "duration": 3600})
    client.call("ip:block", {"address": "192.168.1.101"})
    server.advance(600)
    blocks = {block["address"]: block for block in client.call("ip:list")["blocks"]}
    assert blocks[ADDRESS]["duration"] == 3000
    assert (blocks["192.168.1.101"]["duration"], blocks["192.168.1.101"]["expiresAt"]) == (0, None)


def test_a_list_shows_the_blocks_of_the_callers_departments(connect: Connect) -> None:
    everywhere, one = connect(), connect(role=Role.VIEWER, departments=["dept123"])
    for last, department in (("1", "dept123"), ("2", "dept456"), ("3", None)):
        everywhere.call("ip:block", {"address": "192.168.1." + last, "departmentId": department})

    def addresses(client: NodeClient, *arguments: Any) -> set[str]:
        return {block["address"][-1] for block in client.call("ip:list", *arguments)["blocks"]}

    assert addresses(everywhere) == {"1", "2", "3"}
    assert addresses(everywhere, {"departmentId": "dept456"}) == {"2", "3"}
    assert addresses(one) == {"1", "3"}
    assert _code(one.call("ip:list", {"departmentId": "dept456"})) == "E_FORBIDDEN"


def test_a_position_that_cannot_enforce_says_so_in_every_answer(start: Callable[..., Running]) -> None:
    server = start(position="mirror")
    with NodeClient(server.url, server.token()) as client:
        assert client.call("ip:block", {"address": ADDRESS})["block"]["enforced"] is False
        assert client.call("ip:list")["blocks"][0]["enforced"] is False
        assert client.wait_for("ip:blocked")["ip"]["enforced"] is False


def test_the_caller_cannot_block_itself(connect: Connect) -> None:
    assert _code(connect().call("ip:block", {"address": "127.0.0.1"})) == "E_PROTECTED_ADDRESS"


def test_quotas_come_from_the_ledger(connect: Connect) -> None:
    answer = connect().call("quota:get", "dept123")
    assert (answer["success"], answer["departmentId"]) == (True, "dept123")
    daily = {quota["type"]: quota for quota in answer["quotas"]}["daily"]
    assert daily == {
        "type": "daily",
        "used": 0,
        "limit": 5368709120,
        "percentage": 0.0,
        "granted": 0,
        "startedAt": "2026-12-15T00:00:00.000Z",
        "resetsAt": "2026-12-16T00:00:00.000Z",
        "isExceeded": False,
    }


def test_maintenance_refuses_changes_and_allows_reading(connect: Connect) -> None:
    client, other = connect(), connect(role=Role.VIEWER)
    started = client.call("maintenance:start")
    assert started == {
        "success": True,
        "maintenance": {
            "type": "manual",
            "startTime": "2026-12-15T04:49:29.000Z",
            "duration": 3600,
            "impact": "System is in read-only mode",
            "actor": "tester",
            "begun": True,
            "endsAt": "2026-12-15T05:49:29.000Z",
            "id": "20261215T044929Z",
            "enforcement": "stays",
        },
    }
    assert other.wait_for("system:maintenance")["maintenance"] == started["maintenance"]
    for change in ("ip:block", "ip:unblock"):
        assert _code(client.call(change, {"address": ADDRESS})) == "E_MAINTENANCE"
    assert client.call("ip:list")["success"]
    assert client.call("maintenance:stop")["maintenance"]["type"] == "completed"
    assert client.call("ip:block", {"address": ADDRESS})["success"]
    assert _code(client.call("maintenance:stop")) == "E_BAD_REQUEST"


def test_maintenance_can_be_announced(connect: Connect) -> None:
    asked = {"startTime": "2026-12-16T02:00:00.000Z", "duration": 60, "impact": "new cables"}
    assert connect().call("maintenance:start", asked)["maintenance"] == {
        "type": "scheduled",
        **asked,
        "actor": "tester",
        "begun": False,
        "endsAt": "2026-12-16T02:01:00.000Z",
        "id": "20261216T020000Z",
        "enforcement": "stays",
    }


def test_several_maintenances_are_planned_and_each_is_called_off_by_its_id(connect: Connect) -> None:
    client, viewer = connect(), connect(role=Role.VIEWER)
    weekly = {"startTime": "2026-12-20T02:00:00.000Z", "duration": 7200, "repeat": "weekly"}
    assert client.call("maintenance:start", weekly)["maintenance"]["id"] == "weekly-20261220T020000Z"
    assert client.call("maintenance:start", {"startTime": "2026-12-16T02:00:00.000Z"})["success"]
    told = viewer.wait_for("system:maintenance", lambda data: len(data["planned"]) == 2)
    assert [one["id"] for one in told["planned"]] == ["20261216T020000Z", "weekly-20261220T020000Z"]
    longer = client.call("maintenance:extend", {"duration": 60, "id": "weekly-20261220T020000Z"})["maintenance"]
    assert longer["duration"] == 7260
    running = client.call("maintenance:start")["maintenance"]
    assert _code(client.call("maintenance:stop", {"id": "20261217T020000Z"})) == "E_BAD_REQUEST"
    assert client.call("maintenance:stop")["maintenance"]["id"] == running["id"]
    assert client.call("maintenance:stop", {"id": "weekly-20261220T020000Z"})["maintenance"]["type"] == "completed"
    viewer.wait_for("system:maintenance", lambda data: len(data["planned"]) == 1)
    [stopped, *_] = client.call("audit:get", {"action": "maintenance:stop"})["entries"]
    assert (stopped["before"]["repeat"], stopped["after"]) == ("weekly", None)
    refused = client.call("maintenance:start", {"repeat": "daily"})
    assert "give the first time" in refused["error"]
    too_long = client.call("maintenance:start", {**weekly, "duration": 86400})
    assert "12 hours at most" in too_long["error"]


def test_a_maintenance_is_extended_from_its_own_end(server: Running, connect: Connect) -> None:
    client, viewer = connect(), connect(role=Role.VIEWER)
    assert "no maintenance to extend" in client.call("maintenance:extend", {"duration": 60})["error"]
    client.call("maintenance:start", {"duration": 3600, "impact": "new cables"})
    server.advance(600)
    longer = client.call("maintenance:extend", {"duration": 1800})["maintenance"]
    assert (longer["duration"], longer["endsAt"], longer["impact"]) == (5400, "2026-12-15T06:19:29.000Z", "new cables")
    assert viewer.wait_for("system:maintenance", lambda data: data["maintenance"] == longer)
    assert "more than a day" in client.call("maintenance:extend", {"duration": 86400})["error"]
    assert client.call("maintenance:stop")["maintenance"]["endsAt"] == "2026-12-15T04:59:29.000Z"
    [recorded, *_] = client.call("audit:get", {"action": "maintenance:extend"})["entries"]
    assert (recorded["before"]["duration"], recorded["after"]["duration"]) == (3600, 5400)


@pytest.fixture(scope="module")
def by_role(shared: Running) -> Iterator[dict[Role, NodeClient]]:
    """A client for each role."""
    clients = {role: NodeClient(shared.url, shared.token(role)) for role in Role}
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("event", sorted(CALLS))
def test_every_call_takes_the_role_of_its_row(by_role: dict[Role, NodeClient], event: str) -> None:
    needed = CALLS[event].role
    for role, client in by_role.items():
        answer = client.call(event, {"nonsense": True})
        assert (_code(answer) == "E_FORBIDDEN") == (list(Role).index(role) < list(Role).index(needed))


def test_an_operator_changes_only_its_own_departments(connect: Connect) -> None:
    client = connect(role=Role.OPERATOR, departments=["dept123"])
    for event in ("ip:block", "ip:unblock"):
        assert _code(client.call(event, {"address": ADDRESS, "departmentId": "dept456"})) == "E_FORBIDDEN"
        answer = client.call(event, {"address": ADDRESS})
        assert _code(answer) == "E_FORBIDDEN"
        assert "departmentId" in answer["error"]
    assert client.call("ip:block", {"address": ADDRESS, "departmentId": "dept123"})["success"]


@pytest.mark.parametrize("event", ["analytics:subscribe", "analytics:unsubscribe", "quota:get"])
def test_a_department_is_named_by_its_id_and_must_be_known_and_covered(connect: Connect, event: str) -> None:
    client = connect(role=Role.VIEWER, departments=["dept123"])
    for code in () if event == "quota:get" else ("[]", "[null]"):  # which ask for the quotas of all
        assert _code(client.call(event, code=code)) == "E_BAD_REQUEST"
    for code in ("['']", "[5]", "[{}]", "[['dept123']]", "['x'.repeat(65)]", "['dept123', 'dept123']"):
        assert _code(client.call(event, code=code)) == "E_BAD_REQUEST"
    assert _code(client.call(event, "dept999")) == "E_UNKNOWN_DEPARTMENT"
    assert _code(client.call(event, "dept456")) == "E_FORBIDDEN"


@pytest.mark.parametrize(
    ("event", "code", "named"),
    [
        ("ip:block", "[]", "address"),
        ("ip:block", "['192.168.1.100']", "object"),
        ("ip:block", "[{address: 5}]", "address"),
        ("ip:block", "[{address: ''}]", "address"),
        ("ip:block", "[{address: 'example'}]", "address"),
        ("ip:block", "[{address: '10.0.0.1/8'}]", "address"),
        ("ip:block", "[{address: '1'.repeat(9000)}]", "address"),
        ("ip:block", "[{address: '10.0.0.1', duration: -1}]", "duration"),
        ("ip:block", "[{address: '10.0.0.1', duration: 1.5}]", "duration"),
        ("ip:block", "[{address: '10.0.0.1', duration: '60'}]", "duration"),
        ("ip:block", "[{address: '10.0.0.1', duration: true}]", "duration"),
        ("ip:block", "[{address: '10.0.0.1', duration: NaN}]", "duration"),  # JavaScript sends null for it
        ("ip:block", "[{address: '10.0.0.1', duration: 1e15}]", "duration"),
        ("ip:block", "[{address: '10.0.0.1', reason: ''}]", "reason"),
        ("ip:block", "[{address: '10.0.0.1', reason: 'x'.repeat(201)}]", "reason"),
        ("ip:block", "[{address: '10.0.0.1', reason: 'a\\nb'}]", "reason"),
        ("ip:block", "[{address: '10.0.0.1', reason: 'a\\n'}]", "reason"),
        ("ip:block", "[{address: '10.0.0.1', reason: '\\u001b[2J'}]", "reason"),
        ("ip:block", "[{address: '10.0.0.1', departmentId: 5}]", "departmentId"),
        ("ip:block", "[{address: '10.0.0.1', until: 5}]", "until"),
        ("ip:block", "[{address: '10.0.0.1'}, 'more']", "one argument"),
        ("ip:unblock", "[{}]", "address"),
        ("ip:unblock", "[{address: '10.9.9.9'}]", "not blocked"),
        ("ip:list", "['dept123']", "object"),
        ("maintenance:start", "[{duration: 59}]", "duration"),
        ("maintenance:start", "[{duration: 86401}]", "duration"),
        ("maintenance:start", "[{impact: ''}]", "impact"),
        ("maintenance:start", "[{startTime: 'soon'}]", "startTime"),
        ("maintenance:start", "[{startTime: '2026-12-16T02:00:00'}]", "startTime"),
        ("maintenance:start", "[{startTime: '9999-12-31T23:59:59Z'}]", "startTime"),
        ("maintenance:stop", "[{now: true}]", "now"),
        ("maintenance:reboot", "[]", "maintenance:reboot"),
        ("x".ljust(5000, "x"), "[]", "xxx"),
        ("__proto__", "[]", "__proto__"),
    ],
)
def test_a_refusal_names_what_is_wrong_and_is_short(patient: NodeClient, event: str, code: str, named: str) -> None:
    answer = patient.call(event, code=code)
    assert _code(answer) == "E_BAD_REQUEST"
    assert named in answer["error"]
    assert len(answer["error"]) < 500


def test_a_bug_in_a_handler_is_answered_and_logged_and_the_server_goes_on(server: Running, connect: Connect) -> None:
    client = connect()
    assert _code(client.call("quota:get", GHOST)) == "E_INTERNAL"
    assert client.wait_for("error")["code"] == "E_INTERNAL"
    assert "KeyError" in server.log()
    assert client.call("quota:get", "dept123")["success"]


FROM, TO = "2026-12-15T00:00:00Z", "2026-12-16T00:00:00Z"  # the harness's clock starts on this day


def test_history_is_answered_bucket_by_bucket(server: Running, connect: Connect) -> None:
    client = connect(role=Role.VIEWER, departments=["dept123"])
    server.order({"pass": {"dept123": [1000, 2000]}, "hosts": [["dept123", "192.168.1.100", [10, 20]]]})
    server.advance(60)
    server.order({"pass": {"dept123": [1, 2]}, "hosts": []})
    asked = {"departmentId": "dept123", "from": FROM, "to": TO, "step": "minute"}
    assert client.call("history:get", asked) == {
        "success": True,
        "departmentId": "dept123",
        "host": None,
        "step": "minute",
        "points": [["2026-12-15T04:49:00.000Z", 1000, 2000], ["2026-12-15T04:50:00.000Z", 1, 2]],
    }
    hosts = client.call("history:get", {**asked, "step": "day", "host": "192.168.1.100"})
    assert (hosts["host"], hosts["points"]) == ("192.168.1.100", [["2026-12-15T00:00:00.000Z", 10, 20]])
    months = client.call("history:get", {**asked, "step": "month"})
    assert months["points"] == [["2026-12-01T00:00:00.000Z", 1001, 2002]]


def test_anomalies_are_listed_newest_first_of_what_the_caller_may_see(server: Running, connect: Connect) -> None:
    for department, minutes in (("dept123", 30), ("dept456", 20), ("dept123", 10), ("dept123", 100_000)):
        server.order({"anomaly": department, "minutes_ago": minutes})
    asked = {"from": FROM, "to": TO}
    one, every = connect(role=Role.VIEWER, departments=["dept123"]), connect(role=Role.VIEWER)
    found = one.call("anomaly:list", asked)["anomalies"]
    assert [entry["timestamp"] for entry in found] == ["2026-12-15T04:39:29.000Z", "2026-12-15T04:19:29.000Z"]
    assert found[0] == {
        "departmentId": "dept123",
        "timestamp": "2026-12-15T04:39:29.000Z",
        "anomaly": {
            "type": "usage_drop",
            "severity": "high",
            "details": "0 B/s down",
            "confidence": 0.9,
            "direction": "down",
        },
    }
    listed = every.call("anomaly:list", asked)["anomalies"]
    assert [entry["departmentId"] for entry in listed] == ["dept123", "dept456", "dept123"]
    assert every.call("anomaly:list", {**asked, "departmentId": "dept456"})["anomalies"] == [listed[1]]
    assert one.call("anomaly:list", {**asked, "departmentId": "dept456"})["code"] == "E_FORBIDDEN"
    assert "from: missing" in one.call("anomaly:list", {})["error"]


def test_history_of_no_department_is_the_sum_of_what_the_caller_may_see(server: Running, connect: Connect) -> None:
    for _ in range(3):
        server.order({"pass": {"dept123": [1, 2], "dept456": [10, 20]}, "hosts": []})
        server.advance(1)
    asked = {"departmentId": None, "from": FROM, "to": TO, "step": "hour"}
    start = "2026-12-15T04:00:00.000Z"
    whole, second = connect(role=Role.VIEWER), connect(role=Role.VIEWER, departments=["dept456"])
    assert whole.call("history:get", asked) == {
        "success": True,
        "departmentId": None,
        "host": None,
        "step": "hour",
        "points": [[start, 33, 66]],
    }
    assert second.call("history:get", asked)["points"] == [[start, 30, 60]]
    nobody = connect(role=Role.ADMIN, departments=["dept789"])
    assert nobody.call("history:get", asked)["points"] == []
    seconds = ["2026-12-15T04:49:29.000Z", "2026-12-15T04:49:30.000Z"]
    live = {**asked, "step": "second"}
    assert whole.call("history:get", live)["points"] == [[start, 11, 22] for start in seconds]
    assert second.call("history:get", live)["points"] == [[start, 10, 20] for start in seconds]
    one = whole.call("history:get", {**live, "departmentId": "dept123", "from": seconds[1]})
    assert (one["step"], one["points"]) == ("second", [[seconds[1], 1, 2]])


def test_history_comes_with_what_is_usual_once_three_weeks_are_known(server: Running, connect: Connect) -> None:
    asked = {"departmentId": "dept123", "from": "2027-01-05T04:00:00Z", "to": "2027-01-05T06:00:00Z", "step": "hour"}
    for _ in range(3):
        assert "expected" not in connect(ttl_s=10**7).call("history:get", asked)
        server.order({"pass": {"dept123": [10**9, 0], "dept456": [10**9, 0]}, "hosts": []})
        server.advance(7 * 86400)
    client = connect(ttl_s=10**7)
    [[start, low, high]] = client.call("history:get", asked)["expected"]
    assert (start, low < 10**9 < high) == ("2027-01-05T04:00:00.000Z", True)
    [[_, low, high]] = client.call("history:get", {**asked, "departmentId": None})["expected"]
    assert low < 2 * 10**9 < high
    assert "expected" not in client.call("history:get", {**asked, "host": "192.168.1.100"})


def test_a_host_is_known_by_any_way_to_write_its_address(server: Running, connect: Connect) -> None:
    server.order({"pass": {}, "hosts": [["dept123", "2001:db8::1", [10, 20]]]})
    asked = {"departmentId": "dept123", "host": "2001:DB8:0:0::1", "from": FROM, "to": TO, "step": "hour"}
    answer = connect().call("history:get", asked)
    assert (answer["host"], len(answer["points"])) == ("2001:db8::1", 1)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"departmentId": "dept999"}, "E_UNKNOWN_DEPARTMENT", "dept999"),
        ({"departmentId": "dept456"}, "E_FORBIDDEN", "dept456"),
        ({"step": "week"}, "E_BAD_REQUEST", "step: must be one of second, minute, 5min, hour, day, month"),
        ({"step": "second", "host": "192.168.1.100"}, "E_BAD_REQUEST", 'its narrowest is "minute"'),
        ({"departmentId": None, "host": "192.168.1.100"}, "E_BAD_REQUEST", "belongs to one department"),
        ({"step": None}, "E_BAD_REQUEST", "step: must be"),
        ({"from": "yesterday"}, "E_BAD_REQUEST", "from: must be a time with its zone"),
        ({"from": "2026-12-15T00:00:00"}, "E_BAD_REQUEST", "from: must be a time with its zone"),
        ({"from": TO}, "E_BAD_REQUEST", "must begin before it ends"),
        ({"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}, "E_BAD_REQUEST", "ask for a shorter range"),
        ({"from": "2026-12-01T00:00:00Z", "step": "minute"}, "E_BAD_REQUEST", 'use the step "hour"'),
        ({"host": "somebody"}, "E_BAD_REQUEST", "host: must be a host's address"),
        ({"host": "192.168.1.0/24"}, "E_BAD_REQUEST", "host: must be a host's address"),
        ({"since": FROM}, "E_BAD_REQUEST", "since: unknown"),
    ],
)
def test_an_impossible_history_request_is_refused_with_the_reason(
    shared: Running, change: dict[str, Any], code: str, said: Any
) -> None:
    asked = {"departmentId": "dept123", "from": FROM, "to": TO, "step": "day", **change}
    with NodeClient(shared.url, shared.token(role=Role.VIEWER, departments=["dept123"])) as client:
        answer = client.call("history:get", asked)
    assert _code(answer) == code
    assert said in answer["error"]


def test_history_with_no_range_is_refused(patient: NodeClient) -> None:
    assert "from: missing" in patient.call("history:get", {"departmentId": "dept123", "step": "day"})["error"]


def test_the_largest_history_answer_arrives(server: Running, connect: Connect) -> None:
    for _ in range(2000):
        server.order({"pass": {"dept123": [2**52, 2**52]}, "hosts": []})
        server.advance(60)
    asked = {"departmentId": "dept123", "from": "2026-12-15T04:49:00Z", "to": "2026-12-16T14:09:00Z", "step": "minute"}
    answer = connect(ttl_s=1_000_000).call("history:get", asked)
    assert len(answer["points"]) == 2000


def test_a_thousand_calls_in_a_second_are_limited_and_each_is_answered(server: Running, connect: Connect) -> None:
    flooding, other = connect(role=Role.VIEWER), connect(role=Role.VIEWER)
    tell = "(answer) => tell({ event: 'answer', data: answer })"
    flooding.send("ip:list", code=f"Array(1000).fill(0).map(() => socket.emit('ip:list', {tell})) && []")
    flooding.wait_for("answer", count=1000)
    answers = flooding.named("answer")
    limited = [answer for answer in answers if not answer["success"]]
    assert 0 < len(answers) - len(limited) <= LimitsSection().calls_at_once
    assert {answer["code"] for answer in limited} == {"E_RATE_LIMITED"}
    assert "wait" in limited[0]["error"]
    assert other.call("ip:list")["success"]
    server.advance(60)
    assert flooding.call("ip:list")["success"]


def test_an_imported_list_is_blocked_and_its_faults_are_listed(
    server: Running, connect: Connect, tmp_path: Path
) -> None:
    client, viewer = connect(role=Role.ADMIN), connect(role=Role.OPERATOR, departments=["dept123"])
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "bad.txt").write_text("10.0.0.1\nnonsense here\n127.0.0.1\n")
    server.order({"read_lists": 4})
    bad, own = client.call("list:get")["lists"]
    assert (bad["name"], bad["entries"], bad["pending"], bad["trouble"]) == ("bad", 2, 0, None)
    assert [(one["line"], one["text"]) for one in bad["faults"]] == [(2, "nonsense here")]
    assert [one["address"] for one in bad["objections"]] == ["127.0.0.1"]
    assert (own["departmentId"], own["entries"]) == ("dept456", None)
    assert "move it there" in own["trouble"]
    [block] = client.call("ip:list")["blocks"]
    assert (block["address"], block["origin"], block["reason"]) == ("10.0.0.1", "list:bad", "on the list bad")
    assert [one["name"] for one in viewer.call("list:get")["lists"]] == ["bad"]
    for other in (viewer, connect(role=Role.OPERATOR), connect(role=Role.ADMIN, departments=["dept123"])):
        [fault] = other.call("list:get")["lists"][0]["faults"]  # any file could be named as a list
        assert (fault["line"], fault["text"]) == (2, "")
        assert "nonsense" not in fault["why"]


def test_thousands_are_blocked_in_one_call_and_lifted_in_one(connect: Connect) -> None:
    client, other = connect(role=Role.OPERATOR), connect(role=Role.VIEWER)
    addresses = [f"10.{n >> 8}.{n & 255}.0/24" for n in range(MOST_AT_ONCE)]
    assert client.call("ip:block", {"addresses": addresses, "reason": "a list"}) == {"success": True, "count": 5000}
    assert other.call("ip:list", {"limit": 1})["total"] == 5000
    assert client.call("ip:unblock", {"addresses": addresses}) == {"success": True, "count": 5000}
    assert other.call("ip:list")["total"] == 0


@pytest.mark.parametrize(
    ("addresses", "code", "error"),
    [
        (["10.0.0.1", "10.0.0.256", "nonsense"], "E_BAD_REQUEST", "addresses[1]: "),
        (["10.0.0.1", "10.0.0.2", "127.0.0.0/8"], "E_PROTECTED_ADDRESS", "addresses[2]: 127.0.0.0/8 is protected"),
        (["10.0.0.1", 5], "E_BAD_REQUEST", "addresses[1]: must be"),
        ([], "E_BAD_REQUEST", "addresses: must be a list of 1 to 5000"),
        (["10.0.0.1"] * 5001, "E_BAD_REQUEST", "addresses: must be a list of 1 to 5000"),
    ],
)
def test_a_list_with_a_bad_entry_is_refused_whole_and_names_it(
    patient: NodeClient, addresses: list[Any], code: str, error: str
) -> None:
    answer = patient.call("ip:block", {"addresses": addresses})
    assert _code(answer) == code
    assert answer["error"].startswith(error)
    assert patient.call("ip:list")["total"] == 0


def test_an_unblock_of_many_with_one_that_is_not_blocked_lifts_none(connect: Connect) -> None:
    client = connect()
    client.call("ip:block", {"addresses": ["10.0.0.1", "10.0.0.2"]})
    answer = client.call("ip:unblock", {"addresses": ["10.0.0.1", "10.0.0.3"]})
    assert "10.0.0.3 is not blocked" in answer["error"]
    assert client.call("ip:list")["total"] == 2


@pytest.mark.parametrize("asked", [{}, {"address": "10.0.0.1", "addresses": ["10.0.0.2"]}])
def test_a_block_takes_one_address_or_many_and_not_both(patient: NodeClient, asked: dict[str, Any]) -> None:
    assert "either address, or addresses" in patient.call("ip:block", asked)["error"]


def test_a_list_has_pages_and_can_be_narrowed(server: Running, connect: Connect) -> None:
    client = connect()
    client.call("ip:block", {"addresses": [f"10.0.0.{n}" for n in range(1, 8)], "duration": 60})
    client.call("ip:block", {"address": "2001:db8::1", "reason": "Port scan", "departmentId": "dept123"})
    pages = [client.call("ip:list", {"limit": 3, "page": page}) for page in (1, 2, 3)]
    assert [(len(page["blocks"]), page["total"], page["next"]) for page in pages] == [
        (3, 8, 2),
        (3, 8, 3),
        (2, 8, None),
    ]
    assert len({one["address"] for page in pages for one in page["blocks"]}) == 8

    def total(**asked: Any) -> int:
        return client.call("ip:list", asked)["total"]

    assert (total(within="10.0.0.0/30"), total(contains="SCAN"), total(expiring=60)) == (3, 1, 7)
    assert (total(origin="manual"), total(origin="list:bad"), total(departmentId="dept456")) == (8, 0, 7)
    assert _code(client.call("ip:list", {"within": "example.com"})) == "E_BAD_REQUEST"
    assert _code(client.call("ip:list", {"limit": 1001})) == "E_BAD_REQUEST"


def test_a_new_configuration_is_for_administrators_and_judged_first(server: Running, connect: Connect) -> None:
    client, operator = connect(), connect(role=Role.OPERATOR)
    assert _code(operator.call("config:apply", {"text": "x"})) == "E_FORBIDDEN"
    answer = client.call("config:apply", {"text": "[appliance]\nposition = 'here'"})
    assert (_code(answer), "appliance.position" in answer["error"]) == ("E_BAD_REQUEST", True)
    assert "nothing to confirm" in client.call("config:confirm")["error"]
    assert client.call("config:get") == {"success": True, "trial": None}
    text = "[appliance]\nposition = 'host'\n[[departments]]\nid = 'a'\ninterface = 'eth1'"
    assert client.call("config:apply", {"text": text})["trial"] == {"remaining": 120, "actor": "tester"}
    assert "on trial already" in client.call("config:apply", {"text": text})["error"]


def test_a_configuration_is_checked_without_trying_it(server: Running, connect: Connect) -> None:
    client = connect()
    text = "[appliance]\nposition = 'host'\n[[departments]]\nid = 'dept123'\ninterface = 'dept123'\n"
    answer = client.call("config:check", {"text": f"{text}quota.daily = '6 GiB'"})
    assert answer["faults"] == []
    assert "dept123: the daily quota is 6 GiB, was 5 GiB. The books stay." in answer["changes"]
    assert any("Second (dept456) is removed" in one for one in answer["changes"])
    client.call("quota:set", {"departmentId": "dept123", "type": "daily", "limit": 2**30})
    answer = client.call("config:check", {"text": f"{text}quota.daily = '6 GiB'"})
    assert any("set by hand holds over it" in one for one in answer["changes"])
    answer = client.call("config:check", {"text": f"{text}quota.dayly = '6 GiB'"})
    [fault] = answer["faults"]
    assert (fault["line"], 'did you mean "daily"?' in fault["message"], answer["changes"]) == (6, True, [])
    assert client.call("config:get")["trial"] is None


def test_a_configuration_is_read_and_replaced_only_as_it_was_read(server: Running, connect: Connect) -> None:
    client, viewer, path = connect(), connect(role=Role.VIEWER), server.state_dir / "appliance.toml"
    text = "[appliance]\nposition = 'host'\n[[departments]]\nid = 'a'\ninterface = 'eth1'"
    path.write_text(text)
    seen = client.call("config:read")
    assert seen == {"success": True, "text": text, "digest": digest_of(text.encode()), "path": str(path)}
    path.write_text(f"{text} # by another person")
    refused = client.call("config:apply", {"text": text, "digest": seen["digest"]})
    assert (_code(refused), "changed since you read it" in refused["error"]) == ("E_CONFLICT", True)
    assert "nothing to take back" in client.call("config:revert")["error"]
    digest = client.call("config:read")["digest"]
    assert client.call("config:apply", {"text": text, "digest": digest})["success"]
    server.advance(0)
    assert viewer.wait_for("config:trial")["trial"] == {"remaining": 120, "actor": "tester"}
    late = connect(role=Role.VIEWER, departments=["dept123"])
    assert late.wait_for("config:trial")["trial"]["actor"] == "tester"


def test_the_configuration_file_is_taken_as_it_is_now_or_refused_whole(server: Running, connect: Connect) -> None:
    client, path = connect(), server.state_dir / "appliance.toml"
    path.write_text("[appliance]\nposition = 'here'\nname = 'x'\n[[departments]]\nid = 'a'\ninterface = 'eth1'")
    refused = client.call("config:reload")
    assert (_code(refused), "appliance.position" in refused["error"], "name" in refused["error"]) == (
        "E_BAD_REQUEST",
        True,
        True,
    )
    path.write_text("[appliance]\nposition = 'host'\n[[departments]]\nid = 'a'\ninterface = 'eth1'")
    assert any("Second (dept456) is removed" in one for one in client.call("config:reload")["changes"])
    assert "on trial already" in client.call("config:reload")["error"]


@pytest.mark.parametrize("event", [name for name, call in CALLS.items() if call.everywhere])
def test_what_concerns_the_whole_appliance_takes_an_admin_of_all_departments(connect: Connect, event: str) -> None:
    refused = connect(role=Role.ADMIN, departments=["dept123", "dept456"]).call(event)
    assert refused["code"] == "E_FORBIDDEN"
    assert "for all departments" in refused["error"]


def test_a_department_s_admin_ends_no_maintenance_of_the_others(connect: Connect) -> None:
    admin, of_department = connect(), connect(role=Role.ADMIN, departments=["dept123"])
    assert _code(of_department.call("maintenance:start")) == "E_FORBIDDEN"
    assert admin.call("maintenance:start")["success"]
    assert _code(of_department.call("maintenance:stop")) == "E_FORBIDDEN"
    assert _code(of_department.call("ip:block", {"address": "10.9.9.9", "departmentId": "dept123"})) == "E_MAINTENANCE"


def test_a_preview_says_what_a_block_would_do_and_does_nothing(server: Running, connect: Connect) -> None:
    client = connect()
    client.call("ip:block", {"address": ADDRESS})  # which has the kernel's places looked at, as each second does
    server.order({"see": {"10.20.0.11": "02:00:00:00:00:0b"}, "connections": [["10.20.0.11", "192.0.2.9", 4]]})
    asked = {"address": "10.20.0.11", "departmentId": "dept123", "preview": True}
    device = "02:00:00:00:00:0b (10.20.0.11)"
    expected = {"address": "10.20.0.11", "device": device, "connections": 4, "objection": None}
    assert client.call("ip:block", asked)["preview"] == {**expected, "departments": ["dept123"]}
    by_mac = client.call("ip:block", {**asked, "address": "02-00-00-00-00-0B"})["preview"]
    assert (by_mac["address"], by_mac["device"], by_mac["connections"]) == ("02:00:00:00:00:0b", device, 4)
    everywhere = client.call("ip:block", {"address": "10.0.0.0/8", "preview": True})["preview"]
    assert (everywhere["connections"], everywhere["departments"]) == (4, ["dept123", "dept456"])
    assert "it contains all of the department" in everywhere["objection"]
    name = client.call("ip:block", {"address": "evil.test", "preview": True})["preview"]
    assert (name["device"], name["connections"], name["objection"]) == (None, None, None)
    assert client.call("ip:list")["total"] == 1
    assert len(client.call("audit:get", {"action": "ip:block"})["entries"]) == 1
    assert client.call("ip:block", {**asked, "preview": False})["block"]["address"] == "10.20.0.11"


def test_a_preview_shows_only_the_callers_departments(server: Running, connect: Connect) -> None:
    client = connect(role=Role.OPERATOR, departments=["dept456"])
    connect().call("ip:block", {"address": ADDRESS})
    server.order({"see": {"10.20.0.11": "02:00:00:00:00:0b"}, "connections": [["10.20.0.11", "192.0.2.9", 4]]})
    asked = {"address": "10.20.0.11", "departmentId": "dept456", "preview": True}
    found = client.call("ip:block", asked)["preview"]
    assert (found["device"], found["connections"], found["departments"]) == (None, 0, ["dept456"])
    assert _code(client.call("ip:block", {**asked, "departmentId": "dept123"})) == "E_FORBIDDEN"
    assert _code(client.call("ip:block", {"address": "10.20.0.11", "preview": True})) == "E_FORBIDDEN"
    viewer = connect(role=Role.VIEWER)
    assert _code(viewer.call("ip:block", asked)) == "E_FORBIDDEN"


def test_a_preview_is_of_one_address_and_names_what_is_against_it(connect: Connect) -> None:
    client = connect()
    for wrong in ({"addresses": ["10.9.9.9"]}, {}, {"address": "10.9.9.9", "addresses": ["10.9.9.9"]}):
        assert _code(client.call("ip:block", {**wrong, "preview": True})) == "E_BAD_REQUEST"
    own = client.call("ip:block", {"address": "127.0.0.1", "preview": True})["preview"]
    assert own["objection"]
    assert own["connections"] is None, "nothing is tracked"


def test_a_list_counts_the_origins_of_what_else_the_query_matches(server: Running, connect: Connect) -> None:
    client = connect()
    (server.state_dir / "lists").mkdir()
    (server.state_dir / "lists" / "bad.txt").write_text("203.0.113.1\n203.0.113.2\n")
    server.order({"read_lists": 30})
    client.call("ip:block", {"address": ADDRESS, "departmentId": "dept123"})
    found = client.call("ip:list", {"origin": "manual"})
    assert (found["total"], found["origins"]) == (1, {"manual": 1, "list:bad": 2})
    assert client.call("ip:list", {"contains": "203.0.113.2"})["origins"] == {"list:bad": 1}
    assert connect(role=Role.VIEWER, departments=["dept456"]).call("ip:list")["origins"] == {"list:bad": 2}


def test_a_list_says_how_often_a_block_has_refused_in_the_last_hour(server: Running, connect: Connect) -> None:
    client, one = connect(), connect(role=Role.VIEWER, departments=["dept123"])
    client.call("ip:block", {"address": ADDRESS, "departmentId": "dept123"})
    client.call("ip:block", {"address": "192.168.1.101"})
    assert [block["refused"] for block in client.call("ip:list")["blocks"]] == [0, 0]
    shown = {block["address"]: block.get("refused") for block in one.call("ip:list")["blocks"]}
    assert shown == {ADDRESS: 0, "192.168.1.101": None}, "of all departments only who sees them all"
