"""The signs of a computer whose /sys and /proc are files that were made for the test, and of this one."""

import os
from pathlib import Path

import pytest

from appliance.system.device.machine_signs import MachineSignReader


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The root of a computer with an eMMC, under whose partition `tmp_path` lies."""
    device = tmp_path.stat().st_dev
    card = tmp_path / "sys/devices/platform/emmc2bus/mmc_host/mmc0/block/mmcblk0"
    put(card / "mmcblk0p2/partition", "2")
    numbers = tmp_path / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    numbers.parent.mkdir(parents=True)
    numbers.symlink_to(card / "mmcblk0p2")
    put(card / "device/life_time", "0x02 0x09\n")
    put(card / "device/pre_eol_info", "0x01\n")
    put(card / "size", "62333952\n")
    put(
        card / "stat",
        "    5205     1703   390158     9513     5204     5126   1000   22136        0    12345    31650\n",
    )
    put(tmp_path / "proc/sys/net/netfilter/nf_conntrack_count", "812\n")
    put(tmp_path / "proc/sys/net/netfilter/nf_conntrack_max", "65536\n")
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def put_voltage(top: Path, alarm: str) -> None:
    put(top / "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    put(top / "sys/class/hwmon/hwmon3/name", "rpi_volt\n")
    put(top / "sys/class/hwmon/hwmon3/in0_lcrit_alarm", alarm)


def test_the_whole_medium_under_the_state_tells_how_worn_it_is(top: Path) -> None:
    signs = MachineSignReader(top, top).read()
    assert (signs.card_used_percent, signs.card_spare) == (90, 1)
    assert (signs.card_bytes, signs.card_written_bytes) == (62333952 * 512, 1000 * 512)
    assert (signs.connections, signs.most_connections) == (812, 65536)
    assert signs.state_is_read_only is False


@pytest.mark.parametrize(("alarm", "told"), [("1\n", True), ("0\n", False), ("garbage", None)])
def test_the_driver_of_a_raspberry_pi_tells_of_its_supply(top: Path, alarm: str, told: bool | None) -> None:
    put_voltage(top, alarm)
    assert MachineSignReader(top, top).read().undervoltage is told


@pytest.mark.parametrize(
    ("bits", "undervoltage", "throttled"),
    [("0", False, False), ("50005", True, True), ("50000", False, False), ("8", False, True), ("-", None, None)],
)
def test_the_firmware_tells_what_is_so_now_and_what_was_is_past(
    top: Path, bits: str, undervoltage: bool | None, throttled: bool | None
) -> None:
    put(top / "sys/devices/platform/soc/soc:firmware/get_throttled", f"{bits}\n")
    signs = MachineSignReader(top, top).read()
    assert (signs.undervoltage, signs.throttled) == (undervoltage, throttled)


def test_a_drop_that_only_the_driver_has_seen_counts(top: Path) -> None:
    put(top / "sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
    put_voltage(top, "1")
    assert MachineSignReader(top, top).read().undervoltage is True


@pytest.mark.parametrize(
    ("file", "content"), [("life_time", "0x00 0x00\n"), ("life_time", ""), ("pre_eol_info", "0x00")]
)
def test_what_the_maker_of_a_medium_does_not_tell_is_unknown(top: Path, file: str, content: str) -> None:
    next(top.glob(f"sys/devices/**/{file}")).write_text(content)
    signs = MachineSignReader(top, top).read()
    assert None in {signs.card_used_percent, signs.card_spare}


def test_a_computer_that_shows_nothing_is_unknown_in_all_but_clock_and_file_system(tmp_path: Path) -> None:
    signs = MachineSignReader(tmp_path, tmp_path / "none").read()
    assert {signs.undervoltage, signs.throttled, signs.card_bytes, signs.connections, signs.card_used_percent} == {None}
    assert signs.state_is_read_only is False


def test_a_file_system_that_can_only_be_read_is_told() -> None:
    assert MachineSignReader(Path("/sys")).read().state_is_read_only in {True, False}
    assert MachineSignReader(Path("/sys/kernel/mm")).read().card_bytes is None  # of no medium
