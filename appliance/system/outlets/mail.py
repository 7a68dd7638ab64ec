"""Mail, by the standard library's `smtplib`: a message to all readers of a channel, over TLS.

The same `Message-ID` marks each attempt. A server that ends between taking a message and saying so gets it again, and
mail programs show one of the two. Without TLS no password is sent.
"""

import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from email.utils import format_datetime

from appliance.core.alerting.channels import MailReceiver, ReadSecret, Seal, SecretMissing
from appliance.core.alerting.message import AlertMessage
from appliance.system.outlets.connection import WAIT_S, bounded, connected, context_of, fault_text

LONGEST_ANSWER = 200  # characters of a server's answer that a person reads


class MailOutlet:
    """`ports.Outlet` by SMTP (RFC 5321, 8314)."""

    def __init__(self, receiver: MailReceiver, secret: ReadSecret) -> None:
        self._receiver = receiver
        self._secret = secret

    def send(self, message: AlertMessage) -> str | None:
        """Deliver a message; returns `None`, or why the server has not taken it for any reader."""
        is_taken = False
        try:
            with self._session() as session:
                # Where it refuses some readers, others have it: another attempt would never reach the former, and
                # give it to the latter again.
                session.send_message(_mail(message, self._receiver))
                is_taken = True
        except SecretMissing as error:
            return str(error)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return None if is_taken else _fault(error)
        return None

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        receiver, password = self._receiver, self._secret()
        plain = connected(receiver.server, receiver.port)
        with closing(plain), bounded(plain):
            context = None if receiver.seal is Seal.NONE else context_of(receiver.ca)
            is_sealed = context is not None and receiver.seal is Seal.TLS
            first = context.wrap_socket(plain, server_hostname=receiver.server) if context and is_sealed else plain
            with closing(first), _Session(first, receiver.server) as session:
                if receiver.seal is Seal.STARTTLS:
                    session.starttls(context=context)
                if receiver.user:
                    session.login(receiver.user, password)
                yield session


class _Session(smtplib.SMTP):
    """A session over a connection that is there already."""

    def __init__(self, connection: socket.socket, server: str) -> None:
        own = connection.getsockname()[0]
        super().__init__(local_hostname=f"[IPv6:{own}]" if ":" in own else f"[{own}]", timeout=WAIT_S)
        self.sock, self.file = connection, None
        self._host = server  # by which `starttls` judges the certificate
        code, text = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)


def _mail(message: AlertMessage, receiver: MailReceiver) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.title
    mail["From"] = receiver.sender
    mail["To"] = ", ".join(receiver.recipients)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{receiver.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note comes back
    mail.set_content(f"{message.text}\n")
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    for one in message.attachments:
        mail.add_attachment(one.text, subtype=one.subtype, filename=one.name)
    return mail


def _fault(error: Exception) -> str:
    """Why nothing was delivered, in words for people; without the password."""
    for kind, words in _FAULTS:
        if isinstance(error, kind):
            return words(error)
    return fault_text(error) if isinstance(error, OSError) else f"no whole answer in SMTP: {type(error).__name__}"


def _answer(code: int, text: bytes | str) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {shown}"[:LONGEST_ANSWER]


def _response(error: smtplib.SMTPResponseException) -> str:
    answer = _answer(error.smtp_code, error.smtp_error)
    return f"no answer in SMTP:{answer.removeprefix('-1')}" if error.smtp_code < 0 else f"the server answers {answer}"


def _refused(error: smtplib.SMTPRecipientsRefused) -> str:
    reader, (code, text) = next(iter(error.recipients.items()))
    return f"the server takes no mail for {reader}: {_answer(code, text)}"


_FAULTS: tuple[tuple[type[Exception], Callable[..., str]], ...] = (
    (smtplib.SMTPServerDisconnected, lambda _: "the server ended the connection, or was too slow"),
    (smtplib.SMTPRecipientsRefused, _refused),
    (
        smtplib.SMTPAuthenticationError,
        lambda error: f"the login is refused: {_answer(error.smtp_code, error.smtp_error)}",
    ),
    (smtplib.SMTPResponseException, _response),
    (smtplib.SMTPNotSupportedError, lambda error: f"the server cannot do what is configured: {error}"),
)
