"""What the computer can have: on a stick a package of each version and wheels; and an index of these in its network."""

import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.end_to_end.computer import PROJECT, copy_project

STARTING, BEGINNING = "appliance/service/starting.py", "    drafts = "
Changes = Mapping[str, tuple[str, str]]  # file -> (former text, latter text)


def _later(version: str, instead: str = BEGINNING) -> Changes:
    return {"appliance/core/version.py": ("0.1.0", version), STARTING: (BEGINNING, f"{instead}")}


FIRST = "0.1.0"
# Packages of versions that come after the first.
LATER: Mapping[str, Changes] = {
    "0.2.0": _later("0.2.0"),
    "0.3.0": _later("0.3.0"),
    "broken": _later("0.4.0", f'    raise SystemExit("cannot")\n{BEGINNING}'),
    "stuck": _later("0.5.0", f'    __import__("time").sleep(3600)\n{BEGINNING}'),
}
PYTHON = "3.11"  # Debian 12's


def fill_stick(content: Path, work: Path) -> None:
    """Fill this folder: a package of each version, by deploy/package, and `wheels/`."""
    project = work / "project"
    project.mkdir()
    copy_project(project)
    subprocess.run([project / "deploy/package"], check=True, stdout=subprocess.DEVNULL)
    [package] = (project / "dist").glob("*.tar.gz")
    for name, changes in {FIRST: {}, **LATER}.items():
        _vary(package, content / f"{name}.tar.gz", changes)
    _download(content / "wheels")


def lay_index(wheels: Path, folder: Path) -> None:
    """Lay out wheels as an index has them for pip (the simple repository API)."""
    for wheel in wheels.glob("*.whl"):
        name = re.sub("[-_.]+", "-", wheel.name.partition("-")[0]).lower()
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / wheel.name).symlink_to(wheel)


def _vary(package: Path, target: Path, changes: Changes) -> None:
    left = dict(changes)
    with tarfile.open(package) as source, tarfile.open(target, "w:gz") as varied:
        for member in source.getmembers():
            file = source.extractfile(member)  # none of what is no file
            content = file.read() if file else b""
            if change := left.pop(member.name.partition("/")[2], None):
                former, latter = (text.encode() for text in change)
                assert former in content
                content = content.replace(former, latter, 1)
            member.size = len(content)
            varied.addfile(member, io.BytesIO(content))
    assert not left


def _download(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), f"--python-version={PYTHON}"]
    pip.append("--only-binary=:all:")
    lock = ["--require-hashes", "--requirement", str(PROJECT / "deploy/requirements.lock")]
    subprocess.run([*pip, *lock], check=True)
    # By what pip builds the programs' own package (pyproject.toml; hatchling asks for editables).
    subprocess.run([*pip, "hatchling>=1.27,<2", "editables"], check=True)
