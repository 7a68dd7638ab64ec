"""A change that a client sends again for want of an acknowledgement is carried out once; one that is meant, twice."""

from time import monotonic, sleep
from typing import Any

import pytest

from appliance.client import connected
from appliance.core.refusal import Code
from appliance.server.delivery.repetition import KEPT_S, MOST_OF_SUBJECT
from tests.client import NodeClient
from tests.client.lossy import LossyLine
from tests.server.conftest import Connect, Running

EXTEND = {"departmentId": "dept123", "type": "daily", "bytes": 1000, "reason": "exam"}
LIMIT = 5 * 2**30
PATIENCE_S, LOOK_S = 30.0, 0.1  # ten looks a second: a client may call twice as often
# As the documentation of socket.io-client's `retries` shows it.
RETRIES = {"retries": 5, "ackTimeout": 1000, "reconnectionDelay": 100}
TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "polling"])


def granted(client: NodeClient) -> int:
    answer = client.call("quota:get", "dept123")
    [daily] = [one for one in answer["quotas"] if one["type"] == "daily"]
    return int(daily["limit"]) - LIMIT


def wait_for_grant(witness: NodeClient) -> None:
    """Ask until the extension is in the books."""
    deadline_s = monotonic() + PATIENCE_S
    while granted(witness) == 0:
        assert monotonic() < deadline_s, "the quota was not extended"
        sleep(LOOK_S)


def repeating(url: str, server: Running, transport: str = "websocket") -> NodeClient:
    return NodeClient(url, server.token(), options={**RETRIES, "transports": [transport]})


def number_of(client: NodeClient, event: str) -> int:
    return len([one for one in client.call("audit:get", {"limit": 100})["entries"] if one["action"] == event])


@TRANSPORTS
def test_a_call_whose_acknowledgement_was_lost_with_the_connection_is_done_once(
    server: Running, connect: Connect, transport: str
) -> None:
    witness = connect()
    with LossyLine(server.port) as line, repeating(line.url, server, transport) as client:
        client.wait_for("connect")
        line.lose_answers()
        client.send("quota:extend", EXTEND)
        wait_for_grant(witness)
        line.cut()
        client.wait_for("connect", count=2)
        assert client.retried("ip:list")["success"]  # the queue of the client comes to it after the repeated call
        assert (granted(witness), number_of(witness, "quota:extend")) == (1000, 1)
        client.send("quota:extend", EXTEND)  # which is meant
        assert client.retried("ip:list")["success"]
        assert (granted(witness), number_of(witness, "quota:extend")) == (2000, 2)


@TRANSPORTS
def test_a_call_that_is_repeated_because_the_answer_is_late_is_done_once(
    server: Running, connect: Connect, transport: str
) -> None:
    witness = connect()
    with repeating(server.url, server, transport) as client:
        client.wait_for("connect")
        server.pause()
        client.send("quota:extend", EXTEND)
        client.wait_for("sent", lambda data: data[0] == "quota:extend", count=3 if transport == "websocket" else 1)
        server.resume()
        assert client.retried("ip:list")["success"]
        assert (granted(witness), number_of(witness, "quota:extend")) == (1000, 1)


@TRANSPORTS
@pytest.mark.parametrize("options", [{}, RETRIES])
def test_identical_calls_that_are_meant_are_all_done(
    server: Running, connect: Connect, transport: str, options: dict[str, Any]
) -> None:
    witness = connect()
    with NodeClient(server.url, server.token(), options={**options, "transports": [transport]}) as client:
        client.wait_for("connect")
        call = client.retried if options else client.call
        for _ in range(5):
            assert call("quota:extend", EXTEND)["success"]
        assert granted(witness) == 5000


@TRANSPORTS
def test_identical_calls_that_want_no_acknowledgement_are_all_done(
    server: Running, connect: Connect, transport: str
) -> None:
    client = connect(options={"transports": [transport]})
    for _ in range(5):
        client.send("quota:extend", EXTEND)
    assert granted(client) == 5000


@TRANSPORTS
def test_the_same_call_of_another_client_is_meant_though_the_first_one_lost_its_acknowledgement(
    server: Running, connect: Connect, transport: str
) -> None:
    witness = connect()
    lose_an_acknowledgement(server, witness, transport)
    with repeating(server.url, server, transport) as other:
        other.wait_for("connect")
        assert other.retried("quota:extend", EXTEND)["success"]
    assert (granted(witness), number_of(witness, "quota:extend")) == (2000, 2)


