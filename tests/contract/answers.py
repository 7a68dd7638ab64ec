"""Compares the answers that clients receive with the schemas that the appliance publishes for them."""

from functools import cache
from typing import Any

import jsonschema

from appliance.server.pages.contract import SCHEMAS, document

REPLY = " reply"  # after the call, in the name of the message


def answer_violations(call: str, answer: Any) -> list[str]:
    """What in the answer to a call breaks its schema, a sentence each. Of an unknown call only a refusal is valid."""
    validators = _validators()
    found = validators.get(call, validators[""]).iter_errors(answer)
    return [f"{call}: {one.json_path}: {one.message[:500]}" for one in found]


@cache
def _validators() -> dict[str, jsonschema.Draft202012Validator]:
    """By call; "": of a refusal."""
    components = document()["components"]
    replies = {
        message["name"].removesuffix(REPLY): message["payload"]
        for message in components["messages"].values()
        if message["name"].endswith(REPLY)
    }
    schemas = {**replies, "": {"$ref": SCHEMAS.format(name="Refusal")}}
    return {
        call: jsonschema.Draft202012Validator({**schema, "components": components}) for call, schema in schemas.items()
    }
