"""The contract as an AsyncAPI 3 document, made from the typed events and the table of calls, so that it cannot differ.

Each name on the wire is a channel. The appliance sends events and receives calls; every call has a reply, the
acknowledgement.
"""

import inspect
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from appliance import events
from appliance.core.refusal import Code
from appliance.events import Event
from appliance.server.calls.call_table import CALLS
from appliance.server.delivery.repetition import KEY_NAME, KEY_PATTERN
from appliance.server.http.request_filter import TRANSPORT
from appliance.server.strict_json import dumps

Document = dict[str, Any]

SCHEMAS = "#/components/schemas/{name}"
DESCRIPTION = """\
Live events of a department's network, and calls to the appliance, over Socket.IO 4 (Engine.IO 4) in its namespace `/`.
A message is a Socket.IO event whose name is the channel's address. A client logs in with `auth: {token}`, joins the
departments of its token by itself and gets the latest of each state at once. Objects may gain keys; a simulated
appliance adds `simulated: true` to every event.
"""
SERVER = {
    "host": "{host}:{port}",
    "pathname": TRANSPORT,
    "protocol": "ws",
    "protocolVersion": "Socket.IO 4",
    "variables": {"host": {"default": "localhost"}, "port": {"default": "5001"}},
    "security": [{"$ref": "#/components/securitySchemes/token"}],
}
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "In the handshake's auth object: {token: '...'}",
}
KEY = {
    "type": "string",
    "pattern": KEY_PATTERN,
    "description": "names this call: one that is sent again with the same key is carried out once",
}
ACKNOWLEDGEMENT = {
    "title": "Acknowledgement",
    "oneOf": [
        {"type": "object", "required": ["success"], "properties": {"success": {"const": True}}},
        {
            "type": "object",
            "required": ["success", "error", "code"],
            "properties": {
                "success": {"const": False},
                "error": {"type": "string", "description": "a sentence for a person"},
                "code": {"enum": [str(code) for code in Code]},
            },
        },
    ],
}


@cache
def text() -> str:
    """The document as JSON; it does not change while the program runs."""
    return dumps(document())


def document() -> Document:
    """The document."""
    kinds = event_classes()
    arguments = {name: call.argument for name, call in CALLS.items()}
    schemas, components = msgspec.json.schema_components([*kinds, *arguments.values()], ref_template=SCHEMAS)
    for kind in arguments.values():
        if isinstance(kind, type):
            components[kind.__name__]["properties"][KEY_NAME] = KEY
    payloads = dict(zip([*kinds, *arguments], schemas, strict=True))
    channels: Document = {}
    operations: Document = {}
    messages: Document = {"Acknowledgement": _message("Acknowledgement", ACKNOWLEDGEMENT, "How a call went.")}
    for kind in kinds:
        messages[kind.__name__] = _message(kind.name, payloads[kind], _claim(kind))
        channel = channels.setdefault(_identifier(kind.name), {"address": kind.name, "messages": {}})
        channel["messages"][kind.__name__] = {"$ref": f"#/components/messages/{kind.__name__}"}
        operations[f"send{kind.__name__}"] = _sending(kind)
    for name in CALLS:
        identifier = _identifier(name)
        messages[identifier] = _message(name, payloads[name], _claim(CALLS[name].handler))
        channels[identifier] = {
            "address": name,
            "messages": {one: {"$ref": f"#/components/messages/{one}"} for one in (identifier, "Acknowledgement")},
        }
        operations[f"receive{identifier[0].upper()}{identifier[1:]}"] = _receiving(name)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Appliance", "version": version("appliance"), "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"appliance": SERVER},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": components, "securitySchemes": {"token": TOKEN}},
    }


def event_classes() -> list[type[Event]]:
    """Every event that the appliance sends."""
    known = [kind for kind in vars(events).values() if inspect.isclass(kind) and issubclass(kind, Event)]
    return [kind for kind in known if hasattr(kind, "name")]


def _sending(kind: type[Event]) -> Document:
    channel = f"#/channels/{_identifier(kind.name)}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "summary": _claim(kind),
        "messages": [{"$ref": f"{channel}/messages/{kind.__name__}"}],
        "x-audience": kind.audience.value,
        "x-in-snapshot": kind.is_state,
    }


def _receiving(name: str) -> Document:
    call, channel = CALLS[name], f"#/channels/{_identifier(name)}"
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_identifier(name)}"}],
        "reply": {"channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/Acknowledgement"}]},
        "x-role": str(call.role),
        "x-refused-in-maintenance": call.changes,
    }


def _message(name: str, payload: Document, summary: str) -> Document:
    return {"name": name, "summary": summary, "contentType": "application/json", "payload": payload}


def _claim(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _identifier(name: str) -> str:
    first, *rest = name.split(":")
    return first + "".join(part.capitalize() for part in rest)
