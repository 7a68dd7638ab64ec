"""What is laid on the boot partition takes effect at a start: the program of the image, with folders of the test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from image.manifest import HERE
from tests.image.networkd import network
from tests.image.test_network_files import configuration

PROGRAM = HERE / "root/usr/lib/appliance/first-start"
GOOD = (HERE / "boot/appliance.toml.sample").read_text()
MOST_BYTES = 262144


class Appliance:
    """The folders of a card."""

    def __init__(self, folder: Path) -> None:
        self.boot, self.data, self.configuration = folder / "boot", folder / "data", folder / "etc"
        for one in (self.boot, self.data, self.configuration):
            one.mkdir()

    @property
    def configured(self) -> str | None:
        path = self.configuration / "appliance.toml"
        return path.read_text() if path.exists() else None

    @property
    def environment(self) -> dict[str, str]:
        """Where the program looks."""
        return {
            "APPLIANCE_BOOT": str(self.boot),
            "APPLIANCE_DATA": str(self.data),
            "APPLIANCE_CONFIGURATION": str(self.configuration),
            "APPLIANCE_COMMAND": str(Path(sys.executable).with_name("appliance")),
        }

    def start(self) -> str:
        """Start it once, and return what it says."""
        done = subprocess.run([PROGRAM], env=os.environ | self.environment, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr


@pytest.fixture
def appliance(tmp_path: Path) -> Appliance:
    return Appliance(tmp_path)


def key(folder: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    return (folder / "key.pub").read_text()


def test_with_nothing_laid_there_nothing_is_taken_and_nobody_gets_in(appliance: Appliance) -> None:
    assert appliance.start() == ""
    assert appliance.configured is None
    assert list((appliance.data / "ssh").iterdir()) == []
    assert (appliance.data / "state").stat().st_mode & 0o777 == 0o700


def test_a_configuration_is_taken_once(appliance: Appliance) -> None:
    (appliance.boot / "appliance.toml").write_text(GOOD)
    assert "taken over" in appliance.start()
    assert appliance.configured == GOOD
    (appliance.configuration / "appliance.toml").write_text("changed by a person since")
    assert appliance.start() == ""
    assert appliance.configured == "changed by a person since"
    (appliance.boot / "appliance.toml").write_text(GOOD + "\n")
    assert "taken over" in appliance.start()


def test_a_configuration_with_faults_leaves_the_former_one_and_says_why_on_the_boot_partition(
    appliance: Appliance,
) -> None:
    (appliance.boot / "appliance.toml").write_text(GOOD)
    appliance.start()
    (appliance.boot / "appliance.toml").write_text(GOOD.replace('position = "bridge"', 'position = "brigde"'))
    assert "has faults" in appliance.start()
    assert appliance.configured == GOOD
    assert "brigde" in (appliance.boot / "FAULTS.txt").read_text()
    (appliance.boot / "appliance.toml").write_text(GOOD + "\n")
    appliance.start()
    assert not (appliance.boot / "FAULTS.txt").exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"\xff\xfe[appliance]", b"x" * (MOST_BYTES + 1)])
def test_garbage_is_not_taken(appliance: Appliance, content: bytes) -> None:
    (appliance.boot / "appliance.toml").write_bytes(content)
    (appliance.boot / "authorized_keys").write_bytes(content)
    appliance.start()
    assert appliance.configured is None
    assert not (appliance.data / "ssh/authorized_keys").exists()


def test_a_folder_in_place_of_a_file_is_passed_over(appliance: Appliance) -> None:
    (appliance.boot / "appliance.toml").mkdir()
    (appliance.boot / "authorized_keys").mkdir()
    assert appliance.start() == ""


def test_a_key_opens_ssh_with_a_host_key_of_its_own(appliance: Appliance, tmp_path: Path) -> None:
    (appliance.boot / "authorized_keys").write_text(key(tmp_path))
    appliance.start()
    kept = appliance.data / "ssh"
    assert (kept / "authorized_keys").read_text() == (appliance.boot / "authorized_keys").read_text()
    first = (kept / "ssh_host_ed25519_key").read_text()
    appliance.start()
    assert (kept / "ssh_host_ed25519_key").read_text() == first, "it stays the same computer"


def test_what_cannot_be_written_is_said(appliance: Appliance) -> None:
    appliance.data.rmdir()
    appliance.data.write_text("a file where the data partition should be")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        appliance.start()
    assert "cannot be written" in failed.value.stdout


def test_on_a_full_card_the_former_configuration_stays_and_the_reason_is_said(appliance: Appliance) -> None:
    (appliance.boot / "appliance.toml").write_text(GOOD)
    place = appliance.configuration
    full = f"""
        mount -t tmpfs -o size=16k tmpfs {place}
        echo former >{place}/appliance.toml
        head -c 1M /dev/zero >{place}/other 2>/dev/null || true
        {PROGRAM} 2>&1 && exit 1
        cat {place}/appliance.toml
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", full],
        env=os.environ | appliance.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "No space left" in done.stdout
    assert done.stdout.endswith("former\n")
    assert "taken over" in appliance.start(), "once there is room again"


@pytest.mark.parametrize("position", ["bridge", "gateway"])
def test_a_configuration_is_taken_before_its_network_is_there(
    appliance: Appliance, tmp_path: Path, position: str
) -> None:
    """The network of a position is made afterwards, from this very file."""
    (appliance.boot / "appliance.toml").write_text(configuration(position, "eth1"))
    words = [f"{name}={value}" for name, value in appliance.environment.items()]
    with network("image-first", tmp_path / "work") as computer:
        computer.run("ip", "link", "set", "eth1", "up")
        assert "taken over" in computer.run("env", *words, PROGRAM)
    assert not (appliance.boot / "FAULTS.txt").exists()
