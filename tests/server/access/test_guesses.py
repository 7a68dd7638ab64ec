"""Guesses of passwords and pairing codes: limited, recorded, and no way to keep others out."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from appliance.core.access.login_queue import MOST_OF_LANE
from appliance.core.refusal import Code
from tests.client import NodeClient
from tests.server.conftest import Connect, Running
from tests.server.wire import WebSocket

PASSWORD = "correct horse battery"
ANNA = {"name": "anna", "password": PASSWORD}
WRONG = {"name": "anna", "password": "wrong wrong wrong"}
HOME, ELSEWHERE = "127.9.9.9", "127.8.8.8"


def _post(server: Running, source: str, body: object, path: str = "/login") -> tuple[int, Any, str | None]:
    """The status, the answer, and its `Retry-After`; `source`: the client's address."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120, source_address=(source, 0))
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers["Retry-After"]
    finally:
        connection.close()


@contextmanager
def _flood(server: Running, sources: list[str], threads_each: int) -> Iterator[list[int]]:
    """Wrong passwords without end from these addresses; yields the statuses of the answers."""
    answers: list[int] = []
    end = threading.Event()

    def guess(source: str) -> None:
        while not end.is_set():
            try:
                answers.append(_post(server, source, WRONG)[0])
            except (OSError, http.client.HTTPException):
                continue  # evicted for others

    threads = [threading.Thread(target=guess, args=(source,)) for source in sources for _ in range(threads_each)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        end.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def anna(server: Running, connect: Connect) -> None:
    """Anna, who has never logged in."""
    assert connect().call("user:add", {**ANNA, "role": "viewer"})["success"]


def _audit(connect: Connect, action: str) -> list[dict[str, Any]]:
    return connect(ttl_s=10**6).call("audit:get", {"action": action})["entries"]


# Each login costs a judged guess of every flooding address that is served before it, of a tenth of a second.
@pytest.mark.parametrize("logins", [2, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("addresses", [1, 100])
def test_a_flood_of_guesses_keeps_nobody_else_out(server: Running, anna: None, addresses: int, logins: int) -> None:
    sources = [f"127.0.1.{number + 1}" for number in range(addresses)]
    with _flood(server, sources, max(1, 30 // addresses)) as answers:
        assert [_post(server, HOME, ANNA)[0] for _ in range(logins)] == [200] * logins
    assert {401, 429} <= set(answers)  # the flood had its turns too


def test_a_person_logs_in_although_a_flood_comes_from_their_own_address(server: Running, anna: None) -> None:
    assert _post(server, HOME, ANNA)[0] == 200
    with _flood(server, ["127.0.1.1"], 1):
        for _ in range(MOST_OF_LANE):
            _post(server, HOME, {"name": "eve", "password": "wrong wrong wrong"})
        assert [_post(server, HOME, ANNA)[0] for _ in range(5)] == [200] * 5


def test_a_restart_makes_nobody_a_stranger(start: Callable[..., Running]) -> None:
    first = start()
    with NodeClient(first.url, first.token()) as admin:
        admin.wait_for("connect")
        assert admin.call("user:add", {**ANNA, "role": "viewer"})["success"]
    assert _post(first, HOME, ANNA)[0] == 200
    first.stop()
    server = start()
    for _ in range(7):
        status, _, wait = _post(server, HOME, {"name": "eve", "password": "wrong wrong wrong"})
    assert (status, wait) == (429, "1")
    assert _post(server, HOME, ANNA)[0] == 200  # their own guesses are counted apart, as before the restart


def test_a_refused_guess_says_when_the_next_may_come(server: Running, anna: None) -> None:
    answers = [_post(server, ELSEWHERE, WRONG) for _ in range(7)]
    assert [status for status, _, _ in answers] == [401] * 6 + [429]
    assert answers[-1][1]["code"] == Code.RATE_LIMITED
    assert answers[-1][2] == "1"


def test_guesses_with_a_stolen_token_are_limited_and_recorded(server: Running, anna: None, connect: Connect) -> None:
    token = _post(server, HOME, ANNA)[1]["token"]
    with NodeClient(server.url, token) as thief:
        thief.wait_for("connect")
        asked = {"password": "another good one", "current": "wrong wrong wrong"}
        codes = [thief.call("user:password", asked)["code"] for _ in range(20)]
    assert codes == [Code.FORBIDDEN] * 6 + [Code.RATE_LIMITED] * 14
    recorded = _audit(connect, "user:password")
    assert len(recorded) == 6
    assert {(one["who"], one["address"], one["outcome"]) for one in recorded} == {
        ("anna", "127.0.0.1", Code.UNAUTHORIZED)
    }
    assert _post(server, HOME, ANNA)[0] == 200  # the guesses came from another address than hers


def test_strangers_logins_do_not_hide_guesses_with_a_token(server: Running, anna: None, connect: Connect) -> None:
    token = _post(server, HOME, ANNA)[1]["token"]
    for number in range(30):
        _post(server, f"127.0.1.{number + 1}", WRONG)
    with NodeClient(server.url, token) as thief:
        thief.wait_for("connect")
        thief.call("user:password", {"password": "another good one", "current": "wrong wrong wrong"})
    assert len(_audit(connect, "login")) == 11  # ten of the strangers', and hers
    assert len(_audit(connect, "user:password")) == 1


def test_refused_tokens_of_a_dashboard_delay_no_password(server: Running, anna: None) -> None:
    for _ in range(10):
        with NodeClient(server.url, "not a token") as dashboard:
            dashboard.wait_for("connect_error")
    assert _post(server, "127.0.0.1", ANNA)[0] == 200


def _code(server: Running) -> str:
    server.order({"pair": "code"})
    return server.log().split("person: ")[-1][:9]


def test_a_stranger_s_wrong_codes_do_not_end_the_pairing(server: Running) -> None:
    code = _code(server)
    wrong = [_post(server, ELSEWHERE, {**ANNA, "code": "22222222"}, "/pair") for _ in range(20)]
    assert [status for status, _, _ in wrong] == [401] * 6 + [429] * 14
    assert _post(server, HOME, {**ANNA, "code": code}, "/pair")[0] == 200


def test_a_person_behind_the_stranger_s_address_waits_ten_seconds_at_most(server: Running) -> None:
    code = _code(server)
    for _ in range(50):
        _, _, wait = _post(server, HOME, {**ANNA, "code": "22222222"}, "/pair")
        server.advance(int(wait or 0))
    assert int(wait or 0) <= 10
    server.advance(10)
    assert _post(server, HOME, {**ANNA, "code": code}, "/pair")[0] == 200


def test_a_flood_of_logins_does_not_keep_the_administrator_from_pairing(server: Running) -> None:
    code = _code(server)
    with _flood(server, [f"127.0.1.{number + 1}" for number in range(50)], 1):
        assert _post(server, HOME, {**ANNA, "code": code}, "/pair")[0] == 200


def test_a_pairing_that_fails_leaves_the_code_for_the_next_try(server: Running, connect: Connect) -> None:
    code = _code(server)
    assert connect().call("user:add", {**ANNA, "role": "viewer"})["success"]
    assert _post(server, HOME, {**ANNA, "code": code}, "/pair")[1]["code"] == Code.CONFLICT  # the name is taken
    assert _post(server, HOME, {**ANNA, "name": "bert", "code": code}, "/pair")[0] == 200


def test_a_connection_of_a_quiet_address_is_not_evicted_for_one_that_has_many(start: Callable[..., Running]) -> None:
    server = start(limits={"connections": 20, "request_deadline": 60})
    quiet = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60, source_address=(HOME, 0))
    quiet.connect()
    greedy = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=60) for _ in range(60)]
    for connection in greedy:
        connection.connect()
    with WebSocket(quiet.sock) as client:
        client.log_in(server.token())
    for connection in greedy:
        connection.close()
