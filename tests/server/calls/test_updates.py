"""Calls about updates, over the simulator's, whose time passes by order."""

from appliance.server.access import Role
from appliance.simulator.device import FIRST_ROOT, NEXT_ROOT, PROVED_S, WRITTEN_S
from tests.server.conftest import Connect, Running

URL = "https://192.0.2.1/appliance.raucb"


def test_an_administrator_begins_an_update_watches_it_and_restarts_into_it(server: Running, connect: Connect) -> None:
    client, viewer = connect(role=Role.ADMIN), connect(role=Role.VIEWER, departments=["dept123"])
    before = client.call("update:get")
    assert before == {
        "success": True,
        "version": FIRST_ROOT.version,
        "root": "A",
        "obstacle": None,
        "simulated": False,
        "update": None,
        "schedule": None,
    }
    assert "no update waits" in client.call("update:restart")["error"]
    assert client.call("update:start", {"url": URL}) == {"success": True}
    refused = client.call("update:start", {"url": URL})
    assert (refused["code"], "under way already" in refused["error"]) == ("E_CONFLICT", True)
    server.advance(1)
    told = viewer.wait_for("system:update", lambda data: data["update"] is not None)
    assert (told["version"], told["root"]) == (FIRST_ROOT.version, "A")
    assert (told["update"]["state"], told["update"]["percent"], "url" in told["update"]) == ("fetching", 25, False)
    server.advance(WRITTEN_S)
    waiting = client.call("update:get")["update"]
    assert (waiting["state"], waiting["version"], waiting["url"]) == ("installed", NEXT_ROOT.version, URL)
    assert client.call("update:restart") == {"success": True}
    server.advance(PROVED_S)
    after = client.call("update:get")
    assert (after["version"], after["root"], after["update"]["state"]) == (NEXT_ROOT.version, "B", "confirmed")
    viewer.wait_for("system:update", lambda data: data["root"] == "B")
    entries = client.call("audit:get", {"action": "update:start"})["entries"]
    assert [one["what"] for one in entries] == [{"url": URL}]
    assert client.call("audit:get", {"action": "update:confirmed"})["entries"]


def test_a_new_root_that_does_not_prove_itself_is_left_and_the_reason_is_told(
    server: Running, connect: Connect
) -> None:
    client = connect(role=Role.ADMIN)
    client.call("update:start", {"url": f"{URL}?returns"})
    server.advance(WRITTEN_S)
    client.call("update:restart")
    server.advance(0)
    assert client.call("update:get")["update"]["state"] == "trial"
    assert "on trial itself" in client.call("update:start", {"url": URL})["error"]
    # The former root would not start with a key that only the new one knows.
    refused = client.call("config:apply", {"text": client.call("config:read")["text"] or "x"})
    assert (refused["code"], "on trial itself" in refused["error"]) == ("E_CONFLICT", True)
    server.advance(PROVED_S)
    after = client.call("update:get")
    assert (after["root"], after["update"]["state"]) == ("A", "returned")
    assert after["update"]["reason"].startswith("the service did not answer")


def test_a_refused_bundle_leaves_all_as_it_was(server: Running, connect: Connect) -> None:
    client = connect(role=Role.ADMIN)
    client.call("update:start", {"url": f"{URL}?refused"})
    server.advance(WRITTEN_S)
    after = client.call("update:get")
    assert (after["root"], after["update"]["state"]) == ("A", "failed")
    assert "no update waits" in client.call("update:restart")["error"]


def test_only_an_administrator_of_everything_may_know_or_do_anything(connect: Connect) -> None:
    for client in (connect(role=Role.OPERATOR), connect(role=Role.ADMIN, departments=["dept123"])):
        for call in ("update:get", "update:start", "update:restart"):
            assert client.call(call)["code"] == "E_FORBIDDEN"


def test_a_url_that_is_none_or_has_a_password_is_refused(connect: Connect) -> None:
    client = connect(role=Role.ADMIN)
    for url in ("", "ftp://a/b", "/etc/passwd", "http://anna:secret@a/b", "http://a/b\n", f"http://a/{'x' * 2000}", 5):
        refused = client.call("update:start", {"url": url})
        assert (refused["code"], refused["error"][:4]) == ("E_BAD_REQUEST", "url:"), url
