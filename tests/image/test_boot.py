"""The image starts in QEMU, by U-Boot, as on a Pi; people outside use it, and a root that cannot start is left."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.client.node import NodeClient
from tests.image.conftest import CONFIGURATION, Note
from tests.image.virtual import PATIENCE_S, Virtual, confirmed, partition

pytestmark = pytest.mark.slow

PERIODIC = ("usage:update", "department:status", "system:health")


@pytest.fixture(scope="module")
def virtual(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Virtual]:
    """A card's first start."""
    work = tmp_path_factory.mktemp("virtual")
    configuration = work / "appliance.toml"
    configuration.write_text(CONFIGURATION)
    with Virtual(built, work) as computer:
        computer.power_on(configuration)
        yield computer


@pytest.fixture(scope="module")
def token(virtual: Virtual) -> str:
    virtual.wait_for(r"Root A; 2 more tries")
    made = json.loads(virtual.run("appliance token --role operator --departments '*' --json"))
    return str(made["token"])


def test_the_image_is_as_small_as_a_card_and_a_line_bear(built: Path, note: Note) -> None:
    compressed = (built / "appliance.img.zst").stat().st_size
    root = f"{built}/appliance.img?offset={partition(2)[0]}"
    usage = subprocess.run(["dumpe2fs", "-h", root], capture_output=True, text=True, check=True)
    blocks, free = (
        int(re.findall(rf"^{name}: +(\d+)", usage.stdout, re.MULTILINE)[0]) for name in ("Block count", "Free blocks")
    )
    note("image, compressed; a root", f"{compressed / 1e6:.0f} MB; {(blocks - free) * 4096 / 1e6:.0f} MB")
    assert compressed < 300e6
    assert (blocks - free) * 4096 < 600e6


def test_a_client_outside_gets_every_periodic_event_and_the_page(virtual: Virtual, token: str) -> None:
    with NodeClient(virtual.url, token) as client:
        client.wait_for("connect", within_s=PATIENCE_S)
        for event in PERIODIC:
            client.wait_for(event, within_s=PATIENCE_S)
        client.call("analytics:subscribe", "dept123")
        client.wait_for("analytics:update", within_s=PATIENCE_S)
    with build_opener(ProxyHandler({})).open(virtual.url, timeout=60) as page:
        assert b"<script" in page.read()


def test_what_is_blocked_is_in_the_kernel(virtual: Virtual) -> None:
    virtual.run("appliance block 203.0.113.9 --duration 1h --reason test")
    elements = json.loads(virtual.run("nft -j list ruleset"))["nftables"]
    assert "203.0.113.9" in json.dumps([one for one in elements if "set" in one or "map" in one])
    assert "trouble:" not in virtual.run("appliance status")


def test_a_root_that_has_proved_itself_gets_its_tries_back(virtual: Virtual) -> None:
    virtual.wait_for(confirmed("A"))
    assert virtual.counters() == {"BOOT_ORDER": "A B", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "0"}


def test_the_data_partition_has_what_the_card_has(virtual: Virtual) -> None:
    assert int(virtual.run("df -m --output=size /data").split()[1]) > 600


def test_four_departments_fit_into_half_a_gigabyte_of_memory(virtual: Virtual, note: Note) -> None:
    """In use: what the system cannot give back without the card or zram."""
    total, available = (
        int(re.findall(rf"^{name}: +(\d+)", virtual.run("cat /proc/meminfo"), re.MULTILINE)[0]) / 1024
        for name in ("MemTotal", "MemAvailable")
    )
    service = int(virtual.run("systemctl show --value -p MemoryCurrent appliance")) / 2**20
    note("memory in use; by the service", f"{total - available:.0f} of {total:.0f} MiB; {service:.0f} MiB")
    assert total - available < 220


def test_what_was_ordered_is_there_after_its_power_was_taken(virtual: Virtual, token: str, note: Note) -> None:
    virtual.power_off()
    began_s = time.monotonic()
    virtual.power_on()
    with NodeClient(virtual.url, token, options={"reconnectionDelayMax": 500}) as client:
        client.wait_for("usage:update", within_s=PATIENCE_S)
        whole_s = time.monotonic() - began_s
    note("power to the first event", f"{whole_s:.0f} s: {'; '.join(parts(virtual, whole_s))}")
    # "start" waits until the service says that it is ready.
    assert "203.0.113.9" in virtual.run("systemctl start appliance && appliance status")
    assert "eth0" in virtual.run("cat /etc/appliance/appliance.toml")


def parts(virtual: Virtual, whole_s: float) -> Iterator[str]:
    """What the seconds from power to the first event went to, by the kernel's clock, which starts with it."""
    names = ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    show = "systemctl show --value -p"
    userspace = int(virtual.run(f"{show} UserspaceTimestampMonotonic")) / 1e6
    started, ready = (int(virtual.run(f"{show} {name} appliance")) / 1e6 for name in names)
    yield f"kernel and initramfs {userspace:.0f} s"
    yield f"systemd until the service's start {started - userspace:.0f} s"
    yield f"the service's own {ready - started:.0f} s ({(ready - started) / whole_s:.0%})"
    yield f"U-Boot before, and the client's connection, {whole_s - ready:.0f} s"


def test_a_root_without_a_system_is_passed_over_at_once(virtual: Virtual) -> None:
    virtual.run("fw_setenv BOOT_ORDER 'B A' && fw_setenv BOOT_B_LEFT 3 && sync")
    virtual.power_off()
    virtual.power_on()
    virtual.wait_for("Root B cannot be started")
    virtual.wait_for(r"Root A; \d more tries")
    assert "rauc.slot=A" in virtual.run("cat /proc/cmdline")
    assert virtual.counters()["BOOT_B_LEFT"] == "2"
