"""Syslog over TLS, to a real receiver: Debian's rsyslog, killed and begun again."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path

import pytest

from appliance.core.alerting.channels import SyslogReceiver
from appliance.core.alerting.message import AlertMessage, Sender, compose
from appliance.core.alerting.notice import Notice, Topic
from appliance.core.detection.incident import Severity
from appliance.system.outlets.syslog import SyslogOutlet
from tests.ports import reserve_port
from tests.system.outlets.conftest import NOON

PATIENCE_S = 30
CONFIG = """
global(workDirectory="{folder}" defaultNetstreamDriverCAFile="{pem}" defaultNetstreamDriverCertFile="{pem}"
       defaultNetstreamDriverKeyFile="{pem}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="line" type="string" string="%syslogseverity-text% %app-name% %msgid% %structured-data% %msg%\\n")
action(type="omfile" file="{folder}/received" template="line")
"""


class Collector:
    """An rsyslog, and what it has written."""

    def __init__(self, port: int, pem: Path, folder: Path) -> None:
        self.port, self.received = port, folder / "received"
        self._file, self._folder = folder / "rsyslog.conf", folder
        self._file.write_text(CONFIG.format(folder=folder, pem=pem, port=port))
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        words = ["/usr/sbin/rsyslogd", "-n", "-f", str(self._file), "-i", str(self._folder / "pid")]
        self._process = subprocess.Popen(words)
        while self._process.poll() is None:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError("rsyslogd has ended")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def lines(self, count: int) -> list[str]:
        """What it has written, once it is so much; it writes after it has read."""
        assert self._process is not None
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            found = self.received.read_text().splitlines() if self.received.exists() else []
            if len(found) >= count:
                return found
            time.sleep(0.05)
        raise AssertionError(f"it has not written {count} lines")


@pytest.fixture
def collector(pem: Path, tmp_path: Path) -> Iterator[Collector]:
    with reserve_port() as reserved:
        made = Collector(reserved.getsockname()[1], pem, tmp_path)
        made.begin()
        yield made
        made.kill()


def outlet(port: int, ca: Path | None, server: str = "localhost") -> SyslogOutlet:
    receiver = SyslogReceiver(name="it", ca=str(ca) if ca else None, server=server, port=port)
    return SyslogOutlet(receiver, str)


def message(number: int) -> AlertMessage:
    notices = [
        Notice(NOON, Topic.INCIDENT, Severity.CRITICAL, "a", f"scan „{number}“", number),
        Notice(NOON, Topic.QUOTA_ALERT, Severity.MEDIUM, None, "used up", number + 1),
    ]
    return compose("it", notices, 0, Sender("pi", {}, UTC))


def test_records_arrive_once_through_the_receiver_s_kill(collector: Collector, pem: Path) -> None:
    assert outlet(collector.port, pem).send(message(1)) is None
    first = collector.lines(2)
    assert first == [
        'crit appliance security:incident [meta sequenceId="2"] \ufeffdepartment=a scan „1“',
        'warning appliance quota:alert [meta sequenceId="3"] department=- used up',
    ]
    collector.kill()
    assert outlet(collector.port, pem).send(message(3)) == "Connection refused"
    collector.begin()
    assert outlet(collector.port, pem).send(message(3)) is None
    lines = collector.lines(4)
    assert lines[:2] == first
    assert [line.split('"')[1] for line in lines] == ["2", "3", "4", "5"]


def test_a_receiver_that_is_not_who_it_says_gets_nothing(collector: Collector, pem: Path) -> None:
    fault = outlet(collector.port, None).send(message(1))
    assert fault == "the server's certificate is not good: self-signed certificate"
    assert outlet(collector.port, pem).send(message(5)) is None
    assert collector.lines(2)[0].endswith("scan „5“")


@contextmanager
def dying(pem: Path) -> Iterator[int]:
    """A receiver that shakes hands, and is gone before it has read anything."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as sealed:
                sealed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(PATIENCE_S)


def test_a_receiver_that_dies_before_it_has_read_has_not_got_it(pem: Path) -> None:
    with dying(pem) as port:
        assert outlet(port, pem).send(message(1)) is not None
