"""Defers modules until something of theirs is asked for; most of them never run.

A library imports more than the appliance uses of it: a package all its parts, a module what one rare function needs.
`import socketio` alone runs 28 modules of clients and brokers, and each keeps its memory for as long as the service
runs. So do modules of ours that few appliances need. A module of `DEFERRED` is there at once, and runs at the first
question for a name that it does not know: nothing is lost, and it may take its time then. The parts of a package are
imported one by one beside it.

A module also compiles its regular expressions when it is imported, which takes a ninth of the time to import all that
the service needs. Those of `PATTERNS_OF` are compiled when they are used.
"""

import re
import sys
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import BuiltinFunctionType, ModuleType, SimpleNamespace
from typing import Any

LACKING = object()  # a name that the module is to lack: who asks for it has another way
CALLED = object()  # a function, which runs the module when it is called


def _asker() -> str:
    return str(sys._getframe(2).f_globals["__name__"])


def _signature(of: Any, **options: Any) -> Any:
    """The signature that was asked for, but none to `dataclasses`, which makes it a docstring that nobody reads."""
    return "" if _asker() == "dataclasses" else import_module("inspect").Signature.from_callable(of, **options)


def _isbuiltin(found: object) -> bool:
    """Whether it is a function in C; gpiozero gets yes of all, and so does not look which arguments ours take: none."""
    return isinstance(found, BuiltinFunctionType) or _asker() == "gpiozero.mixins"


_RT_FILES = (
    "GroupFile", "NlProtosFile", "RtAddrProtosFile", "RtDsfieldFile", "RtProtosFile", "RtRealmsFile", "RtScopesFile",
    "RtTablesFile", "TcClsFile",
)  # fmt: skip

# Module -> names that others ask of it at once: their values here, or the part of the package that has them (a text).
DEFERRED: dict[str, dict[str, object]] = {
    # Packages that import all their parts.
    "bidict": {"bidict": "bidict._bidict", "ValueDuplicationError": "bidict._exc"},
    "engineio": {"Server": "engineio.server"},
    "gpiozero": {},
    "jwt": {},
    "pyroute2": {},
    "socketio": {},
    "sqlite_utils": {},
    # sqlite-utils: its command line, functions for that, which bring python-dateutil, and plugins; there are none.
    "click": {},
    "sqlite_utils.plugins": {
        "ensure_plugins_loaded": lambda: None,
        "pm": SimpleNamespace(hook=SimpleNamespace(prepare_connection=lambda conn: None)),  # noqa: ARG005  its name
    },
    "sqlite_utils.recipes": {},
    "sqlite_fts4": {"rank_bm25": CALLED},
    # python-engineio: a WebSocket in a greenlet, and compressed answers. `server/delivery` has its own.
    "eventlet.websocket": {"WebSocketWSGI": object},
    "gzip": {},
    # msgspec and bidict: what `typing` has, too.
    "typing_extensions": {
        "get_type_hints": LACKING,
        "NotRequired": LACKING,
        "Required": LACKING,
        "override": lambda method: method,  # Python 3.12 has it
    },
    "msgspec.inspect": {},
    "msgspec._json_schema": {"schema": CALLED, "schema_components": CALLED},
    # eventlet's patching: loops and packages. pyroute2 runs on a loop of asyncio, without TLS; a simulation on none.
    "asyncio": {},
    "asyncio.sslproto": {},
    "pkgutil": {},
    # pyroute2: a pretended kernel, traffic control, processes in other namespaces, and files with names for numbers.
    "multiprocessing": {"Pipe": CALLED, "Process": CALLED, "Queue": CALLED},
    "pyroute2.iproute.ipmock": {"IPEngine": object},
    "pyroute2.netlink.rtnl.tcmsg": {"plugins": {}, "tcmsg": object},
    "pyroute2.netlink.rt_files": dict.fromkeys(_RT_FILES, CALLED),
    "unittest": {},
    "unittest.mock": {"Mock": object},
    # paho-mqtt: a look for a broker by its service's name.
    "dns": {},
    "dns.resolver": {},
    # gpiozero: LEDs of many colours, a look for pins where a program names none, and sensors' means.
    "colorzero": {"Color": object},
    "importlib.metadata": {"entry_points": CALLED},
    "statistics": {"mean": CALLED, "median": CALLED},
    # http.server, which eventlet's server builds on: error pages, files, defects of mail.
    "html": {},
    "http.client": {"HTTPMessage": CALLED},
    "mimetypes": {},
    "shutil": {},
    "email.encoders": {"encode_7or8bit": CALLED},
    "email.errors": {},
    "email.header": {},
    "email.quoprimime": {},
    # The standard library: functions' signatures for docstrings, and a parser for these; the command line's calendar;
    # archives in `shutil`; a compiler's search for libraries.
    "ast": {},
    "inspect": {
        "isbuiltin": _isbuiltin,
        "isclass": lambda found: isinstance(found, type),
        "signature": _signature,
    },
    "bz2": {},
    "calendar": {},
    "locale": {},
    "lzma": {},
    "tempfile": {},
    # Ours: what few appliances have configured, and what is seldom asked for.
    "appliance.config.differences": {"ByHand": object, "changes": CALLED},
    "appliance.config.line_numbers": dict.fromkeys(("line_of", "line_of_syntax_error", "lines_of_keys"), CALLED),
    "appliance.config.proposal": {},
    "appliance.core.blocking.lists.parser": {"parse_list": CALLED},
    "appliance.core.kernel.bpf.dns_program": {"program": CALLED},
    "appliance.server.pages.contract": {},
    "appliance.server.pages.metrics": {},
}
# Beginnings of modules' names. They only call methods of what they compile: functions of `re` want a real pattern.
PATTERNS_OF = ("appliance.", "email.", "fractions", "jwt.", "platform", "sqlite_utils.", "textwrap")

