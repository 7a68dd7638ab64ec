"""Modules that are loaded from one file are those that are loaded from many."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.code_archive import HEADER, write_archive
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


def of_program(program: str, *words: object) -> str:
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "start.code"
    of_program("import appliance.service.starting")  # else not all is compiled
    assert int(of_program(WRITE, path)) > 500
    return path


def test_an_archive_s_modules_are_the_same_as_those_of_their_files(archive: Path, tmp_path: Path) -> None:
    found, archived = json.loads(of_program(LOADED, archive))
    as_ever, none = json.loads(of_program(LOADED, tmp_path / "missing"))
    assert found == as_ever
    assert none == []
    assert {"appliance.service.starting", "appliance.server", "email.message"} <= {*archived}


def test_a_traceback_shows_the_source(archive: Path) -> None:
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
    shown = of_program(program, archive).splitlines()
    at = next(number for number, line in enumerate(shown) if line.endswith(", in visible"))
    assert shown[at].lstrip().startswith(f'File "{PROJECT}/appliance/core/text.py", line ')
    assert shown[at + 1].strip().startswith("return ")


@pytest.mark.parametrize("damage", ["empty", "other", "short"])
def test_an_archive_of_another_python_is_not_used(archive: Path, tmp_path: Path, damage: str) -> None:
    whole = archive.read_bytes()
    (tmp_path / "start.code").write_bytes({"empty": b"", "other": b"\0\0\r\n" + whole[4:], "short": whole[:7]}[damage])
    assert json.loads(of_program(LOADED, tmp_path / "start.code"))[1] == []


def test_what_has_no_compiled_file_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compiled", "not_compiled"):
        (tmp_path / f"{name}.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import compiled  # type: ignore[import-not-found]

    assert len(Path(compiled.__cached__).read_bytes()) > HEADER
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import not_compiled  # type: ignore[import-not-found]

    assert write_archive(str(tmp_path / "start.code"), [compiled, not_compiled, sys]) == 1
