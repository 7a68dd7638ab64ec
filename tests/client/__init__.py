"""The real `socket.io-client`, driven by the tests."""

from tests.client.node import NodeClient
from tests.client.recorder import Received, Recorder

__all__ = ["NodeClient", "Received", "Recorder"]
