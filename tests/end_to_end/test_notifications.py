"""Notifications of a whole service to real receivers."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from appliance.core.alerting.report_order import ReportKey
from appliance.core.metering.quota import QuotaKind
from appliance.system.storage.store import SqliteStore
from tests.client.node import NodeClient
from tests.end_to_end.installed import COMMAND
from tests.end_to_end.simulated import Simulated
from tests.ports import reserve_port
from tests.system.outlets.test_mail import PATIENCE_S, mail_server

CHANNELS = """
[[notifications.mail]]
name = "it"
server = "127.0.0.1"
port = {it}
seal = "none"
sender = "pi@example.org"
recipients = ["it@example.org"]
[[notifications.mail]]
name = "silent"
server = "127.0.0.1"
port = {silent}
seal = "none"
sender = "pi@example.org"
recipients = ["it@example.org"]
[[notifications.rules]]
channels = ["it", "silent"]
events = ["system:maintenance"]
severity = "low"
"""


@pytest.fixture(scope="module")
def silent() -> Iterator[socket.socket]:
    """A mail server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE_S)
        yield listening


@pytest.fixture(scope="module")
def mail_port() -> Iterator[int]:
    with reserve_port() as reserved:
        yield reserved.getsockname()[1]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, silent: socket.socket, mail_port: int) -> Iterator[Simulated]:
    extra = CHANNELS.format(it=mail_port, silent=silent.getsockname()[1])
    with closing(Simulated(tmp_path_factory.mktemp("notified"), extra)) as simulated:
        simulated.start()
        yield simulated


def notify(service: Simulated, *words: str) -> subprocess.CompletedProcess[str]:
    shown = [COMMAND, "notify", *words, *service.place]
    return subprocess.run(shown, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def connected(service: Simulated) -> Iterator[NodeClient]:
    token = service.cli("token", "--role", "admin").stdout.strip()
    with NodeClient(f"http://127.0.0.1:{service.port}", token) as client:
        client.wait_for("connect")
        yield client


def wait_for_mail(folder: Path, words: str, client: NodeClient) -> list[str]:
    """The mails with these words, as soon as there is one; the service's own events are what passes the time."""
    for _ in range(100):
        found = [text for one in folder.glob("*.eml") if words in (text := one.read_text())]
        if found:
            return found
        client.wait_for("usage:update", count=len(client.named("usage:update")) + 1)
    raise AssertionError(f"no mail says {words}: {client.call('notification:list')}")


def test_a_person_tries_a_channel_from_the_shell(service: Simulated, mail_port: int, tmp_path: Path) -> None:
    tried = notify(service, "test", "it")
    assert (tried.returncode, tried.stderr) == (
        1,
        "appliance: the channel it delivers nothing: Connection refused\n",
    )
    with mail_server(mail_port, tmp_path):
        tried = notify(service, "test", "it")
        assert (tried.returncode, tried.stdout) == (0, "the receiver of it has taken the message\n")
    [mail] = tmp_path.glob("*.eml")
    assert "test of the channel it" in mail.read_text()
    tried = notify(service, "test", "nobody")
    assert tried.returncode == 1
    assert 'there is no channel "nobody"; there are it, silent' in tried.stderr


def test_a_dead_receiver_delays_neither_metering_nor_another_channel(
    service: Simulated, silent: socket.socket, mail_port: int, tmp_path: Path
) -> None:
    with mail_server(mail_port, tmp_path), connected(service) as client:
        client.call("maintenance:start")
        client.call("maintenance:stop")  # while it runs, nothing leaves
        held, _ = silent.accept()
        with held:
            begun = datetime.now(UTC)
            held.settimeout(PATIENCE_S)
            assert held.recv(1) == b""  # the service has waited for the greeting, and gives up
            ended = datetime.now(UTC)
        times = [datetime.fromisoformat(one["timestamp"]) for one in client.named("usage:update")]
        assert len({at for at in times if begun < at < ended}) >= 3
        wait_for_mail(tmp_path, "maintenance is over", client)


def ends(client: NodeClient) -> list[str]:
    """What the service has recorded of maintenance that is over."""
    told = [one["text"] for one in client.call("notification:list")["notices"]]
    return [text for text in told if "maintenance is over" in text]


def test_what_waits_outlives_the_kill_of_service_and_receiver(
    service: Simulated, mail_port: int, tmp_path: Path
) -> None:
    with connected(service) as client:
        earlier = len(ends(client))
        client.call("maintenance:start")
        client.call("maintenance:stop")
        while len(ends(client)) == earlier:
            client.wait_for("usage:update", count=len(client.named("usage:update")) + 1)
    service.kill()
    with mail_server(mail_port, tmp_path):
        service.start()
        with connected(service) as client:
            mails = wait_for_mail(tmp_path, "maintenance is over", client)
    ids = [re.findall("^Message-ID: (.*)$", one, re.MULTILINE)[0] for one in mails]
    assert len({*ids}) == len(ids)
    shown = notify(service, "list").stdout
    assert f"it: mail to it@example.org by 127.0.0.1:{mail_port}\n  delivered last at " in shown


REPORTS = """
[[notifications.mail]]
name = "it"
server = "127.0.0.1"
port = {it}
seal = "none"
sender = "pi@example.org"
recipients = ["it@example.org"]
[[notifications.reports]]
channels = ["it"]
span = "day"
departments = ["dept123"]
at = "00:00"
"""


def test_a_report_of_yesterday_comes_by_mail_and_says_what_the_shell_says(tmp_path: Path) -> None:
    with (
        reserve_port() as reserved,
        mail_server(port := reserved.getsockname()[1], tmp_path),
        closing(Simulated(tmp_path, REPORTS.format(it=port))) as service,
    ):
        service.start()
        service.stop()
        with closing(SqliteStore(tmp_path / "state/simulated.sqlite3")) as store:  # as if it was configured long ago
            store.save_sent_reports({ReportKey("it", "dept123", QuotaKind.DAILY): date(2026, 1, 1)})
        service.start()
        with connected(service) as client:
            [mail] = wait_for_mail(tmp_path, "report of the day", client)
        day = re.search(r"dept123-(?P<day>[0-9-]{10})\.csv", mail)
        assert day is not None
        shown = service.cli("report", "dept123", day["day"]).stdout
        for text in (shown, mail):
            assert "Quotas that were used up: 0. Incidents: 0." in text
        assert service.cli("report", "dept123", day["day"], "--csv").stdout == "start,down_bytes,up_bytes\n"
