"""Modules of libraries that run only when something of theirs is asked for."""

import subprocess
import sys
from threading import Thread

import pytest

from appliance import deferred
from appliance.deferred import DEFERRED, LACKING, defer

# What the service loads before its first client comes; it opens a store, and makes a server.
SERVICE = """
import os
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
import appliance.service.starting
from pathlib import Path
from tempfile import TemporaryDirectory
from appliance.server.delivery.transport import DirectServer
from appliance.system.storage.store import SqliteStore
DirectServer(async_mode="eventlet", monitor_clients=False)
with TemporaryDirectory() as folder:
    SqliteStore(Path(folder) / "state").close()
"""
RAN = """
import sys
from appliance.deferred import DEFERRED, DeferredModule
print(*(name for name in DEFERRED if name in sys.modules and type(sys.modules[name]) is not DeferredModule))
"""


def in_a_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("machine", "ran"), [("", ""), ("import appliance.service.real_machine", "asyncio")])
def test_the_service_runs_no_deferred_module_that_it_can_do_without(machine, ran):
    assert in_a_process(SERVICE + machine + RAN) == ran


@pytest.mark.parametrize("name", DEFERRED)
def test_a_deferred_module_still_has_everything(name):
    program = f"""
import importlib, sys
import appliance
found = importlib.import_module({name!r})
getattr(found, "no_such_name", None)
expected = sys.modules[{name!r}]
for one in [one for one in sys.modules if f"{{one}}.".startswith("{name}.")]:
    del sys.modules[one]
sys.meta_path[:] = [one for one in sys.meta_path if "appliance.deferred" not in str(one)]
missing = set(vars(importlib.import_module({name!r}))) - set(vars(expected))
print(*missing, type(expected).__name__, type(expected.__loader__).__name__)
"""
    assert in_a_process(program) == "module SourceFileLoader"


def test_a_name_that_a_part_of_the_package_has_comes_from_there():
    program = "import appliance, engineio; print(engineio.Server.__module__, engineio.json.__name__)"
    assert in_a_process(program + RAN) == "engineio.server engineio.json"


def test_a_name_that_is_lacking_can_be_imported_from_nowhere():
    program = """
import appliance
try:
    from typing_extensions import get_type_hints
except ImportError:
    print("lacking")
"""
    assert in_a_process(program + RAN).split() == ["lacking"]


@pytest.fixture
def waiting(tmp_path, monkeypatch):
    """A module that is deferred, and runs for as long as this test wants."""
    (tmp_path / "waiting_module.py").write_text(
        "import threading\nbegun = threading.Event()\nsys_path = []\n"
        "import waiting_gate\nwaiting_gate.begun.set()\nwaiting_gate.go_on.wait(60)\nlate = 7\n"
    )
    (tmp_path / "waiting_gate.py").write_text("import threading\nbegun, go_on = threading.Event(), threading.Event()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(DEFERRED, "waiting_module", {"known": 1, "absent": LACKING})
    defer()
    import waiting_gate
    import waiting_module

    yield waiting_module, waiting_gate
    for name in ("waiting_module", "waiting_gate"):
        del sys.modules[name]


def test_a_second_thread_waits_until_the_module_has_run(waiting):
    module, gate = waiting
    assert module.known == 1
    found = []
    threads = [Thread(target=lambda: found.append(module.late)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert gate.begun.wait(60)
    assert found == []
    gate.go_on.set()
    for thread in threads:
        thread.join(60)
    assert found == [7, 7]
    assert type(module) is not deferred.DeferredModule
