"""The panel from afar: a press of its button, and a test of its LEDs."""

from appliance.server.access import Role
from tests.server.conftest import Connect


def test_a_press_from_afar_does_what_a_finger_does_and_is_recorded_with_its_person(connect: Connect) -> None:
    admin, viewer = connect(), connect(role=Role.VIEWER)
    assert admin.call("panel:press", {"kind": "held"}) == {"success": True, "done": True}
    assert viewer.wait_for("system:maintenance")["maintenance"]["actor"] == "tester"
    assert admin.call("panel:press", {"kind": "held"})["done"] is True
    viewer.wait_for("system:maintenance", lambda data: data["maintenance"]["type"] == "completed")
    assert admin.call("panel:press") == {"success": True, "done": False}  # nothing waits for a short one here
    who = [(one["who"], one["action"]) for one in admin.call("audit:get", {"contains": "maintenance"})["entries"]]
    assert who == [("tester", "maintenance:stop"), ("tester", "maintenance:start")]


def test_the_panel_is_for_administrators_of_all(connect: Connect) -> None:
    for client in (connect(role=Role.OPERATOR), connect(departments=["dept123"])):
        for event in ("panel:press", "panel:test"):
            assert client.call(event)["code"] == "E_FORBIDDEN"
    assert connect().call("panel:press", {"kind": "long"})["error"] == "kind: must be short or held"


def test_a_test_of_the_leds_says_how_long_it_takes(connect: Connect) -> None:
    assert connect().call("panel:test") == {"success": True, "duration": 16.0}
