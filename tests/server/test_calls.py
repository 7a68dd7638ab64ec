import pytest

from appliance.server.access import Role
from appliance.server.calls import CALLS
from tests.client import NodeClient
from tests.server import GHOST

ADDRESS = "192.168.1.100"


@pytest.fixture(scope="module")
def patient(shared):
    """A client for calls that change nothing."""
    with NodeClient(shared.url, shared.token()) as client:
        yield client


def _code(answer):
    assert answer["success"] is False
    assert answer["error"]
    return answer["code"]


def test_a_block_is_answered_told_listed_and_lifted(connect):
    client, other = connect(role=Role.OPERATOR), connect(role=Role.VIEWER, departments=["dept123"])
    asked = {"address": ADDRESS, "reason": "scans", "duration": 3600, "departmentId": "dept123"}
    block = {
        "address": ADDRESS,
        "reason": "scans",
        "actor": "tester",
        "origin": "manual",
        "departmentId": "dept123",
        "startedAt": "2024-12-15T04:49:29.000Z",
        "expiresAt": "2024-12-15T05:49:29.000Z",
        "duration": 3600,
    }
    assert client.call("ip:block", asked) == {"success": True, "block": block}
    assert other.wait_for("ip:blocked")["ip"] == {"address": ADDRESS, "reason": "scans", "duration": 3600}
    assert other.call("ip:list") == {"success": True, "blocks": [block]}
    lifted = client.call("ip:unblock", {"address": ADDRESS, "departmentId": "dept123"})
    assert lifted == {"success": True}
    assert other.wait_for("ip:unblocked")["ip"]["address"] == ADDRESS
    assert other.call("ip:list", {}) == {"success": True, "blocks": []}


def test_the_duration_in_a_list_is_what_remains(server, connect):
    client = connect()
    client.call("ip:block", {"address": ADDRESS, "duration": 3600})
    client.call("ip:block", {"address": "192.168.1.101"})
    server.advance(600)
    blocks = {block["address"]: block for block in client.call("ip:list")["blocks"]}
    assert blocks[ADDRESS]["duration"] == 3000
    assert (blocks["192.168.1.101"]["duration"], blocks["192.168.1.101"]["expiresAt"]) == (0, None)


def test_a_list_shows_what_concerns_the_callers_departments(connect):
    everywhere, one = connect(), connect(role=Role.VIEWER, departments=["dept123"])
    for last, department in (("1", "dept123"), ("2", "dept456"), ("3", None)):
        everywhere.call("ip:block", {"address": "192.168.1." + last, "departmentId": department})

    def addresses(client, *arguments):
        return {block["address"][-1] for block in client.call("ip:list", *arguments)["blocks"]}

    assert addresses(everywhere) == {"1", "2", "3"}
    assert addresses(everywhere, {"departmentId": "dept456"}) == {"2", "3"}
    assert addresses(one) == {"1", "3"}
    assert _code(one.call("ip:list", {"departmentId": "dept456"})) == "E_FORBIDDEN"


def test_a_position_that_cannot_enforce_says_so_in_every_answer(start):
    server = start(position="mirror")
    with NodeClient(server.url, server.token()) as client:
        assert client.call("ip:block", {"address": ADDRESS})["block"]["enforced"] is False
        assert client.call("ip:list")["blocks"][0]["enforced"] is False
        assert client.wait_for("ip:blocked")["ip"]["enforced"] is False


def test_the_caller_cannot_block_itself(connect):
    assert _code(connect().call("ip:block", {"address": "127.0.0.1"})) == "E_PROTECTED_ADDRESS"


def test_quotas_are_those_of_the_ledger(connect):
    answer = connect().call("quota:get", "dept123")
    assert (answer["success"], answer["departmentId"]) == (True, "dept123")
    daily = {quota["type"]: quota for quota in answer["quotas"]}["daily"]
    assert daily == {
        "type": "daily",
        "used": 0,
        "limit": 5368709120,
        "percentage": 0.0,
        "granted": 0,
        "resetsAt": "2024-12-16T00:00:00.000Z",
    }


