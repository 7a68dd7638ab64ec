"""How rows of two revisions are set beside each other."""

import subprocess
import sys

import pytest

from tests.bench.compare import Measured, _compared, filled
from tests.documents import PROJECT


def test_a_row_shows_medians_and_their_ratio_and_leaves_constant_numbers_in_the_text() -> None:
    text = "load, # clients: # us (below #)"
    before, after = [[100, 2.0, 5], [100, 4.0, 5], [100, 90.0, 5]], [[100, 1.0, 5], [100, 2.0, 5], [100, 3.0, 5]]
    assert filled(text, before, after) == "load, 100 clients: 4|2 (0.50) us (below 5)"


def test_rows_of_one_text_are_told_apart_by_their_order_and_a_new_one_is_named() -> None:
    former = Measured(["a 1 s", "a 10 s"], 4.0, None)
    latter = Measured(["a 2 s", "a 30 s", "new 7"], 1.0, None)
    assert list(_compared("both", [(former, latter)])) == [
        "a 1|2 (2.00) s",
        "a 10|30 (3.00) s",
        "new # (not in both)",
        "both, all of it: 4|1 (0.25) s of CPU; instructions cannot be counted here (perf stat)",
    ]


@pytest.mark.skipif(not (PROJECT / ".git").exists(), reason="these files are of no repository")
def test_a_revision_that_does_not_exist_ends_it_with_gits_reason() -> None:
    command = [sys.executable, "-m", "tests.bench", "--compare", "no-such-revision", "overshoot"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, "no-such-revision" in done.stderr) == (1, True)
