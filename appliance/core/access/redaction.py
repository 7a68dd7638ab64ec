"""Takes secrets and people's addresses out of texts that leave the appliance, such as logs, configuration and reports.

What is known to be secret here is removed wherever it appears; beside that, whatever looks like a secret. Too much is
removed rather than too little: a name of 32 characters and more with digits in it counts as a secret.
"""

import re
from collections.abc import Iterable

SHORTEST_SECRET = 6  # characters of a known one; shorter words would be removed from everywhere
LONGEST_TEXT = 1 << 20  # characters; what is longer keeps its end, where a log has its latest lines

# What it looks like, and what stands in its place.
_SHAPES = (
    (re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|\Z)", re.DOTALL), "[key or certificate]"),
    (re.compile(r"\b[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"), "[token]"),  # RFC 7519
    (re.compile(r"\$(argon2\w*|scrypt|2[aby]|[156y])\$[^\s\"']+"), "[hash]"),  # crypt(5)
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), r"\1 [secret]"),
    # The path of a web hook opens it; a server's name is needed to understand the rest.
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)([^\s/\"'@]*@)?([^\s/\"'?#]*)[/?#][^\s\"'<>)]*"), r"\1\3/[removed]"),
    (re.compile(r"(?i)(code[^\n:]*: )[A-Z0-9]{4}-[A-Z0-9]{4}"), r"\1[code]"),  # of pairing
    (
        re.compile(
            r"(?im)\b((?:\w*(?:password|passphrase|secret|token|api_?key)\w*|user|sender|recipients|contact)"
            r"[\"']?\s*[=:]\s*)(\[[^\]]*\]|\"[^\"\n]*\"|'[^'\n]*'|[^\s,;]+)"
        ),
        r"\1[removed]",
    ),
    (re.compile(r"[\w.%+-]{1,64}@[\w-][\w.-]{0,252}"), "[address]"),
    (re.compile(r"\b(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{32,}"), "[secret]"),
)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without secrets. `secrets`: those that are known."""
    text = text[-LONGEST_TEXT:]
    for secret in sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text
