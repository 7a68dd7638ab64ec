"""Words for a person at a terminal: local times, and the service's refusals in the shell's language.

The service speaks of calls and keys, because its clients are programs; a person in a shell knows commands and options.
"""

import re
from datetime import datetime

# Each call, as a person in a shell would do the same.
COMMANDS = {
    "ip:block": "appliance block",
    "ip:unblock": "appliance unblock",
    "ip:list": "appliance status",
    "list:get": "appliance lists",
    "quota:get": "appliance quota",
    "history:get": "appliance quota --history",
    "maintenance:extend": "appliance maintenance extend",
    "maintenance:start": "appliance maintenance start",
    "maintenance:stop": "appliance maintenance stop",
    "report:get": "appliance report",
    "schedule:list": "appliance schedule list",
    "schedule:add": "appliance schedule add",
    "schedule:remove": "appliance schedule remove",
    "config:check": "appliance check-config",
    "config:apply": "appliance apply",
    "config:confirm": "appliance confirm",
    "config:reload": "appliance reload",
    "config:revert": "appliance revert",
    "firewall:release": "appliance release",
    "user:add": "appliance user add",
    "user:list": "appliance user list",
    "user:remove": "appliance user remove",
    "user:password": "appliance user password",
    "notification:list": "appliance notify list",
    "notification:test": "appliance notify test",
    "update:get": "appliance update",
    "update:start": "appliance update",
    "panel:press": "appliance panel press",
    "panel:test": "appliance panel test",
    "update:restart": "appliance update --restart",
    "system:reset": "appliance reset",
    "token:list": "appliance token list",
    "token:revoke": "appliance token revoke",
}
# Calls that have no command, because only dashboards make them.
_DASHBOARDS = dict.fromkeys(
    (
        "analytics:subscribe",
        "analytics:unsubscribe",
        "anomaly:list",
        "appliance:get",
        "certificate:get",
        "device:get",
        "device:list",
        "device:name",
        "incident:acknowledge",
        "incident:get",
        "incident:list",
        "incident:mute",
        "incident:unmute",
        "site:list",
        "audit:get",
        "backup:check",
        "backup:create",
        "backup:discard",
        "backup:get",
        "backup:read",
        "backup:restore",
        "backup:upload",
        "config:get",
        "config:read",
        "quota:closed",
        "quota:decline",
        "quota:extend",
        "quota:requests",
        "quota:set",
        "token:renew",
    ),
    "a dashboard",
)
CALLS = COMMANDS | _DASHBOARDS
# Whole words only: `list:get` may be a part of a list's name.
_CALL = re.compile(rf"(?<![\w:.-])(?:{'|'.join(CALLS)})(?![\w:-])")

# The keys that begin a refusal, and what a person has written instead; an address is named by the refusal itself.
_OPTIONS = {
    "address": "",
    "addresses": "",
    "departmentId": "--department: ",
    "duration": "--duration: ",
    "reason": "--reason: ",
    "impact": "--impact: ",
    "window": "--window: ",
    "days": "--days: ",
}
_KEY = re.compile(r"^(?P<key>[a-zA-Z]+)(?:\[\d+\])?: ")
_INSTANT = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")


def in_shell_words(refusal: str) -> str:
    """A refusal of the service with commands, options and local times in place of its calls, keys and UTC."""
    text = _KEY.sub(lambda found: _OPTIONS.get(found["key"], found[0]), refusal)
    text = _CALL.sub(lambda found: CALLS[found[0]], text)
    return _INSTANT.sub(lambda found: time_text(found[0]), text)


def time_text(timestamp: str) -> str:
    """A time of the contract (UTC) in the terminal's time zone, to the second."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