def test_in_maintenance_nothing_is_changed_and_everything_is_shown(connect):
    client, other = connect(), connect(role=Role.VIEWER)
    started = client.call("maintenance:start")
    assert started == {
        "success": True,
        "maintenance": {
            "type": "manual",
            "startTime": "2024-12-15T04:49:29.000Z",
            "duration": 3600,
            "impact": "System is in read-only mode",
        },
    }
    assert other.wait_for("system:maintenance")["maintenance"] == started["maintenance"]
    for change in ("ip:block", "ip:unblock"):
        assert _code(client.call(change, {"address": ADDRESS})) == "E_MAINTENANCE"
    assert client.call("ip:list")["success"]
    assert client.call("maintenance:stop")["maintenance"]["type"] == "completed"
    assert client.call("ip:block", {"address": ADDRESS})["success"]
    assert _code(client.call("maintenance:stop")) == "E_BAD_REQUEST"


def test_maintenance_can_be_announced(connect):
    asked = {"startTime": "2024-12-16T02:00:00.000Z", "duration": 60, "impact": "new cables"}
    assert connect().call("maintenance:start", asked)["maintenance"] == {"type": "scheduled", **asked}


@pytest.fixture(scope="module")
def by_role(shared):
    """A client for each role."""
    clients = {role: NodeClient(shared.url, shared.token(role)) for role in Role}
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("event", sorted(CALLS))
def test_every_call_takes_the_role_of_its_row(by_role, event):
    needed = CALLS[event].role
    for role, client in by_role.items():
        answer = client.call(event, {"nonsense": True})
        assert (_code(answer) == "E_FORBIDDEN") == (list(Role).index(role) < list(Role).index(needed))


def test_an_operator_changes_only_its_own_departments(connect):
    client = connect(role=Role.OPERATOR, departments=["dept123"])
    for event in ("ip:block", "ip:unblock"):
        assert _code(client.call(event, {"address": ADDRESS, "departmentId": "dept456"})) == "E_FORBIDDEN"
        answer = client.call(event, {"address": ADDRESS})
        assert _code(answer) == "E_FORBIDDEN"
        assert "departmentId" in answer["error"]
    assert client.call("ip:block", {"address": ADDRESS, "departmentId": "dept123"})["success"]


@pytest.mark.parametrize("event", ["analytics:subscribe", "analytics:unsubscribe", "quota:get"])
def test_a_department_is_named_by_its_id_and_must_be_known_and_covered(connect, event):
    client = connect(role=Role.VIEWER, departments=["dept123"])
    for code in ("[]", "[null]", "['']", "[5]", "[{}]", "[['dept123']]", "['x'.repeat(65)]", "['dept123', 'dept123']"):
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
        ("ip:block", "[{address: 'example.com'}]", "address"),
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
        ("maintenance:start", "[{startTime: '2024-12-16T02:00:00'}]", "startTime"),
        ("maintenance:start", "[{startTime: '9999-12-31T23:59:59Z'}]", "startTime"),
        ("maintenance:stop", "[{now: true}]", "now"),
        ("maintenance:reboot", "[]", "maintenance:reboot"),
        ("x".ljust(5000, "x"), "[]", "xxx"),
        ("__proto__", "[]", "__proto__"),
    ],
)
def test_a_refusal_names_what_is_wrong_and_is_short(patient, event, code, named):
    answer = patient.call(event, code=code)
    assert _code(answer) == "E_BAD_REQUEST"
    assert named in answer["error"]
    assert len(answer["error"]) < 500


def test_a_bug_in_a_handler_is_answered_and_logged_and_the_server_goes_on(server, connect):
    client = connect()
    assert _code(client.call("quota:get", GHOST)) == "E_INTERNAL"
    assert client.wait_for("error")["code"] == "E_INTERNAL"
    assert "KeyError" in server.log()
    assert client.call("quota:get", "dept123")["success"]
