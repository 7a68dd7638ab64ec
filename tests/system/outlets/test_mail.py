"""Mail, to a real server: aiosmtpd, with TLS, with passwords, and as receivers are that fail."""

import email.policy
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from msgspec.structs import replace

from appliance.core.alerting.channels import MailReceiver, Seal
from appliance.core.alerting.message import AlertMessage, Attachment
from appliance.system.outlets import connection
from appliance.system.outlets.connection import bounded
from appliance.system.outlets.mail import MailOutlet
from appliance.system.outlets.secret_folder import secret_reader
from tests.documents import PROJECT
from tests.ports import reserve_port
from tests.system.outlets.conftest import MakePem

PATIENCE_S = 30


class Mailbox:
    """What a server has taken; `refuses`: an address that it knows nothing of."""

    refuses = "nobody@example.org"

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.readers: list[list[str]] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address == self.refuses:
            return "550 no such reader"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.readers.append(envelope.rcpt_tos)
        return "250 OK"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, found: Any) -> AuthResult:
    good = isinstance(found, LoginPassword) and (found.login, found.password) == (b"pi", b"geheim")
    return AuthResult(success=good, handled=False)


Serve = Callable[..., tuple[Mailbox, int]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as running:

        def start(**options: Any) -> tuple[Mailbox, int]:
            mailbox, reserved = Mailbox(), running.enter_context(reserve_port())
            port = reserved.getsockname()[1]
            controller = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE_S, **options)
            controller.start()
            running.callback(controller.stop)
            return mailbox, port

        yield start


