"""The shape of the code, read from its imports: who may know whom."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "appliance"
FILES = sorted(ROOT.rglob("*.py"))
CORE = sorted((ROOT / "core").rglob("*.py"))

# Part of the package -> the parts that it may import. A module of `system` knows none outside its own folder. A part
# without a row may import everything: it is the composition root.
MAY_IMPORT = {
    "core": {"core"},
    "code_archive": set(),
    "deferred": set(),
    "ports": {"core", "events"},
    "events": {"core"},
    "config": {"core", "config"},
    "system": {"core"},
    "monitor": {"core", "ports", "events", "config", "monitor"},
    "simulator": {"core", "ports", "events", "config", "monitor", "simulator"},
    "server": {"core", "ports", "events", "config", "monitor", "server"},
    "client": {"core", "server"},
    "cli": {"cli", "client", "config", "core", "server", "service"},
}
ROOT_PARTS = {"service", "__init__", "__main__"}

# Package of the core -> the packages of it that it may import, beside its own and the files at its top, which import
# only one another.
CORE_MAY_IMPORT: dict[str, set[str]] = {
    "access": set(),
    "alerting": {"detection", "metering", "operations"},
    "metering": set(),
    "operations": {"detection", "metering"},
    "traffic": set(),
    "blocking": {"traffic"},
    "detection": {"blocking", "traffic"},
    "kernel": {"blocking", "metering", "traffic"},
}

# What the core may use beside the standard library: it computes without input or output.
CORE_LIBRARIES = {"cryptography", "dns", "idna", "msgspec"}

# Library -> where it may be imported.
ONLY_IN = {
    "eventlet": ("service/", "server/"),
    "socketio": ("server/", "client.py"),
    "engineio": ("server/",),
    "pyroute2": ("system/",),
    "psutil": ("system/",),
    "gpiozero": ("system/",),
    "lgpio": ("system/",),
    "sqlite3": ("system/",),
    "sqlite_utils": ("system/",),
    "ctypes": ("system/",),
    "jwt": ("server/access/",),
    "cryptography": ("system/certificate.py", "server/access/", "core/traffic/flows/quic.py"),
    "argon2": ("system/passwords.py", "system/backup_file.py"),
    "prometheus_client": ("server/pages/metrics.py",),
    "click": ("cli/",),
    "nacl": ("system/backup_file.py",),
}


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "appliance")


def standard(library: str) -> bool:
    import sys

    return library in sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_place_allows(path: Path) -> None:
    part = part_of(path)
    where = path.relative_to(ROOT).as_posix()
    for name in imports_of(path):
        library, *inner = name.split(".")
        if library != "appliance":
            assert part != "core" or standard(library) or library in CORE_LIBRARIES, f"{where} imports {name}"
            assert where.startswith(ONLY_IN.get(library, "")), f"{where} imports {name}"
        elif inner and part not in ROOT_PARTS:
            folder = ".".join(("appliance", *path.relative_to(ROOT).parts[:-1], ""))
            is_own = part == "system" and folder != "appliance.system." and f"{name}.".startswith(folder)
            assert is_own or inner[0] in MAY_IMPORT[part], f"{where} imports {name}"


def test_every_part_of_the_package_has_its_place() -> None:
    assert {part_of(path) for path in FILES} <= set(MAY_IMPORT) | ROOT_PARTS
    folders = {path.parent.name for path in (ROOT / "core").glob("*/__init__.py")}
    assert folders == set(CORE_MAY_IMPORT)


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_of_the_core_imports_only_packages_below_it(path: Path) -> None:
    package = path.relative_to(ROOT / "core").parts[0]
    below = {package, *CORE_MAY_IMPORT.get(package, set())}
    for name in imports_of(path):
        imported = name.removeprefix("appliance.core.").partition(".")[0]
        if name.startswith("appliance.core.") and imported in CORE_MAY_IMPORT:
            assert imported in below, f"{path.relative_to(ROOT)} imports {name}"


def test_the_core_reads_no_clock_and_no_file() -> None:
    for path in CORE:
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in {"open", "print", "datetime.now", "time.time", "time.monotonic"}, f"{path}: {called}"
            assert "logging" not in called, f"{path}: {called}"


def test_no_module_has_a_name_that_says_nothing() -> None:
    for path in FILES:
        assert path.stem not in {"utils", "common", "helpers", "misc", "manager"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("appliance.cli", "click msgspec pathlib"),  # which starts the service
        ("appliance.cli.main", "eventlet socketio pyroute2 gpiozero sqlite_utils"),
        ("appliance.cli.main", "appliance.cli.blocking appliance.cli.operations tomllib"),  # of other verbs
        ("appliance.service.starting", "pyroute2 psutil gpiozero prometheus_client"),  # which a simulation does without
        ("appliance.__main__", "click eventlet appliance.cli"),  # which turns garbage collection off first
        ("appliance.service.starting", "appliance.cli appliance.client"),  # which `appliance run` leaves behind
        ("appliance.service.restoring", "eventlet socketio gpiozero"),  # which holds a boot up
    ],
)
def test_a_module_loads_nothing_heavy_that_it_can_do_without(module: str, heavy: str) -> None:
    import subprocess
    import sys

    program = f"import sys, {module}; print([m for m in {heavy.split()!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
