"""Channels: the ways by which notices leave the appliance, as the configuration names them.

No password is among these values: `secret` is the name of a file in the folder of secrets, which is read when it is
needed.
"""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

SECRET = "{secret}"  # noqa: S105  in a URL, what stands for the secret
ReadSecret = Callable[[], str]  # raises `SecretMissing`


class SecretMissing(Exception):
    """A secret that cannot be used; the text names the file and what to do."""


class Seal(StrEnum):
    """How a connection is kept private: TLS from the first byte, TLS after a greeting, or not at all."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class Form(StrEnum):
    """What a webhook's receiver understands."""

    JSON = "json"  # the appliance's own, signed
    NTFY = "ntfy"
    SLACK = "slack"
    TEAMS = "teams"
    MATTERMOST = "mattermost"


class Receiver(Struct, frozen=True, kw_only=True):
    """Where a channel leads. `secret`: the file's name; `ca`: the file of the authority that is believed, in PEM.

    `ca` is `None` for those that the system believes.
    """

    name: str
    ca: str | None
    secret: str | None = None

    @property
    def kind(self) -> str:
        """The word for it."""
        raise NotImplementedError

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        raise NotImplementedError


class MailReceiver(Receiver, frozen=True, kw_only=True):
    """A mail server, and the people who read."""

    server: str
    port: int
    seal: Seal
    user: str | None
    sender: str
    recipients: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The word for it."""
        return "mail"

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return f"{', '.join(self.recipients)} by {self.server}:{self.port}"


class WebhookReceiver(Receiver, frozen=True, kw_only=True):
    """A page that takes messages. `url`: `{secret}` in it stands for the secret."""

    url: str
    form: Form

    @property
    def kind(self) -> str:
        """The word for it."""
        return "webhook"

    @property
    def target(self) -> str:
        """Where it leads, for people; the path may be a secret, and is left out."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]} ({self.form})"


class SyslogReceiver(Receiver, frozen=True, kw_only=True):
    """A collector of logs, over TLS."""

    server: str
    port: int

    @property
    def kind(self) -> str:
        """The word for it."""
        return "syslog"

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return f"{self.server}:{self.port}"


class BrokerReceiver(Receiver, frozen=True, kw_only=True):
    """A broker of MQTT. `seal`: tls or none; `prefix`: of our topics; `discovery`: of Home Assistant's; empty: none."""

    server: str
    port: int
    seal: str
    user: str | None
    prefix: str
    discovery: str

    @property
    def kind(self) -> str:
        """The word for it."""
        return "mqtt"

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return f"{self.server}:{self.port} ({self.prefix}/)"
