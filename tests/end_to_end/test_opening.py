"""A maintenance that opens the enforcement, of the installed service, with packets that pass and are held."""

import json
import time
from pathlib import Path

import pytest

from tests.end_to_end.installed import DEPARTMENT, Installed, IpBytes
from tests.lab.network import WEB_V4, Network

ANSWERED, REFUSED = 0, 7  # exit codes of curl
OPENS = '[maintenance]\nenforcement = "opens"\n'
USED_UP = '[departments.quota]\ndaily = "0 B"\non_exceeded = "block"\n'
PATIENCE_S = 60
TEXT = "blocks and quotas are not enforced meanwhile"


def wait_for(appliance: Network, address: str, *, passes: bool) -> None:
    """Until packets pass, or do not."""
    deadline = time.monotonic() + PATIENCE_S
    while appliance.hosts[0].ping(address, wait_s=0.5) is not passes:
        assert time.monotonic() < deadline, f"it never came true that packets pass: {passes}"
        time.sleep(0.1)


def test_blocks_and_quotas_hold_before_and_after_and_meanwhile_all_passes_and_is_in_the_books(
    gateway: Network, tmp_path: Path
) -> None:
    gateway.start_web()
    gateway.start_iperf3()
    line = IpBytes(gateway)
    appliance = Installed(gateway, tmp_path, USED_UP, OPENS)
    with appliance, appliance.client() as client:
        assert client.call("ip:block", {"address": WEB_V4[0]})["success"]
        assert client.call("appliance:get")["inMaintenance"] == "opens"
        client.wait_for("usage:update", count=2)
        wait_for(gateway, WEB_V4[0], passes=False)
        announced = client.call("maintenance:start", {"startTime": "2027-01-01T02:00:00Z"})["maintenance"]
        assert (announced["enforcement"], TEXT in announced["impact"]) == ("opens", True)
        shown = appliance.cli("maintenance", "status")
        assert TEXT in shown
        begun = client.call("maintenance:start", {"duration": 3600})["maintenance"]
        assert TEXT in begun["impact"]
        wait_for(gateway, WEB_V4[0], passes=True)
        carried, charged = line.in_step_with(client)
        gateway.hosts[0].run(["timeout", "60", "iperf3", "-c", WEB_V4[0], "-n", "20M"])
        after, charged_after = line.in_step_with(client)
        assert charged_after - charged == after - carried, "each byte is in the books"
        status = client.wait_for("department:status", lambda one: any("not enforced" in why for why in reasons(one)))
        assert status["status"]["blocks"] == {"wanted": 1, "enforced": 0}
        client.wait_for("system:health", lambda one: "maintenance" in [it["id"] for it in issues(one)])
        assert client.call("ip:block", {"address": WEB_V4[1]})["code"] == "E_MAINTENANCE"
        assert client.call("maintenance:stop")["success"]
        wait_for(gateway, WEB_V4[0], passes=False)
        quotas = client.call("quota:get", DEPARTMENT)["quotas"]
        assert next(one for one in quotas if one["type"] == "daily")["used"] >= charged_after
        assert gateway.hosts[0].fetch(WEB_V4[0]).returncode == REFUSED


def reasons(event: dict) -> list[str]:  # type: ignore[type-arg]
    found: list[str] = event["status"].get("reasons", [])
    return found


def issues(event: dict) -> list[dict]:  # type: ignore[type-arg]
    found: list[dict] = event["status"].get("issues", [])  # type: ignore[type-arg]
    return found


def test_a_service_that_does_not_come_back_leaves_nothing_open_and_one_that_does_opens_again(
    gateway: Network, tmp_path: Path
) -> None:
    appliance = Installed(gateway, tmp_path, "", OPENS)
    appliance.start()
    with appliance.client() as client:
        assert client.call("ip:block", {"address": WEB_V4[0]})["success"]
        assert client.call("maintenance:start", {"duration": 3600})["success"]
        wait_for(gateway, WEB_V4[0], passes=True)
    appliance.kill()
    wait_for(gateway, WEB_V4[0], passes=False)  # by the kernel alone
    with appliance, appliance.client() as client:
        wait_for(gateway, WEB_V4[0], passes=True)
        assert json.loads(appliance.cli("maintenance", "stop", "--json"))["maintenance"]["type"] == "completed"
        wait_for(gateway, WEB_V4[0], passes=False)
        client.wait_for("system:maintenance", lambda one: "enforced again" in one["maintenance"]["impact"])


@pytest.mark.slow  # a minute is the shortest maintenance
def test_it_closes_at_its_end_by_itself(gateway: Network, tmp_path: Path) -> None:
    with Installed(gateway, tmp_path, "", OPENS) as appliance, appliance.client() as client:
        assert client.call("ip:block", {"address": WEB_V4[0]})["success"]
        assert client.call("maintenance:start", {"duration": 60})["success"]
        wait_for(gateway, WEB_V4[0], passes=True)
        client.wait_for("system:maintenance", lambda one: one["maintenance"]["type"] == "completed", within_s=120)
        wait_for(gateway, WEB_V4[0], passes=False)
