from pathlib import Path

from appliance.system.device.sensors import PsutilSensors


def test_the_gauges_are_of_this_machine(tmp_path: Path) -> None:
    total_kib = int(Path("/proc/meminfo").read_text().split()[1])
    vitals = PsutilSensors(tmp_path).vitals()
    assert vitals.memory_total_bytes == total_kib * 1024
    assert 0 < vitals.memory_used_bytes < vitals.memory_total_bytes
    assert 0 < vitals.storage_used_bytes < vitals.storage_total_bytes
    assert 0 <= vitals.cpu_percent <= 100


def test_a_temperature_is_a_number_where_a_sensor_exists_and_none_elsewhere(tmp_path: Path) -> None:
    zones = list(Path("/sys/class/thermal").glob("thermal_zone*")) + list(Path("/sys/class/hwmon").glob("hwmon*"))
    temperature_c = PsutilSensors(tmp_path).vitals().cpu_temperature_c
    assert temperature_c is None if not zones else temperature_c is None or -40 < temperature_c < 150
