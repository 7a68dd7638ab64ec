"""The contract as a document: complete, well-formed, and true for what the server sends."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest

from appliance import events
from appliance.server.calls.call_table import CALLS
from appliance.server.pages import contract
from tests.contract.answers import answer_violations
from tests.contract.schema import examples

DOCUMENT = json.loads(contract.text())
NAMES = {
    kind.name
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, events.Event) and hasattr(kind, "name")
}


def resolve(reference: str) -> Any:
    found = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(whole)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def messages_of(address: str) -> list[dict[str, Any]]:
    [channel] = [one for one in DOCUMENT["channels"].values() if one["address"] == address]
    return [resolve(one["$ref"]) for one in channel["messages"].values()]


def test_the_document_is_asyncapi_3() -> None:
    assert re.fullmatch(r"3\.\d+\.\d+", DOCUMENT["asyncapi"])
    assert DOCUMENT["info"].keys() >= {"title", "version"}
    for server in DOCUMENT["servers"].values():
        assert server.keys() >= {"host", "protocol"}
        assert set(re.findall(r"\{(\w+)\}", server["host"])) == server["variables"].keys()
    for channel in DOCUMENT["channels"].values():
        assert channel.keys() == {"address", "messages"}
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in {"send", "receive"}
        # An operation names messages of its channel, not the components (AsyncAPI 3.0, Operation Object).
        prefix = operation["channel"]["$ref"] + "/messages/"
        assert all(one["$ref"].startswith(prefix) for one in operation["messages"])


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 50
    for one in found:
        assert isinstance(resolve(one), dict), one


def test_the_document_has_every_event_and_every_call_and_nothing_else() -> None:
    addresses = [channel["address"] for channel in DOCUMENT["channels"].values()]
    assert sorted(addresses) == sorted({*NAMES, *CALLS})
    by_action: dict[str, set[str]] = {"send": set(), "receive": set()}
    for operation in DOCUMENT["operations"].values():
        by_action[operation["action"]].add(resolve(operation["channel"]["$ref"])["address"])
    assert by_action == {"send": NAMES, "receive": set(CALLS)}


def test_every_message_and_schema_says_what_it_is() -> None:
    for message in DOCUMENT["components"]["messages"].values():
        assert message["summary"].endswith("."), message
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", examples())
def test_the_examples_of_the_users_document_are_valid(name: str) -> None:
    valid = [validator(one["payload"]).is_valid(examples()[name]) for one in messages_of(name)]
    assert any(valid)


@pytest.mark.parametrize("name", examples())
def test_an_event_that_lacks_a_key_is_not_valid(name: str) -> None:
    for key in examples()[name]:
        payload = {other: value for other, value in examples()[name].items() if other != key}
        assert not any(validator(one["payload"]).is_valid(payload) for one in messages_of(name)), key


def test_a_call_is_valid_as_the_server_takes_it() -> None:
    [block] = [one for one in messages_of("ip:block") if one["name"] == "ip:block"]
    assert validator(block["payload"]).is_valid({"address": "192.168.1.100", "duration": 60})
    assert not validator(block["payload"]).is_valid({"address": 5})
    [subscribe] = [one for one in messages_of("analytics:subscribe") if one["name"] == "analytics:subscribe"]
    assert validator(subscribe["payload"]).is_valid("dept123")
    assert not validator(subscribe["payload"]).is_valid("")


def test_an_answer_is_valid_as_the_server_gives_it_and_not_without_one_of_its_keys() -> None:
    answer = {"success": True, "blocks": [], "total": 0, "origins": {}, "next": None}
    assert answer_violations("ip:list", answer) == []
    for key in answer:
        assert answer_violations("ip:list", {other: value for other, value in answer.items() if other != key}), key
    assert answer_violations("ip:list", {**answer, "total": "0"})
    assert answer_violations("ip:list", {**answer, "blocks": [{}]})


def test_a_refusal_is_valid_as_the_server_gives_it() -> None:
    assert answer_violations("ip:list", {"success": False, "error": "no", "code": "E_FORBIDDEN"}) == []
    assert answer_violations("ip:list", {"success": False, "error": "no", "code": "E_NEW"})
    assert answer_violations("ip:list", {"success": False, "code": "E_FORBIDDEN"})
    assert answer_violations("no:such", {"success": True})


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_a_reply_of_its_own_with_a_schema_for_each_form(name: str) -> None:
    [operation] = [
        one
        for one in DOCUMENT["operations"].values()
        if one["action"] == "receive" and resolve(one["channel"]["$ref"])["address"] == name
    ]
    [reply] = [resolve(resolve(one["$ref"])["$ref"]) for one in operation["reply"]["messages"]]
    *forms, refusal = [resolve(one["$ref"]) for one in reply["payload"]["anyOf"]]
    assert [form["title"] for form in forms] == [kind.__name__ for kind in CALLS[name].replies]
    assert all(form["properties"]["success"] == {"const": True} for form in forms)
    assert "Reply" not in {form["title"] for form in forms}  # the base says nothing
    assert refusal["properties"]["success"] == {"const": False}


def test_the_served_text_is_the_document() -> None:
    assert msgspec.json.decode(contract.text()) == contract.document()
