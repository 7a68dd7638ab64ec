"""Calls about the panel: what a finger does, from afar, and a test of its LEDs."""

from typing import Annotated

from msgspec import Meta

from appliance.core.machine import Press
from appliance.core.refusal import Code, Refused
from appliance.server.calls.arguments import Argument, Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Reply


class PressArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `panel:press`."""

    kind: Annotated[Press, Meta(description="short or held")] = Press.SHORT


class PressReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """Whether the press did anything: a short one does where something waits for it."""

    done: bool


class TestingReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """For how many seconds the LEDs are tested."""

    duration: float


def press(context: Context, asked: PressArgument) -> PressReply:
    """Press the button."""
    if asked.kind is Press.LONG:  # which asks for a reset: `system:reset` does that from afar, with the name
        raise Refused(Code.BAD_REQUEST, "kind: must be short or held")
    return PressReply(done=context.services.panel.obey(asked.kind, context.caller.grant.subject, context.now))


def test(context: Context, _: Nothing) -> TestingReply:
    """Play every rhythm on all LEDs, one after the other."""
    return TestingReply(duration=context.services.panel.test(context.now))
