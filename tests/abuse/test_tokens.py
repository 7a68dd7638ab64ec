"""Forged tokens, endless guesses, and a clock that jumps."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from tests.abuse.service import STRANGER, Service


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _refusal(service: Service, token: object, origin: str = STRANGER) -> str:
    with service.websocket(origin) as client:
        client.read()
        client.send("40" + json.dumps({"token": token}))
        return client.read() or "hung up on"


def test_hostile_tokens_are_refused_and_leave_nothing_behind(service: Service) -> None:
    good = jwt.decode(service.token(), options={"verify_signature": False})
    unsigned = f"{_part({'alg': 'none'})}.{_part(good)}."
    with service.unharmed():
        for number, token in enumerate(
            [
                unsigned,
                f"{_part({'alg': 'HS256', 'kid': '../../dev/null'})}.{_part(good)}.",
                jwt.encode(good, "", "HS256") if False else unsigned + "AAAA",
                jwt.encode(good, "x" * 32, "HS256"),
                jwt.encode(good, service.secret * 2, "HS512"),
                *[
                    jwt.encode(good | {"exp": exp}, service.secret, "HS256")
                    for exp in ("4000000000", [4000000000], float("inf"), float("nan"), None, {}, 10**30, -1)
                ],
                jwt.encode({key: value for key, value in good.items() if key != "exp"}, service.secret, "HS256"),
                "x" * 15_000,
            ]
        ):
            assert "E_UNAUTHORIZED" in _refusal(service, token, f"127.0.9.{1 + number}"), token


def test_a_token_of_200_kb_ends_the_connection_unread(service: Service) -> None:
    with service.unharmed(), service.websocket() as client:
        client.read()
        client.send("40" + json.dumps({"token": "x" * 200_000}))
        assert client.read() is None


def test_a_guesser_has_to_wait_but_a_colleague_at_the_same_address_does_not(service: Service) -> None:
    with service.unharmed("127.0.10.1"):
        answers = [_refusal(service, f"guess {number}", "127.0.10.1") for number in range(30)]
        assert "E_UNAUTHORIZED" in answers[0]
        assert "E_RATE_LIMITED" in answers[-1]
        assert "wait" in answers[-1]


def test_a_clock_that_jumps_a_month_and_back_disturbs_no_client(start, tmp_path: Path) -> None:
    [library] = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    offset = tmp_path / "offset"
    offset.write_text("+0")
    service = start(
        environment={
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    )
    month = timedelta(days=31)
    with service.unharmed():
        for days, wall in (
            ("+31d", datetime.now(UTC) + month),
            ("+0", datetime.now(UTC)),
            ("-31d", datetime.now(UTC) - month),
        ):
            offset.write_text(days)
            time.sleep(2)  # libfaketime reads the file again after a second
            with service.websocket() as client:
                client.log_in(service.token(wall=wall))
                client.send('421["ip:list",{}]')
                assert any(text.startswith("431") for text in iter(client.read, None)), pytest.fail("no answer")
        offset.write_text("+0")
        time.sleep(2)
