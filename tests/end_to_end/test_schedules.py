"""Schedules of the installed service: packets are refused in the window, whatever happens to it, and then pass."""

import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.end_to_end.installed import DEPARTMENT, Installed
from tests.lab.network import WEB_V4, Network

ANSWERED, REFUSED = 0, 7  # exit codes of curl
BERLIN = ZoneInfo("Europe/Berlin")  # of the appliance


def window(before: timedelta, after: timedelta) -> tuple[str, datetime]:
    """A window around now, in whole minutes of the local clock, and its end."""
    now = datetime.now(BERLIN)
    end = (now + after).replace(second=0, microsecond=0)
    return f"{now - before:%H:%M}-{end:%H:%M}", end


def test_a_window_holds_through_a_kill_and_ends_with_its_schedule(gateway: Network, tmp_path: Path) -> None:
    gateway.start_web()
    host = gateway.hosts[0]
    text, _ = window(timedelta(hours=2), timedelta(hours=2))
    with Installed(gateway, tmp_path) as appliance:
        added = json.loads(appliance.cli("schedule", "add", "block", host.ipv4, "--window", text, "--json"))
        assert host.fetch(WEB_V4[0]).returncode == REFUSED
        appliance.kill()
        assert host.fetch(WEB_V4[0]).returncode == REFUSED
        appliance.start()
        assert host.fetch(WEB_V4[0]).returncode == REFUSED
        assert "in force until" in appliance.cli("schedule", "list")
        with appliance.client() as client:
            allowed = {"effect": "allow", "address": host.ipv4, "duration": 600}
            pause = client.call("schedule:add", allowed)["schedule"]["id"]
            assert host.fetch(WEB_V4[0]).returncode == ANSWERED
            assert client.call("schedule:remove", {"id": pause})["success"]
            assert host.fetch(WEB_V4[0]).returncode == REFUSED
        appliance.cli("schedule", "remove", added["id"])
        assert host.fetch(WEB_V4[0]).returncode == ANSWERED


def test_a_quota_that_is_used_up_lets_pass_while_it_pauses(gateway: Network, tmp_path: Path) -> None:
    gateway.start_web()
    host, used_up = gateway.hosts[0], '[departments.quota]\ndaily = "0 B"\non_exceeded = "block"\n'
    with Installed(gateway, tmp_path, used_up) as appliance, appliance.client() as client:
        client.wait_for("usage:update", count=2)
        assert not host.ping(WEB_V4[0], wait_s=0.5)
        asked = {"effect": "unlimited", "departmentId": DEPARTMENT, "duration": 600}
        pause = client.call("schedule:add", asked)["schedule"]["id"]
        assert host.ping(WEB_V4[0])
        client.wait_for("usage:update", lambda data: data["metrics"].get("limitsPaused"))
        assert client.call("schedule:remove", {"id": pause})["success"]
        assert not host.ping(WEB_V4[0], wait_s=0.5)


@pytest.mark.slow  # up to two minutes: windows are in whole minutes
def test_the_kernel_ends_a_window_in_time_while_the_service_is_dead(gateway: Network, tmp_path: Path) -> None:
    gateway.start_web()
    host = gateway.hosts[0]
    with Installed(gateway, tmp_path) as appliance:
        text, end = window(timedelta(hours=1), timedelta(seconds=110))  # at least 50 s are left of it
        appliance.cli("schedule", "add", "block", host.ipv4, "--window", text)
        appliance.kill()
        assert host.fetch(WEB_V4[0]).returncode == REFUSED
        while host.fetch(WEB_V4[0]).returncode == REFUSED:
            assert datetime.now(BERLIN) < end + timedelta(minutes=1), "it did not end"
            time.sleep(0.2)
        assert datetime.now(BERLIN) >= end - timedelta(seconds=1)
        appliance.start()
        assert host.fetch(WEB_V4[0]).returncode == ANSWERED
