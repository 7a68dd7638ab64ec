"""The command line in a shell: every end of a verb is a clear line and an exit code, never a traceback."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from appliance.server.http.address import reachable_url
from appliance.system.network.own_address import own_address
from tests.documents import PROJECT
from tests.end_to_end.installed import COMMAND, config_text
from tests.end_to_end.simulated import Simulated
from tests.ports import reserve_port

AWAY = "dac_override,dac_read_search,net_admin,net_raw".replace(",", ",-")
# Root without what makes it root: another user's files are closed, and the packet filter is.
AS_ORDINARY = ["setpriv", f"--bounding-set=-{AWAY}", f"--inh-caps=-{AWAY}"]
A_PASSWORD = ["--password", "correct horse battery"]
ASKING = (
    ["status"],
    ["watch", "--count", "1"],
    ["quota"],
    ["lists"],
    ["maintenance", "status"],
    ["report", "dept123", "2026-10"],
    ["schedule", "list"],
    ["schedule", "add", "allow", "203.0.113.9", "--duration", "30m"],
    ["schedule", "remove", "allow-20261206T220000Z"],
    ["panel", "press"],
    ["panel", "test"],
    ["block", "203.0.113.9"],
    ["unblock", "203.0.113.9"],
    ["confirm"],
    ["revert"],
    ["notify", "list"],
    ["notify", "test", "it"],
    ["update"],
    ["release"],
)
KEEPING = (
    ["token"],
    ["token", "list"],
    ["token", "revoke", "0123"],
    ["user", "add", "anna", *A_PASSWORD],
    ["user", "list"],
    ["user", "remove", "anna"],
    ["user", "password", "anna", *A_PASSWORD],
    ["run"],
    ["run", "--simulate"],
    ["restore"],
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    one = Simulated(tmp_path_factory.mktemp("shell"))
    one.start()
    yield one
    one.close()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A configuration that all may read, and the state of another user."""
    folder = tmp_path_factory.mktemp("foreign")
    state, config = folder / "state", folder / "appliance.toml"
    config.write_text(config_text("host"))
    run("token", "--state-dir", str(state))
    for path in (*state.iterdir(), state):
        os.chown(path, 12345, 12345)
    return ["--config", str(config), "--state-dir", str(state)]


def run(*words: str, before: list[str] | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(before or []), COMMAND, *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
        errors="replace",
        env={**os.environ, **environment},
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("words", [*ASKING, *KEEPING], ids=" ".join)
def test_who_may_not_read_the_state_reads_one_line_that_says_what_to_do(words: list[str], foreign: list[str]) -> None:
    answer = json.loads(one_line(run(*words, *foreign, "--json", before=AS_ORDINARY)))
    assert "run it with sudo" in answer["error"]


@pytest.mark.parametrize("words", [ASKING[0], *KEEPING[:2], KEEPING[-1]], ids=" ".join)
def test_a_person_reads_it_too_and_so_they_do_where_nobody_may_enter(words: list[str], foreign: list[str]) -> None:
    assert "run it with sudo" in one_line(run(*words, *foreign, before=AS_ORDINARY))
    below = [*foreign[:3], f"{foreign[3]}/below"]
    assert "ermi" in one_line(run(*words, *below, before=AS_ORDINARY))


def test_the_doctor_tells_who_may_not_read_the_state_all_the_same(foreign: list[str]) -> None:
    for place in (foreign, [*foreign[:3], f"{foreign[3]}/below"]):
        done = run("doctor", *place, before=AS_ORDINARY)
        assert (done.returncode, done.stderr) == (1, "")
        assert "fatal    state: " in done.stdout


@pytest.mark.parametrize("words", ASKING[:-1], ids=" ".join)
def test_without_a_service_it_is_told_how_to_start_it(words: list[str], tmp_path: Path) -> None:
    place = ["--config", str(tmp_path / "appliance.toml"), "--state-dir", str(tmp_path)]
    (tmp_path / "appliance.toml").write_text(config_text("host").replace("127.0.0.1", "127.0.0.2"))
    assert "sudo systemctl start appliance" in one_line(run(*words, *place))
    assert json.loads(one_line(run(*words, *place, "--json")))["code"] is None


@pytest.mark.parametrize("name", ["token.secret", "people.sqlite3", "audit.sqlite3", "trial.toml", "appliance.sqlite3"])
def test_no_damaged_file_of_the_state_gives_a_traceback(name: str, tmp_path: Path) -> None:
    place = ["--state-dir", str(tmp_path)]
    for words in (["token"], ["token", "list"], ["user", "list"], ["doctor"], ["restore"], ["status"]):
        (tmp_path / name).write_bytes(b"\xff garbage" * 99)
        (tmp_path / name).chmod(0o600)
        done = run(*words, *place)
        assert done.returncode in (0, 1), (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 1, (words, done.stderr)


@pytest.mark.parametrize("words", [["status"], ["watch"], ["doctor"], ["--help"], ["status", "--json"]], ids=" ".join)
def test_a_reader_that_goes_away_ends_it_quietly(words: list[str], service: Simulated) -> None:
    place = [] if words == ["--help"] else service.place
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen([COMMAND, *words, *place], stdout=writer, stderr=subprocess.PIPE) as program:
        os.close(writer)
        assert program.stderr is not None
        assert (program.stderr.read(), program.wait(30)) == (b"", 141)


def test_an_output_that_cannot_be_written_is_a_failure(service: Simulated) -> None:
    with Path("/dev/full").open("w") as full:
        words = [COMMAND, "status", *service.place]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "appliance: No space left on device\n")


def test_ctrl_c_ends_a_watch_quietly(service: Simulated) -> None:
    words = [COMMAND, "watch", *service.place]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert "SIMULATED" in program.stdout.readline()
        program.send_signal(signal.SIGINT)
        assert (program.stderr.read().strip(), program.wait(30)) == ("", 130)


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"COLUMNS": "10"},
    ],
    ids=str,
)
def test_any_terminal_shows_it_somehow(environment: dict[str, str], service: Simulated) -> None:
    assert "dept123" in run("status", *service.place, **environment).stdout
    assert run("--help", **environment).returncode == 0


