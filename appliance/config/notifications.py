"""The section of notifications: channels by which notices leave the appliance, and rules that say which and when."""

from collections.abc import Iterator, Sequence
from datetime import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

import appliance.config.values as kinds
from appliance.config.section import Section
from appliance.core.alerting.channels import (
    BrokerReceiver,
    Form,
    MailReceiver,
    Receiver,
    Seal,
    SyslogReceiver,
    WebhookReceiver,
)
from appliance.core.alerting.notice import Topic
from appliance.core.alerting.report_order import ReportOrder
from appliance.core.alerting.rules import NotificationRule
from appliance.core.detection.incident import Severity
from appliance.core.metering.quota import QuotaKind
from appliance.core.operations.update_window import window_of

MOST_READERS = 20  # of a channel; a longer list is the mail server's
MOST_CHANNELS = 8  # each may hold a thread of the pool for half a minute; the pool has twenty

Host = Annotated[
    str,
    Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9A-Fa-f:.]{2,45})\Z", description="a server's name or address"),
]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
ChannelName = kinds.ListName
SecretName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\Z",
        description="the name of a file in the folder of secrets: 1 to 32 letters, digits, '_', '.' or '-'",
    ),
]
TopicPrefix = Annotated[
    str,
    # Neither a wildcard nor the broker's own `$SYS`.
    Meta(
        pattern=r"^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,3}\Z", description='a topic, such as "office/appliance"'
    ),
]
DiscoveryPrefix = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,3})?\Z",
        description='a topic, such as "homeassistant", or "" for none',
    ),
]
BrokerSeal = Annotated[Literal["tls", "none"], Meta(description='"tls" or "none"')]
WebhookUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?(/[!-~]{0,1000})?\Z",
        description='a URL such as "https://192.168.1.2/hook", in whose path {secret} may stand for the secret',
    ),
]
MailAddress = Annotated[
    str,
    # What `Date` and `To` need no quotes for: anything else is a slip.
    Meta(
        pattern=r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z",
        description='a mail address, such as "it@example.org"',
    ),
]
SPANS = {"day": QuotaKind.DAILY, "week": QuotaKind.WEEKLY, "month": QuotaKind.MONTHLY}
SpanWord = Annotated[Literal["day", "week", "month"], Meta(description='"day", "week" or "month"')]
DigestSeconds = Annotated[
    int,
    Meta(
        ge=0,
        le=86_400,
        description='a whole number of seconds up to 86400 (a day), a text such as "1h", or 0 for none',
        extra=kinds.DURATION,
    ),
]


class ChannelSection(Section, frozen=True, kw_only=True):
    """A channel. `ca`: the file of the authority that is believed; `None`: those that the system believes."""

    name: ChannelName
    ca: kinds.Text | None = None


class MailSection(ChannelSection, frozen=True, kw_only=True):
    """A mail server, and who reads. Port 465 and TLS from the first byte are what RFC 8314 asks for.

    `secret`: the file with the password.
    """

    server: Host
    sender: MailAddress
    recipients: tuple[MailAddress, ...]
    port: Port = 465
    seal: Seal = Seal.TLS
    user: kinds.Text | None = None
    secret: SecretName | None = None


class WebhookSection(ChannelSection, frozen=True, kw_only=True):
    """A page that takes messages. `form`: what it understands; `secret`: the file with what signs or opens."""

    url: WebhookUrl
    form: Form = Form.JSON
    secret: SecretName | None = None


class SyslogSection(ChannelSection, frozen=True, kw_only=True):
    """A collector of logs, over TLS. The port is that of RFC 5425."""

    server: Host
    port: Port = 6514


class BrokerSection(ChannelSection, frozen=True, kw_only=True):
    """A broker of MQTT. `prefix`: of our topics; `discovery`: of those where Home Assistant looks; empty: none.

    `secret`: the file with the password.
    """

    server: Host
    port: Port = 8883  # MQTT over TLS, as IANA has it
    seal: BrokerSeal = "tls"
    user: kinds.Text | None = None
    secret: SecretName | None = None
    prefix: TopicPrefix = "appliance"
    discovery: DiscoveryPrefix = "homeassistant"  # its default


class RuleSection(Section, frozen=True, kw_only=True):
    """A rule. `events`, `departments`: empty for all; `severity`: the least.

    `quiet`: hours in which its channels stay silent, but for what is critical; `digest`: seconds for which notices are
    gathered; 0: they are not.
    """

    channels: tuple[ChannelName, ...]
    events: tuple[Topic, ...] = ()
    severity: Severity = Severity.HIGH  # what needs somebody; the rest is on the page
    departments: tuple[kinds.DepartmentId, ...] = ()
    quiet: kinds.DailyWindow | None = None
    digest: DigestSeconds = 0


class ReportSection(Section, frozen=True, kw_only=True):
    """A report by mail. `channels`: of mail; `span`: what each report is about; `departments`: empty for all.

    `at`: the local time at which it is sent, on the day after the span.
    """

    channels: tuple[ChannelName, ...]
    span: SpanWord
    departments: tuple[kinds.DepartmentId, ...] = ()
    at: kinds.LocalTime = "06:00"  # read before work; the history of the night is on the disk by then


class NotificationsSection(Section, frozen=True, kw_only=True):
    """Who is told of what without being connected. Without a rule, nobody is."""

    mail: tuple[MailSection, ...] = ()
    webhooks: tuple[WebhookSection, ...] = ()
    syslog: tuple[SyslogSection, ...] = ()
    mqtt: tuple[BrokerSection, ...] = ()
    rules: tuple[RuleSection, ...] = ()
    reports: tuple[ReportSection, ...] = ()

    @property
    def channels(self) -> Sequence[ChannelSection]:
        """All channels, of every kind."""
        return [*self.mail, *self.webhooks, *self.syslog, *self.mqtt]

    def as_receivers(self) -> Iterator[Receiver]:
        """Where the channels lead, as the core's values."""
        for channel in self.channels:
            yield _RECEIVERS[type(channel)](**msgspec.structs.asdict(channel))

    def as_rules(self) -> tuple[NotificationRule, ...]:
        """The rules, as the core's values."""
        return tuple(
            NotificationRule(
                channels=one.channels,
                topics=frozenset(one.events) or None,
                least=one.severity,
                departments=frozenset(one.departments) or None,
                quiet=window_of(one.quiet) if one.quiet else None,
                digest_s=one.digest,
            )
            for one in self.rules
        )

    def as_report_orders(self, departments: Sequence[str]) -> Iterator[ReportOrder]:
        """The reports, as the core's values: one for each channel and department. `departments`: all."""
        for one in self.reports:
            for channel in one.channels:
                for department in one.departments or departments:
                    yield ReportOrder(channel, department, SPANS[one.span], time.fromisoformat(one.at))


_RECEIVERS: dict[type[ChannelSection], type[Receiver]] = {
    MailSection: MailReceiver,
    WebhookSection: WebhookReceiver,
    SyslogSection: SyslogReceiver,
    BrokerSection: BrokerReceiver,
}
