"""Calls that subscribe a client to a department's analytics."""

from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Done


def subscribe(context: Context, department: str) -> Done:
    """Send the caller the department's analytics."""
    require_department(context, department)
    context.caller.subscribe(department)
    return Done()


def unsubscribe(context: Context, department: str) -> Done:
    """Stop sending the caller the department's analytics."""
    require_department(context, department)
    context.caller.unsubscribe(department)
    return Done()
