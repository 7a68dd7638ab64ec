"""What a failure of the running service leaves, and what may leave the appliance of it."""

import json
import os
import signal
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from appliance.simulator import CONFIG
from tests.client.node import NodeClient
from tests.end_to_end.installed import COMMAND
from tests.end_to_end.simulated import Simulated

PASSWORD, MAIL_PASSWORD, HOOK = "correct horse battery", "tr0ub4dor-and-3", "T00000000/B11111111"
READER, PERSON = "head.of.it@example.org", "anna@example.org"
NOTIFICATIONS = f"""
[[notifications.mail]]
name = "it"
server = "mail.example.org"
sender = "appliance@example.org"
recipients = ["{READER}"]
user = "mailer-of-example"
secret = "mail"

[[notifications.webhook]]
name = "chat"
form = "slack"
url = "https://hooks.example.com/services/{HOOK}"

[[notifications.rules]]
channels = ["it", "chat"]
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Simulated]:
    one = Simulated(tmp_path)
    one.start()
    yield one
    one.close()


@pytest.mark.slow
def test_a_service_that_failed_tells_so_until_its_report_is_taken_away(service: Simulated) -> None:
    service.send(signal.SIGABRT)  # as systemd does where the service hangs
    assert service.wait_for_end() == -signal.SIGABRT
    service.start()
    [report] = (service.folder / "state/crashes").glob("crash-*.txt")
    assert "Fatal Python error: Aborted" in report.read_text()
    with NodeClient(f"http://127.0.0.1:{service.port}", service.cli("token").stdout.strip()) as client:

        def has_issue(data: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
            return any(one["id"] == "crash" for one in data["status"].get("issues", []))

        [told] = [
            one for one in client.wait_for("system:health", has_issue)["status"]["issues"] if one["id"] == "crash"
        ]
        assert str(report) in told["cause"]
        assert "crash" in {one["subject"] for one in json.loads(service.cli("doctor", "--json").stdout)}
        report.unlink()
        client.wait_for("system:health", lambda data: not has_issue(data))


def test_a_bundle_has_what_helps_and_no_secret_and_nobody_s_address(tmp_path: Path) -> None:
    state, config, target = tmp_path / "state", tmp_path / "appliance.toml", tmp_path / "bundle.tar.gz"
    config.write_text(CONFIG + NOTIFICATIONS)
    place = ["--config", str(config), "--state-dir", str(state)]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([COMMAND, *words, *place], capture_output=True, text=True, timeout=60, check=False)
        assert words[0] == "doctor" or done.returncode == 0, done.stderr  # a simulation's interfaces are not here
        return done

    token = run("token", "--subject", PERSON).stdout.strip()
    run("user", "add", "anna", "--password", PASSWORD)
    (state / "secrets").mkdir()
    (state / "secrets/mail").write_text(f"{MAIL_PASSWORD}\n")
    (state / "crashes").mkdir()
    (state / "crashes/crash-20261129T120000Z.txt").write_text(f"ValueError: {MAIL_PASSWORD} of {PERSON}, {token}")
    done = run("doctor", "--json", "--bundle", str(target))
    assert {one["subject"] for one in json.loads(done.stdout)} >= {"configuration", "state"}
    assert target.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(state / "people.sqlite3")) as people:
        hashes = [one for row in people.execute("SELECT * FROM person") for one in row if str(one).startswith("$argon")]
    assert hashes
    key = (state / "token.secret").read_bytes()
    secrets = [PASSWORD, MAIL_PASSWORD, HOOK, READER, PERSON, token, key.hex(), *hashes]
    with tarfile.open(target) as archive:
        contents = {
            one.name.partition("/")[2]: file.read() for one in archive if (file := archive.extractfile(one)) is not None
        }
    for name, content in contents.items():
        assert key not in content, name
        assert [one for one in secrets if one.encode() in content] == [], name
    assert b"hooks.example.com" in contents["configuration.toml"]
    assert b"[[departments]]" in contents["configuration.toml"]
    assert b"ValueError" in contents["crashes/crash-20261129T120000Z.txt"]
    assert b"token.secret" in contents["state.txt"]
    assert {"log.txt", "kernel/tables.json", "kernel/interfaces.json", "kernel/signs.json"} <= contents.keys()
    assert os.fspath(target) in done.stderr