_OF_IMPORT = {"__path__", "__file__", "__cached__", "__loader__", "__spec__"}  # which the import system asks for


class DeferredModule(ModuleType):
    """A module that has not run yet."""

    def __getattr__(self, name: str) -> Any:
        """The part of this name, or what the module has by this name once it has run."""
        if name in _OF_IMPORT:
            raise AttributeError(name)
        deferral = vars(self)["__loader__"]
        return deferral.found(self, name) if isinstance(deferral, Deferral) else getattr(self, name)


class Deferral:
    """Loads a module without running it, and runs it when it has to."""

    def __init__(self, loader: Any, known: Mapping[str, object]) -> None:
        """`loader`: runs the module. `known`: names that it has, or lacks, until then, as in `DEFERRED`."""
        self._loader = loader
        self._known = known
        self._lock = RLock()  # a second thread waits until the module has run
        self._is_running = False

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module that waits."""
        return DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Give the module the names that are known."""
        for name, value in self._known.items():
            if value is CALLED:
                setattr(module, name, partial(self._call, module, name))
            elif value is not LACKING and type(value) is not str:
                setattr(module, name, value)

    def found(self, module: ModuleType, name: str) -> Any:
        """The part of a package, or what the module has by this name: it runs now. Raises `AttributeError`."""
        path, part = vars(module).get("__path__"), f"{module.__name__}.{name}"
        known = self._known.get(name)
        if known is LACKING:
            raise AttributeError(f"{part} is not provided: {__name__} says why")
        if isinstance(known, str):
            return getattr(import_module(known), name)
        if path is not None and PathFinder.find_spec(part, path) is not None:
            return import_module(part)
        with self._lock:
            if self._is_running:
                raise AttributeError(f"{module.__name__} has no {name} yet")
            if type(module) is DeferredModule:
                self._run(module)
        return getattr(module, name)

    def _call(self, module: ModuleType, name: str, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            if type(module) is DeferredModule:
                self._run(module)
        return getattr(module, name)(*arguments, **options)

    def _run(self, module: ModuleType) -> None:
        self._is_running = True
        try:
            self._loader.exec_module(module)
        finally:
            self._is_running = False
        module.__class__ = ModuleType
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader


class DeferringFinder:
    """Finds the modules of `DEFERRED` before the import system does."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Where the module is, to be loaded without running; `None` for all others."""
        if name not in DEFERRED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = Deferral(spec.loader, DEFERRED[name])  # type: ignore[assignment]  # which the import system takes, too
        return spec


class DeferredPattern:
    """A regular expression that is compiled when it is first used."""

    def __init__(self, compiled: Callable[[], re.Pattern[Any]]) -> None:
        self._compiled = compiled

    @cached_property
    def _pattern(self) -> re.Pattern[Any]:
        return self._compiled()

    def __getattr__(self, name: str) -> Any:
        """What the pattern has by this name, which is found at once from then on."""
        found = getattr(self._pattern, name)
        setattr(self, name, found)
        return found


def _compile(at_once: Callable[..., re.Pattern[Any]], *arguments: Any, **options: Any) -> Any:
    compiled = partial(at_once, *arguments, **options)
    return DeferredPattern(compiled) if _asker().startswith(PATTERNS_OF) else compiled()


def defer() -> None:
    """Defer from now on what has not been imported yet."""
    if DeferringFinder not in sys.meta_path:
        sys.meta_path.insert(0, DeferringFinder)
        re.compile = partial(_compile, re.compile)
