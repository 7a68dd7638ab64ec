"""RAUC, which checks signed bundles and writes them to the root that does not run. It is asked by its own program."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from appliance.core.operations.update import BundleFacts

CHECK_S = 120.0  # the signature of a bundle is checked within a second; a card may be busy
WRITE_S = 3600.0  # a root of 640 MiB at 1 MB/s takes eleven minutes

_PERCENT = re.compile(r"^\s*(\d{1,3})% (.*)$")
# What RAUC says of a bundle, and what a person is told. The first that matches counts.
_SENTENCES = (
    (
        r"Signature size is 0|Signature size \(\d+\) exceeds|Failed to seek to end",
        "it is no signed bundle, or not whole",
    ),
    (
        r"self-signed certificate|unable to get (local )?issuer|certificate verify error|Verify error",
        "another key has signed it",
    ),
    (r"verification failure|signature verification failed|digest", "it was altered after it was signed"),
    (r"bundle format|not supported|plain", "its format is not one that this appliance takes"),
)


class RaucFailed(Exception):
    """RAUC refused or failed; the text says why, in a sentence for people."""


class Rauc:
    """The program. `settings`: RAUC's, which name the key and the roots."""

    def __init__(self, settings: Path) -> None:
        self.settings = settings

    def read(self, bundle: Path) -> BundleFacts:
        """What the bundle says of itself, if its signature is right. Raises `RaucFailed`."""
        words = ["rauc", f"--conf={self.settings}", "info", "--output-format=json", str(bundle)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=CHECK_S)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RaucFailed(f"RAUC cannot be asked: {error}") from None
        if done.returncode:
            raise RaucFailed(_sentence(done.stderr))
        try:
            found = json.loads(done.stdout)
            return BundleFacts(str(found["compatible"]), str(found["version"] or ""))
        except (ValueError, KeyError, TypeError):
            raise RaucFailed("its manifest cannot be read") from None

    def install(self, bundle: Path, tell: Callable[[int], None]) -> None:
        """Write the bundle, and make its root the first in the order. `tell`: gets the percent. Raises `RaucFailed`."""
        words = ["rauc", "install", str(bundle)]
        said = []
        try:
            with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as rauc:  # noqa: S603
                for line in rauc.stdout or ():
                    said.append(line.strip())
                    if found := _PERCENT.match(line):
                        tell(min(100, int(found[1])))
                code = rauc.wait(WRITE_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RaucFailed(f"RAUC cannot be asked: {error}") from None
        if code:
            last = next((one for one in reversed(said) if one.startswith("LastError: ")), said[-1] if said else "")
            raise RaucFailed(f"RAUC could not write it: {last.removeprefix('LastError: ')}")


def _sentence(said: str) -> str:
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "no word")
    for pattern, sentence in _SENTENCES:
        if re.search(pattern, said):
            return f"{sentence} ({last})"
    return f"RAUC refuses it ({last})"
