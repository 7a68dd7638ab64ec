"""The command line on a computer that runs from the image, and where no service answers."""

from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.operations.update import Update, UpdateAction, UpdateState
from appliance.service.access.offline_access import TRAIL_FILE
from appliance.service.machines import CannotStart
from appliance.service.updating.order_folder import order_folder
from appliance.service.updating.unserved import UnservedUpdates
from appliance.system.device.clock import boot_id
from appliance.system.storage.audit_store import SqliteAuditStore

VERSION = "20261129T120000Z-00000000000000aa"
WAITS = Update(UpdateState.INSTALLED, "anna", "2026-11-29T13:00:00.000Z", version="v", root="B", boot=boot_id())


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The root folder of a computer that runs from the image."""
    for name, text in (("proc/cmdline", "ro rauc.slot=A\n"), ("usr/lib/appliance/build", f"{VERSION}\n")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_an_order_is_left_for_the_updater_and_in_the_trail(image: Path) -> None:
    updates, folder = UnservedUpdates(image, image), order_folder(image)
    assert updates.is_possible
    assert updates.shown() == {"version": VERSION, "root": "A", "obstacle": None, "update": None}
    updates.start("http://192.0.2.1/x")
    with pytest.raises(CannotStart, match="under way already"):
        updates.start("")
    order = folder.take_order()
    assert order is not None
    assert (order.action, order.url, order.is_unattended) == (UpdateAction.INSTALL, "http://192.0.2.1/x", False)
    with pytest.raises(CannotStart, match="no update waits"):
        updates.restart()
    folder.save(WAITS)
    with pytest.raises(CannotStart, match="waits for a restart; start it first"):
        updates.start("")
    updates.restart()
    with closing(SqliteAuditStore(image / TRAIL_FILE)) as trail:
        found = [(one.entry.who[:4], one.entry.action, one.entry.what) for one in trail.entries(9)]
    assert found == [
        ("cli:", "update:restart", '{"url":""}'),
        ("cli:", "update:start", '{"url":"http://192.0.2.1/x"}'),
    ]


def test_an_order_is_given_where_the_trail_takes_no_entry(image: Path) -> None:
    (image / TRAIL_FILE).mkdir()
    UnservedUpdates(image, image).start("")
    assert order_folder(image).has_order


def test_the_update_is_shown_as_it_is_after_this_start(image: Path) -> None:
    order_folder(image).save(replace(WAITS, boot="an earlier one"))
    shown = UnservedUpdates(image, image).shown()["update"]
    assert (shown["state"], shown["actor"]) == ("returned", "anna")


def test_a_computer_without_the_image_has_nothing_to_update(tmp_path: Path) -> None:
    assert not UnservedUpdates(tmp_path, tmp_path).is_possible
