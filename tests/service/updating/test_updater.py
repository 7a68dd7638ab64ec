"""Bundles as they may be found: real ones, made and judged by the real RAUC, from files and from a real HTTP server."""

import os
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from appliance.core.operations.update import RunningRoot, Update, UpdateAction, UpdateOrder, UpdateState
from appliance.service.updating.order_folder import order_folder
from appliance.service.updating.updater import Updater, carry_out_order, record_end, settled
from appliance.system.storage.files import write_whole
from appliance.system.update.image_root import NO_IMAGE, running_root
from appliance.system.update.image_updates import ImageUpdates
from appliance.system.update.rauc import Rauc
from appliance.system.update.update_folder import UpdateFolder
from appliance.system.web.bundle_source import LARGEST_BYTES, BundleSource
from appliance.system.web.web_source import NotFetched, WebSource
from tests.service.updating.bundles import COMPATIBLE, ROOT, VERSIONS, FileCard, Signer, settings

HAS_LOOP = Path("/dev/loop-control").exists() and "squashfs" in Path("/proc/filesystems").read_text()
RUNNING = RunningRoot("A", VERSIONS["running"])


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("bundles"), "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("others"), "another")


@pytest.fixture
def updater(tmp_path: Path, signer: Signer) -> Updater:
    """An updater that may ask servers on loopback, and has RAUC's program but no roots."""
    (tmp_path / "state").mkdir()
    return Updater(
        folder=order_folder(tmp_path / "state"),
        running=RUNNING,
        source=BundleSource(WebSource("bundle", lambda *_: None)),
        rauc=Rauc(settings(tmp_path, signer.certificate)),
        top=tmp_path,
        restart=("touch", str(tmp_path / "restarted")),
    )


