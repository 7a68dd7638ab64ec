"""A systemd unit file, for tests."""

import shlex
import sys
from pathlib import Path


class Unit:
    """A unit file, parsed as systemd does, as far as these units need."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = [
            (name, value)
            for line in path.read_text().splitlines()
            if line and line[0] not in "#["
            for name, _, value in [line.partition("=")]
        ]

    def __getitem__(self, name: str) -> str:
        [value] = self.all(name)
        return value

    def all(self, name: str) -> list[str]:
        """The values of a setting, in their order."""
        return [value for key, value in self._rows if key == name]

    def words(self, name: str) -> set[str]:
        """The words of a list setting."""
        return {word for value in self.all(name) for word in value.split()}

    def command(self, name: str) -> list[str]:
        """A command of the unit, run with the unit's restrictions and capabilities."""
        left = "".join(f",+{one.removeprefix('CAP_').lower()}" for one in sorted(self.words("CapabilityBoundingSet")))
        fenced = ["unshare", "--mount", sys.executable, "-B", "-m", "tests.end_to_end.fence", str(self.path)]
        words = shlex.split(self[name].removeprefix("-").replace("$$", "$"))
        return [*fenced, "setpriv", f"--bounding-set=-all{left}", "--no-new-privs", *words]
