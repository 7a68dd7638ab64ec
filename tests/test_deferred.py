"""Modules of libraries that run only when something of theirs is asked for."""

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from threading import Event, Thread

import pytest

from appliance.deferred import DEFERRED, LACKING, Deferral, DeferredModule

# What the service loads before its first client comes; it opens a store, and makes a server.
SERVICE = """
import os
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
import appliance.service.starting
from pathlib import Path
from appliance.server.delivery.transport import DirectServer
from appliance.system.storage.store import SqliteStore
DirectServer(async_mode="eventlet", monitor_clients=False)
SqliteStore(Path(":memory:")).close()
"""
RAN = """
import sys
from appliance.deferred import DEFERRED, DeferredModule
print(*(name for name in DEFERRED if name in sys.modules and type(sys.modules[name]) is not DeferredModule))
"""

NOTHING_DEFERRED = """
import appliance, sys
sys.meta_path[:] = [one for one in sys.meta_path if "appliance.deferred" not in str(one)]
"""
# What each module has when something is asked for that it has not; parts of a package come when they are asked for.
NAMES = """
import importlib, json
from appliance.deferred import DEFERRED
found = {name: importlib.import_module(name) for name in DEFERRED}
for one in found.values():
    assert not hasattr(one, "no_such_name") and type(one).__name__ == "module"
def names(module):
    return [name for name, value in vars(module).items() if type(value).__name__ not in ("module", "DeferredModule")]
print(json.dumps({name: names(module) for name, module in found.items()}))
"""


def in_a_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# What it loads on a real machine, where it watches a button.
REAL = """
import appliance.service.real_machine, appliance.system.device.sensors
from appliance.system.device.panel import GpioPanel
GpioPanel(17, 22, 23, 24, 1.0, Path("."))
"""


@pytest.mark.parametrize(("machine", "ran"), [("", ""), (REAL, "asyncio")])
def test_the_service_runs_no_deferred_module_that_it_can_do_without(machine, ran):
    assert in_a_process(SERVICE + machine + RAN) == ran


def test_a_deferred_module_still_has_everything():
    whole, deferred_ones = (json.loads(in_a_process(first + NAMES)) for first in (NOTHING_DEFERRED, "import appliance"))
    assert set(whole) == set(DEFERRED)
    for name, names in whole.items():
        assert set(names) <= set(deferred_ones[name]), name


def test_a_name_that_a_part_of_the_package_has_comes_from_there():
    program = "import appliance, engineio; print(engineio.Server.__module__, engineio.json.__name__)"
    assert in_a_process(program + RAN) == "engineio.server engineio.json"


def test_a_function_that_is_called_runs_its_module():
    program = """
import appliance
from importlib.metadata import entry_points, version
assert version("msgspec") and not entry_points(group="none of these")
"""
    assert in_a_process(program + RAN) == "importlib.metadata"


def test_a_class_that_is_made_is_the_real_one():
    program = """
import appliance
from http.server import BaseHTTPRequestHandler
from http.client import parse_headers
from io import BytesIO
print(parse_headers(BytesIO(b"Host: a"), BaseHTTPRequestHandler.MessageClass)["host"])
"""
    assert in_a_process(program) == "a"


def test_a_signature_is_made_for_all_but_the_docstring_of_a_dataclass():
    program = """
import appliance
from dataclasses import dataclass
from inspect import signature
@dataclass
class Point:
    x: int
"""
    assert in_a_process(program + RAN) == ""
    assert in_a_process(f"{program}print(signature(Point))" + RAN).splitlines() == ["(x: int) -> None", "ast inspect"]


def test_a_name_that_is_lacking_can_be_imported_from_nowhere():
    program = """
import appliance
try:
    from typing_extensions import get_type_hints
except ImportError:
    print("lacking")
"""
    assert in_a_process(program + RAN).split() == ["lacking"]


# All patterns of the modules that are loaded; compiled, so that none has a fault that shows only when it is used.
PATTERNS = """
import inspect, re, sys
from appliance.deferred import PATTERNS_OF, DeferredPattern
for module in [one for name, one in [*sys.modules.items()] if f"{name}.".startswith(PATTERNS_OF)]:
    deferred = {name: one for name, one in vars(module).items() if type(one) is DeferredPattern}
    waits = [name for name, one in deferred.items() if "_pattern" not in vars(one)]
    assert all(type(one._pattern) is re.Pattern for one in deferred.values())
    names = "|".join(map(re.escape, deferred))
    assert not deferred or not re.search(rf"\\bre\\.\\w+\\(({names})\\b", inspect.getsource(module)), module
    print(module.__name__) if waits else None
"""


def test_patterns_are_compiled_when_they_are_used_and_only_their_methods_are_called():
    assert {"appliance.config.values", "email.utils", "sqlite_utils.db"} <= {*in_a_process(SERVICE + PATTERNS).split()}


def test_a_deferred_pattern_does_what_it_would():
    program = """
import appliance, sqlite_utils.db
quoted = sqlite_utils.db._quote_fts_re
print("_pattern" in vars(quoted), quoted.findall('a "b c"'), quoted.flags, "findall" in vars(quoted))
"""
    assert in_a_process(program) == """False ['', '"b c"'] 32 True"""


GATE = """
from sys import modules
gate = modules["tests.test_deferred"]
gate.BEGUN.set()
gate.GO_ON.wait(60)
late = 7
"""
BEGUN, GO_ON = Event(), Event()


def test_a_second_thread_waits_until_the_module_has_run(tmp_path):
    path = tmp_path / "gated.py"
    path.write_text(GATE)
    spec = spec_from_file_location("gated", path)
    spec.loader = Deferral(spec.loader, {"known": 1, "absent": LACKING})
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.known == 1
    assert not hasattr(module, "absent")
    found = []
    threads = [Thread(target=lambda: found.append(module.late)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert BEGUN.wait(60)
    assert found == []
    GO_ON.set()
    for thread in threads:
        thread.join(60)
    assert found == [7, 7]
    assert type(module) is not DeferredModule
