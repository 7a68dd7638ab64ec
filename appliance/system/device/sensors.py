"""Reads the computer's load, temperature, memory and storage, by psutil."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from appliance.core.machine import Vitals

# Sensors of the processor's temperature, in the order of preference: a Raspberry Pi's, an Intel's, an AMD's.
CPU_SENSORS = ("cpu_thermal", "coretemp", "k10temp")


class PsutilSensors:
    """`ports.Sensors` by psutil. `storage`: a path on the file system whose fill is reported."""

    def __init__(self, storage: Path) -> None:
        self._storage = storage
        psutil.cpu_percent()  # the first call has nothing to compare with and answers 0

    def vitals(self) -> Vitals:
        """Load since the previous call in percent of all cores; a temperature of `None` where there is no sensor."""
        memory = psutil.virtual_memory()
        storage = psutil.disk_usage(str(self._storage))
        return Vitals(
            cpu_percent=psutil.cpu_percent(),
            cpu_temperature_c=_cpu_temperature_c(),
            memory_used_bytes=memory.used,
            memory_total_bytes=memory.total,
            storage_used_bytes=storage.used,
            storage_total_bytes=storage.total,
        )


def _cpu_temperature_c() -> float | None:
    read = getattr(psutil, "sensors_temperatures", None)  # psutil has it only where the platform does
    chips: Mapping[str, list[Any]] = read() if read else {}
    readings = next((chips[name] for name in CPU_SENSORS if chips.get(name)), None)
    return round(float(readings[0].current), 1) if readings else None
