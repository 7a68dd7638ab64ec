"""The running service tries a new configuration, and goes back by itself whatever happens to it."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.core.operations.trial import TRIAL_S
from tests.client.node import NodeClient
from tests.end_to_end.simulated import PATIENCE_S, Simulated


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Simulated]:
    one = Simulated(tmp_path)
    one.start()
    yield one
    one.close()


def test_a_power_cut_during_a_trial_brings_the_former_back(service: Simulated) -> None:
    service.try_new()
    assert service.file.read_text() == service.text("old")
    service.kill()
    service.start()
    assert service.runs("old")
    assert not service.runs("new")
    assert service.ask("config:get") == {"success": True, "trial": None}


@pytest.mark.parametrize("confirm", ["call", "button"])
def test_what_is_confirmed_stays_over_power_cuts(service: Simulated, confirm: str) -> None:
    service.try_new()
    ways: dict[str, Callable[[], object]] = {
        "call": lambda: service.ask("config:confirm"),
        "button": lambda: service.send(signal.SIGUSR2),
    }
    ways[confirm]()
    deadline = time.monotonic() + PATIENCE_S
    while service.ask("config:get")["trial"] is not None:
        assert time.monotonic() < deadline
    assert service.file.read_text() == service.text("new")
    assert service.file.stat().st_mode & 0o777 == 0o640
    service.kill()
    service.start("new")


def test_a_stop_during_a_trial_leaves_it(service: Simulated) -> None:
    service.try_new()
    service.stop()
    service.start()
    assert not service.runs("new")


def test_a_trial_that_cannot_start_brings_the_former_back_at_once(service: Simulated) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = service.text("new").replace(f"port = {service.port}", f"port = {port}")
        assert service.ask("config:apply", {"text": text})["success"]
        deadline = time.monotonic() + PATIENCE_S
        while "the former comes back" not in service.log():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        service.wait_for("old")
    assert service.ask("config:get")["trial"] is None


def test_a_configuration_with_faults_is_refused_with_all_of_them(service: Simulated) -> None:
    answer = service.ask("config:apply", {"text": service.text("new").replace("position", "positon")})
    assert answer["code"] == "E_BAD_REQUEST"
    assert 'did you mean "position"?' in answer["error"]
    assert service.runs("old")


def test_everybody_sees_the_trial_begin_and_end_and_newcomers_that_there_is_none(service: Simulated) -> None:
    token = service.cli("token", "--role", "viewer").stdout.strip()
    with NodeClient(f"http://127.0.0.1:{service.port}", token) as viewer:
        assert viewer.wait_for("config:trial")["trial"] is None
        service.try_new()
        begun = viewer.wait_for("config:trial", lambda data: data["trial"] is not None, within_s=PATIENCE_S)["trial"]
        assert begun["remaining"] <= TRIAL_S
        assert service.ask("config:revert") == {"success": True}
        viewer.wait_for("config:trial", lambda data: data["trial"] is None, count=2, within_s=PATIENCE_S)
    service.wait_for("old")
    assert service.file.read_text() == service.text("old")


@pytest.mark.slow
def test_without_a_confirmation_the_former_comes_back_after_two_minutes(service: Simulated) -> None:
    service.try_new()
    service.wait_for("old", within_s=TRIAL_S + PATIENCE_S)
    assert not service.runs("new")
    assert json.loads(service.cli("status", "--json").stdout)
