"""Reads the computer's load, temperature, memory and storage, by psutil, in a thread of its own.

A temperature sensor may take seconds, a dying medium too, and either may fail. What is not known in time keeps its
latest value, and a reading that hangs delays nobody: there is never more than one.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
from msgspec.structs import replace

from appliance.core.machine import NO_SIGNS, Vitals
from appliance.system.device.machine_signs import MachineSignReader

log = logging.getLogger(__name__)

# Sensors of the processor's temperature, in the order of preference: a Raspberry Pi's, an Intel's, an AMD's.
CPU_SENSORS = ("cpu_thermal", "coretemp", "k10temp")
PATIENCE_S = 0.02  # the event loop waits so long; a reading takes a millisecond
UNKNOWN = Vitals(
    cpu_percent=0.0,
    cpu_temperature_c=None,
    memory_used_bytes=0,
    memory_total_bytes=0,
    storage_used_bytes=0,
    storage_total_bytes=0,
)
# What a gauge may raise: a missing file or a bad number in /proc or /sys, or psutil's own errors.
FAILURES = (OSError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RuntimeError, psutil.Error)


class PsutilSensors:
    """`ports.Sensors` by psutil. `storage`: a path on the file system whose fill is reported."""

    def __init__(self, storage: Path) -> None:
        self._storage, self._signs = storage, MachineSignReader(storage)
        self._known = UNKNOWN
        self._failed: set[str] = set()
        self._done: Event | None = None
        psutil.cpu_percent()  # the first call has nothing to compare with and answers 0

    def vitals(self) -> Vitals:
        """Load since the previous reading in percent of all cores; a temperature of `None` where none can be read."""
        if self._done is None or self._done.is_set():
            self._done = Event()
            Thread(target=self._read, args=(self._done,), name="sensors", daemon=True).start()
        if not self._done.wait(PATIENCE_S):
            # An old temperature could hide that it burns, and old signs that a medium has failed.
            return replace(self._known, cpu_temperature_c=None, signs=NO_SIGNS)
        return self._known

    def _read(self, done: Event) -> None:
        gauges: Mapping[str, Callable[[], dict[str, Any]]] = {
            "load": lambda: {"cpu_percent": psutil.cpu_percent()},
            "memory": _memory,
            "storage": self._disk,
            "signs": lambda: {"signs": self._signs.read()},
            "temperature": lambda: {"cpu_temperature_c": _cpu_temperature_c()},  # the last, because it is the slowest
        }
        for name, read in gauges.items():
            try:
                self._known = replace(self._known, **read())
                self._failed.discard(name)
            except FAILURES as error:
                if name == "temperature":
                    self._known = replace(self._known, cpu_temperature_c=None)
                if name not in self._failed:
                    log.warning("the gauge of the %s cannot be read: %s: %s", name, type(error).__name__, error)
                self._failed.add(name)
        done.set()

    def _disk(self) -> dict[str, Any]:
        there = next(one for one in (self._storage, *self._storage.absolute().parents) if one.exists())
        storage = psutil.disk_usage(str(there))
        return {"storage_used_bytes": storage.used, "storage_total_bytes": storage.total}


def _memory() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {"memory_used_bytes": memory.used, "memory_total_bytes": memory.total}


def _cpu_temperature_c() -> float | None:
    read = getattr(psutil, "sensors_temperatures", None)  # psutil has it only where the platform does
    chips: Mapping[str, list[Any]] = read() if read else {}
    readings = next((chips[name] for name in CPU_SENSORS if chips.get(name)), None)
    return round(float(readings[0].current), 1) if readings else None
