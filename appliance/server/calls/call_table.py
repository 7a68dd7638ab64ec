"""The table of calls: event name, argument, role and handler.

What is common to all calls (role, argument, read-only mode) is in the table and is checked in one place.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from appliance.core.refusal import Code, Refused
from appliance.core.text import clipped
from appliance.server.access import Role
from appliance.server.calls.access import audit, people
from appliance.server.calls.arguments import DepartmentId, Nothing, parse
from appliance.server.calls.blocking import blocks, lists
from appliance.server.calls.context import Context
from appliance.server.calls.metering import asking, history, quotas, reports
from appliance.server.calls.operations import (
    backups,
    configuration,
    facts,
    forgetting,
    maintenance,
    notices,
    panel_orders,
    schedules,
    updates,
)
from appliance.server.calls.reply import Reply, replies_of
from appliance.server.calls.traffic import analytics, incidents, register, websites

MOST_NAMED = 8  # calls that the refusal of an unknown one names; more would not be read

Handler = Callable[[Context, Any], Reply]
State = Callable[[Context, Any], object]


class Call(Struct, frozen=True):
    """A row of the table. `argument`: an `Argument`, which a client may leave out if it has no required key, or a text.

    `changes`: refused in the read-only mode, in which maintenance itself can still be extended and ended. `state`: what
    the audit trail shows before and after the call; `None`: it changes nothing, or the handler records it itself.
    `everywhere`: needs a token for all departments, because it concerns them all. `revokes`: it may revoke tokens,
    whose clients are disconnected after the answer, so that a client that logs out still gets one. `once`: it changes
    something, and a repetition by the client's own `retries` gets the first answer. An argument with a `preview` that
    is true changes nothing, and leaves no entry in the audit trail.
    """

    argument: Any
    role: Role
    changes: bool
    handler: Handler
    state: State | None = None
    everywhere: bool = False
    revokes: bool = False
    once: bool = False

    @property
    def replies(self) -> tuple[type[Reply], ...]:
        """The forms of its answer: what the handler's annotation names."""
        return replies_of(self.handler)


