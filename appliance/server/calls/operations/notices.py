"""Calls about notifications: how the channels fare, what was told, and a test. They name receivers, so for admins."""

from msgspec import UNSET, UnsetType

from appliance.core.alerting.notice import Notice
from appliance.core.moment import timestamp
from appliance.events import Part
from appliance.monitor.alerting.channel_queue import ChannelQueue
from appliance.server.calls.arguments import Argument, Sentence
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Reply

MOST_SHOWN = 50  # notices of one answer; a page shows as many


class RecordArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `notification:list`. `before`: only notices with a smaller number; `None`: the newest."""

    before: int | None = None


class ChannelArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `notification:test`: the channel's name."""

    channel: Sentence


class ChannelFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A channel. `kind`: mail, webhook, ...; `target`: where it leads; `waiting`: notices, now or until they are due.

    `given_up`: notices that were never delivered. `fault`: why the latest attempt failed, at `fault_at`.
    """

    channel: str
    kind: str
    target: str
    waiting: int
    given_up: int
    delivered_at: str | UnsetType = UNSET
    fault: str | UnsetType = UNSET
    fault_at: str | UnsetType = UNSET


class NoticeFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """What was told. `department_id`: null where it is about the appliance itself."""

    number: int
    at: str
    event: str
    severity: str
    department_id: str | None
    text: str


class NotificationsReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The channels, and the latest notices, newest first."""

    channels: list[ChannelFacts]
    notices: list[NoticeFacts]


class DeliveryReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """Whether the receiver has taken the message; `fault`: why not."""

    delivered: bool
    fault: str | UnsetType = UNSET


def list_notifications(context: Context, asked: RecordArgument) -> NotificationsReply:
    """How the channels fare, and what was told."""
    desk = context.services.notifications
    waiting = desk.waiting()
    return NotificationsReply(
        channels=[_channel(one, waiting[name]) for name, one in desk.channels.items()],
        notices=[_notice(one) for one in desk.recorded(asked.before, MOST_SHOWN)],
    )


def try_channel(context: Context, asked: ChannelArgument) -> DeliveryReply:
    """Send a message that says it is a test; it waits for the receiver, while others have their turn."""
    fault = context.services.notifications.try_out(asked.channel, context.now)
    return DeliveryReply(delivered=fault is None, fault=UNSET if fault is None else fault)


def _channel(one: ChannelQueue, waiting: int) -> ChannelFacts:
    state = one.state
    return ChannelFacts(
        channel=one.name,
        kind=one.kind,
        target=one.target,
        waiting=waiting,
        given_up=state.given_up,
        delivered_at=timestamp(state.delivered_at) if state.delivered_at else UNSET,
        fault=state.fault or UNSET,
        fault_at=timestamp(state.fault_at) if state.fault_at else UNSET,
    )


def _notice(one: Notice) -> NoticeFacts:
    return NoticeFacts(
        number=one.number,
        at=timestamp(one.at),
        event=one.topic,
        severity=one.severity,
        department_id=one.department,
        text=one.text,
    )
