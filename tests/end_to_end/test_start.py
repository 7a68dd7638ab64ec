"""A service that cannot start says why in one line, with exit code 1; wrong usage gives 2."""

import hashlib
import json
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from appliance.server.http.pinning import fingerprint as fingerprint_of
from appliance.system import certificate
from appliance.system.storage.files import write_private
from tests.client.node import NodeClient
from tests.end_to_end.installed import COMMAND, config_text
from tests.ports import reserve_port


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
    with reserve_port() as reserved:
        port = reserved.getsockname()[1]
        path.write_text(config_text("host").replace('host = "127.0.0.1"', f'host = "127.0.0.1"\nport = {port}'))
        yield str(path)


def test_a_port_that_is_taken_is_told(config: str, tmp_path: Path) -> None:
    port = int(next(line for line in Path(config).read_text().splitlines() if line.startswith("port")).split()[-1])
    with socket.create_server(("127.0.0.1", port)):
        line = one_line(run("run", "--simulate", "--config", config, "--state-dir", str(tmp_path / "state")))
    assert f"port {port} on 127.0.0.1 cannot be used" in line


def test_a_second_appliance_on_the_same_port_or_state_directory_is_refused(config: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    port = next(line for line in Path(config).read_text().splitlines() if line.startswith("port"))
    with _running(config, state):
        line = one_line(run("run", "--simulate", "--config", config, "--state-dir", str(tmp_path / "other")))
        assert f"port {port.split()[-1]} on 127.0.0.1 cannot be used" in line
        elsewhere = tmp_path / "elsewhere.toml"
        with reserve_port() as reserved:
            elsewhere.write_text(Path(config).read_text().replace(port, f"port = {reserved.getsockname()[1]}"))
            line = one_line(run("run", "--simulate", "--config", str(elsewhere), "--state-dir", str(state)))
        assert f"another appliance uses the state in {state}" in line


def test_an_address_that_the_computer_has_later_is_served_later(config: str, tmp_path: Path) -> None:
    Path(config).write_text(Path(config).read_text().replace('"127.0.0.1"', '"192.0.2.77"'))
    with _running(config, tmp_path / "state") as told:
        asked = ["curl", "-sS", "--max-time", "5", f"{_url(told)}/healthz"]
        subprocess.run(["ip", "address", "add", "192.0.2.77/32", "dev", "lo"], check=True)
        try:
            assert "status" in subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        finally:
            subprocess.run(["ip", "address", "del", "192.0.2.77/32", "dev", "lo"], check=True)


def test_a_state_directory_that_cannot_be_made_is_told(config: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = one_line(run("run", "--simulate", "--config", config, "--state-dir", str(tmp_path / "file" / "state")))
    assert "cannot be made" in line
    assert "--state-dir" in line


MEDIA = {
    "full": "mount -t tmpfs -o size=64k none {small} && head -c 1M /dev/zero > {small}/filler 2>/dev/null",
    "read-only": "mount -t tmpfs -o size=64k,ro none {small}",
}


@pytest.mark.parametrize("medium", MEDIA)
def test_a_medium_that_takes_nothing_stops_no_service_and_is_told(config: str, tmp_path: Path, medium: str) -> None:
    small = tmp_path / "small"
    small.mkdir()
    started = f"exec {COMMAND} run --simulate --config {config} --state-dir {small}/state"
    program = ["unshare", "--mount", "bash", "-c", f"{MEDIA[medium].format(small=small)}; {started}"]
    with _program(program, tmp_path / "log") as told:
        health = json.loads(_healthz(told))
    assert any(one.startswith("the state takes no changes") for one in health["reasons"])
    assert any(one.startswith("tokens that were made before are not accepted") for one in health["reasons"])
    assert any(one.startswith("the audit trail takes no entries") for one in health["reasons"])


FILES = ("simulated.sqlite3", "people.sqlite3", "simulated-audit.sqlite3", "simulated-history.sqlite3")
OTHER_FILES = ("simulated-alerts.jsonl", "token.secret", "server.pem", "simulated.sqlite3.ballast", "trial.toml")


def _fill(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _replace_by_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    (path / "something").mkdir(parents=True)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: _fill(path, b""),
    "garbage": lambda path: _fill(path, Random(1).randbytes(8192)),
    "half": lambda path: _fill(path, path.read_bytes()[: path.stat().st_size // 2] if path.exists() else b"{"),
    "zeros": lambda path: _fill(path, bytes(path.stat().st_size if path.exists() else 100)),
    "a folder": _replace_by_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_damaged_the_service_runs_lets_nobody_in_and_says_why(
    config: str, tmp_path: Path, damage: str
) -> None:
    state = tmp_path / "state"
    Path(config).write_text(Path(config).read_text().replace("[server]", "[server]\ntls = true"))
    person = ["anna", "--role", "admin", "--password", "correct horse battery"]
    assert run("user", "add", *person, "--state-dir", str(state)).returncode == 0
    with _running(config, state, asks_to_pair=False) as told:
        _healthz(told)
    for name in (*FILES, *OTHER_FILES):
        DAMAGES[damage](state / name)
    program = [COMMAND, "run", "--simulate", *_place(config, state)]
    with _program(program, tmp_path / "log") as told:
        reasons = json.loads(_healthz(told))["reasons"]
        body = json.dumps({"name": "anna", "password": "correct horse battery"})
        asked = ["curl", "-skS", "-H", "Content-Type: application/json", "-d", body]
        for page in ("login", "pair"):
            answer = json.loads(
                subprocess.run([*asked, f"{_url(told)}/{page}"], capture_output=True, check=True).stdout
            )
            assert answer["code"] == "E_MAINTENANCE"
            assert "people and tokens cannot be read" in answer["error"]
    assert any(one.startswith("nobody is let in: ") for one in reasons)
    assert any("the state was damaged and has begun anew" in one for one in reasons)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("damage", DAMAGES)
def test_with_a_damaged_register_no_token_is_taken_but_that_of_the_console(
    config: str, tmp_path: Path, damage: str
) -> None:
    state = tmp_path / "state"
    token = run("token", "--role", "admin", "--state-dir", str(state)).stdout.strip()
    DAMAGES[damage](state / "people.sqlite3")
    with _running(config, state, asks_to_pair=False) as told:
        with NodeClient(_url(told), token) as client:
            refused = client.wait_for("connect_error")
            assert "people and tokens cannot be read" in refused["message"]
        status = run("status", *_place(config, state))
        assert status.returncode == 0, status.stderr
        assert "nobody is let in" in status.stdout


def test_an_audit_trail_that_is_damaged_meanwhile_begins_again_and_answers(config: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    token = run("token", "--role", "admin", "--state-dir", str(state)).stdout.strip()
    with _running(config, state) as told, NodeClient(_url(told), token) as client:
        client.wait_for("connect")
        assert client.call("ip:block", {"address": "203.0.113.9"})["success"] is True
        trail = state / "simulated-audit.sqlite3"
        with closing(sqlite3.connect(trail)) as other, other:
            other.execute("DROP TABLE entry").close()
        answer = client.call("audit:get")
        assert (answer["success"], answer["entries"]) == (True, [])
        assert client.call("ip:unblock", {"address": "203.0.113.9"})["success"] is True
        assert [one["action"] for one in client.call("audit:get")["entries"]] == ["ip:unblock"]
        client.wait_for("system:health", lambda data: "the audit trail was damaged" in str(data))
        assert "the audit trail was damaged" in run("status", *_place(config, state)).stdout


def test_a_wrong_configuration_is_told_with_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(config_text("gatway").replace('interface = "eth1"', 'interface = "e t h"'))
    for verb in ("run", "check-config"):
        done = run(verb, "--config", str(path))
        assert done.returncode == 1
        assert "appliance.position" in done.stderr
        assert "departments[1].interface" in done.stderr


def test_a_proxy_in_the_environment_is_not_asked_for_this_machine(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _running(config, tmp_path / "state"):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert run("status", *_place(config, tmp_path / "state")).returncode == 0


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
    verdicts = {one["subject"]: one["verdict"] for one in findings}
    assert (verdicts["port errors"], verdicts["read only"]) == ("unknown", "good")  # no service has watched the ports
    assert "eth1 does not exist" in run("doctor", "--config", config, "--state-dir", state).stdout
    run("token", "--state-dir", state)  # the first entry of an audit trail
    assert "each entry follows from the one before" in run("doctor", *_place(config, Path(state))).stdout


def _place(config: str, state: Path) -> list[str]:
    return ["--config", config, "--state-dir", str(state)]


def test_tokens_are_listed_and_revoked_with_the_service_stopped(tmp_path: Path) -> None:
    state = ["--state-dir", str(tmp_path / "state")]
    tokens = [run("token", *state, "--subject", subject).stdout.strip() for subject in ("screen", "lost", "laptop")]
    listed = {one["subject"]: one for one in json.loads(run("token", "list", *state, "--json").stdout)}
    assert set(listed) == {"screen", "lost", "laptop"}
    assert run("token", "revoke", listed["lost"]["id"], *state).returncode == 0
    assert run("token", "revoke", tokens[2], *state).returncode == 0
    listed = {one["subject"]: one for one in json.loads(run("token", "list", *state, "--json").stdout)}
    assert [bool(listed[one]["revokedAt"]) for one in ("screen", "lost", "laptop")] == [False, True, True]
    assert "screen" in run("token", "list", *state).stdout


def test_people_are_added_listed_and_removed_with_the_service_stopped(tmp_path: Path) -> None:
    state = ["--state-dir", str(tmp_path / "state")]
    head = ["ben", "--role", "operator", "--departments", "dept123,dept456", "--password", "correct horse battery"]
    assert run("user", "add", *head, *state).returncode == 0
    assert "already" in one_line(run("user", "add", *head, *state))
    assert "10 to 200" in one_line(run("user", "add", "eve", "--password", "short", *state))
    assert "a name has" in one_line(run("user", "add", "no good", "--password", "x" * 12, *state))
    facts = {"name": "ben", "role": "operator", "departments": "dept123,dept456"}
    assert json.loads(run("user", "list", "--json", *state).stdout) == [facts]
    assert run("user", "password", "ben", "--password", "another good one", *state).returncode == 0
    assert run("user", "remove", "ben", *state).returncode == 0
    assert "no person called" in one_line(run("user", "remove", "ben", *state))
    assert json.loads(run("user", "list", "--json", *state).stdout) == []


def test_a_service_with_tls_makes_its_certificate_tells_the_fingerprint_and_serves_the_command_line(
    config: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    Path(config).write_text(Path(config).read_text().replace("[server]", "[server]\ntls = true"))
    with _running(config, state) as told:
        fingerprint = fingerprint_of(state / "server.pem")
        assert fingerprint in told
        assert "Page: https://" in told
        assert json.loads(run("status", *_place(config, state), "--json").stdout)["certificate"] == fingerprint
        assert fingerprint in run("status", *_place(config, state)).stdout
        assert fingerprint in run("doctor", *_place(config, state)).stdout
        trusted, token = {"ca": _public(state / "server.pem")}, run("token", *_place(config, state)).stdout.strip()
        with NodeClient(_url(told), token, options=trusted) as client:
            shown = client.call("certificate:get")["certificate"]
        assert (shown["fingerprint"], shown["selfSigned"]) == (fingerprint, True)
        assert "localhost" in shown["names"]
        lines = run("watch", "system:health", "--count", "1", "--json", *_place(config, state)).stdout.splitlines()
        assert json.loads(lines[0])["event"] == "system:health"
        assert (state / "server.pem").stat().st_mode & 0o077 == 0
    with _running(config, state) as told:  # it stays the same
        assert fingerprint in told


def test_a_certificate_that_is_about_to_end_is_replaced_while_the_service_runs(config: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    old = datetime.now(UTC) - timedelta(days=380)
    certificate.ensure(state / "server.pem", ["localhost"], old, write_private, even_if_old=True)
    first = fingerprint_of(state / "server.pem")
    Path(config).write_text(Path(config).read_text().replace("[server]", "[server]\ntls = true"))
    with _running(config, state) as told:
        assert first in told
        host, port = _url(told).removeprefix("https://").split(":")
        for _ in range(100):
            shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
            if hashlib.sha256(shown).digest().hex(":").upper() != first:
                break
            time.sleep(0.2)
        assert hashlib.sha256(shown).digest().hex(":").upper() == fingerprint_of(state / "server.pem") != first
        assert json.loads(run("status", *_place(config, state), "--json").stdout)["certificate"] != first


def _public(pem: Path) -> str:
    text = pem.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]


def _made(path: Path, names: list[str], wall: datetime) -> Path:
    certificate.ensure(path, names, wall, write_private, even_if_old=True)
    return path


def _shown(told: str) -> str:
    host, port = _url(told).removeprefix("https://").split(":")
    shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
    return hashlib.sha256(shown).digest().hex(":").upper()


def test_a_certificate_for_another_name_is_replaced_while_the_service_runs(config: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    pem = _made(state / "server.pem", ["former", "former.local", "localhost"], datetime.now(UTC))
    first = fingerprint_of(pem)
    Path(config).write_text(Path(config).read_text().replace("[server]", "[server]\ntls = true"))
    done = run("doctor", *_place(config, state)).stdout
    assert "names former, former.local, localhost, by which this computer was reached before" in done
    with _running(config, state) as told:
        for _ in range(100):
            if _shown(told) != first:
                break
            time.sleep(0.2)
        assert _shown(told) == fingerprint_of(pem) != first


def test_the_operators_certificate_is_taken_when_its_file_is_replaced(config: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    given = _made(tmp_path / "given.pem", ["localhost"], now)
    keys = f'[server]\ntls = true\ncertificate = "{given}"\nkey = "{given}"'
    Path(config).write_text(Path(config).read_text().replace("[server]", keys))
    state = tmp_path / "state"
    with _running(config, state) as told:
        _made(tmp_path / "next.pem", ["localhost"], now - timedelta(days=380)).replace(given)
        for _ in range(100):
            if _shown(told) == fingerprint_of(given):
                break
            time.sleep(0.2)
        assert json.loads(run("status", *_place(config, state), "--json").stdout)["certificate"] == _shown(told)
    done = run("doctor", *_place(config, state)).stdout
    assert f"warning  certificate: {given}: ends on" in done


def test_the_command_line_says_what_to_do_where_another_certificate_answers(config: str, tmp_path: Path) -> None:
    given, other = (_made(tmp_path / f"{name}.pem", ["localhost"], datetime.now(UTC)) for name in ("given", "other"))
    text, state = Path(config).read_text(), tmp_path / "state"
    for path, pem in ((Path(config), given), (tmp_path / "other.toml", other)):
        keys = f'[server]\ntls = true\ncertificate = "{pem}"\nkey = "{pem}"'
        path.write_text(text.replace("[server]", keys))
    with _running(config, state):
        assert run("status", *_place(config, state)).returncode == 0
        told = one_line(run("status", *_place(str(tmp_path / "other.toml"), state)))
        assert f"another certificate answers there than that in {other}" in told
        assert "within a minute, or when it is restarted" in told


@pytest.mark.parametrize(("name", "is_told"), [("localhost", False), ("127.0.0.1", False), ("other.invalid", True)])
def test_the_doctor_tells_of_a_certificate_for_no_name_of_this_computer(
    config: str, tmp_path: Path, name: str, is_told: bool
) -> None:
    given = _made(tmp_path / "given.pem", [name], datetime.now(UTC))
    keys = f'[server]\ntls = true\ncertificate = "{given}"\nkey = "{given}"'
    Path(config).write_text(Path(config).read_text().replace("[server]", keys))
    done = run("doctor", *_place(config, tmp_path / "state")).stdout
    assert ("leads to this computer; have one made" in done) is is_told


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "localhost", "::"])
def test_localhost_is_served_whichever_address_it_leads_to(config: str, tmp_path: Path, host: str) -> None:
    state, text = tmp_path / "state", Path(config).read_text()
    port = int(next(line for line in text.splitlines() if line.startswith("port")).split()[-1])
    Path(config).write_text(text.replace('host = "127.0.0.1"', f'host = "{host}"'))
    with _running(config, state):
        token = run("token", "--state-dir", str(state)).stdout.strip()
        for address in ("127.0.0.1", "[::1]", "localhost"):
            with NodeClient(f"http://{address}:{port}", token) as client:
                client.wait_for("connect")
        assert run("status", *_place(config, state)).returncode == 0


def test_another_program_at_the_other_localhost_is_told_and_keeps_it(config: str, tmp_path: Path) -> None:
    port = int(next(line for line in Path(config).read_text().splitlines() if line.startswith("port")).split()[-1])
    with socket.create_server(("::1", port), family=socket.AF_INET6), _running(config, tmp_path / "state") as told:
        assert f"127.0.0.1:{port}" in told
        assert f"another program has port {port} on ::1" in (tmp_path / "log").read_text()


def test_a_token_that_the_command_line_revokes_ends_a_connection(config: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with _running(config, state) as told:
        token = run("token", "--state-dir", str(state)).stdout.strip()
        with NodeClient(_url(told), token) as client:
            client.wait_for("connect")
            assert run("token", "revoke", token, "--state-dir", str(state)).returncode == 0
            assert "revoked" in client.wait_for("error")["message"]
            assert client.wait_for("disconnect")


def test_the_button_and_the_console_let_the_first_administrator_in(config: str, tmp_path: Path) -> None:
    with _running(config, tmp_path / "state", signals=[signal.SIGUSR2]) as told:
        assert "Pairing code" in told
        deadline = time.monotonic() + 30
        while "The button was pressed" not in (tmp_path / "log").read_text():  # or the trail has a refusal before it
            assert time.monotonic() < deadline
            time.sleep(0.05)
        body = json.dumps({"name": "anna", "password": "correct horse battery"})
        words = ["curl", "-sS", "-f", "--retry", "5", "--retry-all-errors", "-H", "Content-Type: application/json"]
        asked = [*words, "-d", body, f"{_url(told)}/pair"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        with NodeClient(_url(told), json.loads(answer)["token"]) as client:
            client.wait_for("connect")
            trail = client.call("audit:get")["entries"]
            assert [one["action"] for one in trail] == ["login", "user:add", "button:press"]
            assert trail[1]["who"] == "pairing by button"


def test_the_start_says_how_to_log_in_and_ends_with_where_the_page_is(config: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    code = r"\n([\u2580\u2584\u2588 ]+\n)+"  # for a telephone
    words = [COMMAND, "run", "--simulate", *_place(config, state)]
    with _program(words, tmp_path / "log", end="\u2580\n") as told:  # which is printed when it is made
        assert re.search(rf"\nLog in: with the pairing code below.*\nPage: http://\S+/\n(.*\n)*{code}$", told)
    person = ["anna", "--role", "admin", "--password", "correct horse battery"]
    assert run("user", "add", *person, "--state-dir", str(state)).returncode == 0
    with _running(config, state, asks_to_pair=False) as told:
        assert re.search(r"\nLog in: with a name and a password, or with a token\nPage: http://\S+/\n$", told)
        assert _healthz(told)  # it obeys signals by then


def _url(told: str) -> str:
    return next(line for line in told.splitlines() if line.startswith("Page: "))[len("Page: ") :].strip("/")


def _healthz(told: str) -> bytes:
    asked = ["curl", "-skS", f"{_url(told)}/healthz"]
    return subprocess.run(asked, capture_output=True, check=True).stdout


@contextmanager
def _running(
    config: str, state: Path, signals: Sequence[signal.Signals] = (), *, asks_to_pair: bool = True
) -> Iterator[str]:
    """The service on a simulated machine; yields its output at the start."""
    words = [COMMAND, "run", "--simulate", *_place(config, state)]
    end = "***\n" if asks_to_pair else "\n"  # the pairing code is printed last
    with _program(words, state.with_name("log"), signals, end) as told:
        yield told


@contextmanager
def _program(words: Sequence[str], log: Path, signals: Sequence[signal.Signals] = (), end: str = "\n") -> Iterator[str]:
    with (
        log.open("w") as errors,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True) as program,
    ):
        try:
            yield _told_by(program, signals, end)
            program.terminate()
            assert program.wait(20) == 0
        finally:
            program.kill()
            print(log.read_text())  # for the report of a failed test


def _told_by(program: subprocess.Popen[str], signals: Sequence[signal.Signals], end: str) -> str:
    assert program.stdout is not None
    told = ""
    while not ("Page: " in told and told.endswith(end)):
        line = program.stdout.readline()
        assert line, told
        told += line
    for one in signals:
        program.send_signal(one)
    return told
