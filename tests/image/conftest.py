"""What the tests of the image share that start it: the built image, a card that has started once, and the tables.

APPLIANCE_IMAGE names a folder where image/build has made the image; without it, it is built.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from image.manifest import HERE
from tests.image.virtual import Virtual, confirmed, copy

BUILD_S = 3600  # its bound is 20 minutes on a computer that does nothing else
CONFIGURATION = """
[appliance]
position = "host"
""" + "".join(
    f"""
[[departments]]
id = "{name}"
interface = "eth0"
subnets = ["{subnet}"]
"""
    for name, subnet in (
        ("dept123", "10.0.2.0/24"),  # where QEMU has its own network
        ("dept2", "10.1.2.0/24"),
        ("dept3", "10.1.3.0/24"),
        ("dept4", "10.1.4.0/24"),
    )
)
ROWS: list[tuple[str, str]] = []

Note = Callable[[str, str], None]  # (what was tried, what was seen)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the built image."""
    if given := os.environ.get("APPLIANCE_IMAGE"):
        return Path(given)
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([HERE / "build", folder], check=True, timeout=BUILD_S)
    return folder


@pytest.fixture(scope="session")
def settled(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card whose first start is done and confirmed, with a configuration. It is kept beside its image."""
    card = built / "settled.img"
    if card.exists() and card.stat().st_mtime > (built / "appliance.img").stat().st_mtime:
        return card
    work = tmp_path_factory.mktemp("settled")
    configuration = work / "appliance.toml"
    configuration.write_text(CONFIGURATION)
    with Virtual(built, work) as computer:
        computer.power_on(configuration)
        computer.wait_for(confirmed("A"))
        computer.run("systemctl poweroff", check=False)
        computer.wait_for_end()
    made = built / "settled.img.new"
    copy(computer.card, made)
    return made.rename(card)


@pytest.fixture(scope="session")
def note() -> Note:
    """Puts a row into the table that is printed after the tests."""
    return lambda tried, seen: ROWS.append((tried, seen))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if ROWS:
        terminalreporter.section("the image in QEMU")
        width = max(len(tried) for tried, _ in ROWS)
        for tried, seen in ROWS:
            terminalreporter.write_line(f"{tried:{width}}  {seen}")
