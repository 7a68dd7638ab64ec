"""The image starts in QEMU, by U-Boot, as on a Pi; people outside use it, and a root that cannot start is left.

It takes a quarter of an hour, and the build a third of that. APPLIANCE_IMAGE names a folder where image/build has made
one.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.filesystems import MIB, partition_starts
from image.manifest import HERE, read_manifest
from tests.client.node import NodeClient
from tests.image.virtual import Virtual

pytestmark = pytest.mark.slow

PERIODIC = ("usage:update", "department:status", "system:health", "analytics:update")
CONFIGURATION = """
[appliance]
position = "host"

[[departments]]
id = "dept123"
interface = "{interface}"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if given := os.environ.get("APPLIANCE_IMAGE"):
        return Path(given)
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([HERE / "build", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def virtual(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Virtual]:
    work = tmp_path_factory.mktemp("virtual")
    computer = Virtual(built, work)
    configuration = work / "appliance.toml"
    configuration.write_text(CONFIGURATION.format(interface="eth0"))
    computer.power_on(configuration)
    try:
        yield computer
    finally:
        computer.power_off()


def test_the_image_is_as_small_as_a_card_and_a_line_bear(built: Path) -> None:
    assert (built / "appliance.img.zst").stat().st_size < 300e6
    root = f"{built}/appliance.img?offset={partition_starts((read_manifest().boot_mib, 0))[1] * MIB}"
    usage = subprocess.run(["dumpe2fs", "-h", root], capture_output=True, text=True, check=True)
    blocks, free = (
        int(re.findall(rf"^{name}: +(\d+)", usage.stdout, re.MULTILINE)[0]) for name in ("Block count", "Free blocks")
    )
    assert (blocks - free) * 4096 < 600e6


def test_a_client_outside_gets_every_periodic_event(virtual: Virtual) -> None:
    virtual.wait_for(r"Root A; 2 more tries")
    token = json.loads(virtual.run("appliance token --role viewer --departments '*' --json"))["token"]
    with NodeClient(virtual.url, token) as client:
        client.call("analytics:subscribe", "dept123")
        for event in PERIODIC:
            client.wait_for(event)


def test_what_is_blocked_is_in_the_kernel(virtual: Virtual) -> None:
    virtual.run("appliance block 203.0.113.9 --duration 1h --reason test")
    elements = json.loads(virtual.run("nft -j list ruleset"))["nftables"]
    assert "203.0.113.9" in json.dumps([one for one in elements if "set" in one or "map" in one])
    assert "trouble:" not in virtual.run("appliance status")


def test_a_root_that_has_proved_itself_gets_its_tries_back(virtual: Virtual) -> None:
    virtual.wait_for("Root A is confirmed")
    assert virtual.counters() == {"BOOT_ORDER": "A B", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "0"}


def test_what_was_ordered_is_there_after_its_power_was_taken(virtual: Virtual) -> None:
    virtual.power_off()
    virtual.power_on()
    # "start" waits until the service says that it is ready.
    assert "203.0.113.9" in virtual.run("systemctl start appliance && appliance status")
    assert "eth0" in virtual.run("cat /etc/appliance/appliance.toml")


def test_a_root_without_a_system_is_passed_over_at_once(virtual: Virtual) -> None:
    virtual.run("fw_setenv BOOT_ORDER 'B A' && fw_setenv BOOT_B_LEFT 3 && sync")
    virtual.power_off()
    virtual.power_on()
    virtual.wait_for("Root B cannot be started")
    virtual.wait_for(r"Root A; \d more tries")
    assert "rauc.slot=A" in virtual.run("cat /proc/cmdline")
    assert virtual.counters()["BOOT_B_LEFT"] == "2"