CALLS = {
    "appliance:get": Call(Nothing, Role.VIEWER, False, facts.appliance),
    "certificate:get": Call(Nothing, Role.VIEWER, False, facts.certificate),
    "analytics:subscribe": Call(DepartmentId, Role.VIEWER, False, analytics.subscribe),
    "analytics:unsubscribe": Call(DepartmentId, Role.VIEWER, False, analytics.unsubscribe),
    "site:list": Call(websites.SitesArgument, Role.VIEWER, False, websites.sites),
    "device:list": Call(register.DevicesArgument, Role.VIEWER, False, register.devices),
    "device:get": Call(register.DeviceArgument, Role.VIEWER, False, register.device),
    "device:name": Call(
        register.DeviceNameArgument, Role.OPERATOR, True, register.name_device, register.state, once=True
    ),
    "ip:block": Call(blocks.BlockArgument, Role.OPERATOR, True, blocks.block, blocks.state, once=True),
    "ip:unblock": Call(blocks.UnblockArgument, Role.OPERATOR, True, blocks.unblock, blocks.state, once=True),
    "ip:list": Call(blocks.ListArgument, Role.VIEWER, False, blocks.list_blocks),
    "list:get": Call(Nothing, Role.OPERATOR, False, lists.listings),
    "schedule:list": Call(Nothing, Role.VIEWER, False, schedules.list_schedules),
    "schedule:add": Call(
        schedules.ScheduleArgument, Role.OPERATOR, True, schedules.add_schedule, schedules.state, once=True
    ),
    "schedule:remove": Call(
        schedules.RemoveScheduleArgument, Role.OPERATOR, True, schedules.remove_schedule, schedules.state, once=True
    ),
    "quota:get": Call(DepartmentId | None, Role.VIEWER, False, quotas.quotas),
    "quota:closed": Call(asking.ClosedArgument, Role.VIEWER, False, asking.closed),
    "quota:requests": Call(asking.RequestsArgument, Role.VIEWER, False, asking.requests),
    "quota:decline": Call(asking.DeclineArgument, Role.OPERATOR, True, asking.decline, asking.state, once=True),
    "quota:set": Call(quotas.LimitArgument, Role.ADMIN, True, quotas.set_limit, quotas.state, once=True),
    "quota:extend": Call(quotas.ExtendArgument, Role.OPERATOR, True, quotas.extend, quotas.state, once=True),
    "history:get": Call(history.HistoryArgument, Role.VIEWER, False, history.history),
    "anomaly:list": Call(analytics.AnomaliesArgument, Role.VIEWER, False, analytics.anomalies),
    "incident:list": Call(incidents.IncidentsArgument, Role.VIEWER, False, incidents.incidents),
    "incident:get": Call(incidents.IncidentArgument, Role.VIEWER, False, incidents.incident),
    "incident:acknowledge": Call(
        incidents.AcknowledgeArgument, Role.OPERATOR, True, incidents.acknowledge, incidents.state, once=True
    ),
    "incident:mute": Call(incidents.MuteArgument, Role.OPERATOR, True, incidents.mute, incidents.muted, once=True),
    "incident:unmute": Call(
        incidents.IncidentArgument, Role.OPERATOR, True, incidents.unmute, incidents.muted, once=True
    ),
    "report:get": Call(reports.ReportArgument, Role.VIEWER, False, reports.report),
    "config:get": Call(Nothing, Role.VIEWER, False, configuration.trial),
    "config:apply": Call(
        configuration.ApplyArgument,
        Role.ADMIN,
        True,
        configuration.apply,
        configuration.state,
        everywhere=True,
        once=True,
    ),
    "config:confirm": Call(
        Nothing, Role.ADMIN, False, configuration.confirm, configuration.state, everywhere=True, once=True
    ),
    "config:read": Call(Nothing, Role.ADMIN, False, configuration.read, everywhere=True),
    "config:check": Call(configuration.CheckArgument, Role.ADMIN, False, configuration.check, everywhere=True),
    "config:reload": Call(
        Nothing, Role.ADMIN, True, configuration.reload, configuration.state, everywhere=True, once=True
    ),
    "config:revert": Call(
        Nothing, Role.ADMIN, False, configuration.revert, configuration.state, everywhere=True, once=True
    ),
    "firewall:release": Call(
        Nothing, Role.ADMIN, False, configuration.release, configuration.state, everywhere=True, once=True
    ),
    "system:reset": Call(forgetting.ResetArgument, Role.ADMIN, False, forgetting.reset, everywhere=True, once=True),
    "backup:get": Call(Nothing, Role.ADMIN, False, backups.progress, everywhere=True),
    "backup:create": Call(backups.NewBackupArgument, Role.ADMIN, True, backups.create, everywhere=True, once=True),
    "backup:read": Call(backups.OffsetArgument, Role.ADMIN, False, backups.read, everywhere=True),
    "backup:upload": Call(backups.PieceArgument, Role.ADMIN, True, backups.upload, everywhere=True),
    "backup:check": Call(backups.CheckBackupArgument, Role.ADMIN, True, backups.check, everywhere=True),
    "backup:restore": Call(backups.RestoreArgument, Role.ADMIN, True, backups.restore, everywhere=True, once=True),
    "backup:discard": Call(Nothing, Role.ADMIN, True, backups.discard, everywhere=True),
    "maintenance:start": Call(
        maintenance.StartArgument,
        Role.ADMIN,
        False,
        maintenance.start,
        maintenance.state,
        everywhere=True,
        once=True,
    ),
    "maintenance:extend": Call(
        maintenance.LongerArgument,
        Role.ADMIN,
        False,
        maintenance.extend,
        maintenance.state,
        everywhere=True,
        once=True,
    ),
    "maintenance:stop": Call(
        maintenance.StopArgument, Role.ADMIN, False, maintenance.stop, maintenance.state, everywhere=True, once=True
    ),
    "notification:list": Call(notices.RecordArgument, Role.ADMIN, False, notices.list_notifications, everywhere=True),
    "notification:test": Call(
        notices.ChannelArgument, Role.ADMIN, False, notices.try_channel, everywhere=True, once=True
    ),
    "panel:press": Call(panel_orders.PressArgument, Role.ADMIN, False, panel_orders.press, everywhere=True, once=True),
    "panel:test": Call(Nothing, Role.ADMIN, False, panel_orders.test, everywhere=True),
    "update:get": Call(Nothing, Role.ADMIN, False, updates.update, everywhere=True),
    "update:start": Call(
        updates.UpdateArgument, Role.ADMIN, False, updates.start, updates.state, everywhere=True, once=True
    ),
    "update:restart": Call(Nothing, Role.ADMIN, False, updates.restart, updates.state, everywhere=True, once=True),
    "token:renew": Call(people.RenewArgument, Role.VIEWER, False, people.renew_token),
    "token:revoke": Call(people.RevokeArgument, Role.VIEWER, False, people.revoke_token, revokes=True, once=True),
    "token:list": Call(Nothing, Role.ADMIN, False, people.list_tokens, everywhere=True),
    "user:password": Call(people.PasswordArgument, Role.VIEWER, False, people.set_password, revokes=True, once=True),
    "user:list": Call(Nothing, Role.ADMIN, False, people.list_people, everywhere=True),
    "user:add": Call(people.AddArgument, Role.ADMIN, False, people.add_person, everywhere=True, once=True),
    "user:remove": Call(
        people.RemoveArgument, Role.ADMIN, False, people.remove_person, everywhere=True, revokes=True, once=True
    ),
    "audit:get": Call(audit.AuditArgument, Role.ADMIN, False, audit.entries, everywhere=True),
}


