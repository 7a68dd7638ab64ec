import logging

from appliance.service.log_limits import LogRateLimit


class Time:
    """A clock that is moved by hand."""

    now_s = 0.0

    def __call__(self):
        return self.now_s


class Lines(logging.Handler):
    """Keeps what is written."""

    def __init__(self, clock_s):
        super().__init__()
        self.addFilter(LogRateLimit(clock_s))
        self.written = []

    def emit(self, record):
        self.written.append(self.format(record))


def _say(handler, text, name="server", fault=None):
    info = (type(fault), fault, None) if fault else None
    handler.handle(logging.LogRecord(name, logging.WARNING, "x.py", 1, "%s said %s", ("somebody", text), info))


def test_a_flood_is_written_in_part_and_the_rest_is_counted() -> None:
    clock = Time()
    lines = Lines(clock)
    for number in range(1000):
        _say(lines, number)
    assert lines.written[39:] == [
        "somebody said 39",
        "somebody said 40 (more lines follow too fast and are left out)",
    ]
    clock.now_s = 60.0
    _say(lines, "again")
    assert lines.written[-1] == "somebody said again (959 lines before it were left out)"
    _say(lines, "more")
    assert lines.written[-1] == "somebody said more"


def test_the_lines_of_an_hour_of_flood_are_bounded() -> None:
    clock = Time()
    lines = Lines(clock)
    for tenth in range(36000):
        clock.now_s = tenth / 10
        for _ in range(3):
            _say(lines, "noise")
    assert len(lines.written) <= 2 * (2 * 3600 + 40)


def test_a_flood_from_one_logger_hides_no_line_of_another() -> None:
    lines = Lines(Time())
    for number in range(1000):
        _say(lines, number)
    _say(lines, "important", name="metering")
    assert lines.written[-1] == "somebody said important"


def test_a_traceback_is_charged_as_twenty_lines() -> None:
    lines = Lines(Time())
    for number in range(10):
        _say(lines, number, fault=ValueError("x"))
    assert len(lines.written) == 3
    assert "ValueError" in lines.written[0]
    assert "ValueError" not in lines.written[2]
