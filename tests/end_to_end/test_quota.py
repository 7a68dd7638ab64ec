"""A blocking quota: the kernel enforces it to the packet, with or without the service; cut-off users get a page."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.client.browser import CHROMIUM
from tests.end_to_end.installed import DEPARTMENT, Installed, IpBytes
from tests.end_to_end.office import office
from tests.lab.network import WEB_V4, WEB_V6, Network

LIMIT = 20_000_000
BLOCKING = f"""subnets = ["10.20.0.0/24", "fd20::/64"]
[departments.quota]
daily = "{LIMIT} B"
on_exceeded = "block"
[notice]
contact = "Ms Example, extension 42"
"""
# What may be left when the next packet does not fit: a packet in the kernel may be a burst of segments (GSO), and
# until the next step the kernel counts the Ethernet headers of packets to the department too.
LEFT = 65_536 + LIMIT // 100
LARGEST_PACKET = 65_536  # as the kernel hands it on: a burst of segments (GSO)


def used(answer: dict[str, object]) -> int:
    quotas = answer["quotas"]
    assert isinstance(quotas, list)
    return int(next(one["used"] for one in quotas if one["type"] == "daily"))


def download(lab: Network) -> None:
    """One bulk transfer of more than the quota allows; it ends by itself when nothing passes any more."""
    lab.uplink.stop_all()  # the server would wait for ever for the cut-off client
    lab.start_iperf3()
    lab.hosts[0].run(["timeout", "3", "iperf3", "-c", WEB_V4[0], "-n", "60M", "-R"], check=False)


def test_the_kernel_stops_a_department_at_its_limit_and_lets_it_go_on_when_extended(
    inline: Network, tmp_path: Path
) -> None:
    pc = inline.hosts[0]
    with Installed(inline, tmp_path, BLOCKING) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=2)
        download(inline)
        client.wait_for("error", lambda data: data["code"] == "E_QUOTA_EXCEEDED")
        assert LIMIT - LEFT <= used(client.call("quota:get", DEPARTMENT)) <= LIMIT
        assert not pc.ping(WEB_V4[0], wait_s=0.5)
        assert not pc.ping(WEB_V6[0], wait_s=0.5)
        more = {"departmentId": DEPARTMENT, "type": "daily", "bytes": 5_000_000, "reason": "exam week"}
        assert client.call("quota:extend", more)["success"] is True
        assert pc.ping(WEB_V4[0])
        download(inline)
        client.wait_for("error", lambda data: data["code"] == "E_QUOTA_EXCEEDED", count=2)
        assert LIMIT + 5_000_000 - LEFT <= used(client.call("quota:get", DEPARTMENT)) <= LIMIT + 5_000_000
        free = {"departmentId": DEPARTMENT, "type": "daily", "limit": None}
        assert client.call("quota:set", free)["success"] is True
        assert pc.ping(WEB_V4[0])


def test_with_the_service_killed_the_kernel_stops_the_department_and_the_books_say_what_passed(
    gateway: Network, tmp_path: Path
) -> None:
    gateway.start_iperf3()
    line = IpBytes(gateway)
    before = line.at_rest()
    appliance = Installed(gateway, tmp_path, BLOCKING)
    appliance.start()
    with appliance.client() as client:
        client.wait_for("usage:update", count=3)
    appliance.kill()
    download(gateway)
    assert not gateway.hosts[0].ping(WEB_V4[0], wait_s=0.5)
    appliance.start()
    with appliance.client() as client:
        client.wait_for("usage:update")
        answer = client.call("quota:get", DEPARTMENT)
        assert LIMIT - LEFT <= used(answer) <= LIMIT
        assert used(answer) <= line.at_rest() - before
    appliance.stop()


def test_who_is_cut_off_is_refused_at_once_and_led_to_a_page_that_says_why(inline: Network, tmp_path: Path) -> None:
    inline.start_web()
    pc = inline.hosts[0]
    with Installed(inline, tmp_path, BLOCKING) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=2)
        assert "Directory listing" in pc.fetch(WEB_V4[0]).stdout
        download(inline)
        inline.start_web()
        client.wait_for("error", lambda data: data["code"] == "E_QUOTA_EXCEEDED")
        for server in (WEB_V4[0], WEB_V6[0]):
            page = pc.fetch(server).stdout
            assert "Radiology" in page
            assert "The quota for today is used up" in page
            assert "Ms Example, extension 42" in page
            assert "Directory listing" not in page
        inline.start_dns()
        assert pc.resolve("www.example.com", inline.uplink.ipv4) == WEB_V4[0], "a page is asked for by its name"
        refused = pc.fetch(WEB_V4[0], port=443)
        assert refused.returncode == 7, "refused, which curl tells from a timeout (28)"


def test_who_is_cut_off_asks_for_more_through_the_page_and_is_connected_again_when_it_is_granted(
    inline: Network, tmp_path: Path
) -> None:
    inline.start_web()
    pc = inline.hosts[0]
    form = ["--data-urlencode", "name=T. Br\u00e4ndt", "--data-urlencode", "text=Payroll <b>run</b>\u202e"]

    def ask() -> tuple[str, int]:
        done = pc.run(["curl", "-sS", "-m", "5", "-w", "%{http_code}", *form, f"http://{WEB_V4[0]}/ask"])
        return done.stdout[:-3], int(done.stdout[-3:])

    with Installed(inline, tmp_path, BLOCKING) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=2)
        assert ask()[1] in {404, 501}, "the web server's own answer: who is not cut off reaches it"
        assert client.call("quota:requests")["requests"] == []
        download(inline)
        inline.start_web()
        client.wait_for("error", lambda data: data["code"] == "E_QUOTA_EXCEEDED")
        page, status = ask()
        assert (status, "The IT team has your request" in page) == (200, True)
        request = client.wait_for("quota:request")["request"]
        assert (request["name"], request["text"]) == ("T. Br\u00e4ndt", "Payroll <b>run</b>(U+202E)")
        assert (request["address"], request["state"]) == (pc.ipv4, "open")
        assert "Payroll &lt;b&gt;run&lt;/b&gt;(U+202E)" in page
        declined = client.call("quota:decline", {"id": request["id"], "reason": "the quota is for all"})
        assert declined["request"]["state"] == "declined"
        assert "the quota is for all" in pc.fetch(WEB_V4[0]).stdout
        one = f'curl -s -m 5 -o /dev/null -w "%{{http_code}}\\n" -d "name=eva&text=again {{}}" http://{WEB_V4[0]}/ask'
        flood = pc.run(["sh", "-c", f"seq 60 | xargs -P 6 -I{{}} {one}"], check=False).stdout.split()
        assert (flood.count("200"), flood.count("429")) == (2, 58), "three an hour, whatever else is asked"
        more = {"departmentId": DEPARTMENT, "type": "daily", "bytes": 5_000_000, "reason": "payroll"}
        assert client.call("quota:extend", more)["success"] is True
        client.wait_for("quota:request", lambda data: data["request"]["state"] == "granted")
        assert "Directory listing" in pc.fetch(WEB_V4[0]).stdout
        states = [one["state"] for one in client.call("quota:requests")["requests"]]
        assert states == ["granted", "granted", "declined"]


@pytest.mark.parametrize("site", [WEB_V4[0], f"[{WEB_V6[0]}]"])
def test_a_form_that_is_sent_after_the_grant_goes_to_the_appliance_and_not_to_the_site(
    gateway: Network, tmp_path: Path, site: str
) -> None:
    pc = gateway.hosts[0]
    with (
        Installed(gateway, tmp_path, BLOCKING) as appliance,
        appliance.client() as client,
        office(gateway, tmp_path, pc, f"http://{site}") as windows,
    ):
        client.wait_for("usage:update", count=2)
        download(gateway)
        gateway.start_web()
        client.wait_for("error", lambda data: data["code"] == "E_QUOTA_EXCEEDED")
        with windows.open("/") as page:
            page.get_by_label("Your name").fill("T. Br\u00e4ndt")
            page.get_by_label("What you need it for").fill("Payroll run")
            page.get_by_role("button", name="Ask").click()
            expect(page.get_by_role("heading", name="The IT team has your request")).to_be_visible()
            assert page.url.startswith((f"http://{gateway.appliance.ipv4}/", f"http://[{gateway.appliance.ipv6}]/"))
            refresh = page.locator("meta[http-equiv=refresh]").get_attribute("content")
            assert refresh == f"30; url=http://{site}/", "it comes back to the site by itself"
            assert len(client.call("quota:requests")["requests"]) == 1
        with windows.open("/") as page:
            assert client.call("quota:decline", {"id": client.call("quota:requests")["requests"][0]["id"]})["success"]
            page.reload()
            page.get_by_label("Your name").fill("T. Br\u00e4ndt")
            page.get_by_label("What you need it for").fill("Payroll run")
            more = {"departmentId": DEPARTMENT, "type": "daily", "bytes": 50_000_000, "reason": "payroll"}
            assert client.call("quota:extend", more)["success"] is True
            page.get_by_role("button", name="Ask").click()
            expect(page.get_by_role("heading", name="Not cut off")).to_be_visible()
            page.get_by_role("link", name=site).click()
            expect(page.get_by_role("heading", name="Directory listing")).to_be_visible()
            assert [one["state"] for one in client.call("quota:requests")["requests"]] == ["declined"]


def test_a_browser_shows_why(gateway: Network, tmp_path: Path) -> None:
    nothing = 'subnets = ["10.20.0.0/24"]\n[departments.quota]\ndaily = "0 B"\non_exceeded = "block"\n'
    with Installed(gateway, tmp_path, nothing) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=2)
        picture = tmp_path / "notice.png"
        browser = [CHROMIUM, "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
        shown = gateway.hosts[0].run(
            [*browser, "--window-size=800,600", f"--screenshot={picture}", "--dump-dom", f"http://{WEB_V4[0]}/"]
        )
        assert "<h1>The quota for today is used up</h1>" in shown.stdout
        assert "Ask for more" in shown.stdout
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_host_has_a_quota_of_its_own_and_its_neighbour_goes_on(inline: Network, tmp_path: Path) -> None:
    inline.start_web()
    quota = '[departments.quota]\non_exceeded = "block"\n[departments.quota.hosts]\ndaily = "1 MB"\n'
    pc, neighbour = inline.hosts[:2]
    with Installed(inline, tmp_path, f'subnets = ["10.20.0.0/24", "fd20::/64"]\n{quota}') as appliance:
        with appliance.client() as client:
            client.wait_for("usage:update", count=2)
            pc.run(["ping", "-q", "-f", "-w", "5", "-c", "600", "-s", "1400", WEB_V4[0]], check=False)
            # The headers of packets to it stop it early; the next look gives it the rest.
            pc.run(["ping", "-q", "-i", "0.5", "-c", "30", "-W", "1", "-s", "1400", WEB_V4[0]], check=False)
            client.wait_for("quota:host", lambda data: data["mac"] == pc.mac() and data["type"] == "exceeded")
            page = pc.fetch(WEB_V4[0]).stdout
            assert f"Radiology \N{MIDDLE DOT} this computer is {pc.ipv4}" in page
            assert "This computer has used its" in page
            assert "Directory listing" in neighbour.fetch(WEB_V4[0]).stdout
            [host] = [one for one in client.call("quota:get", DEPARTMENT)["hosts"] if one["mac"] == pc.mac()]
            assert pc.ipv4 in host["addresses"]
            assert 1_000_000 - LARGEST_PACKET < host["quotas"][0]["used"] <= 1_000_000, "the rest is closed"
            more = {"departmentId": DEPARTMENT, "type": "daily", "bytes": 10**6, "reason": "exam", "host": pc.ipv4}
            assert client.call("quota:extend", more)["success"] is True
            assert pc.ping(WEB_V4[0], count=3)
        assert f"- {pc.ipv4}" in appliance.cli("quota")


def test_a_throttled_department_is_slow_and_not_stopped(gateway: Network, tmp_path: Path) -> None:
    throttling = '[departments.quota]\ndaily = "1 MB"\non_exceeded = "throttle"\nthrottle_rate = "8 Mbit"\n'
    gateway.start_iperf3()
    pc = gateway.hosts[0]
    with Installed(gateway, tmp_path, throttling) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=2)
        pc.run(["iperf3", "-c", WEB_V4[0], "-n", "2M"])
        client.wait_for("error", lambda data: data["code"] == "E_QUOTA_EXCEEDED")
        before = used(client.call("quota:get", DEPARTMENT))
        pc.run(["timeout", "5", "iperf3", "-c", WEB_V4[0], "-t", "4"], check=False)
        time.sleep(1)
        passed = used(client.call("quota:get", DEPARTMENT)) - before
        assert 500_000 < passed < 8_000_000, "4 s at 1 MB/s, where the line carries hundreds"
        assert pc.ping(WEB_V4[0])
