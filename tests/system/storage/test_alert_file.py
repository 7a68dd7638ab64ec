from pathlib import Path

import pytest

from appliance.core.alerting.journal import MOST_KEPT, SentAlert
from appliance.system.storage.alert_file import AlertFile


def _alert(number: int) -> SentAlert:
    return SentAlert(number, "quota:alert", "department:a", b'{"alertId":%d,"text":"\xc3\xa4"}' % number)


def test_what_was_written_is_read_by_the_next_one(tmp_path: Path) -> None:
    file = AlertFile(tmp_path / "alerts")
    assert file.read() == []
    for number in (1, 2):
        file.append(_alert(number))
    assert AlertFile(tmp_path / "alerts").read() == [_alert(1), _alert(2)]


def test_a_torn_line_loses_itself_only(tmp_path: Path) -> None:
    file = AlertFile(tmp_path / "alerts")
    for number in (1, 2):
        file.append(_alert(number))
    content = (tmp_path / "alerts").read_bytes()
    (tmp_path / "alerts").write_bytes(content[:-10])
    again = AlertFile(tmp_path / "alerts")
    assert again.read() == [_alert(1)]
    again.append(_alert(3))
    assert AlertFile(tmp_path / "alerts").read() == [_alert(1), _alert(3)]


def test_rubbish_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "alerts").write_bytes(b"\xff\x00\n[]\n{}\n" + b'{"number":"x"}\n')
    assert AlertFile(tmp_path / "alerts").read() == []


def test_the_file_does_not_grow_beyond_twice_what_is_kept(tmp_path: Path) -> None:
    file = AlertFile(tmp_path / "alerts")
    for number in range(1, 5 * MOST_KEPT):
        file.append(_alert(number))
    assert len((tmp_path / "alerts").read_bytes().splitlines()) <= 2 * MOST_KEPT
    kept = AlertFile(tmp_path / "alerts").read()
    assert kept == [_alert(number) for number in range(4 * MOST_KEPT, 5 * MOST_KEPT)]


def test_a_folder_that_takes_nothing_costs_the_disk_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = AlertFile(tmp_path / "none" / "alerts")
    assert file.read() == []
    for number in (1, 2):
        file.append(_alert(number))
    assert len(caplog.records) == 1
