"""Calls that subscribe a client to a department's analytics."""

from typing import Any

from appliance.server.calls.context import Context, require_department


def subscribe(context: Context, department: str) -> dict[str, Any]:
    """Send the caller the department's analytics."""
    require_department(context, department)
    context.caller.subscribe(department)
    return {}


def unsubscribe(context: Context, department: str) -> dict[str, Any]:
    """Stop sending the caller the department's analytics."""
    require_department(context, department)
    context.caller.unsubscribe(department)
    return {}
