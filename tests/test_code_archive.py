"""Modules that are loaded from one file are those that are loaded from many."""

import json
import os
import py_compile
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from appliance.code_archive import write_archive
from image.manifest import PROJECT

# What there is of each module, and where it says that it comes from.
LOADED = """
import json, sys
import appliance
from appliance.code_archive import use_archive
use_archive(sys.argv[1])
sys.meta_path.sort(key=lambda one: "Deferring" not in str(one))
import appliance.service.starting, appliance.core.moment, email.message
found = {
    name: [sorted(vars(one)), one.__file__, one.__spec__.origin, one.__cached__, [*getattr(one, "__path__", ())]]
    for name, one in sys.modules.items()
    if name.startswith("appliance.") and type(one).__name__ == "module" and hasattr(one, "__cached__")
}
archived = [name for name, one in sys.modules.items() if "ArchivedLoader" in str(getattr(one, "__loader__", None))]
print(json.dumps([found, archived]))
"""
WRITE = """
import sys
import appliance.service.starting
from appliance.code_archive import write_archive
print(write_archive(sys.argv[1], sys.modules.values()))
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of compiled files of their own, whatever the environment says of them."""
    return tmp_path_factory.mktemp("compiled")


def of_program(compiled: Path, program: str, *words: object) -> str:
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, words)]
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled), "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.fixture(scope="module")
def archive(compiled: Path) -> Path:
    path = compiled / "start.code"
    of_program(compiled, "import appliance.service.starting")  # compiles all
    assert int(of_program(compiled, WRITE, path)) > 500
    return path


def test_an_archive_s_modules_are_the_same_as_those_of_their_files(
    archive: Path, compiled: Path, tmp_path: Path
) -> None:
    found, archived = json.loads(of_program(compiled, LOADED, archive))
    as_ever, none = json.loads(of_program(compiled, LOADED, tmp_path / "missing"))
    assert found == as_ever
    assert none == []
    assert {"appliance.service.starting", "appliance.server", "email.message"} <= {*archived}


def test_a_traceback_shows_the_source(archive: Path, compiled: Path) -> None:
    program = """
import sys, traceback
from appliance.code_archive import use_archive
use_archive(sys.argv[1])
from appliance.core import text
assert type(text.__spec__.loader).__name__ == "ArchivedLoader"
try:
    text.visible(None)
except Exception:
    print(traceback.format_exc())
"""
    shown = of_program(compiled, program, archive).splitlines()
    at = next(number for number, line in enumerate(shown) if line.endswith(", in visible"))
    assert shown[at].lstrip().startswith(f'File "{PROJECT}/appliance/core/text.py", line ')
    assert shown[at + 1].strip().startswith("return ")


@pytest.mark.parametrize("damage", ["empty", "other", "short"])
def test_an_archive_of_another_python_is_not_used(archive: Path, compiled: Path, tmp_path: Path, damage: str) -> None:
    whole = archive.read_bytes()
    (tmp_path / "start.code").write_bytes({"empty": b"", "other": b"\0\0\r\n" + whole[4:], "short": whole[:7]}[damage])
    assert json.loads(of_program(compiled, LOADED, tmp_path / "start.code"))[1] == []


def test_what_has_no_compiled_file_is_left_out(tmp_path: Path) -> None:
    modules = [sys, ModuleType("pretended")]
    for name in ("compiled", "not_compiled"):
        (tmp_path / f"{name}.py").write_text("value = 1\n")
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None, origin=str(tmp_path / f"{name}.py"))
        modules.append(module)
    py_compile.compile(str(tmp_path / "compiled.py"))
    assert write_archive(str(tmp_path / "start.code"), modules) == 1
