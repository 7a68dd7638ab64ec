"""The lab's networks, for what belongs to one network namespace."""

from tests.lab.fixtures import bridge, gateway, inline, mirror, until

__all__ = ["bridge", "gateway", "inline", "mirror", "until"]