def lose_an_acknowledgement(server: Running, witness: NodeClient, transport: str) -> None:
    with LossyLine(server.port) as line, repeating(line.url, server, transport) as client:
        client.wait_for("connect")
        line.lose_answers()
        client.send("quota:extend", EXTEND)
        wait_for_grant(witness)


def test_each_call_of_the_command_line_is_meant(server: Running, connect: Connect) -> None:
    witness = connect()
    lose_an_acknowledgement(server, witness, "websocket")
    for _ in range(2):
        with connected(server.url, server.token, None) as verb:
            for event in ("ip:list", "maintenance:start", "maintenance:stop"):
                assert verb.call(event)["success"]
            assert verb.call("quota:extend", EXTEND)["success"]
    assert (granted(witness), number_of(witness, "quota:extend")) == (3000, 3)


@TRANSPORTS
def test_a_call_that_its_client_leaves_behind_and_repeats_when_it_connects_again_is_done_once(
    server: Running, connect: Connect, transport: str
) -> None:
    witness = connect()
    with repeating(server.url, server, transport) as client:
        client.wait_for("connect")
        server.pause()
        client.send("quota:extend", EXTEND)
        client.wait_for("sent", lambda data: data[0] == "quota:extend")
        client.reconnect()
        server.resume()
        client.wait_for("connect", count=2)
        assert client.retried("ip:list")["success"]
        assert (granted(witness), number_of(witness, "quota:extend")) == (1000, 1)


def test_a_key_names_a_call_over_connections_and_transports(server: Running, connect: Connect) -> None:
    client, other = connect(), connect(options={"transports": ["polling"]})
    keyed = {**EXTEND, "idempotencyKey": "screen-7"}
    first = client.call("quota:extend", keyed)
    assert first["success"]
    assert client.call("ip:list", {"idempotencyKey": "screen-8"})["success"]
    assert [other.call("quota:extend", keyed), client.call("quota:extend", keyed)] == [first, first]
    assert granted(client) == 1000
    assert client.call("quota:extend", {**EXTEND, "idempotencyKey": "screen-9"})["success"]
    assert granted(client) == 2000
    wrong = client.call("quota:extend", {**keyed, "bytes": 1})
    assert (wrong["code"], "was used for another call" in wrong["error"]) == (Code.BAD_REQUEST, True)
    server.advance(KEPT_S + 1)
    assert client.call("quota:extend", keyed)["success"]
    assert granted(client) == 3000


def test_what_is_not_idempotent_by_itself_answers_a_repetition_with_the_first_answer(
    server: Running, connect: Connect
) -> None:
    client = connect()
    person = {"name": "anna", "password": "correct horse battery", "role": "viewer"}
    for event, argument in (
        ("user:add", person),
        ("maintenance:start", {"duration": 60}),
        ("maintenance:stop", {}),
        ("user:remove", {"name": "anna"}),
    ):
        first, again = (client.call(event, {**argument, "idempotencyKey": f"{event}-1"}) for _ in range(2))
        assert first["success"], first
        assert again == first
        assert number_of(client, event) == 1


def test_a_refused_call_is_judged_again(server: Running, connect: Connect) -> None:
    client = connect()
    keyed = {"address": "10.9.9.9", "idempotencyKey": "1"}
    assert client.call("maintenance:start")["success"]
    assert client.call("ip:block", keyed)["code"] == Code.MAINTENANCE
    assert client.call("maintenance:stop")["success"]
    assert client.call("ip:block", keyed)["success"]


@pytest.mark.parametrize("key", ["", "x" * 65, 5, None, "a b", "\u00e9", ["x"]])
def test_a_malformed_key_is_refused(server: Running, connect: Connect, key: Any) -> None:
    answer = connect().call("ip:block", {"address": "10.9.9.9", "idempotencyKey": key})
    assert (answer["code"], answer["error"].startswith("idempotencyKey: must be")) == (Code.BAD_REQUEST, True)


def test_one_subject_is_remembered_for_so_many_changes(server: Running, connect: Connect) -> None:
    client = connect()
    for number in range(MOST_OF_SUBJECT + 1):
        assert client.call("quota:extend", {**EXTEND, "idempotencyKey": str(number)})["success"]
    assert client.call("quota:extend", {**EXTEND, "idempotencyKey": "1"})["success"]
    assert granted(client) == 1000 * (MOST_OF_SUBJECT + 1)
    assert client.call("quota:extend", {**EXTEND, "idempotencyKey": "0"})["success"]
    assert granted(client) == 1000 * (MOST_OF_SUBJECT + 2)
