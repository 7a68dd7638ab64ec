"""Vendors from udev's hardware database, read by systemd's library."""

from pathlib import Path

import pytest

from appliance.system.device.hardware_database import HardwareDatabase

FILES = (Path("/etc/udev/hwdb.bin"), Path("/usr/lib/udev/hwdb.bin"))
RASPBERRY, MADE_UP = "b8:27:eb:00:00:01", "02:53:49:4d:00:01"


@pytest.mark.skipif(not any(one.exists() for one in FILES), reason="there is no hardware database without udev")
def test_the_vendor_of_a_hardware_address_is_found() -> None:
    database = HardwareDatabase()
    assert "Raspberry Pi" in (database.vendor(RASPBERRY) or "")
    assert database.vendor(MADE_UP) is None


def test_what_is_no_hardware_address_has_no_vendor() -> None:
    assert HardwareDatabase().vendor("") is None
