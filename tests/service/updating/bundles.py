"""Bundles by the real `rauc bundle`, and a card with two roots that are files, for the real `rauc install`."""

import os
import subprocess
from pathlib import Path
from random import Random

from image.filesystems import environment_block, read_environment
from image.manifest import HERE

COMPATIBLE = "appliance-raspberry-pi"
ROOT = Random(1).randbytes(180_000)  # not to be compressed: RAUC makes no bundle of a few kilobytes
VERSIONS = {
    "older": "20261128T235959Z-0000000000000001",
    "running": "20261129T120000Z-0000000000000002",
    "same time": "20261129T120000Z-0000000000000003",
    "newer": "20261130T000000Z-0000000000000004",
}
NAME = "de.pengutronix.rauc"


class Signer:
    """A key that signs bundles, and its certificate."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.crt"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
                *("-days", "36500", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate),
            ],
            check=True,
            capture_output=True,
        )

    def bundle(
        self, version: str, *, compatible: str = COMPATIBLE, form: str = "verity", content: bytes = ROOT
    ) -> Path:
        """A signed bundle."""
        work = self._folder / f"{self.key.stem}-{version}-{compatible}-{form}"
        made = work.with_suffix(".raucb")
        if made.exists():
            return made
        work.mkdir()
        (work / "rootfs.img").write_bytes(content)
        (work / "manifest.raucm").write_text(
            f"[update]\ncompatible={compatible}\nversion={version}\n\n[bundle]\nformat={form}\n\n"
            "[image.rootfs]\nfilename=rootfs.img\n"
        )
        words = ["rauc", f"--cert={self.certificate}", f"--key={self.key}", "bundle", work, made]
        subprocess.run(words, check=True, capture_output=True)
        return made


def settings(folder: Path, certificate: Path) -> Path:
    """The image's own settings, with this certificate."""
    text = (HERE / "root/etc/rauc/system.conf").read_text()
    path = folder / "system.conf"
    path.write_text(text.replace("/etc/rauc/keyring.pem", str(certificate)).replace("/data/", f"{folder}/"))
    return path


class FileCard:
    """Two roots in files, the counters of boots in another, and RAUC's service on a message bus of its own.

    The kernel of these tests has no dm-verity: bundles are of the plain format. All else is as on the card.
    """

    def __init__(self, folder: Path, certificate: Path) -> None:
        self._folder = folder
        for slot in ("A", "B"):
            (folder / slot).write_bytes(bytes(1 << 20))
        self._counters = folder / "ab.env"
        self._counters.write_bytes(environment_block({"BOOT_ORDER": "A B", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "0"}))
        (folder / "fw_env.config").write_text(f"{self._counters} 0x0000 0x200\n")
        programs = folder / "programs"
        programs.mkdir()
        for name in ("fw_setenv", "fw_printenv"):
            (programs / name).write_text(f'#!/bin/sh\nexec /usr/bin/{name} -c {folder}/fw_env.config "$@"\n')
            (programs / name).chmod(0o755)
        self.settings = settings(folder, certificate)
        text = (
            self.settings.read_text().replace("bundle-formats=-plain\n", "").replace("/run/rauc", str(folder / "mnt"))
        )
        for number, slot in ((2, "A"), (3, "B")):
            text = text.replace(f"/dev/disk/by-partuuid/5a0a11ce-0{number}", str(folder / slot))
        self.settings.write_text(text)
        self._bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._bus.stdout is not None
        self.environment = {
            "DBUS_SESSION_BUS_ADDRESS": self._bus.stdout.readline().strip(),
            "DBUS_STARTER_BUS_TYPE": "session",
            "PATH": f"{programs}:{os.environ['PATH']}",
        }
        self._rauc = subprocess.Popen(
            ["rauc", f"--conf={self.settings}", "--override-boot-slot=A", "service"],
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not self._is_served():
            assert self._rauc.poll() is None

    def _is_served(self) -> bool:
        words = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
        words += ["org.freedesktop.DBus.NameHasOwner", f"string:{NAME}"]
        done = subprocess.run(words, env=os.environ | self.environment, capture_output=True, text=True, check=True)
        return "boolean true" in done.stdout

    @property
    def counters(self) -> dict[str, str]:
        return read_environment(self._counters.read_bytes())

    def content(self, slot: str) -> bytes:
        return (self._folder / slot).read_bytes()

    def break_root(self, slot: str) -> None:
        """Let nobody write to this root."""
        (self._folder / slot).unlink()
        (self._folder / slot).mkdir()

    def close(self) -> None:
        for program in (self._rauc, self._bus):
            program.terminate()
            program.wait()
        assert self._bus.stdout is not None
        self._bus.stdout.close()
