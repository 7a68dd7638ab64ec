from appliance.core.machine import Counters, Link
from appliance.core.operations.issues.courses import DAY_S, PortCourse, PortCourses, WrittenCourse


def link(packets: int = 0, damaged: int = 0, up: bool = True, mac: str = "02:00:00:00:00:01") -> Link:
    return Link("eth1", 2, mac, "boot", up, Counters(0, 0, rx_packets=packets, errors=damaged))


def test_a_port_s_course_is_of_the_latest_hour() -> None:
    courses = PortCourses()
    assert courses.look([link(1000, 50)], 0) == {"eth1": PortCourse(0, 0, 0)}
    for minute in range(1, 61):
        course = courses.look([link(1000 + minute, 50 + minute)], 60.0 * minute)
    assert course == {"eth1": PortCourse(60, 60, 0)}
    assert courses.look([link(1061, 110)], 3660.0) == {"eth1": PortCourse(60, 59, 0)}  # the first minute has passed


def test_looks_within_a_minute_are_not_all_remembered_and_the_last_one_counts() -> None:
    courses = PortCourses()
    for second in range(0, 7200, 5):
        course = courses.look([link(packets=second)], float(second))
    assert 3540 <= course["eth1"].packets <= 3600


def test_a_link_falls_each_time_it_goes_down() -> None:
    courses = PortCourses()
    for second, up in enumerate([True, False, False, True, False, True, True, False]):
        course = courses.look([link(up=up)], float(second))
    assert course["eth1"].falls == 3
    assert courses.look([link(up=False)], 4000.0)["eth1"].falls == 0


def test_counters_of_another_card_by_the_same_name_are_not_compared() -> None:
    courses = PortCourses()
    courses.look([link(1000, 900)], 0)
    assert courses.look([link(5000, 1000, mac="02:00:00:00:00:02")], 60.0) == {"eth1": PortCourse(0, 0, 0)}
    assert courses.look([link(10, 0, mac="02:00:00:00:00:02")], 120.0) == {"eth1": PortCourse(0, 0, 0)}


def test_a_port_that_is_gone_is_forgotten() -> None:
    courses = PortCourses()
    courses.look([link(up=True)], 0)
    assert courses.look([], 1) == {}
    assert courses.look([link(up=False)], 2)["eth1"].falls == 0


def test_what_is_written_in_a_day_is_known_after_an_hour_and_is_that_of_the_latest_day() -> None:
    course = WrittenCourse()
    assert course.look(1_000, 0) is None
    assert course.look(2_000, 1800) is None
    assert course.look(3_000, 3600) == 2_000 * 24
    for hour in range(2, 60):
        told = course.look(3_000, 3600.0 * hour)
    assert told == 0
    assert course.look(None, DAY_S * 3) is None
    assert course.look(500, DAY_S * 3) is None  # another medium
