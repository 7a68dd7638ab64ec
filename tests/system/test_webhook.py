"""A webhook, to a real HTTP server: with TLS, a signature and a secret in the URL, and as servers are that fail."""

import base64
import hashlib
import hmac
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from appliance.core.alerting.channels import Form, WebhookReceiver
from appliance.core.alerting.message import AlertMessage, Sender, compose
from appliance.core.alerting.notice import Notice, Topic
from appliance.core.detection.incident import Severity
from appliance.system import certificate
from appliance.system.outlets.secret_folder import secret_reader
from appliance.system.storage.files import write_private
from appliance.system.web.webhook import WebhookOutlet

PATIENCE_S = 30
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted, and answers by the path."""

    requests: list[tuple[str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        answer: Callable[[], None] = getattr(self, self.path.strip("/").partition("/")[0])
        answer()

    def good(self) -> None:
        self.answered(204, b"")

    def bad(self) -> None:
        self.answered(404, f"there is no {self.path}".encode())

    def moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/good")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def garbage(self) -> None:
        self.wfile.write(b"\x00\xff\xfe nonsense\r\n\r\n")

    def nothing(self) -> None:
        self.close_connection = True

    def answered(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pem") / "server.pem"
    certificate.ensure(path, ["localhost"], datetime.now(UTC), write_private, even_if_old=True)
    return path


@contextmanager
def serving(pem: Path | None = None) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    requests: list[tuple[str, dict[str, str], bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneHook", (Hook,), {"requests": requests}))
    if pem:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if pem else 'http'}://localhost:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE_S)


def outlet(url: str, folder: Path, form: Form = Form.JSON, ca: Path | None = None) -> WebhookOutlet:
    (folder / "hook").write_text("geheim")
    receiver = WebhookReceiver(name="it", secret="hook", ca=str(ca) if ca else None, url=url, form=form)
    return WebhookOutlet(receiver, secret_reader(folder, "hook"), lambda *_: None)  # loopback is refused elsewhere


@pytest.fixture
def message() -> AlertMessage:
    return compose("it", [Notice(NOON, Topic.INCIDENT, Severity.HIGH, "a", "scan", 1)], 0, Sender("pi", {}, UTC))


def test_a_message_is_posted_over_tls_and_signed(pem: Path, tmp_path: Path, message: AlertMessage) -> None:
    with serving(pem) as (url, requests):
        assert outlet(f"{url}/good", tmp_path, ca=pem).send(message) is None
        assert outlet(f"{url}/good", tmp_path, ca=pem).send(message) is None
    (path, headers, body), again = requests
    assert path == "/good"
    assert json.loads(body)["title"] == "[pi] high: a: scan"
    signed = f"{message.id}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"geheim", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert again[1]["webhook-id"] == headers["webhook-id"]  # by which a receiver knows a repetition


def test_a_secret_in_a_url_stays_in_it(tmp_path: Path, message: AlertMessage) -> None:
    with serving() as (url, requests):
        assert outlet(f"{url}/good/{{secret}}", tmp_path, Form.SLACK).send(message) is None
        fault = outlet(f"{url}/bad/{{secret}}", tmp_path, Form.SLACK).send(message)
    assert [path for path, _, _ in requests] == ["/good/geheim", "/bad/geheim"]
    assert fault == "the server answers 404 Not Found: there is no /bad/..."
    assert "geheim" not in str([headers for _, headers, _ in requests])


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("moved", "the server answers 302 Found: "),
        ("garbage", "no whole answer in HTTP: BadStatusLine"),
        ("nothing", "Remote end closed connection without response"),
    ],
)
def test_what_is_no_2xx_is_not_delivered(path: str, fault: str, tmp_path: Path, message: AlertMessage) -> None:
    with serving() as (url, requests):
        assert outlet(f"{url}/{path}", tmp_path).send(message) == fault
    assert len(requests) == 1  # it follows no redirection


def test_a_server_that_is_not_who_it_says_gets_nothing(pem: Path, tmp_path: Path, message: AlertMessage) -> None:
    with serving(pem) as (url, requests):
        fault = outlet(f"{url}/good", tmp_path).send(message)
    assert fault == "the server's certificate is not good: self-signed certificate"
    assert requests == []


def test_nothing_is_sent_to_this_computer(tmp_path: Path, message: AlertMessage) -> None:
    with serving() as (url, requests):
        receiver = WebhookReceiver(name="it", secret=None, ca=None, url=f"{url}/good", form=Form.JSON)
        fault = WebhookOutlet(receiver, secret_reader(tmp_path, None)).send(message)
    assert fault is not None
    assert fault.startswith("no message is sent to ")
    assert fault.endswith(": it is this computer")
    assert requests == []


def test_a_missing_secret_is_named(tmp_path: Path, message: AlertMessage) -> None:
    one = outlet("http://localhost:9/", tmp_path)
    (tmp_path / "hook").unlink()
    assert one.send(message) == f"the secret {tmp_path}/hook cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "one line"), (b"two\nlines", "one line"), (b"x" * 5000, "one line"), (b"\xff\xfe", "is no text")],
)
def test_a_secret_that_is_none_is_named(content: bytes, words: str, tmp_path: Path, message: AlertMessage) -> None:
    one = outlet("http://localhost:9/", tmp_path)
    (tmp_path / "hook").write_bytes(content)
    fault = one.send(message)
    assert fault is not None
    assert words in fault


def test_a_secret_behind_a_link_or_a_pipe_is_not_read(tmp_path: Path, message: AlertMessage) -> None:
    one = outlet("http://localhost:9/", tmp_path)
    (tmp_path / "hook").rename(tmp_path / "elsewhere")
    (tmp_path / "hook").symlink_to(tmp_path / "elsewhere")
    assert "Too many levels of symbolic links" in str(one.send(message))
    (tmp_path / "hook").unlink()
    os.mkfifo(tmp_path / "hook")
    assert str(one.send(message)).endswith("hook is no file")
