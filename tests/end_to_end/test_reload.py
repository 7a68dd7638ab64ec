"""The running service takes an edited configuration file, or refuses it whole, and misses nothing meanwhile."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.installed import DEPARTMENT, Installed, IpBytes, config_text
from tests.end_to_end.simulated import PATIENCE_S, Simulated
from tests.lab.network import WEB_V4, Network


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Simulated]:
    one = Simulated(tmp_path)
    one.start()
    yield one
    one.close()


def wait_for_log(service: Simulated, words: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while words not in service.log():
        assert time.monotonic() < deadline, service.log()
        time.sleep(0.1)


def test_an_edited_file_is_taken_by_command_and_by_signal(service: Simulated) -> None:
    assert json.loads(service.cli("reload", "--json").stdout) == {"changes": []}
    service.file.write_text(service.text("new"))
    [change] = json.loads(service.cli("reload", "--json").stdout)["changes"]
    assert "never blocked" in change
    assert service.runs("new")
    service.file.write_text(service.text("old"))
    service.send(signal.SIGHUP)
    service.wait_for("old")
    assert service.ask("config:get")["trial"] is None


@pytest.mark.slow
def test_a_file_with_faults_is_refused_whole_by_command_and_by_signal(service: Simulated) -> None:
    service.file.write_text(service.text("new").replace("position", "positon"))
    done = service.cli("reload")
    assert done.returncode == 1
    assert 'did you mean "position"?' in done.stderr
    service.send(signal.SIGHUP)
    wait_for_log(service, "the configuration file is not taken")
    assert service.runs("old")


@pytest.mark.slow
def test_a_file_with_a_port_that_another_program_has_is_refused(service: Simulated) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = service.text("new").replace(f"port = {service.port}", f"port = {taken.getsockname()[1]}")
        service.file.write_text(text)
        assert "systemctl reload" in service.cli("reload").stderr  # the command looks for it at the new port
        service.send(signal.SIGHUP)
        wait_for_log(service, "cannot be used")
    assert service.runs("old")


@pytest.mark.slow
def test_a_reload_during_traffic_misses_no_byte_and_blocks_hold(gateway: Network, tmp_path: Path) -> None:
    gateway.start_iperf3()
    line = IpBytes(gateway)
    with Installed(gateway, tmp_path) as appliance:
        appliance.cli("block", "203.0.113.0/24")
        with appliance.client() as client:
            before, told = line.in_step_with(client)
        traffic = gateway.hosts[0].spawn(["iperf3", "-c", WEB_V4[0], "-n", "60M", "-b", "120M"])
        edited = config_text(gateway.position, '[departments.quota]\ndaily = "7 GiB"')
        (tmp_path / "appliance.toml").write_text(edited)
        assert "7 GiB" in appliance.cli("reload")
        assert "203.0.113.0/24" in gateway.appliance.run(["nft", "list", "table", "netdev", "appliance"]).stdout
        traffic.process.wait(timeout=60)
        with appliance.client() as client:
            expected = told + line.at_rest(0.3) - before
            update = client.wait_for("usage:update", lambda data: data["metrics"]["bytesTransferred"] >= expected)
            assert update["metrics"]["bytesTransferred"] == expected
            daily = next(one for one in client.call("quota:get", DEPARTMENT)["quotas"] if one["type"] == "daily")
            assert daily["limit"] == 7 << 30
