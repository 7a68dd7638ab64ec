"""The QR code is the one that another encoder makes: digests of its modules, by the `qrcode` package with mask 000."""

from hashlib import sha256

import pytest

from appliance.core.qr_code import MOST_BYTES, QUIET, qr_code, qr_text

ELSEWHERE = {
    "http://10.0.0.2/": (21, "a288618f97a77aee"),
    "http://192.168.1.5:5001/first": (25, "39f3fc1e6eb59c09"),
    "https://[2001:db8:85a3::8a2e:370:7334]:5001/first": (29, "f7eda74324ce9f6b"),
    f"https://{'a' * 55}.example:5001/": (33, "32d2be5bd5772656"),
    f"https://{'b' * 80}.example:5001/": (37, "2b3c88a65daad221"),
}


@pytest.mark.parametrize("text", ELSEWHERE)
def test_the_code_is_the_same_as_elsewhere(text: str) -> None:
    code = qr_code(text)
    rows = "\n".join("".join("#" if one else "." for one in row) for row in code)
    assert (len(code), sha256(rows.encode()).hexdigest()[:16]) == ELSEWHERE[text]


def test_its_text_is_light_around_and_has_two_rows_in_a_line() -> None:
    lines = qr_text("http://10.0.0.2/").splitlines()
    assert {len(line) for line in lines} == {21 + 2 * QUIET}
    assert len(lines) == (21 + 2 * QUIET + 1) // 2
    assert lines[0] == lines[-1] == "█" * (21 + 2 * QUIET)
    assert lines[QUIET // 2] == "████ ▄▄▄▄▄ " + lines[QUIET // 2][11:18] + " ▄▄▄▄▄ ████"


def test_what_does_not_fit_is_refused() -> None:
    assert len(qr_code("a" * MOST_BYTES)) == 37
    with pytest.raises(ValueError, match="at most 106 bytes"):
        qr_code("a" * (MOST_BYTES + 1))
