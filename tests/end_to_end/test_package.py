"""The build of the dashboard and the packages that carry it, with the real npm and the real pip."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.end_to_end.computer import CURRENT, HOME, PROJECT, Computer, computer, copy_project
from tests.lab.network import Network

PAGE = "appliance/dashboard"
DIST = f"{PAGE}/dist"
BUILT = f"{DIST}/.made-from"
INSTALL = str(PROJECT / "deploy/install")
NOTING_NODE = '#!/bin/sh\necho "$*" >>"${0%/*}/called"\nexit 1\n'


def load_builder() -> ModuleType:
    """The program of the build, which is no module of a package."""
    spec = spec_from_file_location("build_page", PROJECT / "deploy/build_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


builder = load_builder()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with its built page."""
    folder = tmp_path_factory.mktemp("copy")
    copy_project(folder)
    return folder


@pytest.fixture
def source(copy: Path) -> Iterator[Path]:
    """A file that the page is built from; it comes back."""
    path = copy / PAGE / "index.html"
    kept = path.read_bytes()
    yield path
    path.write_bytes(kept)


def build(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(project / "deploy/build_page.py")]
    return subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False
    )


def test_the_page_of_this_checkout_is_built_from_its_sources() -> None:
    assert builder.is_current(PROJECT)
    assert not list((PROJECT / DIST).rglob("*.map"))


@pytest.mark.slow
def test_a_build_is_made_where_the_sources_differ_and_only_there(tmp_path: Path) -> None:
    copy_project(tmp_path)
    shutil.rmtree(tmp_path / DIST)
    done = build(tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert builder.is_current(tmp_path)
    [script] = (tmp_path / DIST / "assets").glob("index-*.js")
    for suffix in (".br", ".gz"):
        assert script.with_name(script.name + suffix).stat().st_size < script.stat().st_size / 2
    assert (tmp_path / DIST / "index.html").read_text().count(f"/assets/{script.name}") == 1
    when = script.stat().st_mtime_ns
    assert build(tmp_path).stderr == ""
    assert script.stat().st_mtime_ns == when

    (tmp_path / PAGE / "src/main.tsx").write_text("const wrong: number = 'a text';\n")
    done = build(tmp_path)
    assert done.returncode == 1
    assert "main.tsx" in done.stderr  # the compiler's own words
    assert "`npm run build` failed in" in done.stderr
    assert "deploy/package" in done.stderr
    assert not builder.is_current(tmp_path)


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("index.html", True),
        ("package-lock.json", True),
        ("src/live/another.ts", True),
        ("dist/index.html", False),
        ("node_modules/some/file.js", False),
        ("src/.editor", False),
    ],
)
def test_the_digest_covers_what_the_page_is_built_from(copy: Path, path: str, matters: bool) -> None:
    before, file = builder.digest(copy), copy / PAGE / path
    kept = file.read_bytes() if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"other")
    assert (builder.digest(copy) != before) is matters
    if kept is None:
        file.unlink()
    else:
        file.write_bytes(kept)
    assert builder.digest(copy) == before


def test_a_built_page_needs_no_node_and_no_index(copy: Path, tmp_path: Path) -> None:
    assert build(copy, PATH=str(tmp_path)).stderr == ""


@pytest.mark.slow
def test_without_node_and_index_it_is_said_what_to_do(copy: Path, source: Path, tmp_path: Path) -> None:
    source.write_text("another page")
    nowhere = {"PATH": str(tmp_path), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    done = build(copy, **nowhere)
    assert done.returncode == 1
    assert "install Node, or run deploy/package on another computer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_raspberry_pi_does_not_build_and_takes_what_is_built(copy: Path, source: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"Raspberry Pi Zero 2 W Rev 1.0\0")
    builder.build(copy, model=model)
    source.write_text("another page")
    with pytest.raises(builder.NotBuilt, match="sudo deploy/install PACKAGE here"):
        builder.build(copy, model=model)


@pytest.fixture(scope="module")
def packages(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the packages, which are made without Node: the page is built already."""
    programs = tmp_path_factory.mktemp("programs")
    for name in ("node", "npm"):
        (programs / name).write_text(NOTING_NODE)
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    words = [str(copy / "deploy/package")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (programs / "called").exists()
    assert "sudo appliance-0.1.0/deploy/install" in done.stdout
    return copy / "dist"


def built_files(folder: Path) -> set[str]:
    return {one.relative_to(folder).as_posix() for one in (folder / DIST).rglob("*") if one.is_file()}


def test_a_wheel_has_the_built_page_and_nothing_that_it_is_built_from(
    copy: Path, packages: Path, tmp_path: Path
) -> None:
    [wheel] = packages.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {one for one in archive.namelist() if one.startswith(PAGE)}
        assert names == built_files(copy)
        assert archive.read(BUILT) == (copy / BUILT).read_bytes()
        archive.extractall(tmp_path)
    served = "from appliance.server import services; from appliance.server.pages.dashboard import dashboard_pages\n"
    served += "print(services.BUILT_PAGE, '/kiosk' in dashboard_pages(services.BUILT_PAGE))"
    words, environment = (
        [sys.executable, "-P", "-W", "ignore", "-c", served],
        {**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    told = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    assert told == f"{tmp_path / DIST} True\n"


def test_a_source_package_has_all_that_an_installation_needs(copy: Path, packages: Path) -> None:
    [package] = packages.glob("*.tar.gz")
    with tarfile.open(package) as archive:
        modes = {one.name.partition("/")[2]: one.mode for one in archive.getmembers()}
    assert built_files(copy) <= modes.keys()
    assert {f"{PAGE}/package-lock.json", "deploy/requirements.lock", "README.md", ".commit"} <= modes.keys()
    assert not any("node_modules" in one or one.startswith("tests/") for one in modes)
    assert all(modes[f"deploy/{one}"] & 0o111 for one in ("install", "run", "package", "uninstall", "command"))


@pytest.fixture
def machine(gateway: Network) -> Iterator[Computer]:
    with computer(gateway.appliance) as made:
        made.pretend_index()
        yield made


def test_a_package_is_installed_with_its_page_and_updated_by_the_installed_programs(
    machine: Computer, packages: Path, copy: Path
) -> None:
    [package] = packages.glob("*.tar.gz")
    shutil.copy(package, machine.root / "var/appliance.tar.gz")
    done = machine.run(INSTALL, "/var/appliance.tar.gz")
    assert done.returncode == 0, done.stdout + done.stderr
    served = machine.root / CURRENT / "source" / BUILT
    assert served.read_bytes() == (copy / BUILT).read_bytes()
    before = served.parents[4].resolve()
    done = machine.run(f"/{CURRENT}/source/deploy/install", "/var/appliance.tar.gz")  # the same once more
    assert done.returncode == 0, done.stderr
    assert served.parents[4].resolve() == before
    assert not any(one.startswith("tmp/") for one in machine.written())


@pytest.mark.parametrize("content", [None, b"not an archive"])
def test_what_is_no_package_is_not_installed(machine: Computer, content: bytes | None) -> None:
    if content is not None:
        (machine.root / "var/other.tar.gz").write_bytes(content)
    done = machine.run(INSTALL, "/var/other.tar.gz")
    assert done.returncode == 1
    assert "it must be an appliance-VERSION.tar.gz of deploy/package" in done.stderr
    assert not (machine.root / HOME).exists()
    assert machine.calls() == []
