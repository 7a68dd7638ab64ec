"""The lines of faults: of the key, else of the nearest table around it."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.line_numbers import line_of, lines_of_keys
from appliance.config.reading import judge

TEXT = """# a [comment]
[appliance]
position = "gateway" # [x
timezone = \"\"\"
[not a table]
x = 1
\"\"\"
[[departments]]
id = "a"
subnets = [
  "10.0.0.0/8", # ]
  'x[', { y = "]" },
]
quota.daily = "5 GiB"
[departments.quota.hosts]
daily = "1 GiB"
[[departments]]
"id" = 'b'
  [ departments . quota ]
on_exceeded = '''
x'''
[server]
port=1"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("appliance", 2),
        ("appliance.position", 3),
        ("appliance.timezone", 4),
        ("departments[1]", 8),
        ("departments[1].subnets[2]", 10),
        ("departments[1].quota", 14),
        ("departments[1].quota.daily", 14),
        ("departments[1].quota.hosts.daily", 16),
        ("departments[2].id", 18),
        ("departments[2].interface", 17),
        ("departments[2].quota.on_exceeded", 20),
        ("departments[2].quota.daily.x[7].y", 19),
        ("server.port", 23),
        ("departments[3]", None),
        ("departments", None),
        ("panel.button", None),
    ],
)
def test_a_key_is_found_or_what_is_around_it(path: str, line: int | None) -> None:
    assert tomllib.loads(TEXT)
    assert line_of(path, lines_of_keys(TEXT)) == line


@given(st.text(max_size=40))
def test_every_path_has_an_answer(path: str) -> None:
    line_of(path, lines_of_keys(TEXT))


@given(st.text(alphabet="[]{}=.,#\"'\\\n ab1", max_size=60))
def test_every_text_is_judged(text: str) -> None:
    config, faults = judge(text)
    assert config is None
    assert all(one.line is None or 1 <= one.line <= text.count("\n") + 1 for one in faults)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = 1\nb = = 2\n", 2, "not a TOML file"),
        ("a = [\n1,\n", 3, "not a TOML file"),
        ("# x\n" + "a." * 30_000 + "b = 1", 2, "more than 20 names"),
        ("x = { " + "a . " * 30_000 + "b = 1 }", 1, "more than 20 names"),
        ("a = 1\n[" + '"a".' * 20_000 + "b]", 2, "more than 20 names"),
        ("[appliance]\nposition = 'here'\n[[departments]]\n", 2, "appliance.position"),
        ("[appliance]\nposition = 'host'\n[[departments]]\nid = 'a'\n", 3, "departments[1].interface: missing"),
        ("[appliance]\nposition = 'host'\n", None, "departments: missing"),
        ("[appliance]\nposition = 'host'\nnested.x = 1\n", 3, 'appliance."nested": unknown key'),
    ],
)
def test_a_fault_has_the_line_at_which_it_is_mended(text: str, line: int | None, message: str) -> None:
    found = [one for one in judge(text)[1] if message in one.message]
    assert [one.line for one in found] == [line], judge(text)


def test_a_contradiction_has_the_line_of_its_table() -> None:
    text = "[appliance]\nposition = 'host'\n[[departments]]\nid = 'a'\ninterface = 'b'\n[server]\nkey = 'x'\n"
    [fault] = judge(text)[1]
    assert (fault.line, fault.message.partition(":")[0]) == (6, "server")
