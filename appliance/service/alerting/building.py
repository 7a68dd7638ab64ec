"""Builds the channels of the configuration, and the desk before them.

The library of a kind of channel is imported where one is configured: mail and TLS take two megabytes.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventlet import tpool

from appliance.config import Config
from appliance.core.alerting.channels import (
    BrokerReceiver,
    MailReceiver,
    ReadSecret,
    Receiver,
    SyslogReceiver,
    WebhookReceiver,
)
from appliance.core.alerting.message import Sender
from appliance.core.version import VERSION
from appliance.monitor.alerting.channel_queue import ChannelQueue
from appliance.monitor.alerting.notification_desk import NotificationDesk
from appliance.ports import NoticeStore, Outlet
from appliance.system.outlets.secret_folder import secret_reader

SECRETS = "secrets"  # the folder of secrets, in the state directory


def build_notifications(config: Config, store: NoticeStore, state_dir: Path, *, is_simulated: bool) -> NotificationDesk:
    """The desk of notifications, with its channels."""
    sender = sender_of(config, is_simulated=is_simulated)
    channels = [
        _channel(one, secret_reader(state_dir / SECRETS, one.secret), store, sender)
        for one in config.notifications.as_receivers()
    ]
    return NotificationDesk(config.notifications.as_rules(), channels, store, config.zone)


def sender_of(config: Config, *, is_simulated: bool) -> Sender:
    """The appliance, as its messages name it."""
    names = {one.id: one.name for one in config.as_departments()}
    return Sender(socket.gethostname(), names, config.zone, is_simulated)


def _channel(receiver: Receiver, secret: ReadSecret, store: NoticeStore, sender: Sender) -> ChannelQueue:
    outlet = _OUTLETS[type(receiver)](receiver, secret)
    return ChannelQueue(
        receiver.name,
        receiver.kind,
        receiver.target,
        outlet=outlet,
        store=store,
        sender=sender,
        aside=tpool.execute,
        kept=outlet if isinstance(receiver, BrokerReceiver) else None,
    )


def _mail(receiver: MailReceiver, secret: ReadSecret) -> Outlet:
    from appliance.system.outlets.mail import MailOutlet

    return MailOutlet(receiver, secret)


def _webhook(receiver: WebhookReceiver, secret: ReadSecret) -> Outlet:
    from appliance.system.web.webhook import WebhookOutlet

    return WebhookOutlet(receiver, secret)


def _syslog(receiver: SyslogReceiver, secret: ReadSecret) -> Outlet:
    from appliance.system.outlets.syslog import SyslogOutlet

    return SyslogOutlet(receiver, secret)


def _mqtt(receiver: BrokerReceiver, secret: ReadSecret) -> Outlet:
    from appliance.system.outlets.mqtt import MqttOutlet

    return MqttOutlet(receiver, secret, VERSION)


_OUTLETS: dict[type[Receiver], Callable[[Any, ReadSecret], Any]] = {
    MailReceiver: _mail,
    WebhookReceiver: _webhook,
    SyslogReceiver: _syslog,
    BrokerReceiver: _mqtt,
}
