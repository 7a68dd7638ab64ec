"""What keeps the service from starting is told in one clear line, with exit code 1; wrong words give 2."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.installed import COMMAND, config_text


def run(*words: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=timeout_s, check=False)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.fixture
def config(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "appliance.toml"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path.write_text(config_text("host").replace('host = "127.0.0.1"', f'host = "127.0.0.1"\nport = {port}'))
    return str(path)


def test_a_port_that_is_taken_is_told(config: str, tmp_path: Path) -> None:
    port = int(next(line for line in Path(config).read_text().splitlines() if line.startswith("port")).split()[-1])
    with socket.create_server(("127.0.0.1", port)):
        line = one_line(run("run", "--simulate", "--config", config, "--state-dir", str(tmp_path / "state")))
    assert f"port {port} on 127.0.0.1 cannot be used" in line


def test_a_state_directory_that_cannot_be_made_is_told(config: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = one_line(run("run", "--simulate", "--config", config, "--state-dir", str(tmp_path / "file" / "state")))
    assert "cannot be made" in line
    assert "--state-dir" in line


def test_a_full_disk_is_told(config: str, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = f"""
        mount -t tmpfs -o size=64k none {small} &&
        head -c 1M /dev/zero > {small}/filler 2>/dev/null
        exec {COMMAND} run --simulate --config {config} --state-dir {small}
    """
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    line = one_line(done)
    assert str(small) in line


def test_a_wrong_configuration_is_told_with_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(config_text("gatway").replace('interface = "eth1"', 'interface = "e t h"'))
    for verb in ("run", "check-config"):
        done = run(verb, "--config", str(path))
        assert done.returncode == 1
        assert "appliance.position" in done.stderr
        assert "departments[1].interface" in done.stderr


def test_a_good_configuration_is_told_so(config: str) -> None:
    done = run("check-config", "--config", config)
    assert done.returncode == 0
    assert "1 department(s): dept123 on eth1" in done.stdout


@pytest.mark.parametrize("words", [["run", "--nonsense"], ["nonsense"], ["token", "--role", "king"], ["block"]])
def test_wrong_words_give_exit_code_2(words: list[str]) -> None:
    assert run(*words).returncode == 2


def test_without_a_service_a_client_verb_says_how_to_start_it(config: str, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    run("token", "--state-dir", state)
    line = one_line(run("status", "--config", config, "--state-dir", state))
    assert "appliance run" in line


def test_a_token_is_all_that_is_printed(tmp_path: Path) -> None:
    done = run(
        "token", "--role", "admin", "--departments", "*", "--ttl", "3600", "--state-dir", str(tmp_path / "state")
    )
    assert done.returncode == 0
    assert len(done.stdout.split()) == 1
    assert done.stdout.count(".") == 2
    secret = tmp_path / "state" / "token.secret"
    assert secret.stat().st_mode & 0o077 == 0


def test_the_doctor_tells_its_findings_to_a_person_and_to_a_program(config: str, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    findings = json.loads(run("doctor", "--config", config, "--state-dir", state, "--json").stdout)
    assert {one["subject"] for one in findings} >= {"configuration", "packet filter", "state", "port"}
    assert "eth1 does not exist" in run("doctor", "--config", config, "--state-dir", state).stdout
