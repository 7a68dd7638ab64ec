"""A backup by the page: made and fetched in pieces, given in pieces, judged, and ordered to be restored."""

import json
import socket
import sqlite3
from base64 import b64decode, b64encode
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from appliance.core.state_files import RESTORE_MARKER
from appliance.server.access import Role
from tests.client.node import NodeClient
from tests.server.conftest import Connect, Running

PATIENCE_S, LOOK_S = 60.0, 0.5  # the looks within that are fewer calls than a client may make at once
PASSPHRASE = {"passphrase": "correct horse battery"}
NAME = {"name": socket.gethostname()}
CALLS: dict[str, Any] = {
    "backup:get": {},
    "backup:create": PASSPHRASE,
    "backup:read": {"offset": 0},
    "backup:upload": {"offset": 0, "data": ""},
    "backup:check": PASSPHRASE,
    "backup:restore": NAME,
    "backup:discard": {},
}
CHANGING = CALLS.keys() - {"backup:get", "backup:read"}
CONFIG = """
[appliance]
position = "host"
[[departments]]
id = "dept9"
name = "Radiology"
interface = "eth9"
"""


def ended(admin: NodeClient) -> dict[str, Any]:
    """How the backup has ended that is being made or judged."""
    deadline_s = monotonic() + PATIENCE_S
    while (found := admin.call("backup:get"))["stage"] in {"making", "judging"}:
        assert monotonic() < deadline_s, found
        sleep(LOOK_S)
    return found  # type: ignore[no-any-return]


def test_a_backup_is_for_administrators_of_all(connect: Connect) -> None:
    for client in (connect(role=Role.OPERATOR), connect(departments=["dept123"])):
        assert {client.call(name, asked)["code"] for name, asked in CALLS.items()} == {"E_FORBIDDEN"}


@pytest.fixture
def books(server: Running) -> Path:
    """The state directory, with books and a configuration that a backup takes; the harness has its own under others."""
    with closing(sqlite3.connect(server.state_dir / "appliance.sqlite3")) as connection:
        connection.execute("CREATE TABLE _sqlite_migrations (name TEXT)")
        connection.commit()
    (server.state_dir / "appliance.toml").write_text(CONFIG)
    return server.state_dir


def give(admin: NodeClient, content: bytes) -> None:
    half = len(content) // 2
    for offset, piece in ((0, content[:half]), (half, content[half:])):
        asked = {"offset": offset, "data": b64encode(piece).decode()}
        assert admin.call("backup:upload", asked) == {"success": True, "bytes": offset + len(piece)}


def test_a_backup_is_made_fetched_given_judged_and_ordered(books: Path, connect: Connect) -> None:
    admin = connect()
    assert admin.call("backup:read", {"offset": 0})["code"] == "E_CONFLICT"
    assert admin.call("backup:create", PASSPHRASE) == {"success": True}
    made = ended(admin)
    assert made["stage"] == "made", made
    whole = b""
    while piece := b64decode(admin.call("backup:read", {"offset": len(whole)})["data"]):
        whole += piece
    assert (len(whole), whole[:18]) == (made["bytes"], b'{"format": "applia')
    give(admin, whole)
    assert admin.call("backup:check", PASSPHRASE) == {"success": True}
    judged = ended(admin)
    assert judged["fault"] is None, judged
    assert (judged["stage"], judged["backup"]["host"]) == ("judged", socket.gethostname())
    assert any("Radiology" in one for one in judged["backup"]["changes"]), judged
    assert "nothing is restored" in admin.call("backup:restore", {"name": "another"})["error"]
    assert not (books / RESTORE_MARKER).exists()
    assert admin.call("backup:restore", NAME) == {"success": True}
    order = json.loads((books / RESTORE_MARKER).read_bytes())
    assert (order["config"], "appliance.sqlite3" in order["files"]) == (str(books / "appliance.toml"), True)
    actions = [one["action"] for one in admin.call("audit:get", {"contains": "backup:"})["entries"]]
    assert actions == ["backup:restore", "backup:create"]


def test_what_cannot_be_restored_is_told_and_leaves_nothing(books: Path, connect: Connect) -> None:
    admin = connect()
    assert "missing" in admin.call("backup:create", {})["error"]
    assert "12 to 256" in admin.call("backup:create", {"passphrase": "short"})["error"]
    assert "no backup was given" in admin.call("backup:check", PASSPHRASE)["error"]
    assert "Base64" in admin.call("backup:upload", {"offset": 0, "data": "no!"})["error"]
    give(admin, b"PK and what else a wrong file has")
    assert "33 bytes are there" in admin.call("backup:upload", {"offset": 3, "data": "AAAA"})["error"]
    assert admin.call("backup:check", PASSPHRASE) == {"success": True}
    failed = ended(admin)
    assert (failed["stage"], failed["fault"]) == ("failed", "this is no backup of an appliance")
    assert admin.call("backup:restore", NAME)["code"] == "E_CONFLICT"
    assert {one.name for one in books.iterdir()} & {"passing", "restored", RESTORE_MARKER} == set()


def test_no_backup_is_made_or_restored_in_maintenance(books: Path, connect: Connect) -> None:
    admin = connect()
    assert admin.call("maintenance:start", {"duration": 60})["success"]
    refused = {name: admin.call(name, asked)["code"] for name, asked in CALLS.items() if name in CHANGING}
    assert refused == dict.fromkeys(CHANGING, "E_MAINTENANCE")
    assert not (books / "passing").exists()
