"""Shows an internationalised domain in its own script, where nobody can take it for another (UTS 39, section 5.2).

A label is shown in Unicode if its letters are of one script, or of those that Japanese and Korean mix. A label of
Cyrillic or Greek letters that all look like Latin ones stays as it is in DNS, as browsers have it.
"""

import unicodedata

PREFIX = "xn--"
TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)
# Letters of other scripts that look like Latin ones: of Cyrillic and Greek, those that Chromium lists too.
LOOK_ALIKES = frozenset("аысԁеԍһіюјӏорԗԛѕԝхуъЬҽпгѵѡκνορυωαιταεη")
_NEUTRAL = frozenset({"DIGIT", "HYPHEN-MINUS"})
_LONG_VOWEL = "KATAKANA-HIRAGANA"  # a mark of both


def shown(domain: str) -> str:
    """The domain as a person reads it. `domain`: as in DNS, IDN as `xn--`."""
    if PREFIX not in domain:
        return domain
    return ".".join(_label(one) for one in domain.split("."))


def _label(label: str) -> str:
    if not label.startswith(PREFIX):
        return label
    import idna  # few names need its tables

    try:
        found = idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        return label
    scripts = {_script(one) for one in found} - _NEUTRAL
    if len(scripts) > 1 and not any(scripts <= one for one in TOGETHER):
        return label
    return label if set(found) - set("0123456789-") <= LOOK_ALIKES else found


def _script(letter: str) -> str:
    """The script of a letter: the first word of its name, which is `LATIN`, `CYRILLIC`, `CJK` and the like."""
    if unicodedata.combining(letter):
        return "DIGIT"  # of the letter before it
    word = unicodedata.name(letter, "").partition(" ")[0]
    return "KATAKANA" if word == _LONG_VOWEL else word
