import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.core.access.audit_entry import LONGEST_VALUE, AuditEntry, StoredEntry, digest, first_break, value_text

ENTRY = AuditEntry("2026-11-23T12:00:00.000Z", "anna", "admin", "192.168.1.9", "ip:block", '{"address":"10.0.0.1"}')


def _chain(count: int) -> list[StoredEntry]:
    chain, before = [], ""
    for number in range(1, count + 1):
        entry = replace(ENTRY, what=json.dumps(number))
        before = digest(before, entry)
        chain.append(StoredEntry(number, entry, before))
    return chain


def test_a_chain_holds_as_it_was_made_and_from_any_entry_on() -> None:
    chain = _chain(5)
    assert first_break(chain) is None
    assert first_break(chain[2:]) is None


@given(st.integers(0, 4), st.sampled_from([field for field in ENTRY.__slots__ if field != "address"]))
def test_an_altered_entry_shows(at: int, field: str) -> None:
    chain = _chain(5)
    chain[at] = replace(chain[at], entry=replace(chain[at].entry, **{field: "altered"}))
    assert first_break(chain) == at + 1


def test_a_missing_entry_shows() -> None:
    chain = _chain(5)
    del chain[2]
    assert first_break(chain) == 4


def test_a_digest_changes_when_text_moves_from_one_field_to_the_next() -> None:
    assert digest("", replace(ENTRY, what="ab", before="c")) != digest("", replace(ENTRY, what="a", before="bc"))


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists))
def test_a_value_is_json_and_bounded_whatever_it_is(value: object) -> None:
    text = value_text(value)
    assert len(text) <= LONGEST_VALUE
    json.loads(text)


def test_a_long_value_is_cut() -> None:
    assert json.loads(value_text(["x" * 10_000])).startswith('["xxx')
    assert len(value_text(['"' * 10_000])) <= LONGEST_VALUE