@pytest.fixture(scope="module")
def url(signer: Signer) -> Iterator[str]:
    """A web server with all bundles that were made before it is asked."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(signer.key.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def order(url: str = "", *, at: str = "2026-11-30T01:00:00.000Z", is_unattended: bool = False) -> UpdateOrder:
    return UpdateOrder(UpdateAction.INSTALL, "anna", at, url, is_unattended)


def install(updater: Updater, bundle: Path) -> Update:
    updater.folder.lay(bundle)
    made = updater.carry_out(order())
    assert made is not None
    assert made == updater.folder.update()
    assert not updater.folder.bundle.exists()
    return made


def _cut(bundle: Path, made: Path) -> None:
    made.write_bytes(bundle.read_bytes()[: bundle.stat().st_size * 2 // 3])


def _altered(bundle: Path, made: Path) -> None:
    content = bytearray(bundle.read_bytes())
    content[content.rindex(COMPATIBLE.encode())] ^= 1  # in the manifest, at the end, which the signature covers
    made.write_bytes(content)


def _unsigned(bundle: Path, made: Path) -> None:
    content = bundle.read_bytes()
    made.write_bytes(content[: -8 - int.from_bytes(content[-8:], "big")].ljust(4096, b"\0"))


def _nothing(_: Path, made: Path) -> None:
    made.write_bytes(b"")


def _text(_: Path, made: Path) -> None:
    made.write_text("<html>not found</html>")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_cut, "no signed bundle, or not whole"),
        (_unsigned, "no signed bundle, or not whole"),
        (_nothing, "no signed bundle, or not whole"),
        (_text, "no signed bundle, or not whole"),
        (_altered, "altered after it was signed"),
    ],
    ids=["truncated", "unsigned", "empty", "a page", "altered"],
)
def test_a_bundle_that_is_not_whole_or_not_as_it_was_signed_is_refused(
    updater: Updater, signer: Signer, tmp_path: Path, damage: object, reason: str
) -> None:
    assert callable(damage)
    damage(signer.bundle(VERSIONS["newer"]), tmp_path / "found.raucb")
    made = install(updater, tmp_path / "found.raucb")
    assert (made.state, made.percent) == (UpdateState.FAILED, None)
    assert reason in made.reason


def test_a_bundle_that_another_key_has_signed_is_refused(updater: Updater, stranger: Signer) -> None:
    assert "another key has signed it" in install(updater, stranger.bundle(VERSIONS["newer"])).reason


def test_a_bundle_of_the_format_that_can_change_after_its_check_is_refused(updater: Updater, signer: Signer) -> None:
    made = install(updater, signer.bundle(VERSIONS["newer"], form="plain"))
    assert made.state is UpdateState.FAILED


def test_a_bundle_for_other_computers_is_refused(updater: Updater, signer: Signer) -> None:
    made = install(updater, signer.bundle(VERSIONS["newer"], compatible="toaster"))
    assert made.reason == f'it is for "toaster", and this is "{COMPATIBLE}"; take the bundle for this one'


def test_an_older_bundle_is_refused_and_says_which_versions_are_meant(updater: Updater, signer: Signer) -> None:
    made = install(updater, signer.bundle(VERSIONS["older"]))
    assert made.state is UpdateState.FAILED
    assert VERSIONS["older"] in made.reason
    assert VERSIONS["running"] in made.reason


def test_a_bundle_whose_version_has_no_time_is_refused(updater: Updater, signer: Signer) -> None:
    assert "image/bundle" in install(updater, signer.bundle("1.0")).reason


def test_a_bundle_for_which_there_is_no_room_says_how_much_there_is(updater: Updater) -> None:
    with pytest.raises(ValueError, match=r"there is no room for it in .*: it has 1073741824 MiB, and \d+ MiB are free"):
        updater.folder.require_room(1 << 50)
    updater.folder.require_room(1)


def test_a_server_whose_bundle_does_not_fit_or_is_larger_than_any_sends_none_of_it(
    updater: Updater, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/bundle"
        for size in (LARGEST_BYTES + 1, 1 << 60):
            answering = threading.Thread(target=promise, args=(listening, size))
            answering.start()
            made = updater.carry_out(order(url))
            answering.join()
            assert made is not None
            assert "larger than 704 MiB" in made.reason
        thread = threading.Thread(target=promise, args=(listening, LARGEST_BYTES - 1))
        thread.start()
        full = BundleSource(WebSource("bundle", lambda *_: None))
        with pytest.raises(NotFetched, match="there is no room"):
            full.fetch(url, tmp_path / "bundle", require_room=refuse, tell=lambda _: None)
        thread.join()
    assert not (tmp_path / "bundle").exists()


def promise(listening: socket.socket, size: int) -> None:
    """Answer one request with the head of a body of this size, and its first byte."""
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\nx".encode())
        connection.recv(1)  # until the client has gone


def refuse(_: int) -> None:
    raise ValueError("there is no room")


@pytest.fixture
def card(tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileCard]:
    if not HAS_LOOP:
        pytest.skip("this kernel cannot mount a bundle: no loop device or no squashfs")
    folder = tmp_path / "card"
    folder.mkdir()
    one = FileCard(folder, signer.certificate)
    for name, value in one.environment.items():
        monkeypatch.setenv(name, value)
    yield one
    one.close()


def installer(updater: Updater, card: FileCard) -> Updater:
    return Updater(
        folder=updater.folder,
        running=RUNNING,
        source=updater.source,
        rauc=Rauc(card.settings),
        top=updater.top,
        restart=updater.restart,
    )


def test_a_good_bundle_is_written_to_the_root_that_does_not_run_and_is_the_first_with_three_tries(
    updater: Updater, card: FileCard, signer: Signer, tmp_path: Path
) -> None:
    (tmp_path / "sys/class/net/eth7/device").mkdir(parents=True)
    made = install(installer(updater, card), signer.bundle(VERSIONS["newer"], form="plain"))
    assert (made.state, made.reason, made.root, made.ports) == (UpdateState.INSTALLED, "", "B", ("eth7",))
    assert made.version == VERSIONS["newer"]
    assert card.content("B").startswith(ROOT)
    assert card.content("A") == bytes(1 << 20)
    assert card.counters == {"BOOT_ORDER": "B A", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "3"}


def test_after_a_failed_write_the_root_that_runs_stays_the_one_that_starts(
    updater: Updater, card: FileCard, signer: Signer
) -> None:
    card.break_root("B")
    made = install(installer(updater, card), signer.bundle(VERSIONS["newer"], form="plain"))
    assert (made.state, made.reason[:25]) == (UpdateState.FAILED, "RAUC could not write it: ")
    assert card.counters["BOOT_B_LEFT"] == "0"
    assert card.counters["BOOT_ORDER"] == "A"  # RAUC takes it out until it is whole again


def test_a_restart_happens_only_where_an_update_waits_for_it(updater: Updater, tmp_path: Path) -> None:
    restart = UpdateOrder(UpdateAction.RESTART, "anna", "2026-11-30T01:00:00.000Z")
    updater.carry_out(restart)
    assert not (tmp_path / "restarted").exists()
    updater.folder.save(Update(UpdateState.INSTALLED, "anna", "", root="B", boot=boot_of(updater)))
    updater.carry_out(restart)
    assert (tmp_path / "restarted").exists()


def boot_of(updater: Updater) -> str:
    """The boot that a record of now has."""
    updater.carry_out(order())
    update = updater.folder.update()
    assert update is not None
    return update.boot


def test_a_bundle_from_a_server_is_fetched_and_refused_like_a_file(updater: Updater, signer: Signer, url: str) -> None:
    bundle = signer.bundle(VERSIONS["older"])
    told: list[Update] = []
    made = updater.carry_out(order(f"{url}/{bundle.name}"), told.append)
    assert made is not None
    assert "it is older" in made.reason
    assert {one.state for one in told} == {"fetching", "checking", "failed"}


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/none", "the server answers 404"), ("", "no signed bundle")],
)
def test_a_server_without_a_bundle_changes_nothing(updater: Updater, url: str, path: str, reason: str) -> None:
    made = updater.carry_out(order(f"{url}{path}"))
    assert made is not None
    assert made.state is UpdateState.FAILED
    assert reason in made.reason


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/x", "http://localhost:1/x", "http://[::1]/x", "http://169.254.1.1/x", "http://224.0.0.1/x"],
)
def test_no_bundle_is_fetched_from_this_computer_or_a_link(updater: Updater, url: str) -> None:
    strict = Updater(
        folder=updater.folder, running=RUNNING, source=BundleSource(WebSource("bundle")), rauc=updater.rauc
    )
    made = strict.carry_out(order(url))
    assert made is not None
    assert made.state is UpdateState.FAILED
    assert "no bundle is fetched from" in made.reason


def test_by_itself_it_takes_only_what_is_newer_and_asks_a_server_once_for_the_same(
    updater: Updater, signer: Signer, url: str
) -> None:
    bundle = signer.bundle(VERSIONS["same time"])
    os.utime(bundle, (1_700_000_000, 1_700_000_000))  # a date by which servers may tell that it has not changed
    source = f"{url}/{bundle.name}"
    former = Update(UpdateState.CONFIRMED, "anna", "2026-11-29T13:00:00.000Z", version=VERSIONS["running"])
    updater.folder.save(former)
    told: list[Update] = []
    # The record says again what has come of the latest update.
    assert updater.carry_out(order(source, is_unattended=True), told.append) == settled(updater.folder, RUNNING)
    assert {one.state for one in told} == {"fetching", "checking", "confirmed"}
    look = updater.folder.latest_look()
    assert (look.url, look.at) == (source, "2026-11-30T01:00:00.000Z")
    assert look.validator.startswith("If-Modified-Since ")
    told.clear()
    updater.carry_out(order(source, at="2026-12-01T01:00:00.000Z", is_unattended=True), told.append)
    assert {one.state for one in told} == {"fetching", "confirmed"}
    assert updater.folder.latest_look().at == "2026-12-01T01:00:00.000Z"


def test_by_itself_it_does_not_take_a_version_again_that_has_returned(
    updater: Updater, signer: Signer, url: str
) -> None:
    bundle = signer.bundle(VERSIONS["newer"])
    former = Update(UpdateState.RETURNED, "schedule", "", version=VERSIONS["newer"], reason="it hung")
    updater.folder.save(former)
    after = updater.carry_out(order(f"{url}/{bundle.name}", is_unattended=True))
    assert after is not None
    assert (after.state, after.reason) == (UpdateState.RETURNED, "it hung")


def test_while_a_root_is_on_trial_or_waits_for_it_nothing_is_begun(updater: Updater, signer: Signer) -> None:
    updater.carry_out(order())
    now = updater.folder.update()
    assert now is not None
    for state in (UpdateState.TRIAL, UpdateState.INSTALLED):
        waiting = Update(state, "anna", "", root="A", boot=now.boot)
        updater.folder.save(waiting)
        updater.folder.lay(signer.bundle(VERSIONS["newer"]))
        assert updater.carry_out(order()) == waiting


def test_an_updater_that_was_killed_leaves_a_record_that_says_so(updater: Updater) -> None:
    updater.folder.save(Update(UpdateState.INSTALLING, "anna", "", percent=40))
    updater.folder.bundle.write_bytes(b"half of it")
    record_end(updater.folder)
    after = updater.folder.update()
    assert after is not None
    assert (after.state, after.percent) == (UpdateState.FAILED, None)
    assert "ended before it was done" in after.reason
    assert not updater.folder.bundle.exists()
    record_end(updater.folder)
    assert updater.folder.update() == after


def test_the_service_orders_by_a_file_which_the_updater_takes_away(updater: Updater) -> None:
    updates = ImageUpdates(updater.folder, RUNNING, "boot")
    updates.order(order())
    assert updates.is_ordered()
    carry_out_order(updater)
    assert not updates.is_ordered()
    latest = updates.latest()
    assert latest is not None
    assert "there is no bundle in" in latest.reason


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"state": "flying", "actor": "", "at": ""}'])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    folder = UpdateFolder(tmp_path, write_whole)
    folder.path.mkdir()
    for name in ("update.json", "order.json", "looked.json"):
        (folder.path / name).write_bytes(content)
    assert folder.update() is None
    assert folder.take_order() is None
    assert folder.latest_look().at == ""


def test_a_computer_without_the_image_says_how_it_is_updated(tmp_path: Path) -> None:
    assert running_root(tmp_path) is None
    updates = ImageUpdates(UpdateFolder(tmp_path, write_whole), None, "boot")
    assert updates.obstacle() == NO_IMAGE
    assert "deploy/install" in NO_IMAGE
    assert updates.latest() is None


def test_the_root_that_runs_is_the_one_that_u_boot_has_named(tmp_path: Path) -> None:
    for name, text in (("proc/cmdline", "ro rauc.slot=B quiet\n"), ("usr/lib/appliance/build", "20261129T-x\n")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    assert running_root(tmp_path) == RunningRoot("B", "20261129T-x")
