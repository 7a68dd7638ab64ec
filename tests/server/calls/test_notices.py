"""Notifications on the wire, where no channel is configured; `tests/end_to_end` has some."""

import pytest

from appliance.server.access import Role
from tests.server.conftest import Connect


def test_without_channels_there_is_nothing_to_show(connect: Connect) -> None:
    answer = connect(role=Role.ADMIN).call("notification:list")
    assert answer == {"success": True, "channels": [], "notices": []}


def test_an_unknown_channel_cannot_be_tried(connect: Connect) -> None:
    answer = connect(role=Role.ADMIN).call("notification:test", {"channel": "it"})
    assert (answer["code"], answer["error"]) == ("E_BAD_REQUEST", 'channel: there is no channel "it"')


@pytest.mark.parametrize(("role", "departments"), [(Role.OPERATOR, "*"), (Role.ADMIN, ["dept123"])])
@pytest.mark.parametrize(("call", "argument"), [("notification:list", None), ("notification:test", {"channel": "it"})])
def test_receivers_are_shown_to_administrators_of_all_only(
    connect: Connect, role: Role, departments: object, call: str, argument: object
) -> None:
    assert connect(role=role, departments=departments).call(call, argument)["code"] == "E_FORBIDDEN"