def test_a_question_without_a_terminal_says_how_to_answer(tmp_path: Path) -> None:
    done = run("user", "add", "anna", "--state-dir", str(tmp_path))
    assert (done.returncode, "give the answer as an option" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        (["watch", "usage:updat"], 2, "did you mean usage:update?"),
        (["quota", "dept12"], 1, "did you mean dept123? (there are dept123, dept456)"),
        (["block", "203.0.113.9", "--department", "x"], 1, 'there is no department "x"; there are dept123, dept456'),
        (["block", "203.0.113.9", "--duration", "soon"], 2, 'give seconds, such as 90, or units, such as "30m"'),
        (["block", "203.0.113.9", "--duration", "9999d"], 1, "--duration: must be"),
        (["block", "203.0.113.9", "--reason", "x" * 300], 1, "--reason: must be"),
        (["unblock", "203.0.113.77"], 1, "appliance status shows what is"),
        (["maintenance", "start", "--duration", "2d"], 2, "at most 1d"),
        (["token", "--departments", "dept12"], 1, "did you mean dept123?"),
        (["token", "--departments", ""], 2, "names no department"),
        (["token", "--ttl", "4000d"], 2, "to 3660d, not 4000d"),
        (["token", "revoke", "nonsense"], 1, "appliance token list shows which there are"),
        (["user", "add", "anna", "--departments", "dept123,x", *A_PASSWORD], 1, 'there is no department "x"'),
        (["block", "b\udcffd"], 1, "no text"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_in_the_shells_language(
    words: list[str], exit_code: int, told: str, service: Simulated
) -> None:
    done, answer = (run(*words, *service.place, *more) for more in ([], ["--json"]))
    assert (done.returncode, told in done.stderr) == (exit_code, True), done.stderr
    assert (answer.returncode, answer.stdout) == (exit_code, "")
    assert set(json.loads(answer.stderr)) == {"error", "code"}
    wire = ("E_", "token:", "departmentId", *([] if words[0] == "watch" else ["ip:"]))  # events are watched by name
    assert [word for word in wire if word in done.stderr] == []


def test_a_department_needs_no_service_and_no_file_to_be_known(tmp_path: Path) -> None:
    place = ["--state-dir", str(tmp_path)]
    assert "there are dept123, dept456, local" in one_line(run("token", "--departments", "x", *place))
    for one in ("local", "dept456", "*"):
        assert run("token", "--departments", one, *place).returncode == 0


def test_the_state_may_be_named_before_the_verb_and_the_nearest_name_counts(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    token = run("token", "--state-dir", one).stdout.strip()
    assert run("token", "--state-dir", other).returncode == 0
    elsewhere = {"APPLIANCE_STATE_DIR": other}
    assert run("token", "--state-dir", one, "revoke", token, **elsewhere).stdout.startswith("revoked ")
    [listed] = json.loads(run("token", "--state-dir", other, "list", "--state-dir", one, "--json").stdout)
    assert listed["revokedAt"] is not None
    [listed] = json.loads(run("token", "list", "--json", **elsewhere).stdout)
    assert listed["revokedAt"] is None


def test_durations_are_taken_with_units_and_times_are_local(service: Simulated) -> None:
    done = run("block", "203.0.113.50", "--duration", "1h30m", *service.place)
    assert done.returncode == 0, done.stderr
    [block] = service.ask("ip:list", {"contains": "203.0.113.50"})["blocks"]
    assert 5300 < block["duration"] <= 5400
    made = json.loads(run("token", "--ttl", "2h", "--json", *service.place).stdout)
    assert (made["expiresIn"], made["departments"]) == (7200, "*")
    shown = run("quota", *service.place, TZ="Etc/GMT-14").stdout
    assert "14:00:00" in shown  # a day that begins at midnight in UTC
    assert all(
        one["resetsAt"].endswith("T00:00:00.000Z")
        for one in json.loads(run("quota", "--json", *service.place).stdout)[0]["quotas"]
    )


def test_the_doctor_knows_the_port_of_its_own_service_from_anothers(service: Simulated, tmp_path: Path) -> None:
    findings = {one["subject"]: one for one in json.loads(run("doctor", "--json", *service.place).stdout)}
    assert (findings["port"]["verdict"], "the running service has it" in findings["port"]["found"]) == ("good", True)
    assert findings["port errors"]["verdict"] == "good"  # which only the running service sees
    config = service.place[:2]
    findings = {
        one["subject"]: one for one in json.loads(run("doctor", "--json", *config, "--state-dir", str(tmp_path)).stdout)
    }
    assert findings["port"]["verdict"] == "warning"


@pytest.mark.parametrize("force", [False, True])
def test_a_first_configuration_is_good_and_replaces_none_by_accident(force: bool, tmp_path: Path) -> None:
    path = tmp_path / "etc" / "appliance.toml"
    place = ["--config", str(path)]
    made = json.loads(run("init", *place, "--json").stdout)
    assert made["file"] == str(path)
    checked = json.loads(run("check-config", *place, "--json").stdout)
    assert (checked["position"], list(checked["departments"].values())) == (made["position"], made["interfaces"])
    path.write_text("# mine\n")
    done = run("init", *place, *(["--force"] if force else []))
    assert done.returncode == (0 if force else 1)
    assert (path.read_text() == "# mine\n") is not force


def test_the_start_is_told_to_a_program_as_one_object(tmp_path: Path) -> None:
    place = ["--config", str(tmp_path / "appliance.toml"), "--state-dir", str(tmp_path)]
    with reserve_port() as reserved:
        port = reserved.getsockname()[1]
        text = config_text("host").replace('host = "127.0.0.1"', f'host = "0.0.0.0"\nport = {port}')
        (tmp_path / "appliance.toml").write_text(text)
        words = [COMMAND, "run", "--simulate", "--json", *place]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stderr is not None
            facts = json.loads(program.stdout.readline())
            assert any("Pairing code" in line for line in program.stderr)  # it obeys signals by then
            program.terminate()
            assert (program.communicate(timeout=20)[0], program.returncode) == ("", 0)
    assert (facts["simulated"], facts["state"]) == (True, str(tmp_path))
    expected = own_address(socket.AF_INET) or "127.0.0.1"
    assert facts["page"] == f"{reachable_url(expected, port)}/"


def test_the_version_names_the_commit() -> None:
    words = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
    commit = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    assert run("--version").stdout.startswith(f"appliance, version {metadata.version('appliance')}")
    assert commit in run("--version").stdout
