"""Programs that tests of the storage start, to fill their disk or to kill them. The argument is a folder or a file."""

import sys


def command(name: str, argument: object) -> list[str]:
    """The command that runs one of them."""
    return [sys.executable, "-m", f"{__name__}.{name}", str(argument)]
