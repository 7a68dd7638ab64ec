"""Calls about analytics: who hears them."""

from typing import Any

from appliance.server.calls.context import Context, require_department


def subscribe(context: Context, department: str) -> dict[str, Any]:
    """Let the caller hear the department's analytics."""
    require_department(context, department)
    context.caller.subscribe(department)
    return {}


def unsubscribe(context: Context, department: str) -> dict[str, Any]:
    """Let the caller hear the department's analytics no more."""
    require_department(context, department)
    context.caller.unsubscribe(department)
    return {}
