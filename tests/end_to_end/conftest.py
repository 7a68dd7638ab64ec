"""The lab's networks, and the service as a program in them."""

from tests.lab.fixtures import bridge, gateway, inline, mirror, until

__all__ = ["bridge", "gateway", "inline", "mirror", "until"]
