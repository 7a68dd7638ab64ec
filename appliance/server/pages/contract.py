"""The contract as an AsyncAPI 3 document, made from the typed events and the table of calls, so that it cannot differ.

Each name on the wire is a channel. The appliance sends events and receives calls; every call has a reply, its
acknowledgement, which is its answer or a refusal.
"""

import inspect
import re
from functools import cache
from typing import Any

import msgspec

from appliance import events
from appliance.core.refusal import Code
from appliance.core.version import VERSION
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
REFUSAL = {
    "title": "Refusal",
    "description": "The acknowledgement of a call that is not carried out.",
    "type": "object",
    "required": ["success", "error", "code"],
    "properties": {
        "success": {"const": False},
        "error": {"type": "string", "description": "a sentence for a person"},
        "code": {"enum": [str(code) for code in Code]},
    },
}


@cache
def text() -> str:
    """The document as JSON; it does not change while the program runs."""
    return dumps(document())


def document() -> Document:
    """The document."""
    kinds = event_classes()
    payloads, components = _schemas(kinds)
    channels: Document = {}
    operations: Document = {}
    messages: Document = {}
    for kind in kinds:
        messages[kind.__name__] = _message(kind.name, payloads[kind], _claim(kind))
        channel = channels.setdefault(_identifier(kind.name), {"address": kind.name, "messages": {}})
        channel["messages"][kind.__name__] = {"$ref": f"#/components/messages/{kind.__name__}"}
        operations[f"send{kind.__name__}"] = _sending(kind)
    for name in CALLS:
        identifier, replies = _identifier(name), CALLS[name].replies
        forms = [*(reply.__name__ for reply in replies), "Refusal"]
        reply = {"anyOf": [{"$ref": SCHEMAS.format(name=form)} for form in forms]}
        messages[identifier] = _message(name, payloads[name], _claim(CALLS[name].handler))
        messages[f"{identifier}Reply"] = _message(f"{name} reply", reply, " ".join(map(_claim, replies)))
        channels[identifier] = {
            "address": name,
            "messages": {one: {"$ref": f"#/components/messages/{one}"} for one in (identifier, f"{identifier}Reply")},
        }
        operations[f"receive{identifier[0].upper()}{identifier[1:]}"] = _receiving(name)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Appliance", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"appliance": SERVER},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": components, "securitySchemes": {"token": TOKEN}},
    }


def _schemas(kinds: list[type[Event]]) -> tuple[dict[Any, Document], Document]:
    """The payloads of events, by class, and of calls, by name; and the objects in these and in the answers."""
    arguments = {name: call.argument for name, call in CALLS.items()}
    replies = dict.fromkeys(reply for call in CALLS.values() for reply in call.replies)
    described: list[Any] = [*kinds, *arguments.values(), *replies]
    schemas, components = msgspec.json.schema_components(described, ref_template=SCHEMAS)
    for kind in arguments.values():
        if isinstance(kind, type):
            components[kind.__name__]["properties"][KEY_NAME] = KEY
    for reply in replies:
        schema = components[reply.__name__]
        schema["properties"] = {"success": {"const": True}, **schema["properties"]}
        schema["required"] = ["success", *schema["required"]]
    for schema in components.values():
        if "description" in schema:
            schema["description"] = _described(schema["description"])
    payloads: dict[Any, Document] = dict(zip([*kinds, *arguments], schemas, strict=False))
    return payloads, {**components, "Refusal": REFUSAL}


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
    call, identifier = CALLS[name], _identifier(name)
    channel = f"#/channels/{identifier}"
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{identifier}"}],
        "reply": {"channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/{identifier}Reply"}]},
        "x-role": str(call.role),
        "x-refused-in-maintenance": call.changes,
    }


def _message(name: str, payload: Document, summary: str) -> Document:
    return {"name": name, "summary": summary, "contentType": "application/json", "payload": payload}


def _claim(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _described(docstring: str) -> str:
    """A description whose keys in backquotes are those on the wire."""
    text = inspect.cleandoc(docstring)
    return re.sub(r"`[a-z_]+`", lambda quoted: re.sub(r"_([a-z])", lambda end: end[1].upper(), quoted[0]), text)


def _identifier(name: str) -> str:
    first, *rest = name.split(":")
    return first + "".join(part.capitalize() for part in rest)
