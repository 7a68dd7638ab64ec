"""The table of faults names tests that there are."""

import ast

import pytest

from tests.documents import PROJECT
from tests.faults import FAULTS, Fault, table


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.fault)
def test_each_fault_has_a_behaviour_and_tests_that_exist(fault: Fault) -> None:
    assert fault.behaviour
    assert fault.tests
    for test in fault.tests:
        path, _, name = test.partition("::")
        functions = [node.name for node in ast.walk(ast.parse((PROJECT / path).read_text())) if hasattr(node, "name")]
        assert name in functions, test


def test_a_row_shows_what_was_not_run_and_what_failed() -> None:
    shown = table(FAULTS[:1], {FAULTS[0].tests[0]: "FAILED"})
    assert shown.count("FAILED") == 1
    assert shown.count("not run") == len(FAULTS[0].tests) - 1