def server_context(pem: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


def outlet(port: int, secrets: Path = Path("/nowhere"), **more: Any) -> MailOutlet:
    plain: dict[str, Any] = {
        "name": "it",
        "secret": None,
        "ca": None,
        "server": "localhost",
        "seal": Seal.NONE,
        "user": None,
        "sender": "pi@example.org",
        "recipients": ("it@example.org", "ben@example.org"),
    }
    receiver = MailReceiver(port=port, **plain | more)
    return MailOutlet(receiver, secret_reader(secrets, receiver.secret))


def test_a_mail_has_what_mail_programs_need(serve: Serve, message: AlertMessage) -> None:
    mailbox, port = serve()
    assert outlet(port).send(message) is None
    [mail], [readers] = mailbox.mails, mailbox.readers
    assert readers == ["it@example.org", "ben@example.org"]
    assert mail["Subject"] == "[pi] critical: 2 notices: 1 critical, 1 medium"
    assert (mail["From"], mail["To"]) == ("pi@example.org", "it@example.org, ben@example.org")
    assert mail["Date"] == "Mon, 23 Nov 2026 12:00:00 +0000"
    assert mail["Message-ID"] == f"<{message.id}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == list(message.lines)
    assert "„böse“" in mail.get_content()


def test_a_mail_with_a_page_and_a_file_has_both(serve: Serve, message: AlertMessage) -> None:
    mailbox, port = serve()
    table = Attachment("dept123-2026-W48.csv", "csv", "start,down_bytes\r\n2026-11-23,7\r\n")
    assert outlet(port).send(replace(message, html="<p>böse</p>", attachments=(table,))) is None
    [mail] = mailbox.mails
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert text.get_content().splitlines() == list(message.lines)
    assert page is not None
    assert page.get_content().strip() == "<p>böse</p>"
    [found] = mail.iter_attachments()
    assert (found.get_filename(), found.get_content_type()) == ("dept123-2026-W48.csv", "text/csv")
    assert found.get_content().splitlines() == ["start,down_bytes", "2026-11-23,7"]


@pytest.mark.parametrize("seal", [Seal.TLS, Seal.STARTTLS])
@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not see the TLS from the first byte
def test_a_mail_goes_sealed_and_with_a_password(
    seal: Seal, serve: Serve, pem: Path, tmp_path: Path, message: AlertMessage
) -> None:
    (tmp_path / "mail").write_text("geheim\n")
    sealed = {"ssl_context": server_context(pem)} if seal is Seal.TLS else {"tls_context": server_context(pem)}
    mailbox, port = serve(
        authenticator=authenticate, auth_required=True, auth_require_tls=seal is Seal.STARTTLS, **sealed
    )
    good = outlet(port, tmp_path, seal=seal, ca=str(pem), user="pi", secret="mail")
    assert good.send(message) is None
    assert len(mailbox.mails) == 1
    (tmp_path / "mail").write_text("falsch\n")
    assert good.send(message) == "the login is refused: 535 5.7.8 Authentication credentials invalid"
    (tmp_path / "mail").unlink()
    assert good.send(message) == f"the secret {tmp_path}/mail cannot be read: No such file or directory"
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("seal", [Seal.TLS, Seal.STARTTLS])
def test_nothing_is_sent_to_a_server_that_is_not_who_it_says(
    seal: Seal, serve: Serve, pem: Path, make_pem: MakePem, message: AlertMessage
) -> None:
    context = server_context(pem)
    mailbox, port = serve(**{"ssl_context" if seal is Seal.TLS else "tls_context": context})
    assert outlet(port, seal=seal).send(message) == "the server's certificate is not good: self-signed certificate"
    fault = outlet(port, seal=seal, ca=str(pem), server="127.0.0.1").send(message)
    assert fault is not None
    assert "not valid for '127.0.0.1'" in fault
    assert mailbox.mails == []


def test_a_server_without_tls_gets_no_sealed_mail(serve: Serve, pem: Path, message: AlertMessage) -> None:
    mailbox, port = serve()
    fault = outlet(port, seal=Seal.STARTTLS, ca=str(pem)).send(message)
    assert fault == "the server cannot do what is configured: STARTTLS extension not supported by server."
    fault = outlet(port, seal=Seal.TLS, ca=str(pem)).send(message)
    assert fault is not None
    assert fault.startswith("TLS fails: ")
    assert mailbox.mails == []


def test_a_reader_who_is_refused_keeps_no_other_from_the_mail(serve: Serve, message: AlertMessage) -> None:
    mailbox, port = serve()
    assert outlet(port, recipients=("it@example.org", Mailbox.refuses)).send(message) is None
    assert mailbox.readers == [["it@example.org"]]
    fault = outlet(port, recipients=(Mailbox.refuses,)).send(message)
    assert fault == "the server takes no mail for nobody@example.org: 550 no such reader"


@contextmanager
def listener(serve_one: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with its first client as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):  # the client leaves when it has read enough
                serve_one(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(PATIENCE_S)


def test_a_port_where_nothing_listens_is_said(message: AlertMessage) -> None:
    with reserve_port() as reserved:
        assert outlet(reserved.getsockname()[1]).send(message) == "Connection refused"


@pytest.mark.parametrize(
    ("greeting", "fault"),
    [
        (b"", "the server ended the connection, or was too slow"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no answer in SMTP: /1.1 400 Bad Request"),
        (b"421 too busy\r\n", "the server answers 421 too busy"),
        (b"x" * 100_000 + b"\r\n", "the server answers 500 Line too long."),
        (b"\x00\xff\xfe\r\n", "no answer in SMTP: "),
        (b"220 " + b"\xff" * 100 + b"\r\n", "the server ended the connection, or was too slow"),
    ],
)
def test_garbage_is_an_answer_like_any_other(greeting: bytes, fault: str, message: AlertMessage) -> None:
    with listener(lambda client: client.sendall(greeting)) as port:
        found = outlet(port).send(message)
    assert found is not None
    assert found.startswith(fault)


def test_a_server_that_trickles_is_left_when_its_time_is_over() -> None:
    is_left = threading.Event()

    def trickle(client: socket.socket) -> None:
        try:
            while not is_left.wait(0.01):  # a flood would fill the window, and not learn for a while that nobody reads
                client.sendall(b"220-still here\r\n")
        except OSError:
            is_left.set()

    with listener(trickle) as port, connection.connected("127.0.0.1", port) as client:
        with suppress(ConnectionResetError), bounded(client, 0.1):  # which the kernel says for what came after the end
            while client.recv(65536):
                pass
        client.close()
        assert is_left.wait(PATIENCE_S)


@contextmanager
def mail_server(port: int, folder: Path, *how: str) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "tests.system.outlets.mail_server", str(port), str(folder), *how]
    with subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_mail_is_delivered_once_through_the_server_s_kill(tmp_path: Path, message: AlertMessage) -> None:
    with reserve_port() as reserved:
        port = reserved.getsockname()[1]
        with mail_server(port, tmp_path, "stuck") as server:
            faults: list[str | None] = []
            sending = threading.Thread(target=lambda: faults.append(outlet(port).send(message)))
            sending.start()
            while not (tmp_path / "stuck").exists():
                assert sending.is_alive()
                time.sleep(0.05)
            server.kill()
            sending.join(PATIENCE_S)
        assert faults == ["the server ended the connection, or was too slow"]
        with mail_server(port, tmp_path):
            assert outlet(port).send(message) is None
    [mail] = tmp_path.glob("*.eml")
    assert f"Message-ID: <{message.id}@example.org>".encode() in mail.read_bytes()
