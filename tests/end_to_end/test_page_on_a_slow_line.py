"""The page on a slow line: 400 ms there and back, one frame in a hundred lost; and a line that is cut for a while."""

from pathlib import Path

from playwright.sync_api import expect

from tests.dashboard.window import go_to, live, settle
from tests.end_to_end.installed import Installed
from tests.end_to_end.office import PORT, SERVER, office
from tests.lab.network import Network
from tests.lab.slow_line import ADDRESSES, INTERFACE, slow_line

URL = f"http://{ADDRESSES[0]}:{PORT}"
NARROW_BITS_S = 40_000  # the kernel's send buffer takes a part of a long answer; the rest waits for the line
SHORT_DEADLINE = "[limits]\nrequest_deadline = 1\n"


def test_the_page_loads_whole_goes_live_and_comes_back_after_a_cut(gateway: Network, tmp_path: Path) -> None:
    far = slow_line(gateway)
    with (
        Installed(gateway, tmp_path, server=SERVER) as appliance,
        office(gateway, tmp_path, far, URL) as windows,
        windows.open("/", appliance.token) as page,
    ):
        live(page)
        expect(page.get_by_role("img").first).to_be_visible()
        go_to(page, "Incidents")
        expect(page.get_by_role("heading", name="No incident, ever")).to_be_visible()
        gateway.appliance.run(["ip", "link", "set", INTERFACE, "down"])
        pill = page.locator(".pill").first
        expect(pill).to_contain_text("Stale since")
        gateway.appliance.run(["ip", "link", "set", INTERFACE, "up"])
        live(page)
        settle(page)


def test_a_download_may_take_longer_than_the_request(gateway: Network, tmp_path: Path) -> None:
    far = slow_line(gateway, loss=0, bits_s=NARROW_BITS_S)
    with Installed(gateway, tmp_path, extra=SHORT_DEADLINE, server=SERVER):
        done = far.run(["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", f"{URL}/asyncapi.json"])
        assert done.returncode == 0
