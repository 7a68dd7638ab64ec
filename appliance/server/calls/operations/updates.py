"""Calls about updates of the whole computer. A restart concerns every department, so an admin of all orders it."""

from appliance.config.values import BundleUrl
from appliance.events import Part, UpdateFacts
from appliance.monitor.operations.update_monitor import update_facts
from appliance.server.calls.arguments import Argument, Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Done, Reply


class UpdateArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `update:start`. `url`: of the bundle; `None`: the one in the folder of updates."""

    url: BundleUrl | None = None


class UpdateSchedule(Part, frozen=True, kw_only=True, rename="camel"):
    """When the appliance updates itself, by its local clock, and from where."""

    url: str
    begin: str
    end: str


class UpdateReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """What runs, and the latest update. `obstacle`: why nothing can be updated here; null: it can.

    `version`, `root`: null where the image does not run; `schedule`: null where the appliance does nothing by itself.
    """

    version: str | None
    root: str | None
    obstacle: str | None
    simulated: bool
    update: UpdateFacts | None
    schedule: UpdateSchedule | None


def update(context: Context, _: Nothing) -> UpdateReply:
    """Which version runs from which root, and what the latest update has come to."""
    updates = context.services.updates
    running, latest, plan = updates.running(), updates.latest(), updates.plan
    return UpdateReply(
        version=running.version if running else None,
        root=running.root if running else None,
        obstacle=updates.obstacle(),
        simulated=context.services.profile.is_simulated,
        update=None if latest is None else update_facts(latest, with_url=True),
        schedule=None
        if plan is None
        else UpdateSchedule(url=plan.url, begin=f"{plan.window.begin:%H:%M}", end=f"{plan.window.end:%H:%M}"),
    )


def start(context: Context, asked: UpdateArgument) -> Done:
    """Begin an update; how far it is, `update:get` and `system:update` tell."""
    context.services.updates.start(asked.url or "", context.caller.grant.subject, context.now)
    return Done()


def restart(context: Context, _: Nothing) -> Done:
    """Start the computer again, with the version that is installed."""
    context.services.updates.restart(context.caller.grant.subject, context.now)
    return Done()


def state(context: Context, _: object) -> object:
    """The latest update, for the audit trail; `None`: there was none."""
    latest = context.services.updates.latest()
    return None if latest is None else {"version": latest.version, "state": latest.state}
