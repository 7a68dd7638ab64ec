"""An administrator saves a backup by the page, loses what it has, and restores it there; the network obeys."""

import socket
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.dashboard.window import live
from tests.end_to_end.installed import Installed
from tests.end_to_end.office import SERVER, office
from tests.lab.network import Network

PASSPHRASE = "correct horse battery"
NAME = socket.gethostname()


def save_backup(page: Page, folder: Path) -> Path:
    backup = page.get_by_role("region", name="Backup")
    backup.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
    with page.expect_download() as saving:
        backup.get_by_role("button", name="Make a backup").click()
    saved = folder / saving.value.suggested_filename
    saving.value.save_as(saved)
    return saved


def give(page: Page, file: Path, passphrase: str) -> None:
    backup = page.get_by_role("region", name="Backup")
    backup.get_by_label("File of a backup").set_input_files(file)
    backup.get_by_label("Its passphrase").fill(passphrase)
    backup.get_by_role("button", name="Check it").click()


def test_what_was_saved_by_the_page_is_restored_by_it(gateway: Network, tmp_path: Path, until) -> None:
    pc, configuration = gateway.hosts[0], tmp_path / "appliance.toml"
    with (
        Installed(gateway, tmp_path, server=SERVER) as appliance,
        office(gateway, tmp_path) as windows,
        windows.open("/appliance", appliance.token) as page,
    ):
        live(page)
        appliance.cli("block", pc.ipv4, "--reason", "a worm")
        saved = save_backup(page, tmp_path)
        appliance.cli("unblock", pc.ipv4)
        configuration.write_text(configuration.read_text().replace("Radiology", "Surgery"))
        appliance.cli("reload")
        expect(page.get_by_text("Surgery").first).to_be_visible()
        until(lambda: pc.ping(gateway.uplink.ipv4))
        backup = page.get_by_role("region", name="Backup")
        give(page, saved, "not its passphrase")
        expect(backup.get_by_role("alert")).to_contain_text("Nothing has changed: this is not its passphrase")
        give(page, saved, PASSPHRASE)
        expect(backup).to_contain_text(f"Of {NAME}, made")
        expect(backup.locator(".consequence")).to_contain_text("people and their passwords")
        expect(backup.get_by_role("listitem")).to_contain_text(["Radiology"])
        backup.get_by_label(f"Type {NAME} to go on").fill(NAME)
        backup.get_by_role("button", name="Restore").click()
        assert appliance.program is not None
        appliance.program.wait_for(f"restored, as {NAME} was at")
        expect(page.get_by_text("Radiology").first).to_be_visible()
        live(page)
        until(lambda: not pc.ping(gateway.uplink.ipv4, wait_s=0.3))
        assert "Radiology" in configuration.read_text()
        [former] = appliance.state.glob("before-restore-*")
        assert "Surgery" in (former / "appliance.toml").read_text()
        assert not (appliance.state / "passing").exists()