def carry_out(event: str, arguments: Sequence[object], context: Context) -> dict[str, Any]:
    """Carry out a call and return the keys of the answer beside `success`. Raises `Refused`."""
    grant = context.caller.grant
    call = CALLS.get(event)
    if call is None:
        subject = event.partition(":")[0]
        known = [name for name in CALLS if name.startswith(f"{subject}:")] or list(CALLS)
        raise Refused(
            Code.BAD_REQUEST, f'there is no call "{clipped(event)}"; there are {", ".join(known[:MOST_NAMED])}'
        )
    if not grant.may_act_as(call.role):
        raise Refused(Code.FORBIDDEN, f"{event} takes a token with the role {call.role}; this one has {grant.role}")
    if call.everywhere:
        people.require_administrator(context)
    if len(arguments) > 1:
        raise Refused(Code.BAD_REQUEST, f"{event} takes one argument at most, and was given {len(arguments)}")
    argument = parse(call.argument, arguments[0] if arguments else None)
    if call.changes:
        context.services.maintenance_mode.require_writable()
    if call.state is None or getattr(argument, "preview", False):
        reply = call.handler(context, argument)
    else:
        reply = _recorded(event, call.handler, call.state, argument, context)
    return reply.payload()


def _recorded(event: str, handler: Handler, state: State, argument: Any, context: Context) -> Reply:
    """Call the handler and record the change; the change comes first: a full trail must not keep a block in force."""
    before, what = msgspec.to_builtins(state(context, argument)), msgspec.to_builtins(argument)
    record = partial(context.services.audit.record_change, context.caller.actor, event, context.now, what, before)
    try:
        reply = handler(context, argument)
    except Refused as refused:
        after = msgspec.to_builtins(state(context, argument))
        if after != before:  # the medium failed only after the change was made
            record(after, refused.code)
        raise
    record(msgspec.to_builtins(state(context, argument)))
    return reply
