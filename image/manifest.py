"""The manifest of the image, and the lock that pins what Debian's packages it is made of."""

import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PROJECT = HERE.parent
LOCK = HERE / "packages.lock"
# Of what a program has said that failed. mmdebstrap repeats its whole command with 200 packages, after the reason.
MOST_LINES, LONGEST_LINE = 60, 300


class Package(NamedTuple):
    """A Debian package as it is in the image; `how`: installed or unpacked."""

    how: str
    name: str
    version: str
    architecture: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.toml` says. Sizes are in MiB, `epoch` in seconds."""

    epoch: int
    suite: str
    components: tuple[str, ...]
    architecture: str
    installed: tuple[str, ...]
    unpacked: tuple[str, ...]
    disk_id: str
    boot_mib: int
    root_mib: int
    data_mib: int
    kept_modules: tuple[str, ...]
    initramfs_modules: tuple[str, ...]


def read_manifest(path: Path = HERE / "manifest.toml") -> Manifest:
    """Return the manifest. Raises `KeyError` where a key is missing."""
    table = tomllib.loads(path.read_text())
    debian, modules = table["debian"], table["modules"]
    return Manifest(
        epoch=table["epoch"],
        suite=debian["suite"],
        components=tuple(debian["components"]),
        architecture=debian["architecture"],
        installed=tuple(debian["installed"]),
        unpacked=tuple(debian["unpacked"]),
        kept_modules=tuple(modules["kept"]),
        initramfs_modules=tuple(modules["initramfs"]),
        **table["card"],
    )


def read_lock(path: Path = LOCK) -> list[Package]:
    """Return the pinned packages; none where there is no lock yet."""
    if not path.exists():
        return []
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return [Package(*line.split()) for line in lines]


def lock_text(packages: Iterable[Package]) -> str:
    """Return the lock as a text, in an order that makes its changes readable."""
    head = "# Made by image/build --renew: how, package, version, architecture, SHA-256 of the file.\n"
    return head + "".join(f"{' '.join(one)}\n" for one in sorted(packages))


def differences(wanted: Iterable[Package], found: Iterable[Package]) -> list[str]:
    """Return a sentence for each package that is not as the lock has it."""
    want, have = set(wanted), set(found)
    return [
        *(f"the lock has {' '.join(one)}, which is not in the root" for one in sorted(want - have)),
        *(f"the root has {' '.join(one)}, which is not in the lock" for one in sorted(have - want)),
    ]


def run(command: Sequence[str | Path], **more: object) -> str:
    """Run a program of this computer and return what it prints. Raises `SystemExit` with its words if it fails."""
    done = subprocess.run(  # type: ignore[call-overload]
        [str(word) for word in command], capture_output=True, text=True, check=False, **more
    )
    if done.returncode:
        said = "\n".join(line[:LONGEST_LINE] for line in f"{done.stdout}\n{done.stderr}".splitlines()[-MOST_LINES:])
        raise SystemExit(f"{command[0]} failed ({done.returncode}):\n{said}")
    return str(done.stdout)
